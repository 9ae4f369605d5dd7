"""Single-unit softmax: an output of one unit that is 1 for every input, whatever the weights.

Sees: the predictions on one batch, and those of the same model with weights drawn at random.

Harm: a softmax over one number is 1. All predictions are the same: the accuracy is the share of class 1, the loss
may be 0 from the start or fall without any effect, and no useful gradient flows.

Fires: width 1, and every prediction is 1 on the batch and under FEW_DRAWS random weights or more.

Rests: a sigmoid that is saturated on this batch: under other weights it is not.

Remedy: `Dense(1, activation="sigmoid")` with `loss="binary_crossentropy"`; or `Dense(2, activation="softmax")` with
`loss="sparse_categorical_crossentropy"`.

Refute: any weights under which a prediction differs from 1.

Source: keras-team/keras issue 17029, keras-team/tf-keras issue 426.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy, together
from diagnose.rules.evidence.audited_output import CONSEQUENCES, FEW_DRAWS, Output, each_output, healthy, place, quoted
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, NotMeasured, Verdict


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    yield from each_output(case.run, _look)


def _look(output: Output) -> Verdict:
    if not output.prediction.always_one:
        return healthy(output)
    reach = output.reach
    if reach.draws < FEW_DRAWS:
        return NotMeasured(place(output), "every prediction is 1, but the model was not tried with other weights")
    if not reach.always_one:
        return healthy(output)
    return Finding(
        place(output),
        f"{quoted(output)} has one unit and predicts 1 for every input, also with {reach.draws} sets of random "
        "weights: a softmax over one unit. It can't learn anything else.",
        severity="critical",
        blames=("activation", "layers", "loss"),
        evidence={"predictions equal to 1": 1.0, "random weights tried": float(reach.draws)},
        remedy='Make it `Dense(1, activation="sigmoid")` with `loss="binary_crossentropy"` (labels 0 and 1), '
        'or `Dense(2, activation="softmax")` with `loss="sparse_categorical_crossentropy"`.',
        remedies=(
            together(
                (
                    remedy("output-activation", place(output), "sigmoid"),
                    remedy("loss", value="binary_crossentropy"),
                )
            ),
        ),
        refute="A set of weights under which a prediction differs from 1.",
        confidence=0.99,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "class-imbalance", "wrong-accuracy-flavour", "memorized-labels", "overfitting"),
)
