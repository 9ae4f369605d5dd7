"""The data of a training and how `fit` gets them: arrays, data sets, generators, weights, validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from generated.blocks import KINDS
from generated.choices import Choices
from generated.models import BATCH, Made
from generated.tasks import targets

SAMPLES = 40  # two full batches and a short one


@dataclass(frozen=True)
class Data:
    """Inputs and targets nested as the model wants them. weights: of the samples, or None."""

    x: Any
    y: Any
    weights: np.ndarray | None = None

    def rows(self, chosen: slice | np.ndarray) -> tuple[Any, ...]:
        """What `fit` takes from a generator."""
        parts = (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)
        return tuple(keras.tree.map_structure(lambda values: values[chosen], part) for part in parts)


def data_for(made: Made, count: int, seed: int, weighted: bool = False) -> Data:
    """Made-up data for this model."""
    rng = np.random.default_rng(seed)

    def inputs(kind: str) -> np.ndarray:
        shape, highest = KINDS[kind]
        if highest:
            return rng.integers(0, highest, (count, *shape)).astype("int32")
        return rng.standard_normal((count, *shape)).astype("float32")

    x = {name: inputs(kind) for name, kind in made.inputs.items()}
    y = {name: targets(task, count, rng) for name, task in made.tasks.items()}
    return Data(_nest(x, made.nested), _nest(y, made.nested), rng.random(count).astype("float32") if weighted else None)


def _nest(values: dict[str, Any], nested: str) -> Any:
    if list(values) == [""]:
        return values[""]
    return values if nested == "dict" else tuple(values.values())


class Batches(keras.utils.PyDataset):
    """draws: whether each batch is disturbed by numbers from NumPy's global state."""

    def __init__(self, data: Data, draws: bool = False, **options: Any):
        super().__init__(**options)
        self.data, self.draws, self.asked = data, draws, 0

    def __len__(self) -> int:
        return -(-len(keras.tree.flatten(self.data.y)[0]) // BATCH)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        self.asked += 1
        x, *others = self.data.rows(slice(index * BATCH, (index + 1) * BATCH))
        if self.draws:
            x = keras.tree.map_structure(_disturbed, x)
        return (x, *others)


def _disturbed(values: np.ndarray) -> np.ndarray:
    return values + np.random.normal(size=values.shape).astype("float32") if values.dtype == "float32" else values


def _randomly_moved(x: Any, *others: Any) -> tuple[Any, ...]:
    moved = keras.tree.map_structure(lambda v: v + 0.1 * tf.random.normal(tf.shape(v)) if v.dtype.is_floating else v, x)
    return (moved, *others)


def _generated(data: Data) -> Any:
    while True:
        for first in range(0, SAMPLES, BATCH):
            yield data.rows(slice(first, first + BATCH))


def _data_set(data: Data) -> Any:
    return tf.data.Dataset.from_tensor_slices(data.rows(slice(None)))


def _arrays(data: Data) -> dict[str, Any]:
    return {"x": data.x, "y": data.y, "batch_size": BATCH, "sample_weight": data.weights}


def _tensors(data: Data) -> dict[str, Any]:
    return {**_arrays(data), **{side: keras.tree.map_structure(tf.constant, getattr(data, side)) for side in "xy"}}


#: How fit is given the data: the arguments of `fit` for them.
FEEDS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "arrays": _arrays,
    "tensors": _tensors,
    "arrays in order": lambda data: {**_arrays(data), "shuffle": False},
    "data set": lambda data: {"x": _data_set(data).batch(BATCH)},
    "shuffled data set": lambda data: {"x": _data_set(data).shuffle(SAMPLES).batch(BATCH).prefetch(2)},
    "random data set": lambda data: {"x": _data_set(data).batch(BATCH).map(_randomly_moved)},
    "endless data set": lambda data: {"x": _data_set(data).batch(BATCH).repeat(), "steps_per_epoch": 3},
    "full batches": lambda data: {"x": _data_set(data).batch(BATCH, drop_remainder=True).cache()},
    "sequence": lambda data: {"x": Batches(data)},
    "drawing sequence": lambda data: {"x": Batches(data, draws=True)},
    "sequence with workers": lambda data: {"x": Batches(data, workers=2, max_queue_size=2)},
    "generator": lambda data: {"x": _generated(data), "steps_per_epoch": 3},
}


def fed(choices: Choices, made: Made) -> dict[str, Any]:
    """The arguments of `fit`, all but the callbacks."""
    count = SAMPLES + 8 if made.fixed else SAMPLES
    by_class = list(made.tasks) == [""] and made.tasks[""].targets == "classes"
    weighting = choices.of("weights", ["none", "sample", *["class"] * by_class], plain=0.4)
    data = data_for(made, count, choices.seed, weighted=weighting == "sample")
    feeds = {name: feed for name, feed in FEEDS.items() if not made.fixed or name not in ("generator", "full batches")}
    feed = choices.of("data", feeds)
    arguments: dict[str, Any] = {"epochs": 2, "verbose": 0, **FEEDS[feed](data)}
    if weighting == "class":
        arguments["class_weight"] = {0: 1.0, 1: 0.25, 2: 3.0}
    more = data_for(made, BATCH, choices.seed + 1)
    validations: dict[str, dict[str, Any]] = {
        "none": {},
        "arrays": {"validation_data": (more.x, more.y), "validation_batch_size": BATCH},
        "data set": {"validation_data": _data_set(more).batch(BATCH)},
        "now and then": {"validation_data": (more.x, more.y), "validation_freq": 2, "validation_batch_size": BATCH},
    }
    if feed.startswith("arrays") and not made.fixed:
        validations["split"] = {"validation_split": 0.3}
    arguments.update(choices.from_table("validation", validations, plain=0.3))
    return arguments
