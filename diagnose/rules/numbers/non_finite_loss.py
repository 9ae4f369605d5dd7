"""Non-finite loss: the loss is NaN or infinite.

Sees: `batch.loss` of each observed batch, `loss.train` at epoch ends, and the losses that Keras logged.

Harm: the update of such a step makes the weights NaN.

Fires: at the first such loss; where only the validation loss is not finite, the validation data are to blame.

Rests: a single step that loss scaling skipped: with a loss scale and finite weights it is a note.

Remedy: of a cross-entropy, a loss on logits (`from_logits=True`) in place of log and division by hand; of another loss,
arguments over 0 for its logarithms, roots and divisions; a smaller learning rate; data
without NaN.

Refute: the loss of the same batch, computed in float64, is finite.

Source: arithmetic: log(0), 0/0, and sums over 3.4e38 in float32.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import is_cross_entropy, outputs
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.first_break import Break, evidence_of, possible, untrained, when
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """Batches first, then epoch ends, then the log."""
    run = case.run
    losses = run.series("batch.loss")
    held = run.series("loss.train")
    logged = np.array(run.history.get("loss", ()), float)
    if not len(losses) and not len(held) and not len(logged):
        yield NotMeasured("", "no loss was seen")
        return
    broken = np.flatnonzero(~np.isfinite(losses.values))
    if len(broken):
        step, value = int(losses.steps[broken[0]]), float(losses.values[broken[0]])
        before = losses.steps[: broken[0]]
        found = Break("", step, float(len(broken)), int(before[-1]) if len(before) else None, 1)
        survived = np.isfinite(losses.values[-1]) and run.places("optimizer.loss_scale")
        yield _finding(
            run, f"The loss of the batch is {_plain(value)} {when(found)}.", step, evidence_of(found), bool(survived)
        )
        return
    if (ends := np.flatnonzero(~np.isfinite(held.values))).size:
        step = int(held.steps[ends[0]])
        yield _finding(
            run,
            f"The loss on training samples is {_plain(float(held.values[ends[0]]))} at step {step}.",
            step,
            {"first bad step": float(step)},
            False,
        )
        return
    if (epochs := np.flatnonzero(~np.isfinite(logged))).size:
        epoch = int(epochs[0]) + 1
        yield _finding(
            run,
            f"The loss that Keras logged is {_plain(float(logged[epochs[0]]))} from epoch {epoch} on.",
            None,
            {"first bad epoch": float(epoch)},
            False,
        )
        return
    validation = np.array(run.history.get("val_loss", ()), float)
    broke = np.any(run.series("weight.finite").values == 0)  # and with the weights, whatever is validated with them
    if not broke and (epochs := np.flatnonzero(~np.isfinite(validation))).size:
        yield _of_validation(float(validation[epochs[0]]), int(epochs[0]) + 1)
        return
    yield Healthy("")


def _of_validation(value: float, epoch: int) -> Finding:
    return Finding(
        "",
        f"The validation loss that Keras logged is {_plain(value)} from epoch {epoch} on; the training loss is finite.",
        severity="warning",
        blames=("preprocessing", "data"),
        evidence={"first bad epoch": float(epoch)},
        remedy="Look for NaN and infinity in the validation data: np.isfinite(x_val).all(), np.isfinite(y_val).all(), "
        "and for values far beyond those of the training data.",
        refute="All validation data are finite, and so are model.predict(x_val) and the loss of each sample.",
        confidence=0.85,
    )


def _finding(run: Run, message: str, step: int | None, evidence: dict[str, float | str], survived: bool) -> Finding:
    blames = possible(run, step, "loss", "learning-rate", "activation", "preprocessing")
    rate = "" if untrained(run, step) else "; lower the learning rate"
    numbers = run.facts.task.kind == "regression" or not any(map(is_cross_entropy, outputs(run)))
    how = (
        "Keep the arguments of logarithms, roots and divisions of the loss over 0 (softplus, or + 1e-6)"
        if numbers
        else "Use a loss on logits (from_logits=True) instead of logs and divisions by hand"
    )
    data = "; look for NaN in the data" if "preprocessing" in blames else ""
    return Finding(
        "",
        message,
        severity="note" if survived else "critical",
        blames=blames,
        since=step,
        evidence=evidence,
        remedy=f"{how}{rate}{data}.",
        remedies=() if untrained(run, step) else (rate_times(run, 0.1), remedy("clipnorm", value=1.0)),
        refute="The loss of the same batch, computed in float64, is finite.",
        confidence=0.6,
    )


def _plain(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinite"


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=(
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-activation",
        "constant-predictions",
        "hidden-nan",
    ),
    phase=2,
)
