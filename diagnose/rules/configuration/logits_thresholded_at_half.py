"""Logits thresholded at half: a metric cuts at 0.5 what must be cut at 0.

Sees: what each compiled metric does with predictions made up on both sides of 0 and of 0.5; the range of the output.

Harm: predictions between 0 and 0.5 count as class 0 though they mean class 1, and a metric over thresholds in [0, 1] is
wrong for all others. The loss is right; only the metric is wrong.

Fires: a metric of 0/1 labels with its cut at 0.5, or that ranks within [0, 1] only, on an output without bounds under
a loss of logits or margins.

Rests: outputs in [0, 1]; regressions to 0 and 1, whose cut is 0.5; class scores, where the largest wins.

Remedy: `keras.metrics.BinaryAccuracy(threshold=0.0)` (`AUC(from_logits=True)`, `Precision(thresholds=0.0)`), or a
sigmoid and a loss of probabilities.

Refute: the metric does not change when its cut moves from 0.5 to 0.

Source: tensorflow/tensorflow issues 41413 and 37103, keras-team/keras issue 15715.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    Output,
    each_output,
    escapes,
    healthy,
    loss_of,
    over,
    place,
    quoted,
    span,
    takes,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict

REMEDIES = {
    "half": "keras.metrics.BinaryAccuracy(threshold=0.0)",
    "interval": "keras.metrics.AUC(from_logits=True)",
}


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    logits = takes(output) in ("logits", "margins") and over(output) == "entries" and not loss_of(output).rescued
    wrong = [metric for metric in output.metrics if metric.cut in REMEDIES]
    if not logits or not wrong or not output.labels.zero_one or not escapes(output):
        return healthy(output)
    names = ", ".join(f"`{metric.name}`" for metric in wrong)
    accuracies = output.accuracies
    evidence: dict[str, float | str] = {
        f"{metric.name} as reported": metric.value for metric in wrong if metric.value is not None
    }
    if accuracies.get("zero") is not None:
        evidence["accuracy with the cut at 0"] = accuracies["zero"]
    code = ", ".join(dict.fromkeys(REMEDIES[metric.cut] for metric in wrong))
    return Finding(
        place(output),
        f"{quoted(output)} outputs logits ({span(output)}), whose threshold between the classes is 0; {names} "
        "uses 0.5.",
        severity="warning",
        blames=("metric",),
        evidence=evidence,
        remedy=f'Compile with `metrics=[{code}]`, or end in a sigmoid and compile with `loss="binary_crossentropy"`.',
        refute="The metric stays the same when its cut moves from 0.5 to 0.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=("loss-metric-disagreement", "plateau"),
)
