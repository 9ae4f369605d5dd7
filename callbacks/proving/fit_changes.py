"""Changes of what fit gets: its arguments, its callbacks, and its data."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from diagnose.callbacks.model.arrays import mapped
from diagnose.callbacks.proving.data import change_data, first_samples
from diagnose.callbacks.proving.program import Apply, NotApplicableError, Program, callbacks_of


def argument(name: str) -> Apply:
    """Sets this argument of fit."""

    def function(program: Program, _: str, value: Any) -> None:
        program.arguments[name] = value

    return function


def early_stopping(program: Program, _: str, patience: int) -> None:
    """Adds EarlyStopping on the validation loss, or on the loss where nothing is validated."""
    own = program.arguments.get("validation_data") is not None or program.arguments.get("validation_split")
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss" if own else "loss", patience=patience, restore_best_weights=True
    )
    program.arguments["callbacks"] = [*callbacks_of(program), stopping]


def class_weight(program: Program, _: str, __: Any) -> None:
    """Weights that make all classes count the same."""
    _, y = first_samples(program)
    labels = np.asarray(y)
    labels = labels.argmax(axis=-1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.ravel()
    counts = np.bincount(np.asarray(labels, "int64"))
    program.arguments["class_weight"] = {
        number: len(labels) / (len(counts) * count) for number, count in enumerate(counts) if count
    }


def shuffled(program: Program, _: str, __: Any) -> None:
    """Training samples in another order in each epoch."""
    x = program.arguments.get("x")
    if isinstance(x, tf.data.Dataset):
        program.arguments["x"] = x.unbatch().shuffle(10_000, seed=1).batch(_batch_of(x))
    elif isinstance(x, keras.utils.PyDataset):
        raise NotApplicableError("a PyDataset orders its samples itself")
    elif program.arguments.get("shuffle", True):
        raise NotApplicableError("fit shuffles the samples already")
    else:
        program.arguments["shuffle"] = True


def _batch_of(dataset: Any) -> int:
    return max(len(leaf) for leaf in keras.tree.flatten(next(iter(dataset))))


def standardized_inputs(program: Program, _: str, __: Any) -> None:
    """Each feature scaled by mean and deviation of its finite training samples, in validation alike."""
    x, _ = first_samples(program)

    def told(leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if leaf.ndim < 2 or not np.issubdtype(leaf.dtype, np.number):
            raise NotApplicableError("the inputs are no numbers of several features")
        axes = tuple(range(leaf.ndim - 1))
        leaf = np.where(np.isfinite(leaf), leaf, np.nan).astype("float64")
        mean, spread = np.nanmean(leaf, axis=axes), np.nanstd(leaf, axis=axes)
        return mean.astype("float32"), np.where(spread > 0, spread, 1.0).astype("float32")

    scales = [told(leaf) for leaf in keras.tree.flatten(x)]

    def change(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        leaves = [
            (_float(leaf) - mean) / spread for leaf, (mean, spread) in zip(keras.tree.flatten(x), scales, strict=True)
        ]
        return keras.tree.pack_sequence_as(x, leaves), y, weight

    change_data(program, change)


def standardized_targets(program: Program, _: str, __: Any) -> None:
    """Targets scaled by mean and deviation of those of the training samples."""
    _, y = first_samples(program)
    scales = [(float(np.mean(leaf)), float(np.std(leaf)) or 1.0) for leaf in keras.tree.flatten(y)]

    def change(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        leaves = [
            (_float(leaf) - mean) / spread for leaf, (mean, spread) in zip(keras.tree.flatten(y), scales, strict=True)
        ]
        return x, keras.tree.pack_sequence_as(y, leaves), weight

    change_data(program, change)


def _float(leaf: Any) -> Any:
    return leaf.astype("float32") if isinstance(leaf, np.ndarray) else tf.cast(leaf, "float32")


def without_non_finite(program: Program, _: str, __: Any) -> None:
    """Samples with NaN or infinity in inputs or targets left out."""

    def change(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        known = [leaf for leaf in keras.tree.flatten((x, y)) if leaf is not None and _is_float(leaf)]
        good: Any = True
        for leaf in known:
            flat = (
                leaf.reshape(len(leaf), -1)
                if isinstance(leaf, np.ndarray)
                else tf.reshape(leaf, (tf.shape(leaf)[0], -1))
            )
            fine = (
                np.isfinite(flat).all(axis=1)
                if isinstance(flat, np.ndarray)
                else tf.reduce_all(tf.math.is_finite(flat), 1)
            )
            good = fine if good is True else good & fine
        if good is True:
            return x, y, weight
        return (
            mapped(lambda leaf: leaf[good], x),
            mapped(lambda leaf: leaf[good], y),
            mapped(lambda leaf: leaf[good], weight),
        )

    change_data(program, change)


def _is_float(leaf: Any) -> bool:
    return bool(np.issubdtype(np.dtype(getattr(leaf.dtype, "as_numpy_dtype", leaf.dtype)), np.floating))


def encoded(program: Program, _: str, to: str) -> None:
    """Labels written another way; see `remedy_kinds.ENCODINGS`."""
    _, y = first_samples(program)
    labels = keras.tree.flatten(y)
    if len(labels) != 1:
        raise NotApplicableError("the model has several outputs")
    low, high = float(np.min(labels[0])), float(np.max(labels[0]))
    classes = int(program.model.output_shape[-1]) if hasattr(program.model, "output_shape") else int(high) + 1

    def code(y: Any) -> Any:
        if to == "one-hot":
            return ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), classes)
        if to == "whole numbers":
            return ops.argmax(y, axis=-1)
        if to == "from 0":
            return y - np.asarray(low, "float32")
        if to == "0 and 1":
            return ops.cast(y > low, "float32")
        return ops.reshape(y, (-1, 1))

    def change(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        coded = code(y)
        return x, np.asarray(coded) if isinstance(y, np.ndarray) else coded, weight

    change_data(program, change)
