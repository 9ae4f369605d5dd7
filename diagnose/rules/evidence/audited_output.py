"""How the rules of the part "configuration" read the audit that `callbacks.auditing` fills in.

Each of them looks at every output alone. Which values an output can reach is taken from its predictions on the batch
and from those under random weights (`reach`), so that a lucky batch is not taken for a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from diagnose.run.audit import LossFacts, OutputFacts
from diagnose.run.run import Run
from diagnose.verdict import Healthy, NotMeasured, Verdict

Output = OutputFacts

FEW_DRAWS = 4  # of random weights; a linear output of width 1 stays on one side of 0 in four of them once in eight
AGAIN = 0.5  # share of the draws that must leave [0, 1] where the batch itself does not: a bound is never left
MEAN_ERRORS = 2.0  # arithmetic: a mean of 1 is seen within two standard errors of it 95 times in 100
MANY_EMPTY = (
    0.1  # a guess: with as many 1s as rows, a tenth of them empty is no slip; a reshape leaves a quarter or more
)

#: What a wrong pair of output and loss can lead to, whichever it is.
CONSEQUENCES = (
    "zero-gradient",
    "vanishing-gradient",
    "constant-predictions",
    "collapsed-representation",
    "dead-units",
    "saturated-activation",
    "small-updates",
    "slow-progress",
    "unfinished-training",
    "plateau",
    "diverging-loss",
    "exploding-gradient",
    "odd-initial-loss",
    "loss-metric-disagreement",
)


def outputs(run: Run) -> list[Output]:
    """The audited outputs, none where nothing was audited."""
    return list(run.facts.audit.outputs) if run.facts.audit else []


def each_output(run: Run, look: Callable[[Output], Verdict]) -> Iterator[Verdict]:
    """The verdict of `look` on every output; `look` leaves out of account where it is.

    >>> [*each_output(Run(), lambda output: Healthy())][0].reason
    'no batch was audited'
    """
    found = outputs(run)
    if not found:
        yield NotMeasured("", "no batch was audited")
    for output in found:
        yield look(output)


def place(output: Output) -> str:
    """Keras path of what ends the output; its name where that is not known."""
    return output.where or output.name


def quoted(output: Output) -> str:
    """The output as messages name it."""
    return f"`{place(output)}`" if place(output) else "the output"


def healthy(output: Output) -> Healthy:
    """Looked at this output and found nothing."""
    return Healthy(place(output))


def untold(output: Output) -> NotMeasured | None:
    """Why nothing can be said of the pair of output and loss; None where something can."""
    loss, labels = output.loss, output.labels
    if not labels.given:
        return NotMeasured(place(output), "no labels that are numbers came with the batch")
    if loss is None:
        return NotMeasured(
            place(output), "the loss of this output is not known (none is compiled, or train_step has its own)"
        )
    if loss.takes == "unknown":
        return NotMeasured(place(output), f"what the loss expects is not known: {loss.reason}")
    return None


def loss_of(output: Output) -> LossFacts:
    """The loss of an output of which `untold` found no reason to be silent. Raises ValueError where there is none."""
    if output.loss is None:
        raise ValueError(f"no loss belongs to the output {place(output)!r}.")
    return output.loss


def given(numbers: Mapping[str, float | str | None]) -> dict[str, float | str]:
    """The evidence that there is: what could not be told is left out.

    >>> given({"smallest label": 0.0, "row sum": None})
    {'smallest label': 0.0}
    """
    return {name: value for name, value in numbers.items() if value is not None}


def takes(output: Output) -> str:
    """What the loss expects of the predictions; "" without a loss."""
    return output.loss.takes if output.loss else ""


def over(output: Output) -> str:
    """Whether the loss is over "classes" or "entries"; "" without a loss."""
    return output.loss.over if output.loss else ""


def is_cross_entropy(output: Output) -> bool:
    """Whether the loss is the logarithm of a probability, given as such or as a logit."""
    return takes(output) in ("probabilities", "logits")


def is_distribution(output: Output) -> bool:
    """Whether rows sum to 1, on the batch and under any weights."""
    return output.prediction.distribution and output.reach.distribution


def escapes(output: Output) -> bool:
    """Whether predictions leave [0, 1], on the batch or under other weights."""
    prediction, reach = output.prediction, output.reach
    if prediction.min is not None and (prediction.min < -1e-3 or (prediction.max or 0.0) > 1.001):
        return True
    return reach.draws >= FEW_DRAWS and (reach.escapes or 0.0) >= AGAIN


def is_bounded_to_unit(output: Output) -> bool | None:
    """Whether predictions can't leave [0, 1] whatever the weights; None where that was not found out."""
    prediction, reach = output.prediction, output.reach
    if not prediction.unit_interval or (reach.escapes or 0.0) > 0:
        return False
    if reach.lower is None or reach.upper is None:
        return None
    return reach.lower >= -1e-3 and reach.upper <= 1.001


def is_scrambled(output: Output) -> bool:
    """Whether rows of 0 and 1 hold none, one or several 1s, and yet one a row on average, as exclusive classes do."""
    labels = output.labels
    if labels.row_sum_mean is None or not labels.zero_one or (labels.row_sum_max or 0.0) < 2:
        return False
    near_one = abs(labels.row_sum_mean - 1.0) <= MEAN_ERRORS * (labels.row_sum_error or 0.0)
    return near_one and (labels.empty_rows or 0.0) >= MANY_EMPTY


def span(output: Output) -> str:
    """The range of the predictions in words."""
    prediction = output.prediction
    return "no finite number" if prediction.min is None else f"{prediction.min:.3g} to {prediction.max:.3g}"


def from_logits(output: Output) -> str:
    """The cross-entropy that takes what a linear output gives for these labels, as code."""
    return f"keras.losses.{_cross_entropy(output)}(from_logits=True)"


def of_probabilities(output: Output) -> str:
    """The cross-entropy that takes probabilities for these labels, as code."""
    names = {"BinaryCrossentropy": "binary", "CategoricalCrossentropy": "categorical"}
    return f'"{names.get(_cross_entropy(output), "sparse_categorical")}_crossentropy"'


def _cross_entropy(output: Output) -> str:
    if over(output) != "classes":
        return "BinaryCrossentropy"
    return "SparseCategoricalCrossentropy" if loss_of(output).targets == "ids" else "CategoricalCrossentropy"


def with_activation(output: Output, name: str = "") -> str:
    """The output layer with this activation, or with the one that turns its numbers into probabilities, as code."""
    return f'Dense({output.width}, activation="{name or ("softmax" if over(output) == "classes" else "sigmoid")}")'
