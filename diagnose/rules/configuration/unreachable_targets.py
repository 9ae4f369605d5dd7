"""Unreachable targets: some labels are outside the range of the output.

Sees: the bounds of the output, found by drawing its weights at random until they no longer change, and the labels
of a loss that is least where predictions equal them.

Harm: labels beyond a bound are never reached, the output is pushed to the bound, and there the gradient is 0 (ReLU) or
vanishes (sigmoid, tanh).

Fires: over SOME of the label entries lie beyond a bound by more than a hundredth of their span; or rows that must sum
to 1 face labels that don't.

Rests: outputs without bounds; losses over probabilities or margins.

Remedy: a linear output; or scale the labels into the range of the activation.

Refute: a set of weights under which the output goes beyond the bound.

Source: avisingh599/imitation-dagger issue 1 (tanh under other targets); arithmetic.
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
    is_distribution,
    place,
    quoted,
    takes,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict
from diagnose.wording import percent

SOME = 0.01  # a guess: fewer are outliers, which a bounded output may leave alone on purpose
OFF = 0.02  # of a row's sum; labels are given to three digits or better


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    labels, reach = output.labels, output.reach
    if takes(output) != "values" or output.prediction.always_one:
        return healthy(output)
    if not reach.draws:
        return NotMeasured(place(output), "the model was not tried with other weights, so its bounds are not known")
    least, most = labels.row_sum_min, labels.row_sum_max
    summed = least is not None and most is not None and (least < 1 - OFF or most > 1 + OFF)
    if summed and is_distribution(output):
        return _finding(
            output,
            f"The rows of {quoted(output)} sum to 1 whatever the weights; those of the labels sum to {least:.3g} "
            f"to {most:.3g}.",
            1.0,
        )
    share = labels.unreachable
    if share < SOME:
        return healthy(output)
    low, high = (
        ("-inf" if reach.lower is None else f"{reach.lower:.3g}"),
        ("inf" if reach.upper is None else f"{reach.upper:.3g}"),
    )
    return _finding(
        output,
        f"{quoted(output)} can't leave [{low}, {high}] whatever the weights, and {percent(share)} of its labels "
        f"are outside (they run from {labels.min:.3g} to {labels.max:.3g}).",
        share,
    )


def _finding(output: Output, message: str, share: float) -> Finding:
    labels = output.labels
    return Finding(
        place(output),
        message[0].upper() + message[1:],
        severity="warning" if share < 0.5 else "critical",
        blames=("activation", "preprocessing"),
        evidence=given({"labels out of reach": share, "smallest label": labels.min, "largest label": labels.max}),
        remedy=f"End in `Dense({output.width})` without activation; or scale the labels into the range of the "
        "activation.",
        remedies=(remedy("output-activation", place(output), "linear"), remedy("standardize-targets")),
        refute="A set of weights under which a prediction goes beyond the bound.",
        confidence=0.93,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "saturated-activation", "dead-units"),
)
