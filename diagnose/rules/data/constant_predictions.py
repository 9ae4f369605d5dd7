"""Constant predictions: the model predicts the same for every sample.

Sees: `prediction.spread`, the standard deviation of the predictions over the samples of the held set, relative to their
size, and the skill.

Harm: a prediction that does not depend on the input is useless.

Fires: a spread under SAME at the last evaluation, and at the one before it where there is one, and no skill.

Rests: before any training; where a finding says what makes them constant, it is shown under that.

Remedy: train on ten samples until all are predicted correctly: what fails there is the model, what fails later the
data. Look at the output activation, the learning rate and the scale of the inputs.

Refute: `model.predict(x).std(axis=0)` is not near 0.

Source: arithmetic: what varies by a hundredth explains at most a ten-thousandth of the variance.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized, rate_times
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import small

SAME = 1e-2  # arithmetic: explains 1e-4 of the variance at most; measured: benchmarks/calibration.md
CONFIDENT = 1e-4  # a guess: the resolution of float16 and of clipped probabilities


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by the spread of its predictions."""
    run = case.run
    places = run.places("prediction.spread")
    if not places:
        yield NotMeasured("", "predictions for held samples were not measured")
    skills = case.skills
    for where in places:
        spread = run.series("prediction.spread", where).finite()
        if not len(spread) or spread.steps[-1] == 0:
            yield NotMeasured(where, "predictions were not seen after any training")
            continue
        sick = spread.values < SAME
        last = sick[-2:] if len(spread) > 2 else sick[-1:]
        if not last.all() or (where in skills.train and not skills.at_baseline(where)):
            yield Healthy(where)
            continue
        start = len(sick) - 1
        while start > 0 and sick[start - 1]:
            start -= 1
        now = float(spread.values[-1])
        yield Finding(
            where,
            f"The predictions{f' of `{where}`' if where else ''} are the same for all samples: they vary by "
            f"{small(now)} of their rms.",
            severity="critical" if now < CONFIDENT else "warning",
            blames=("layers", "activation", "learning-rate"),
            since=int(spread.steps[start]),
            evidence={"spread of predictions": now},
            remedy="Train on 10 samples until all are predicted correctly; if that fails look at "
            "output activation, learning rate and input scale.",
            remedies=(remedy("standardize-inputs"), rate_times(run, 0.1), initialized(run)),
            refute="model.predict(x).std(axis=0) is not near 0.",
            confidence=0.4,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(),
)
