"""Doubled output activation: a softmax or sigmoid is applied to what is a probability already.

Sees: the predictions of one batch and under random weights; whether the loss takes logits; whether Keras takes the
logits behind the probabilities instead (its loss then differs from that of the bare numbers).

Harm: the second one squeezes the predictions. With C classes the surest probability is e / (e + C - 1), so the loss
can't fall below ln(e + C - 1) - 1 (1.46 for ten classes) and the gradient is weak. The accuracy may be good, the
probabilities never are.

Fires: probabilities under a loss of logits (`from_logits=True`); or probabilities whose logits are probabilities too.

Rests: where Keras, on TensorFlow, finds the logits and uses them; that is a note, since any layer after the
activation, or another backend, loses them.

Remedy: leave out the activation of the output layer, or `from_logits=True`; one of the two.

Refute: the loss of perfect, sure predictions comes near 0.

Source: keras-team/keras issue 15271; arithmetic for the floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    from_logits,
    healthy,
    is_bounded_to_unit,
    is_distribution,
    loss_of,
    of_probabilities,
    over,
    place,
    quoted,
    takes,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict

TWICE = (0.5, 1.0 / (1.0 + math.exp(-1.0)))  # arithmetic: the range of sigmoid(sigmoid(z))


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    reach = output.reach
    if reach.doubled:
        return _finding(output, "softmax of a softmax", "Take one of the two softmax functions out.", 0.9)
    if takes(output) != "values" and _is(reach.lower, TWICE[0]) and _is(reach.upper, TWICE[1]):
        return _finding(output, "sigmoid of a sigmoid", "Take one of the two sigmoid functions out.", 0.9)
    if (reason := untold(output)) is not None:
        return reason
    if takes(output) != "logits" or output.prediction.always_one:
        return healthy(output)
    sure = is_distribution(output) or (over(output) == "entries" and is_bounded_to_unit(output))
    if not sure:
        untried = over(output) == "entries" and is_bounded_to_unit(output) is None
        return NotMeasured(place(output), "whether it stays in [0, 1] is not known") if untried else healthy(output)
    if loss_of(output).rescued:
        return Finding(
            place(output),
            f"{quoted(output)} outputs probabilities, and its loss `{loss_of(output).name}` expects logits. Keras "
            "finds the logits "
            "behind them and uses those; on another backend, or with a layer between, it would not.",
            severity="note",
            blames=("loss", "activation"),
            remedy=f"Compile with `loss={of_probabilities(output)}`, which takes probabilities.",
            refute="The loss of the bare numbers equals the loss of the batch.",
            confidence=0.9,
        )
    linear = f"Dense({output.width})"
    return _finding(
        output,
        f"probabilities under `{loss_of(output).name}`, which expects logits",
        f"Compile with `loss={of_probabilities(output)}`, or end in `{linear}` without activation and keep "
        f"`{from_logits(output)}`.",
        0.95,
    )


def _is(bound: float | None, value: float) -> bool:
    return bound is not None and abs(bound - value) < 2e-3


def _finding(output: Output, what: str, remedy: str, confidence: float) -> Finding:
    width = output.width
    floor = math.log(math.e + width - 1) - 1 if width > 1 else math.log(1 + math.exp(-1))
    return Finding(
        place(output),
        f"{quoted(output)} is squeezed twice: {what}. The loss can't fall below {floor:.3g}, however good the "
        "predictions are.",
        severity="warning",
        blames=("loss", "activation"),
        evidence={"least loss": floor, "units": float(width)},
        remedy=remedy,
        refute=f"The loss of sure and right predictions falls below {floor:.3g}.",
        confidence=confidence,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=CONSEQUENCES,
)
