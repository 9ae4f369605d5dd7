"""Loss not reported: the loss that is logged is not the loss that is trained on.

Sees: the logged loss, and the loss recomputed by the model's own compute_loss on the same batch, or on those
observed.

Harm: none to the training. A logged 0.0 hides everything that happens; people change networks that work.

Fires: a logged loss of exactly 0 where the computed one is over NONE; or one batch's logged loss over FAR times away
from the computed one. A difference of over a twentieth is a note: a train_step may log the loss without
regularization.

Rests: where no loss is logged under that name (two networks, two losses).

Remedy: in a custom train_step update the tracker: `self._loss_tracker.update_state(loss)`, or return `{"loss": loss,
**metrics}`.

Refute: the loss of a batch, computed by hand, equals the logged one.

Source: keras-team/keras issue 14705, rstudio/keras3 issue 1479.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Severity, Verdict

NONE = 1e-6  # fingerprints: clipping leaves 1.2e-7 of a true 0
FAR = 10.0  # a guess: no part of a loss that one may leave out of the log is nine tenths of it
NEAR = 0.05  # float16 sums differ by less


def judge(case: Case) -> Iterator[Verdict]:
    """The same batches twice where train_step's own number was seen; else all epochs against all observed batches."""
    run = case.run
    logged, computed = run.series("batch.loss_reported").finite(), run.series("batch.loss").finite()
    _, ours, theirs = np.intersect1d(logged.steps, computed.steps, return_indices=True)
    if len(ours):
        yield _compared(_typical(logged.values[ours]), _typical(computed.values[theirs]), int(logged.steps[ours][0]))
        return
    epochs = np.array(run.history.get("loss", ()), float)
    if not len(epochs) or not len(computed):
        yield NotMeasured("", "no logged loss to compare" if not len(epochs) else "the loss of no batch was recomputed")
        return
    typical = _typical(computed.values)
    if np.all(epochs == 0) and abs(typical) > NONE:
        yield _finding(0.0, typical, "warning", 0.95, None)
    else:
        yield Healthy()


def _typical(values: np.ndarray) -> float:
    return float(np.median(values))


def _compared(logged: float, computed: float, since: int) -> Verdict:
    size = max(abs(logged), abs(computed))
    if size <= NONE or abs(logged - computed) <= NEAR * size:
        return Healthy()
    if logged == 0:
        return _finding(logged, computed, "warning", 0.97, since)
    if min(abs(logged), abs(computed)) * FAR < size:
        return _finding(logged, computed, "warning", 0.8, since)
    return _finding(logged, computed, "note", 0.6, since)


def _finding(logged: float, computed: float, severity: Severity, confidence: float, since: int | None) -> Finding:
    return Finding(
        "",
        f"The logged loss is {logged:.4g}, and the model's own compute_loss returns {computed:.4g} for the same data.",
        severity=severity,
        blames=("reporting",),
        since=since,
        evidence={"logged loss": logged, "computed loss": computed},
        remedy="In train_step (and test_step), update the tracker before returning: "
        "`self._loss_tracker.update_state(loss)`; "
        'or return it: `return {"loss": loss, **self.compute_metrics(x, y, y_pred)}`.',
        refute="The loss of a batch, computed by hand, equals the logged one.",
        confidence=confidence,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="reporting",
    judge=judge,
    explains=("loss-metric-disagreement", "plateau"),
)
