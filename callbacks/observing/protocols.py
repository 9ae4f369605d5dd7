"""What an observer offers besides readings: held samples, the model's predictions for them, and its variables.

Each backend has classes of its own for these; `callbacks.measuring` calls them, and gets plain arrays and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from diagnose.callbacks.observing.reading import Evaluation


class HeldSamples(Protocol):
    """Samples kept for evaluation, batch by batch as `fit` brought them."""

    @property
    def samples(self) -> int:
        """Number of samples kept."""

    def inputs(self) -> dict[str, list[np.ndarray]]:
        """The numeric inputs by name, one array (samples, ...) a batch; of a set that is not empty."""


Held = TypeVar("Held", bound=HeldSamples, contravariant=True)


class Evaluator(Protocol[Held]):
    """Computes the model's predictions and losses for held samples, in inference mode, leaving no trace in it."""

    def __call__(self, held: Held) -> Evaluation:
        """Targets, predictions and loss of a set that is not empty."""

    def loss_of(self, held: Held, predictions: Sequence[np.ndarray]) -> float:
        """Mean loss over the set if these were the predictions, by output; NaN where the loss is not known."""


class VariableReads(Protocol):
    """Reads the variables of a built model that its training may move. `paths`: of these variables, in their order."""

    paths: list[str]

    def sample(self) -> list[np.ndarray]:
        """Some entries of each variable, float32, the same ones at each call."""

    def updates(self) -> int:
        """Optimizer updates so far."""

    def all_finite(self) -> bool:
        """Whether every entry of every variable of the model is finite."""

    def kernels(self, most_entries: int) -> Iterator[tuple[str, np.ndarray]]:
        """Path and value of each kernel of at most so many entries, float64 of (all axes but the last, last axis)."""
