"""Each kind of remedy applied to a freshly built program, in place, before its first step is traced.

One function a kind; it changes a layer's attribute or first weights, compiles anew with one argument changed, or wraps
the data. `applied` makes sure that the program differs afterwards, and in nothing that the kind does not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from diagnose.callbacks.model.arrays import mapped
from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.callbacks.proving.data import change_data, first_samples, rebatched
from diagnose.callbacks.proving.program import NotApplicableError, Program, changes, fingerprint
from diagnose.regularizers import SpectralNorm
from diagnose.remedy import Remedy

EPSILON = 1e-3  # as in Keras' LayerNormalization

Apply = Callable[[Program, str, Any], None]


def apply(program: Program, remedy: Remedy) -> list[str]:
    """Change the program as the remedy says. Gives the names of what differs now, as `fingerprint` has them.

    Of several changes in one, some may be made already.
    Raises NotApplicableError where this program has nothing for it to change, and where something else changed, too.
    """
    if not remedy.automatic:
        raise NotApplicableError("only a person can make this change")
    told: list[str] = []
    for part in remedy.parts:
        function, touches = APPLY[part.kind]
        before = fingerprint(program)
        function(program, part.where, part.value)
        found = changes(before, fingerprint(program))
        if besides := [name for name in found if not name.startswith(touches)]:
            raise NotApplicableError(f"more than this changed: {besides[0]}")
        told += found
    if not told:
        raise NotApplicableError(f"{remedy.text[:1].lower()}{remedy.text[1:]}: it is so already")
    return told


# Activations


def _activation(change: Callable[[Any, Any], Any]) -> Apply:
    """Replaces the activation f of a layer by `change(f, value)`."""

    def function(program: Program, where: str, value: Any) -> None:
        layer = _layer(program, where)
        holder = getattr(layer, "cell", layer)
        own = getattr(holder, "activation", None)
        name = getattr(own if callable(own) else layer, "__name__", type(layer).__name__.lower())
        if callable(own):
            new = change(own, value)
            _called(new, name)
            holder.activation = new
        elif not layer.variables and not layer._call_has_training_arg:
            new = change(layer.call, value)
            _called(new, name)
            layer.call = new
        else:
            raise NotApplicableError(f"`{where}` is a {type(layer).__name__}, which has no activation to change")

    return function


def _called(new: Any, name: str) -> None:
    """A wrapped activation is called after what it wraps: what is told of it names it."""
    if getattr(new, "__name__", "") == "changed":
        new.__name__ = new.__qualname__ = f"{name}_changed"


def _replaced(_: Any, name: str) -> Any:
    return keras.activations.get(name)


def _around(inside: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of z that is `inside(f, z, value)`."""

    def change(f: Any, value: Any) -> Any:
        def changed(z: Any) -> Any:
            return inside(f, z, value)

        return changed

    return change


def _normalized(f: Any, z: Any, _: Any) -> Any:
    spread = ops.sqrt(ops.var(z, axis=-1, keepdims=True) + EPSILON)
    return f((z - ops.mean(z, axis=-1, keepdims=True)) / spread)


# What the training starts from


def _kernels(program: Program, where: str) -> list[Any]:
    found = [_layer(program, where)] if where else leaf_layers(program.model)
    found = [layer for layer in found if hasattr(layer, "kernel_initializer")]
    if not found:
        raise NotApplicableError(f"{f'`{where}` has' if where else 'no layer has'} {'no ' if where else 'a '}kernel")
    return found


def _initialized(program: Program, where: str, name: str) -> None:
    for number, layer in enumerate(_kernels(program, where)):
        initializer = keras.initializers.get({"class_name": _class_of(name), "config": {"seed": number + 1}})
        layer.kernel_initializer = initializer
        if layer.built:
            layer.kernel.assign(initializer(layer.kernel.shape, dtype=layer.kernel.dtype))


