"""Hidden NaN: weights or predictions are NaN while the reported loss looks fine.

Sees: `weight.nonfinite`, `prediction.nonfinite` and `activation.nonfinite` beside `batch.loss` of the same step, and
the loss that Keras logged.

Harm: nothing warns: ReLU, max-pooling and clipping replace NaN by numbers, the loss stays finite, and the accuracy is
the share of class 0 (argmax of NaN rows) from then on.

Fires: at the first step where one of them is non-finite and the loss is finite.

Rests: a loss that is non-finite as well, since then nothing is hidden; NaN that healed.

Remedy: remove what made the NaN (it is reported above this finding where it was seen), start again from finite
weights, and check weights, not the loss: `TerminateOnNaN` sees only the loss.

Refute: `np.isnan(model.predict(x)).any()` is False and all weights are finite.

Source: tensorflow/tensorflow issues 40072 and 119628; reproduced on TF 2.21, CPU: one NaN sample among 2,048 gives NaN
kernels and a loss of ln 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from diagnose.outcome.skills import last_of
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.first_break import possible
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

LOOKED_AT = {
    "weight.nonfinite": "the weights",
    "prediction.nonfinite": "the predictions",
    "activation.nonfinite": "activations",
}


def judge(case: Case) -> Iterator[Verdict]:
    """Weights, then predictions, then activations, against the loss of the same step; then weights against the log."""
    run = case.run
    losses = run.series("batch.loss")
    if not len(losses) or not (run.places("weight.nonfinite") or run.places("prediction.nonfinite")):
        yield NotMeasured("", "weights, predictions and loss were not seen together")
        return
    seen = dict(zip(losses.steps.tolist(), losses.values.tolist(), strict=True))
    for quantity, what in LOOKED_AT.items():
        sick = _lasting(run, quantity, run.places(quantity))
        hidden = [
            (step, where) for where, steps in sick.items() for step in steps if math.isfinite(seen.get(step, math.nan))
        ]
        if hidden:
            step, where = min(hidden, key=lambda entry: entry[0])
            yield _finding(run, where, step, what, f"the loss is {seen[step]:.4g}", seen[step])
            return
        logged = last_of(run.history.get("loss", ()))
        if sick and quantity == "weight.nonfinite" and logged is not None and math.isfinite(logged):
            where, steps = next(iter(sick.items()))
            yield _finding(run, where, steps[0], what, f"Keras still logs a loss of {logged:.4g}", logged)
            return
    yield Healthy("")


def _lasting(run: Run, quantity: str, places: Sequence[str]) -> dict[str, list[int]]:
    """Steps at which a place was broken, for the places that were still broken at the end."""
    columns = {where: run.series(quantity, where) for where in places}
    return {
        where: column.steps[~(column.values <= 0)].tolist()
        for where, column in columns.items()
        if len(column) and not column.values[-1] <= 0
    }


def _finding(run: Run, where: str, step: int, what: str, how: str, loss: float) -> Finding:
    return Finding(
        where,
        f"At step {step} {what} hold NaN or infinity (`{where or 'the output'}`) while {how}: something between "
        "them hides it.",
        severity="critical",
        blames=possible(run, step, "activation", "preprocessing", "learning-rate", since=0),
        since=step,
        evidence={"loss": loss},
        remedy="Start again from finite weights without what made the NaN, and check the weights rather than the loss: "
        "TerminateOnNaN sees only the loss.",
        refute="np.isnan(model.predict(x)).any() is False and all weights are finite.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=("constant-predictions", "dead-units", "zero-gradient", "collapsed-representation"),
    phase=4,
)
