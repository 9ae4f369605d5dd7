"""Labels out of range: class numbers for which there is no unit.

Sees: the labels, the width of the output, and whether the loss fails on the labels beyond it.

Harm: on the CPU the step raises; on a GPU or with XLA the loss is NaN, and so are all weights after one step.

Fires: class numbers below 0 or from the number of units on, if the loss does not ignore them; rows of labels of
another width than the output.

Rests: a number that the loss ignores (`ignore_class`); fewer classes than units.

Remedy: number the classes from 0, or give the output as many units as there are classes.

Refute: the smallest label is 0 or more, and the largest is less than the number of units.

Source: tensorflow/tensorflow issue 8484, keras-team/keras issues 570 and 7339.
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
    loss_of,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.audit import LabelFacts
from diagnose.verdict import Finding, Verdict
from diagnose.wording import counted


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    labels, loss, width = output.labels, output.loss, output.width
    if labels.given and loss is not None and loss.error and labels.alignment == "other" and _is_wider(output):
        columns = labels.shape[-1]
        return Finding(
            place(output),
            f"The labels of {quoted(output)} are rows of {columns}, and it has {counted(width, 'unit')}; "
            f"`{loss.name}` refuses the pair.",
            severity="critical",
            blames=("labels", "layers"),
            evidence={"label columns": float(columns), "units": float(width)},
            remedy=f"Give the output {counted(columns, 'unit')}, or make the labels rows of {width}.",
            refute="The loss of a batch can be computed.",
            confidence=0.95,
        )
    if (reason := untold(output)) is not None:
        return reason
    if loss_of(output).targets != "ids" or not labels.outside or not labels.outside_refused:
        return healthy(output)
    shifted = labels.min == 1 and labels.max == width
    return Finding(
        place(output),
        f"The class numbers run from {labels.min:.0f} to {labels.max:.0f}, and {quoted(output)} has units for "
        f"0 to {width - 1}.",
        severity="critical",
        blames=("labels", "layers"),
        evidence=given(
            {
                "smallest label": labels.min,
                "largest label": labels.max,
                "units": float(width),
                "share outside": labels.outside,
            }
        ),
        remedy="Count from 0: `y = y - 1`."
        if shifted
        else f"{_wider(labels)}umber the classes from 0: `classes, y = np.unique(y, return_inverse=True)`.",
        remedies=(remedy("encode-labels", value="from 0"),),
        refute=f"All labels lie in 0 to {width - 1}.",
        confidence=0.98,
    )


def _wider(labels: LabelFacts) -> str:
    if labels.min is None or labels.max is None or labels.min < 0:
        return "N"
    return f"Give the output `Dense({labels.max + 1:.0f})`, or n"


def _is_wider(output: Output) -> bool:
    shape, wanted = output.shape, output.labels.shape
    return bool(shape) and len(shape) == len(wanted) and shape[:-1] == wanted[:-1] and shape[-1] > 1 < wanted[-1]


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "non-finite-loss", "non-finite-gradient", "non-finite-weights", "hidden-nan"),
)
