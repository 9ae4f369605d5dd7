"""The borrowed model: it is run, under its own weights and under others, and is given back as it was.

Everything runs inside a `keras.StatelessScope`, which catches each assignment to a Keras variable: weights, metrics,
seeds, BatchNorm statistics. What it does not know is put back afterwards: plain `tf.Variable`s, whatever else the code
holds in Python, and the numbers that Keras gives to unnamed objects. Random numbers are drawn from generators of ours.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

from diagnose.callbacks.model.arrays import leaves, mapped, taken
from diagnose.callbacks.model.restoring import pristine

BIG_VARIABLE = 300_000  # entries; to draw a larger one anew takes longer than it tells, so it is scaled
OF_AN_OUTPUT = 2  # variables, mostly a kernel and a bias
LAST = 4  # variables, mostly two layers, that get the whole gain; deeper ones share three times of it


def build(model: Any, x: Any) -> None:
    """Build what is not built, without running it: the variables get the values that `fit` would give them."""
    if all(layer.built for layer in model._flatten_layers()):
        return
    symbolic = mapped(lambda leaf: backend.KerasTensor((None, *leaf.shape[1:]), _dtype_of(leaf)), x)
    try:
        backend.compute_output_spec(model, symbolic, training=False)
    except Exception:  # a call that looks at values can be built by running it only
        model(taken(x, np.arange(1)), training=False)


@contextmanager
def borrowed(model: Any) -> Iterator[None]:
    """Let the built model run under its own weights, and give it back as it was."""
    compiled = model.__dict__.get("_compile_loss")
    try:
        with (
            warnings.catch_warnings(),
            pristine(model, strict=False),
            under(model, [v.value for v in model.trainable_variables]),
        ):
            warnings.simplefilter("ignore")  # Keras warns of some faults found here; the diagnosis tells them better
            yield
    finally:
        lend_loss(model, compiled)


def lend_loss(model: Any, loss: Any) -> None:
    """Let the model compute with this compiled loss; past `__setattr__`, which would track it as the model's own."""
    model.__dict__["_compile_loss"] = loss


@contextmanager
def under(model: Any, values: Sequence[Any]) -> Iterator[None]:
    """Let the trainable weights have these values, and let no variable be assigned to."""
    mapping = list(zip(model.trainable_variables, values, strict=True))
    with keras.StatelessScope(state_mapping=mapping, collect_losses=True, initialize_variables=False):
        yield


def forward(model: Any, x: Any) -> Any:
    """The model's answer in inference mode."""
    return model(x, training=False) if getattr(model, "_call_has_training_arg", True) else model(x)


@contextmanager
def overhearing(layers: Sequence[Any]) -> Iterator[list[list[Any]]]:
    """The layers in the order in which they are called while the body runs, each with what it was given and gave."""
    heard: list[list[Any]] = []
    before = [(layer, layer.__dict__.get("call")) for layer in layers]

    def listening(layer: Any, call: Any) -> Any:
        @functools.wraps(call)
        def listen(*args: Any, **kwargs: Any) -> Any:
            told = [layer, args[0] if args else None, None]
            heard.append(told)
            told[2] = call(*args, **kwargs)
            return told[2]

        return listen

    try:
        for layer in layers:
            object.__setattr__(layer, "call", listening(layer, layer.call))  # past Keras' tracking
        yield heard
    finally:
        for layer, own in before:
            layer.__dict__.pop("call", None) if own is None else object.__setattr__(layer, "call", own)


def under_random_weights(
    model: Any, x: Any, gains: Sequence[float], ends: int = 1
) -> list[tuple[float, list[np.ndarray]]]:
    """Predictions of x by output, one for each gain, with the gain of the weights drawn for them.

    Every second draw of a gain repeats the one before it, with the last weights of the `ends` outputs negated: what
    reaches an output of one unit has the same sign for all samples where its inputs are positive, and so has both.
    """
    few = mapped(_of_unit_size, x)
    drawn: list[tuple[float, list[np.ndarray]]] = []
    variables = model.trainable_variables
    for number, gain in enumerate(gains if variables else ()):
        deep = gain ** min(1.0, 3 / len(variables))  # or a hundred layers would overflow
        gains_here = [gain if index >= len(variables) - LAST else deep for index in range(len(variables))]
        before = [at for at in range(number) if gains[at] == gain]
        again = len(before) % 2 == 1
        seed = before[-1] if again else number
        values = _redrawn(variables, gains_here, seed)
        if again:
            last = max(0, len(values) - OF_AN_OUTPUT * ends)
            values[last:] = [-value if _is_float(value) else value for value in values[last:]]
        try:
            with under(model, values):
                predictions = [np.asarray(leaf).astype(np.float32) for leaf in leaves(forward(model, few))]
        except Exception:  # a layer that checks its own numbers; what was drawn so far has to do
            break
        drawn.append((gain, predictions))
    return drawn


def _of_unit_size(leaf: Any) -> Any:
    if not leaf.dtype.is_floating or leaf.shape.num_elements() == 0:
        return leaf
    size = float(np.sqrt(np.nanmean(np.square(leaf.numpy(), dtype=np.float64))))
    return leaf / tf.cast(max(1.0, size), leaf.dtype)  # pixels up to 255 would saturate anything


def _redrawn(variables: Sequence[Any], gains: Sequence[float], seed: int) -> list[Any]:
    """A value for each variable, normal, with its gain times the spread that keeps the size of a signal."""
    generator = np.random.default_rng(seed)  # NumPy's is ten times cheaper to ask than TensorFlow's, outside a graph
    values = []
    for variable, gain in zip(variables, gains, strict=True):
        shape = tuple(variable.shape)
        if not _is_float(variable):
            values.append(variable.value)
        elif math.prod(shape) > BIG_VARIABLE:
            sign = 1.0 if generator.random() < 0.5 else -1.0
            values.append(variable.value * tf.cast(sign * gain, variable.dtype))
        else:
            inputs = math.prod(shape[:-1]) if len(shape) > 1 else 1
            drawn = generator.standard_normal(shape, np.float32) * np.float32(gain / math.sqrt(inputs))
            values.append(tf.cast(drawn, variable.dtype))
    return values


def _is_float(variable: Any) -> bool:
    return backend.standardize_dtype(variable.dtype).startswith(("float", "bfloat"))


def _dtype_of(leaf: Any) -> str:
    """Keras' name of an array's dtype; texts come as objects or characters."""
    return "string" if leaf.dtype.kind in "OSU" else str(backend.standardize_dtype(leaf.dtype))