def _class_of(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _scaled_kernels(program: Program, where: str, factor: float) -> None:
    for layer in _kernels(program, where):
        if layer.built:
            layer.kernel.assign(layer.kernel * factor)
        else:
            layer.kernel_initializer = _scaled_initializer(layer.kernel_initializer, factor)


def _scaled_initializer(inner: Any, factor: float) -> Any:
    def initializer(shape: Any, dtype: Any = None, **more: Any) -> Any:
        return factor * inner(shape, dtype=dtype, **more)

    return initializer


def _zero_bias(program: Program, where: str, _: Any) -> None:
    for layer in _kernels(program, where):
        layer.bias_initializer = keras.initializers.Zeros()
        if layer.built and getattr(layer, "bias", None) is not None:
            layer.bias.assign(ops.zeros_like(layer.bias))


# Optimizer and compilation


def _recompiled(program: Program, **changed: Any) -> None:
    """Compile anew with these arguments changed and all others as they were."""
    model = program.model
    if type(model).compile is not keras.Model.compile:
        raise NotApplicableError("the model has a compile of its own")
    model.compile(**{**model._compile_config.config, **changed})


def _optimizer(program: Program) -> Any:
    optimizer = getattr(program.model, "optimizer", None)
    if optimizer is None:
        raise NotApplicableError("the model has no optimizer of its own")
    return getattr(optimizer, "inner_optimizer", None) or optimizer


def _rate(program: Program, _: str, rate: float) -> None:
    optimizer = _optimizer(program)
    if callable(optimizer._learning_rate):
        _reoptimized(program, learning_rate=_scaled_schedule(optimizer._learning_rate, rate))
    else:
        before = float(optimizer.learning_rate)
        optimizer.learning_rate = rate
        _scale_schedulers(program, rate / before if before else math.inf)


def _scaled_schedule(schedule: Any, rate: float) -> Any:
    first = float(schedule(0)) if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule) else 0.0
    if not first:
        raise NotApplicableError("the learning rate is a schedule that does not say where it starts")

    class Scaled(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return schedule(step) * (rate / first)

        def get_config(self) -> dict[str, Any]:
            return {}

    return Scaled()


def _scale_schedulers(program: Program, factor: float) -> None:
    """A LearningRateScheduler sets the rate anew in each epoch: what it sets is scaled like the first rate."""
    for callback in _callbacks(program):
        if isinstance(callback, keras.callbacks.LearningRateScheduler):
            if not math.isfinite(factor):
                raise NotApplicableError("the learning rate is 0 at first, and a LearningRateScheduler sets it")
            callback.schedule = _scaled_function(callback.schedule, factor)


def _scaled_function(schedule: Any, factor: float) -> Any:
    def scaled(epoch: int, rate: float) -> float:
        try:
            return float(schedule(epoch, rate / factor)) * factor
        except TypeError:
            return float(schedule(epoch)) * factor

    return scaled


def _constant_rate(program: Program, _: str, rate: float) -> None:
    scheduling = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    kept = [callback for callback in _callbacks(program) if not isinstance(callback, scheduling)]
    if "callbacks" in program.arguments:
        program.arguments["callbacks"] = kept
    if callable(_optimizer(program)._learning_rate):
        _reoptimized(program, learning_rate=rate)
    else:
        _optimizer(program).learning_rate = rate


def _callbacks(program: Program) -> list[Any]:
    own = program.arguments.get("callbacks") or []
    return [*own] if isinstance(own, (list, tuple)) else [own]


def _reoptimized(program: Program, **changed: Any) -> None:
    optimizer = _optimizer(program)
    _recompiled(program, optimizer=type(optimizer).from_config({**optimizer.get_config(), **changed}))


def _other_optimizer(program: Program, _: str, to: dict[str, Any]) -> None:
    new = getattr(keras.optimizers, to["class_name"])(learning_rate=to["learning_rate"])
    _recompiled(program, optimizer=new)


def _setting(name: str) -> Apply:
    def function(program: Program, _: str, value: Any) -> None:
        setattr(_optimizer(program), name, value or None)

    return function


def _clipped(program: Program, _: str, norm: float) -> None:
    optimizer = _optimizer(program)
    optimizer.global_clipnorm = optimizer.clipvalue = None
    optimizer.clipnorm = norm or None


def _loss(program: Program, _: str, name: str) -> None:
    _recompiled(program, loss=name)


def _from_logits(program: Program, _: str, on: bool) -> None:
    loss = program.model.loss
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    if isinstance(loss, keras.losses.Loss) and "from_logits" in (config := loss.get_config()):
        return _recompiled(program, loss=type(loss).from_config({**config, "from_logits": on}))
    known = {
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    }
    if (name := getattr(loss, "__name__", "")) not in known:
        raise NotApplicableError("the loss has no from_logits")
    return _recompiled(program, loss=known[name](from_logits=on))


def _metric(program: Program, _: str, name: str) -> None:
    _recompiled(program, metrics=[name])


def _trainable(program: Program, where: str, on: bool) -> None:
    chosen = [_layer(program, where)] if where else leaf_layers(program.model)
    for layer in chosen:
        layer.trainable = on
    _recompiled(program)


# Fit


def _argument(name: str) -> Apply:
    def function(program: Program, _: str, value: Any) -> None:
        program.arguments[name] = value

    return function


def _early_stopping(program: Program, _: str, patience: int) -> None:
    own = program.arguments.get("validation_data") is not None or program.arguments.get("validation_split")
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss" if own else "loss", patience=patience, restore_best_weights=True
    )
    program.arguments["callbacks"] = [*_callbacks(program), stopping]


