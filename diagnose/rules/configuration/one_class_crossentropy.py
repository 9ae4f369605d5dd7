"""One-class cross-entropy: a cross-entropy over the classes of an output that has one unit only.

Sees: the loss of the batch, and what the loss gives for predictions and labels made up for the purpose.

Harm: the loss divides by the sum over the classes, so with one class it is exactly 0 for any prediction, right or
wrong: zero loss from the first batch, no gradient, and an accuracy that never changes.

Fires: width 1, and the loss is 0 for all predictions and labels tried.

Rests: a loss that only stands in for others by `add_loss`; an output whose softmax runs over another axis.

Remedy: `Dense(1, activation="sigmoid")` with `loss="binary_crossentropy"`; or two units with a softmax.

Refute: a prediction and a label for which the compiled loss is not 0.

Source: keras-team/keras issue 17029, keras-team/tf-keras issues 409 and 426.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy, together
from diagnose.rules.evidence.audited_output import (
    CONSEQUENCES,
    Output,
    each_output,
    healthy,
    loss_of,
    place,
    quoted,
    untold,
)
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Verdict

ZERO = 1e-5  # Keras clips probabilities to 1 - 1e-7, which gives 1.2e-7 a sample


def judge(case: Case) -> Iterator[Verdict]:
    """One verdict for each output."""
    run = case.run
    extra = case.facts.audit.loss.extra if case.facts.audit else 0
    yield from each_output(run, lambda output: _look(output, extra))


def _look(output: Output, extra: int) -> Verdict:
    if (reason := untold(output)) is not None:
        return reason
    loss = loss_of(output)
    zero = loss.free is None or abs(loss.free) <= ZERO
    if output.width != 1 or loss.takes != "nothing" or not zero or extra:
        return healthy(output)
    return Finding(
        place(output),
        f"{quoted(output)} has one unit, and its loss `{loss.name}` is 0 whatever is predicted: a cross-entropy "
        "over one class.",
        severity="critical",
        blames=("loss", "layers", "activation"),
        evidence={"loss of this batch": loss.value if loss.value is not None else "refused", "units": 1.0},
        remedy='Compile with `loss="binary_crossentropy"` and end in `Dense(1, activation="sigmoid")`; '
        'or end in `Dense(2, activation="softmax")` with `loss="sparse_categorical_crossentropy"`.',
        remedies=(
            together(
                (
                    remedy("output-activation", place(output), "sigmoid"),
                    remedy("loss", value="binary_crossentropy"),
                )
            ),
        ),
        refute="A prediction and a label for which the compiled loss is not 0.",
        confidence=0.98,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="configuration",
    judge=judge,
    explains=(*CONSEQUENCES, "class-imbalance", "wrong-accuracy-flavour", "memorized-labels", "overfitting"),
)
