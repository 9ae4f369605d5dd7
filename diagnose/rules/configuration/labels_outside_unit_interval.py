"""Labels outside the unit interval: a cross-entropy is given labels that are no probabilities.

Sees: the labels, and whether the loss is a cross-entropy that uses those outside [0, 1].

Harm: for such a label the loss has no lower bound: it falls below 0 without end while the accuracy stays the
same, since certainty lowers it more than correct predictions.

Fires: any label below 0 or above 1 under a cross-entropy, binary or over rows of labels.

Rests: class numbers under a sparse loss; a label the loss leaves out (a mask of -1); one entry a row, of both signs or
many values: what was done, times what it was worth (a policy gradient).

Remedy: labels 0 and 1: `y = (y == y.max())`; `y = (y + 1) / 2` for -1 and 1; or a hinge loss for -1 and 1.

Refute: the smallest label is 0 or more, and the largest is 1 or less.

Source: keras-team/keras issues 1917, 13926 and 4784.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    given,
    healthy,
    is_cross_entropy,
    loss_of,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict

SEVERAL = 4  # a guess: of classes some come several times in a batch, of whole measurements few do


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    labels, loss = output.labels, loss_of(output)
    if labels.weighted_one_hot:
        return healthy(output)
    if not is_cross_entropy(output) or loss.targets != "vectors" or not loss.heeds_wild_labels:
        return healthy(output)
    return Finding(
        place(output),
        f"The labels of {quoted(output)} run from {labels.min:.3g} to {labels.max:.3g}, and its loss "
        f"`{loss.name}` expects "
        "them in [0, 1]: outside, the loss can fall without end.",
        severity="critical",
        blames=("labels", "loss"),
        evidence=given(
            {
                "smallest label": labels.min,
                "largest label": labels.max,
                "loss of this batch": loss.value if loss.value is not None else "not finite",
            }
        ),
        remedy=_remedy(output),
        remedies=(remedy("encode-labels", value="0 and 1"),) if labels.distinct == 2 else (),
        refute="All labels lie in [0, 1].",
        confidence=0.97,
    )


def _remedy(output: Output) -> str:
    labels = output.labels
    if labels.plus_minus_one:
        return 'Give labels 0 and 1: `y = (y + 1) / 2`; or compile with `loss="hinge"` and a linear output.'
    if labels.distinct == 2:
        return f"Give labels 0 and 1: `y = (y == {labels.max:g}).astype(int)`."
    if labels.fractional > 0 or output.width > 1 or labels.distinct > labels.count / SEVERAL:
        return 'For measurements end in a linear layer and compile with `loss="mse"`, or scale the labels to [0, 1].'
    classes = labels.distinct
    softmax = f'`Dense({classes}, activation="softmax")`'
    return f'For {classes} classes end in {softmax} and compile with `loss="sparse_categorical_crossentropy"`.'


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "accuracy-of-regression", "wrong-accuracy-flavour", "non-finite-loss"),
)
