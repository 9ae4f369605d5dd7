"""Accuracy of regression: an accuracy is computed for targets that are measurements, not classes.

Sees: how each metric counts (by what it reads for random predictions), and the values of the labels.

Harm: none to the training. An accuracy of 0, or any other, means nothing here, and sends people looking for a fault
that is not there.

Fires: a metric that counts equal predictions, predictions cut at a threshold, or largest entries, over labels that are
not classes: over FRACTIONS of them no whole numbers, or more than two values under a cut.

Rests: labels 0 and 1 or class numbers; soft labels whose rows sum to 1 under a cross-entropy.

Remedy: `metrics=["mae"]` or `metrics=[keras.metrics.R2Score()]`.

Refute: the metric is better for nearly perfect predictions than for random ones.

Source: keras-team/keras issues 6260 and 305, rstudio/keras3 issue 296.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import (
    Output,
    each_output,
    healthy,
    is_cross_entropy,
    over,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict

FRACTIONS = 0.05  # a guess: below, nineteen in twenty answers can still be counted
CUTS = {"half", "zero", "sign", "exact"}


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    labels = output.labels
    if not labels.given:
        return untold(output) or NotMeasured(place(output), "no labels came with the batch")
    wrong = [metric for metric in output.metrics if _is_senseless(output, set(metric.flavours))]
    if not wrong:
        return healthy(output)
    names = ", ".join(f"`{metric.name}`" for metric in wrong)
    evidence: dict[str, float | str] = {metric.name: metric.value for metric in wrong if metric.value is not None}
    count = f"{labels.distinct}{'+' if labels.distinct >= 1000 else ''}"
    deaf = " For nearly perfect predictions it is the same as for random "
    "ones." if any(metric.deaf for metric in wrong) else ""
    return Finding(
        place(output),
        f"{names} counts correct predictions, but the labels of {quoted(output)} are measurements ({count} values from "
        f"{labels.min:.3g} to {labels.max:.3g}).{deaf} Don't judge the model by it.",
        severity="warning",
        blames=("metric",),
        evidence={
            **evidence,
            "labels that are no whole numbers": labels.fractional,
            "distinct labels": float(labels.distinct),
        },
        remedy='Compile with `metrics=["mae"]` or `metrics=[keras.metrics.R2Score()]`.',
        remedies=(remedy("metric", value="mean_absolute_error"),),
        refute="The metric is better for nearly perfect predictions than for random ones.",
        confidence=0.95,
    )


def _is_senseless(output: Output, flavours: set[str]) -> bool:
    labels = output.labels
    if labels.alignment not in ("vectors", "flat") or not flavours or labels.distinct < 2:
        return False
    fractions = labels.fractional > FRACTIONS
    if flavours <= CUTS:
        many = labels.distinct > 2 and output.width == 1
        return fractions or many
    soft = over(output) == "classes" and is_cross_entropy(output)
    sums = labels.row_sum_min, labels.row_sum_max
    shares = all(value is not None and abs(value - 1.0) < 0.01 for value in sums)
    return "argmax" in flavours and fractions and not soft and not shares


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=("loss-metric-disagreement", "plateau"),
)
