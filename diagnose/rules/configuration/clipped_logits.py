"""Clipped logits: an activation just before the softmax or sigmoid limits the probabilities that can be predicted.

Sees: probabilities under random weights; the differences of their logarithms are those of the logits.

Harm: behind a sigmoid the logits of a row differ by 1 at most, behind a tanh by 2, so that the surest probability
among C classes is e / (e + C - 1), or e^2 / (e^2 + C - 1). A ReLU makes all unlikely classes equal and gives them no
gradient.

Fires: logits that differ by 2 at most whatever the weights; logits with a floor that several classes of a row share;
a sigmoid that can't fall below one half, or stays within 0.27 to 0.73.

Rests: free logits, however small they are now.

Remedy: leave out the activation before the softmax, or in the layer that ends in it.

Refute: a set of weights under which a probability goes beyond the bound.

Source: arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    FEW_DRAWS,
    Output,
    each_output,
    healthy,
    is_distribution,
    place,
    quoted,
    takes,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict

NEAR = 2e-3  # float32, and draws that come close to a bound but not onto it
TANH = (1.0 / (1.0 + math.e), math.e / (1.0 + math.e))  # arithmetic: the range of sigmoid(tanh(z))


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    reach, width = output.reach, output.width
    if reach.draws < FEW_DRAWS:
        return NotMeasured(place(output), "the model was not tried with other weights")
    if reach.doubled:
        return healthy(output)
    limit = reach.logit_span
    if is_distribution(output) and limit is not None:
        surest = math.exp(limit) / (math.exp(limit) + width - 1)
        what = f"its logits differ by {limit:.2g} at most, so that no class gets a probability over {surest:.2g}"
        return _finding(output, what, {"largest difference of logits": limit, "surest probability": surest})
    if is_distribution(output) and reach.logit_floor:
        what = "its logits are cut at the bottom (a ReLU), so that unlikely classes are all equal and get no gradient"
        return _finding(output, what, {"logits with a floor": 1.0})
    low, high = reach.lower, reach.upper
    if width == 1 and takes(output) in ("probabilities", "logits") and low is not None and high is not None:
        if abs(low - 0.5) < NEAR and abs(high - 1.0) < NEAR:
            return _finding(
                output, "it can't fall below one half: there is a ReLU before the sigmoid", {"least prediction": low}
            )
        if abs(low - TANH[0]) < NEAR and abs(high - TANH[1]) < NEAR:
            return _finding(
                output,
                f"it stays within {low:.2f} to {high:.2f}: there is a tanh before the sigmoid",
                {"least prediction": low, "largest prediction": high},
            )
    return healthy(output)


def _finding(output: Output, what: str, evidence: dict[str, float | str]) -> Finding:
    return Finding(
        place(output),
        f"{quoted(output)} can't reach all probabilities: {what}.".replace("the output can't", "The output can't"),
        severity="warning",
        blames=("activation", "layers"),
        evidence=evidence,
        remedy="Leave out the activation just before the last one: the layer below the softmax or sigmoid must be "
        "linear.",
        refute="A set of weights under which a prediction goes beyond the bound.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "dead-units", "blocked-gradient", "saturated-activation"),
)
