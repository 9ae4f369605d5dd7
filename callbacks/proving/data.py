"""The data of a fit changed on their way: arrays at once, a dataset batch by batch, whatever fit takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.model.arrays import arrays, mapped
from diagnose.callbacks.proving.program import NotApplicableError, Program

#: Takes inputs, targets and sample weights (None where there are none) as tensors or arrays, and gives them changed.
Change = Callable[[Any, Any, Any], tuple[Any, Any, Any]]

ENOUGH = 10_000  # samples from which means and deviations are told: their error is a hundredth of a deviation


class _Mapped(keras.utils.PyDataset):
    """A PyDataset whose batches are changed."""

    def __init__(self, inner: Any, change: Change) -> None:
        super().__init__(
            workers=inner.workers, use_multiprocessing=inner.use_multiprocessing, max_queue_size=inner.max_queue_size
        )
        self.inner, self.change = inner, change

    @property
    def num_batches(self) -> Any:
        return self.inner.num_batches

    def __getitem__(self, index: int) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(self.inner[index])
        return keras.utils.pack_x_y_sample_weight(*self.change(x, y, weight))

    def on_epoch_begin(self) -> None:
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()


def change_data(program: Program, change: Change) -> None:
    """Let training and validation data pass `change`. Raises NotApplicableError for data that can't be changed so."""
    given = program.arguments
    given["x"], given["y"], given["sample_weight"] = _changed(
        given.get("x"), given.get("y"), given.get("sample_weight"), change
    )
    held = given.get("validation_data")
    if isinstance(held, (tuple, list)):
        given["validation_data"] = keras.utils.pack_x_y_sample_weight(*_changed(*_three(held), change))
    elif held is not None:
        given["validation_data"] = _changed(held, None, None, change)[0]
    for name in ("y", "sample_weight"):
        if given[name] is None:
            del given[name]


def _changed(x: Any, y: Any, weight: Any, change: Change) -> tuple[Any, Any, Any]:
    if isinstance(x, tf.data.Dataset):
        return x.map(lambda *batch: _packed(change, batch)), y, weight
    if isinstance(x, keras.utils.PyDataset):
        return _Mapped(x, change), y, weight
    if y is None and not isinstance(x, (np.ndarray, list, tuple, dict)) and not hasattr(x, "shape"):
        raise NotApplicableError(f"the data are {type(x).__name__}, which can't be changed by machine")
    return change(arrays(x), arrays(y), arrays(weight))


def _packed(change: Change, batch: Any) -> Any:
    return keras.utils.pack_x_y_sample_weight(*change(*_three(batch)))


def _three(batch: Any) -> tuple[Any, Any, Any]:
    return keras.utils.unpack_x_y_sample_weight(tuple(batch))


def first_samples(program: Program) -> tuple[Any, Any]:
    """Inputs and targets of the first `ENOUGH` training samples or so, as arrays in their structures."""
    x, y = program.arguments.get("x"), program.arguments.get("y")
    if isinstance(x, tf.data.Dataset):
        source: Any = iter(x)
    elif isinstance(x, keras.utils.PyDataset):
        source = (x[index] for index in range(x.num_batches or 0))
    else:
        return arrays(x), arrays(y)
    found, samples = [], 0
    for batch in source:
        some = keras.utils.unpack_x_y_sample_weight(batch)[:2]
        found.append(mapped(np.asarray, some))
        samples += len(keras.tree.flatten(found[-1])[0])
        if samples >= ENOUGH:
            break
    if not found:
        raise NotApplicableError("the dataset gives no batch")
    return tuple(keras.tree.map_structure(lambda *parts: np.concatenate(parts), *found))


def rebatched(program: Program, size: int) -> None:
    """Let each training batch hold this many samples."""
    given = program.arguments
    x = given.get("x")
    if isinstance(x, tf.data.Dataset):
        given["x"] = x.unbatch().batch(size)
        if given.get("steps_per_epoch"):
            raise NotApplicableError("steps_per_epoch says how many batches an epoch has, and would mean other samples")
    elif isinstance(x, keras.utils.PyDataset):
        raise NotApplicableError("a PyDataset makes its batches itself")
    else:
        given["batch_size"] = size
