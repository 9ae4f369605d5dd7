"""Changes of layers: of their activations, first weights and regularizers, in place and before the first trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.callbacks.proving.program import Apply, NotApplicableError, Program
from diagnose.regularizers import SpectralNorm

EPSILON = 1e-3  # as in Keras' LayerNormalization


def layer_at(program: Program, where: str) -> Any:
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


def of_activation(change: Callable[[Any, Any], Any]) -> Apply:
    """Replaces the activation f of a layer by `change(f, value)`."""

    def function(program: Program, where: str, value: Any) -> None:
        layer = layer_at(program, where)
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


def by_name(_: Any, name: str) -> Any:
    """The activation of Keras with this name."""
    return keras.activations.get(name)


def around(inside: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of z that is `inside(f, z, value)`."""

    def change(f: Any, value: Any) -> Any:
        def changed(z: Any) -> Any:
            return inside(f, z, value)

        return changed

    return change


def after_normalization(f: Any, z: Any, _: Any) -> Any:
    """f of what LayerNormalization without weights makes of z."""
    spread = ops.sqrt(ops.var(z, axis=-1, keepdims=True) + EPSILON)
    return f((z - ops.mean(z, axis=-1, keepdims=True)) / spread)


def _kernels(program: Program, where: str) -> list[Any]:
    found = [layer_at(program, where)] if where else leaf_layers(program.model)
    found = [layer for layer in found if hasattr(layer, "kernel_initializer")]
    if not found:
        raise NotApplicableError(f"{f'`{where}` has' if where else 'no layer has'} {'no ' if where else 'a '}kernel")
    return found


def initialized(program: Program, where: str, name: str) -> None:
    """Kernels drawn anew by this initializer, from fixed seeds."""
    for number, layer in enumerate(_kernels(program, where)):
        initializer = keras.initializers.get({"class_name": _class_of(name), "config": {"seed": number + 1}})
        layer.kernel_initializer = initializer
        if layer.built:
            layer.kernel.assign(initializer(layer.kernel.shape, dtype=layer.kernel.dtype))


def _class_of(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def scaled_kernels(program: Program, where: str, factor: float) -> None:
    """Initial kernels multiplied by this factor."""
    for layer in _kernels(program, where):
        if layer.built:
            layer.kernel.assign(layer.kernel * factor)
        else:
            layer.kernel_initializer = _scaled_initializer(layer.kernel_initializer, factor)


def _scaled_initializer(inner: Any, factor: float) -> Any:
    def initializer(shape: Any, dtype: Any = None, **more: Any) -> Any:
        return factor * inner(shape, dtype=dtype, **more)

    return initializer


def zero_bias(program: Program, where: str, _: Any) -> None:
    """Biases that start at 0."""
    for layer in _kernels(program, where):
        layer.bias_initializer = keras.initializers.Zeros()
        if layer.built and getattr(layer, "bias", None) is not None:
            layer.bias.assign(ops.zeros_like(layer.bias))


def dropout(program: Program, where: str, rate: float) -> None:
    """This rate of the layer."""
    layer = layer_at(program, where)
    if not isinstance(getattr(layer, "rate", None), (int, float)):
        raise NotApplicableError(f"`{where}` has no dropout rate")
    layer.rate = rate


def regularized(program: Program, where: str, factor: float) -> None:
    """Regularizers multiplied by this factor; 0 takes them away."""
    chosen = [layer_at(program, where)] if where else leaf_layers(program.model)
    for layer in chosen:
        for name in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
            if (own := getattr(layer, name, None)) is not None:
                setattr(layer, name, _scaled_regularizer(own, factor) if factor else None)
        for variable in layer.variables:
            if getattr(variable, "regularizer", None) is not None:
                variable.regularizer = _scaled_regularizer(variable.regularizer, factor) if factor else None


def _scaled_regularizer(inner: Any, factor: float) -> Any:
    return lambda x: factor * inner(x)


def spectral_norm(program: Program, where: str, coefficient: float) -> None:
    """`SpectralNorm` with this coefficient as the kernel's regularizer."""
    for layer in _kernels(program, where):
        layer.kernel_regularizer = SpectralNorm(coefficient)
        if layer.built:
            layer.kernel.regularizer = layer.kernel_regularizer
