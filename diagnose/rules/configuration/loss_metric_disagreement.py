"""Loss-metric disagreement: the loss gets better than that of any constant prediction, and the predictions do not.

Sees: the outcome: the loss against that of the best constant prediction, and the skill, both in inference mode.

Harm: what is minimized is not what is wanted: the loss that falls says nothing about the predictions.

Fires: the outcome is "hollow-loss". It is the last resort: each rule that knows a cause explains it.

Rests: skill over the baseline; imbalanced labels, whose loss may fall first.

Remedy: recompute loss and accuracy of a few samples by hand, from `model.predict`; audit the pair of loss, labels and
output.

Refute: the metrics improve with more epochs, while nothing else changes.

Source: keras-team/keras issue 1013 (a benign case).
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for the whole model."""
    run = case.run
    outcome = case.outcome
    if outcome.name == "unknown":
        yield NotMeasured("", outcome.reason, applies=not run.before_training)
        return
    if outcome.name != "hollow-loss":
        yield Healthy()
        return
    yield Finding(
        "",
        f"The loss falls and the predictions get no better: {outcome.reason}",
        severity="warning",
        blames=("metric", "loss"),
        evidence={"skill": outcome.train} if outcome.train is not None else {},
        remedy="Recompute both by hand: `p = model.predict(x[:10])`, then the loss and the share of correct "
        "predictions; "
        "and look at `diagnose.callbacks.audit(model, x, y)`.",
        refute="The metrics improve with more epochs while nothing else changes.",
        confidence=0.4,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    last_resort=True,
)
