"""Wrong accuracy flavour: the metric counts something else than what the labels mean.

Sees: how each metric counts, found by comparing its value for random predictions with every accuracy
computed by itself (largest entry, cut at 0.5, at 0, sign, equality); the form of the labels.

Harm: the metric is far too low or too high: 0.03 where 98 % of the predictions are correct, or 96 %
untrained. Keras chooses the flavour of "accuracy" by shape alone.

Fires: the largest entry counts although a sample may have several classes; equality with probabilities; a cut at 0.5
for labels -1 and 1, or for one of three or more classes (reads 1 - 1/C untrained); the column of class numbers read as
a row.

Rests: a metric that is no accuracy; labels that are measurements (`accuracy-of-regression`).

Remedy: the metric class that fits, in place of the word "accuracy".

Refute: the metric equals the fitting accuracy computed by hand on a batch.

Source: keras-io pull request 1133, keras-team/tf-keras issue 15, keras-team/keras issue 6499.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import Output, each_output, healthy, over, place, quoted, takes, untold
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.audit import MetricFacts
from diagnose.verdict import Finding, NotMeasured, Verdict
from diagnose.wording import percent

SEVERAL = 0.01  # a guess: share of rows with none or several classes from which labels are no single choice


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if not output.labels.given:
        return untold(output) or NotMeasured(place(output), "no labels came with the batch")
    for metric in output.metrics:
        if (wrong := _mistake(output, set(metric.flavours))) is not None:
            return _finding(output, metric, *wrong)
    return healthy(output)


def _mistake(output: Output, flavours: set[str]) -> tuple[str, str, str] | None:
    """What the metric gets wrong, the name of the accuracy that fits, and the code; None where nothing is wrong."""
    labels, width = output.labels, output.width
    if not flavours or labels.fractional > 0:
        return None
    half = (takes(output) not in ("logits", "margins")) or bool(output.loss and output.loss.rescued)
    fitting = (
        ("half", "keras.metrics.BinaryAccuracy()") if half else ("zero", "keras.metrics.BinaryAccuracy(threshold=0.0)")
    )
    several = (labels.many_hot or 0.0) > SEVERAL and (labels.row_sum_max or 0.0) >= 2
    if flavours == {"argmax"} and several and over(output) != "classes":
        return "looks at the largest entry of a row only, though a sample may have several labels", *fitting
    if flavours == {"exact"} and labels.distinct <= 2:
        if labels.one_hot and over(output) == "classes":
            fitting = ("argmax", "keras.metrics.CategoricalAccuracy()")
        return "expects predictions to equal the labels to the last digit", *fitting
    if "argmax" in flavours or labels.alignment == "ids":
        if "first" in flavours and "argmax" not in flavours:
            return (
                "reads the column of class numbers as a row, so that class 0 always counts as correct",
                "argmax",
                "keras.metrics.SparseCategoricalAccuracy()",
            )
        return None
    if labels.plus_minus_one and flavours & {"half", "zero"} and "sign" not in flavours and labels.distinct == 2:
        return (
            "compares labels -1 and 1 with predictions 0 and 1, so that -1 never counts as correct",
            "sign",
            "keras.metrics.BinaryAccuracy(threshold=0.0)",
        )
    if flavours == {"half"} and labels.one_hot and width >= 3:
        return (
            f"counts each of the {width} entries of a row, so that it is {percent(1 - 1 / width)} where nothing "
            "is predicted",
            "argmax",
            "keras.metrics.CategoricalAccuracy()",
        )
    return None


def _finding(output: Output, metric: MetricFacts, what: str, fitting: str, code: str) -> Finding:
    value, better = metric.value, output.accuracies.get(fitting)
    numbers = (
        f" ({value:.3g} on this batch; the fitting accuracy is {better:.3g})"
        if value is not None and better is not None
        else ""
    )
    relabel = " and give the labels as 0 and 1, which Keras' hinge losses accept too" if fitting == "sign" else ""
    evidence: dict[str, float | str] = {"as reported": value} if value is not None else {}
    if better is not None:
        evidence["fitting accuracy"] = better
    return Finding(
        place(output),
        f"`{metric.name}` on {quoted(output)} {what}{numbers}.",
        severity="warning",
        blames=("metric",),
        evidence=evidence,
        remedy=f"Compile with `metrics=[{code}]`{relabel}.",
        refute="The metric equals the fitting accuracy computed by hand.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=("loss-metric-disagreement", "plateau"),
)
