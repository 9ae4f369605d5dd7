"""Empty targets: rows of labels without any class, which a categorical loss counts as 0.

Sees: the rows of the labels, and whether the loss weighs what belongs to the class of a row.

Harm: such a row adds exactly 0 to the loss and nothing to the gradient. If all rows are empty, the loss is 0 from the
first batch and the model learns nothing.

Fires: over SOME of the rows are all zero under a loss over classes. A note for maps and sequences, where empty rows
may be meant as "no label here", unless nearly all are. Also where rows hold several classes besides, and yet one a row
on average: the 1s are all there, in the wrong rows, as after `reshape` instead of a transposition. Labels of
several classes at once may come to one a row by chance: mismatched-loss is reported as well.

Rests: several labels at once, where a row may have none.

Remedy: look at how the labels were made; `keras.utils.to_categorical(y, num_classes)` gives every row one 1.

Refute: every row of the labels sums to 1.

Source: keras-team/keras issue 6421.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    given,
    healthy,
    is_scrambled,
    loss_of,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict
from diagnose.wording import percent

SOME = 0.01  # a guess: one slip in a hundred is noise of labelling, more is a way of making them
NEARLY_ALL = 0.95  # a guess: what is left teaches too little


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    labels, loss = output.labels, loss_of(output)
    share = labels.empty_rows or 0.0
    several = (labels.row_sum_max or 0.0) >= 2  # many labels at once: then the loss is wrong, not the rows
    scrambled = is_scrambled(output)
    if loss.over != "classes" or loss.targets != "vectors" or share < SOME or (several and not scrambled):
        return healthy(output)
    if scrambled:
        return _scrambled(output, share)
    maps = len(labels.shape) > 1
    return Finding(
        place(output),
        f"{percent(share)} of the label rows of {quoted(output)} are all zero: they name no class, and "
        f"`{loss.name}` counts them as 0.",
        severity="critical" if share >= NEARLY_ALL else "note" if maps else "warning",
        blames=("labels", "loss"),
        evidence={
            "empty rows": share,
            "loss of this batch": loss.value if loss.value is not None else "not finite",
        },
        remedy=f"Give every row one 1: `keras.utils.to_categorical(y, {output.width})`, with y from 0 to "
        f"{output.width - 1}.",
        refute="Every row of the labels sums to 1.",
        confidence=0.95,
    )


def _scrambled(output: Output, empty: float) -> Finding:
    labels = output.labels
    several = (labels.many_hot or 0.0) - empty
    return Finding(
        place(output),
        f"{percent(empty)} of the label rows of {quoted(output)} are all zero and {percent(several)} hold several "
        "classes, with about as many 1s as rows: the one-hot labels are wrongly built.",
        severity="warning",
        blames=("labels", "preprocessing", "loss"),
        evidence=given({"empty rows": empty, "rows of several classes": several, "mean row sum": labels.row_sum_mean}),
        remedy=f"Make them by `keras.utils.to_categorical(y, {output.width})`, and turn arrays by `.T`, not by "
        "`reshape`.",
        refute="A sample can have several classes at once, and it is by chance that there is one a row on average.",
        confidence=0.7,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "class-imbalance", "everything-masked"),
)
