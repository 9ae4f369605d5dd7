"""Missing output activation: the loss expects probabilities, and the output gives something else.

Sees: the predictions of one batch and under random weights; whether the loss behaves as -log p of a probability.

Harm: numbers outside [0, 1] are clipped before the logarithm, where no gradient is left, or make NaN; rows that don't
sum to 1 are divided by their sum, so a reported probability is wrong. Loss 7 to 12, accuracy at chance, no warning.

Fires: predictions outside [0, 1], or under 0 where the loss has no value for them (Poisson); or, for a loss over
classes, rows that don't sum to 1 (sigmoids where a softmax belongs).

Rests: a loss that takes logits, distances or margins; one whose kind is not known; predictions under 0 for which
the loss of the batch has a value (it takes the logarithm of some columns only).

Remedy: `activation="softmax"` (one of many classes) or `"sigmoid"` in the output layer, or `from_logits=True` in the
loss. Where the predictions sum to 1 over another axis, such as that of the batch: a softmax over axis=-1.

Refute: the loss of the batch is the same when the predictions are clipped to [0, 1] and scaled to sum 1 by hand.

Source: tensorflow/docs pull request 2102, keras-team/keras issue 4784.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    escapes,
    from_logits,
    given,
    healthy,
    loss_of,
    over,
    place,
    quoted,
    span,
    takes,
    untold,
    with_activation,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    loss = output.loss
    falls = (output.prediction.min or 0.0) < 0 or (output.reach.negative or 0.0) > 0
    valued = loss is not None and loss.free is not None and (output.prediction.min or 0.0) < 0
    if loss is not None and loss.positive and falls and not valued:
        return Finding(
            place(output),
            f"{quoted(output)} ranges over {span(output)}, and its loss `{loss.name}` is not defined for numbers "
            "under 0.",
            severity="critical",
            blames=("activation", "loss"),
            evidence=_numbers(output),
            remedy=f'End in `{with_activation(output, "softplus")}`, or "exponential".',
            remedies=(remedy("output-activation", place(output), "softplus"),),
            refute="Predictions stay over 0 with any weights.",
            confidence=0.95,
        )
    if (reason := untold(output)) is not None:
        return reason
    if takes(output) != "probabilities" or output.prediction.always_one:
        return healthy(output)
    either = f"End in `{with_activation(output)}`, or compile with `loss={from_logits(output)}`."
    if escapes(output):
        return Finding(
            place(output),
            f"{quoted(output)} ranges over {span(output)}, and its loss `{loss_of(output).name}` expects probabilities "
            "in [0, 1].",
            severity="critical",
            blames=("activation", "loss"),
            evidence=_numbers(output),
            remedy=either,
            remedies=(
                remedy("from-logits", value=True),
                remedy("output-activation", place(output), "softmax" if over(output) == "classes" else "sigmoid"),
            ),
            refute="Predictions stay in [0, 1] with any weights.",
            confidence=0.95,
        )
    if output.prediction.finite < 1:
        return NotMeasured(place(output), "not all predictions of the batch are finite")
    if over(output) == "classes" and not output.prediction.distribution:
        axis = output.prediction.other_axis
        if axis is not None:
            return _over_another_axis(output, axis)
        return Finding(
            place(output),
            f"The rows of {quoted(output)} sum to {output.prediction.row_sum or 0.0:.3g}, not to 1, and its loss "
            f"`{loss_of(output).name}` expects the probabilities of one choice among {output.width} classes.",
            severity="warning",
            blames=("activation", "loss"),
            evidence=_numbers(output),
            remedy=f"End in `{with_activation(output)}`; or, if several classes may hold at once, keep it "
            'and compile with `loss="binary_crossentropy"`.',
            remedies=(remedy("output-activation", place(output), "softmax"),),
            refute="Each row of predictions sums to 1.",
            confidence=0.9,
        )
    return healthy(output)


def _over_another_axis(output: Output, axis: int) -> Finding:
    where = "the batch, axis 0" if axis == 0 else f"axis {axis}"
    mates = ": the prediction for one sample depends on the others of its batch" if axis == 0 else ""
    return Finding(
        place(output),
        f"The probabilities of {quoted(output)} sum to 1 over {where}, and not over its {output.width} classes{mates}.",
        severity="critical" if axis == 0 else "warning",
        blames=("activation", "layers"),
        evidence=_numbers(output) | {"axis": float(axis)},
        remedy="Compute the softmax over the classes: axis=-1.",
        refute="Each row of predictions sums to 1.",
        confidence=0.95,
    )


def _numbers(output: Output) -> dict[str, float | str]:
    prediction = output.prediction
    return given(
        {
            "smallest prediction": prediction.min,
            "largest prediction": prediction.max,
            "row sum": prediction.row_sum,
        }
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "non-finite-loss", "non-finite-gradient", "non-finite-weights", "hidden-nan"),
)
