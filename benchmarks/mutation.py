"""The operators of `mutants.py`: each changes one choice of a healthy program.

They are those that Humbatova, Jahangirova & Tonella ("DeepCrime", ISSTA 2021) took from faults of real programs, most
in a strong and a weak form. `kinds` says what a cause may blame, or be called, to have told the change: what was
changed, and what else would undo it (a tenth of the epochs and a tenth of the rate are one fault to a user).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mutated_programs import Program
from trainings import OUTPUT

Change = Callable[[Program], Program | None]


@dataclass(frozen=True)
class Operator:
    """One change.

    kinds: names of rules, and of what a finding blames (`verdict.BLAMES`), that tell this change.
    mutant: from a program its mutant; None where the change does not apply or changes nothing.
    """

    name: str
    kinds: frozenset[str]
    mutant: Change


KINDS = {  # of data, by its name in `tests/trainings.py`
    "digits": "classes", "pictures": "classes", "rows": "classes", "waves": "classes", "clusters": "classes",
    "cancer": "binary", "words": "binary", "moons": "binary", "several": "labels",
    "friedman": "regression", "bumps": "regression", "digits_again": "regression",
}  # fmt: skip


def spoiled(name: str, strength: float, kinds: str = "classes binary labels regression") -> Change:
    def mutant(program: Program) -> Program | None:
        if KINDS[program.data] not in kinds.split():
            return None
        return replace(program, spoils=(*program.spoils, (name, strength)))

    return mutant


def changed(**choices: object) -> Change:
    """The same choices for every program; None where they are what it has."""

    def mutant(program: Program) -> Program | None:
        other = replace(program, **choices)  # type: ignore[arg-type]
        return None if other == program else other

    return mutant


def only(networks: str, make: Change) -> Change:
    return lambda program: make(program) if program.network in networks.split() else None


def rate_times(factor: float) -> Change:
    return lambda program: replace(program, rate=(program.rate or 1e-3) * factor)


def epochs_times(factor: float) -> Change:
    return lambda program: replace(program, epochs=max(round(program.epochs * factor), 1))


def batches_times(factor: float) -> Change:
    return lambda program: replace(program, batch_size=round(program.batch_size * factor))


def last_of(program: Program) -> str:
    return program.last or OUTPUT[KINDS[program.data]] or "linear"


def loss_of(loss: str, kinds: str, **choices: object) -> Change:
    def mutant(program: Program) -> Program | None:
        fits = KINDS[program.data] in kinds.split() and loss != program.loss
        return replace(program, loss=loss, **choices) if fits else None  # type: ignore[arg-type]

    return mutant


def last(names: dict[str, str]) -> Change:
    """Another activation of the last layer, by the one it has."""

    def mutant(program: Program) -> Program | None:
        name = names.get(last_of(program))
        return None if name is None else replace(program, last=name)

    return mutant


def first_unactivated(program: Program) -> Program | None:
    return replace(program, unactivated=1) if program.depth > 1 else None


def without_one_layer(program: Program) -> Program | None:
    return replace(program, depth=program.depth - 1) if program.depth > 1 else None


def without_layers(program: Program) -> Program | None:
    return None if program.network == "autoencoder" else replace(program, depth=0)


def with_layers(more: int) -> Change:
    return lambda program: replace(program, depth=program.depth + more)


def without_dropout(program: Program) -> Program | None:
    return replace(program, dropout=0.0) if program.dropout else None


def from_logits(program: Program) -> Program | None:
    fits = not program.loss and KINDS[program.data] != "regression"
    return replace(program, from_logits=True) if fits else None


def operator(name: str, kinds: str, mutant: Change) -> Operator:
    return Operator(name, frozenset(kinds.split()), mutant)


# A batch of all samples, few samples, a low rate and few epochs all end in too few or too small steps.
TOO_SHORT = "epochs learning-rate batch-size unfinished-training slow-progress small-updates"
# Not all that blames the data: to call the validation samples too easy is to miss that the labels are wrong.
LABELS = "labels overfitting train-validation-shift"

OPERATORS = (
    # Training samples.
    operator("20 % of the labels wrong", LABELS, spoiled("wrong_labels", 0.2)),
    operator("80 % of the labels wrong", LABELS, spoiled("wrong_labels", 0.8)),
    operator("a fifth of the classes called by the next one", LABELS, spoiled("renamed_classes", 0.2, "classes")),
    operator("3 % of the samples left", f"data overfitting {TOO_SHORT}", spoiled("fewer", 0.03)),
    operator("30 % of the samples left", f"data overfitting {TOO_SHORT}", spoiled("fewer", 0.3)),
    operator("2 % left of half the classes", "data class-imbalance", spoiled("unbalanced", 0.02, "classes binary")),
    operator("30 % left of half the classes", "data class-imbalance", spoiled("unbalanced", 0.3, "classes binary")),
    operator("inputs drowned in noise", "preprocessing train-validation-shift overfitting", spoiled("noise", 5.0)),
    operator("inputs a little noisy", "preprocessing train-validation-shift overfitting", spoiled("noise", 0.3)),
    operator("all samples again as another class", LABELS, spoiled("overlapping", 1.0, "classes binary")),
    operator("30 % of the samples again as another class", LABELS, spoiled("overlapping", 0.3, "classes binary")),
    # How it trains.
    operator("batch size x 32", TOO_SHORT, batches_times(32)),
    operator("batch size / 4", "batch-size learning-rate", batches_times(0.25)),
    operator("rate x 100", "learning-rate", rate_times(100)),
    operator("rate x 10", "learning-rate", rate_times(10)),
    operator("rate / 30", TOO_SHORT, rate_times(1 / 30)),
    operator("rate / 1000", TOO_SHORT, rate_times(1 / 1000)),
    operator("one epoch", TOO_SHORT, epochs_times(0)),
    operator("epochs x 4", "epochs overfitting overtraining", epochs_times(4)),
    # Activations.
    operator("no activations", "activation", changed(activation="linear")),
    operator("first activation gone", "activation", first_unactivated),
    operator("activation sigmoid", "activation vanishing-gradient", changed(activation="sigmoid")),
    operator("activation softmax", "activation vanishing-gradient", changed(activation="softmax")),
    operator("activation exponential", "activation", changed(activation="exponential")),
    operator("activation relu", "activation", changed(activation="relu")),
    operator(
        "relu at the end",
        "activation layers unreachable-targets",
        last({"softmax": "relu+softmax", "sigmoid": "relu+sigmoid", "linear": "relu"}),
    ),
    operator("last activation gone", "activation loss", last({"softmax": "linear", "sigmoid": "linear"})),
    operator(
        "another last activation",
        "activation loss",
        last({"softmax": "sigmoid", "sigmoid": "softmax", "linear": "sigmoid"}),
    ),
    # Regularization.
    operator("L2 of 1", "regularization", changed(regularizer=("l2", 1.0))),
    operator("L2 of 0.0001", "regularization", changed(regularizer=("l2", 1e-4))),
    operator("L1 of 0.1", "regularization", changed(regularizer=("l1", 0.1))),
    operator("no regularizer", "regularization", changed(regularizer=None)),
    operator("dropout 0.9", "regularization layers heavy-dropout", changed(dropout=0.9)),
    operator("dropout 0.3", "regularization layers heavy-dropout", changed(dropout=0.3)),
    operator("no dropout", "regularization", without_dropout),
    # Initial weights.
    operator("initial kernels 0", "initialization", changed(initializer="zeros")),
    operator("initial kernels 1", "initialization", changed(initializer="ones")),
    operator("initial kernels of deviation 3", "initialization", changed(initializer=3.0)),
    operator("initial kernels of deviation 0.001", "initialization", changed(initializer=0.001)),
    operator("initial biases -10", "initialization", changed(bias=-10.0)),
    operator("no biases", "initialization layers", changed(bias=None)),
    # Loss.
    operator("loss: squared error", "loss", loss_of("mean_squared_error", "classes binary labels")),
    operator("loss: absolute error", "loss", loss_of("mean_absolute_error", "classes binary labels regression")),
    operator("loss: crossentropy of classes", "loss layers", loss_of("categorical_crossentropy", "binary labels")),
    operator("loss: crossentropy of two classes", "loss labels", loss_of("binary_crossentropy", "classes regression")),
    operator("loss: hinge", "loss labels", loss_of("hinge", "binary labels")),
    operator("loss: cosine", "loss", loss_of("cosine_similarity", "classes binary labels regression")),
    operator("loss takes probabilities for logits", "loss activation", from_logits),
    # Optimizer.
    operator("sgd, default rate", "optimizer learning-rate epochs", changed(optimizer="sgd", rate=None)),
    operator("adam, default rate", "optimizer learning-rate epochs", changed(optimizer="adam", rate=None)),
    operator("adadelta, default rate", "optimizer learning-rate epochs", changed(optimizer="adadelta", rate=None)),
    operator("gradients clipped to 0.0001", "optimizer learning-rate", changed(clipnorm=1e-4)),
    operator("gradients clipped to 1", "optimizer learning-rate", changed(clipnorm=1.0)),
    # Layers.
    operator("one layer less", "layers", without_one_layer),
    operator("no hidden layers", "layers missing-nonlinearity", without_layers),
    operator("eight layers more", "layers vanishing-gradient initialization activation", with_layers(8)),
    operator("one layer more", "layers", with_layers(1)),
    operator("layers of one unit", "layers", changed(width=1)),
    operator("layers of four units", "layers", changed(width=4)),
    operator("no normalization", "layers initialization", changed(normalized=False)),
    operator("kernels of 1", "layers", only("convolution signals", changed(kernel=1))),
    operator("kernels of 7", "layers", only("convolution signals", changed(kernel=7))),
    operator("pooling of 8", "layers", only("convolution signals", changed(pool=8))),
    operator("no pooling", "layers", only("convolution signals", changed(pool=1))),
)


def mutants(program: Program) -> list[tuple[Operator, Program]]:
    """All mutants of a program, each with its operator."""
    made = [(each, each.mutant(program)) for each in OPERATORS]
    return [(each, mutant) for each, mutant in made if mutant is not None and mutant != program]
