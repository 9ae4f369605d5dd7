"""Everything masked: the weights, the mask or an ignored class leave nothing of the batch.

Sees: the loss of the batch as the model computes it, and the loss of the same predictions without sample weights,
mask and loss weights; the loss of these labels for any predictions.

Harm: the loss is 0, or almost, from the first batch, no weight changes, and nothing warns.

Fires: the weighted loss is under NOTHING of the unweighted one; or the loss is 0 for these labels, whatever is
predicted, though not for others.

Rests: an output that was switched off by a loss weight of 0 beside others that count (a note).

Remedy: look at `sample_weight`, `class_weight`, `loss_weights`, the `Masking` or `mask_zero` layer, and
`ignore_class`.

Refute: the sum of the effective weights of a batch is over 0.

Source: keras-team/keras issue 15323, tensorflow/tensorflow issue 34491.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    healthy,
    loss_of,
    outputs,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict

NOTHING = 1e-6  # class weights of 1e-8 have been met; honest ones span three or four powers of ten
ALL = 0.99


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    run = case.run
    counted = [output for output in outputs(run) if output.loss and output.loss.weight != 0]
    yield from each_output(run, lambda output: _look(output, len(counted)))


def _look(output: Output, counted: int) -> Verdict:
    loss = output.loss
    if not output.labels.given or loss is None:
        return untold(output) or healthy(output)
    if loss.takes == "nothing":
        return healthy(output)
    share = _share_left(output)
    if share is not None and share <= NOTHING:
        off = loss.weight == 0 and counted > 0
        cause, remedy = _cause(output)
        return _finding(
            output,
            f"{cause}, and only {share:.2g} of its loss is left",
            remedy,
            share,
            "note" if off else "critical",
        )
    empty = (output.labels.empty_rows or 0.0) >= ALL
    if loss.silent and not empty and loss.takes in ("probabilities", "logits") and loss.over == "classes":
        remedy = (
            'Set `ignore_class` to a label that means "no label" only, or to None; `np.unique(y)` shows the '
            "labels there are."
        )
        return _finding(
            output, "the loss ignores all its labels and is 0 whatever is predicted", remedy, 0.0, "critical"
        )
    return healthy(output)


def _share_left(output: Output) -> float | None:
    """The loss with sample weights and mask over the loss without; None where there is no loss to weigh."""
    loss = loss_of(output)
    if loss.weight == 0:
        return 0.0
    if loss.value is None or loss.free is None or abs(loss.free) < 1e-6:
        return None
    return abs(loss.value / loss.free)  # a small loss weight may be there to balance large targets


def _cause(output: Output) -> tuple[str, str]:
    if loss_of(output).weight == 0:
        return (
            "its loss weight is 0",
            "Give it a weight over 0 in `loss_weights`, or leave the loss out on purpose with None.",
        )
    weights = output.weights
    if weights.given and weights.sum == 0:
        return (
            "all its sample weights are 0",
            "Look at `sample_weight` and `class_weight`: every batch needs some over 0.",
        )
    if weights.given:
        return (
            "its sample weights are almost 0",
            "Look at `sample_weight` and `class_weight`: they should be of the order of 1.",
        )
    return (
        "its mask removes everything",
        "Look at what makes the mask (`Masking`, `mask_zero`): its value must stand for padding only.",
    )


def _finding(output: Output, what: str, remedy: str, share: float, severity: str) -> Finding:
    loss = loss_of(output)
    return Finding(
        place(output),
        f"Nothing of this batch counts for {quoted(output)}: {what}.",
        severity="note" if severity == "note" else "critical",
        blames=("data",),
        evidence={
            "share of the loss left": share,
            "loss": loss.value if loss.value is not None else "not finite",
        },
        remedy=remedy,
        refute="The sum of the effective weights of a batch is over 0.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=CONSEQUENCES,
)