def _class_weight(program: Program, _: str, __: Any) -> None:
    _, y = first_samples(program)
    labels = np.asarray(y)
    labels = labels.argmax(axis=-1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.ravel()
    counts = np.bincount(np.asarray(labels, "int64"))
    program.arguments["class_weight"] = {
        number: len(labels) / (len(counts) * count) for number, count in enumerate(counts) if count
    }


def _shuffled(program: Program, _: str, __: Any) -> None:
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


# Data


def _standardized_inputs(program: Program, _: str, __: Any) -> None:
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


def _standardized_targets(program: Program, _: str, __: Any) -> None:
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


def _without_non_finite(program: Program, _: str, __: Any) -> None:
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


def _encoded(program: Program, _: str, to: str) -> None:
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


# Regularization


def _dropout(program: Program, where: str, rate: float) -> None:
    layer = _layer(program, where)
    if not isinstance(getattr(layer, "rate", None), (int, float)):
        raise NotApplicableError(f"`{where}` has no dropout rate")
    layer.rate = rate


def _regularized(program: Program, where: str, factor: float) -> None:
    chosen = [_layer(program, where)] if where else leaf_layers(program.model)
    for layer in chosen:
        for name in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
            if (own := getattr(layer, name, None)) is not None:
                setattr(layer, name, _scaled_regularizer(own, factor) if factor else None)
        for variable in layer.variables:
            if getattr(variable, "regularizer", None) is not None:
                variable.regularizer = _scaled_regularizer(variable.regularizer, factor) if factor else None


def _scaled_regularizer(inner: Any, factor: float) -> Any:
    return lambda x: factor * inner(x)


def _spectral_norm(program: Program, where: str, coefficient: float) -> None:
    for layer in _kernels(program, where):
        layer.kernel_regularizer = SpectralNorm(coefficient)
        if layer.built:
            layer.kernel.regularizer = layer.kernel_regularizer


def _layer(program: Program, where: str) -> Any:
    """The layer at this path. A layer that is not built yet knows its name alone."""
    path = where.partition("@")[0]
    found = {path_of(layer): layer for layer in leaf_layers(program.model)}
    if path in found:
        return found[path]
    named = [layer for layer in found.values() if path_of(layer).split("/")[-1] == path.split("/")[-1]]
    if len(named) != 1:
        known = ", ".join(layer.name for layer in found.values() if not isinstance(layer, keras.layers.InputLayer))
        raise NotApplicableError(f"the model has no layer `{path}`; it has {known}")
    return named[0]


#: For each kind what applies it, and how the names begin of what it may change.
APPLY: dict[str, tuple[Apply, tuple[str, ...]]] = {
    "replace-activation": (_activation(_replaced), ("activation:", "call:")),
    "output-activation": (_activation(_replaced), ("activation:", "call:")),
    "scale-activation-input": (_activation(_around(lambda f, z, by: f(by * z))), ("activation:", "call:")),
    "shift-activation-input": (_activation(_around(lambda f, z, by: f(z + by))), ("activation:", "call:")),
    "scale-activation-output": (_activation(_around(lambda f, z, by: by * f(z))), ("activation:", "call:")),
    "shift-activation-output": (_activation(_around(lambda f, z, by: f(z) + by)), ("activation:", "call:")),
    "clip-activation-input": (_activation(_around(lambda f, z, to: f(ops.clip(z, *to)))), ("activation:", "call:")),
    "normalize-activation-input": (_activation(_around(_normalized)), ("activation:", "call:")),
    "initializer": (_initialized, ("initializer:", "weight:")),
    "scale-kernel": (_scaled_kernels, ("initializer:", "weight:")),
    "zero-bias": (_zero_bias, ("initializer:", "weight:")),
    "learning-rate": (_rate, ("optimizer:", "fit:callbacks")),
    "constant-learning-rate": (_constant_rate, ("optimizer:", "fit:callbacks")),
    "optimizer": (_other_optimizer, ("optimizer:",)),
    "clipnorm": (_clipped, ("optimizer:",)),
    "weight-decay": (_setting("weight_decay"), ("optimizer:",)),
    "epochs": (_argument("epochs"), ("fit:epochs",)),
    "batch-size": (lambda program, _, size: rebatched(program, size), ("fit:x", "fit:batch_size")),
    "early-stopping": (_early_stopping, ("fit:callbacks",)),
    "standardize-inputs": (_standardized_inputs, ("fit:",)),
    "standardize-targets": (_standardized_targets, ("fit:",)),
    "drop-non-finite": (_without_non_finite, ("fit:",)),
    "encode-labels": (_encoded, ("fit:",)),
    "shuffle": (_shuffled, ("fit:x", "fit:shuffle")),
    "class-weight": (_class_weight, ("fit:class_weight",)),
    "loss": (_loss, ("loss:", "metric:")),
    "from-logits": (_from_logits, ("loss:",)),
    "metric": (_metric, ("metric:",)),
    "dropout": (_dropout, ("rate:",)),
    "regularizers": (_regularized, ("regularizer:",)),
    "spectral-norm": (_spectral_norm, ("regularizer:",)),
    "trainable": (_trainable, ("trainable:", "optimizer:")),
}
