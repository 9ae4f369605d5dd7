"""Float labels in a sparse loss: fractions are given where class numbers are read.

Sees: the labels, and whether the loss reads a target as the number of a class.

Harm: fractions are cut to whole numbers, so that targets in [0, 1) are all class 0: the loss falls to nearly 0 while
the accuracy is exactly 0.

Fires: a loss over class numbers, and any label that is no whole number.

Rests: whole numbers stored as floats.

Remedy: for measurements, `Dense(1)` with `loss="mse"`; for classes, number them (`np.unique(y, return_inverse=True)`)
or cut them into bins (`np.digitize`).

Refute: every label equals its whole part.

Source: tensorflow/tensor2tensor issue 1264.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from diagnose.verdict import Finding, Verdict
from diagnose.wording import percent


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    labels, loss = output.labels, loss_of(output)
    if loss.targets != "ids" or labels.fractional == 0:
        return healthy(output)
    return Finding(
        place(output),
        f"{percent(labels.fractional)} of the labels of {quoted(output)} are no whole numbers (from "
        f"{labels.min:.3g} to "
        f"{labels.max:.3g}), and its loss `{loss.name}` reads them as class numbers: the fractions are cut off.",
        severity="critical",
        blames=("loss", "labels"),
        evidence=given(
            {
                "labels that are no whole numbers": labels.fractional,
                "smallest": labels.min,
                "largest": labels.max,
            }
        ),
        remedy='For measurements end in `Dense(1)` and compile with `loss="mse"`; for classes number them: '
        "`classes, y = np.unique(y, return_inverse=True)`.",
        refute="Every label equals its whole part.",
        confidence=0.98,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "class-imbalance", "accuracy-of-regression"),
)
