"""How a model's activations are replaced by tapped ones while a step is traced, and put back.

While the shadow step is traced, a layer's `activation` (or `call`, or an attribute that may be an activation) is
replaced by a stand-in that reads it, and put back at once, so that saving, cloning and serializing never meet a tap.
Which attributes are activations shows when they are called: one float tensor in, one of the same shape out, and no
other site inside. Anything else is passed through.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras.src.models.functional import Functional

from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.callbacks.observing.tensorflow.functions import ACTIVATION_LAYERS
from diagnose.callbacks.observing.tensorflow.taps import Tapping, current_tapping, pass_on
from diagnose.run.meta import Role

#: Functions that `compile` and `fit` keep on a model.
COMPILED = frozenset({"loss", "train_function", "test_function", "predict_function"})

#: What an object offers that is more than a function.
PROTOCOLS = ("__iter__", "__getitem__", "__len__", "__enter__", "__array__", "__add__")

_ABSENT = object()


@contextlib.contextmanager
def tapped(model: Any, graph: Any) -> Iterator[Tapping]:
    """Tap every site of the model while the body runs; at its end each layer is as its owner made it."""
    tapping = Tapping(graph)
    replaced: list[tuple[Any, str, Any]] = []
    token = current_tapping.set(tapping)
    try:
        for layer in [model, *leaf_layers(model)]:
            if isinstance(layer, keras.layers.RNN):
                tapping.loops.update((id(inner), layer) for inner in layer._flatten_layers(include_self=False))
            for name, replacement in [*_replacements(layer, tapping), *_attributes(layer, tapping)]:
                replaced.append((layer, name, layer.__dict__.get(name, _ABSENT)))
                object.__setattr__(layer, name, replacement)  # past Keras' tracking: it must not see the tap
        for layer, owner in _written_inline(model):
            replaced.append((layer, "call", layer.__dict__.get("call", _ABSENT)))
            object.__setattr__(layer, "call", _spanned_call(tapping, owner, layer.call))
        yield tapping
        tapping.settle()
    finally:
        current_tapping.reset(token)
        tapping.rest()
        for layer, name, value in reversed(replaced):
            if value is _ABSENT:
                layer.__dict__.pop(name, None)
            else:
                object.__setattr__(layer, name, value)
        # A layer that was built just now may have handed its stand-in on to layers that it made.
        for layer in leaf_layers(model):
            for name, value in list(layer.__dict__.items()):
                if isinstance(value, _TappedActivation):
                    object.__setattr__(layer, name, value._f)


def _replacements(layer: Any, tapping: Tapping) -> Iterator[tuple[str, Any]]:
    axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
    inner = list(layer._flatten_layers(include_self=False))
    owned = "activation" in layer.__dict__ and callable(layer.__dict__["activation"])
    in_cell = hasattr(layer, "state_size") and not isinstance(layer, keras.layers.RNN)
    for attribute in ("activation", "recurrent_activation"):
        f = layer.__dict__.get(attribute)
        if callable(f) and not isinstance(layer, keras.layers.RNN):
            role: Role = "gate" if in_cell else "hidden"
            suffix = "" if attribute == "activation" else f"/{attribute}"
            yield attribute, _TappedActivation(tapping, layer, suffix, f, axis, role)
    if isinstance(layer, keras.layers.RNN):
        yield "call", _tapped_output(tapping, layer, layer.call)
    elif type(layer).call is keras.layers.BatchNormalization.call:
        yield "call", _noted_call(tapping, layer.call)
    elif not owned and not inner and not isinstance(layer, keras.Model) and _may_be_activation(layer):
        yield "call", _tapped_call(tapping, layer, layer.call, axis)


def _attributes(layer: Any, tapping: Tapping) -> Iterator[tuple[str, Any]]:
    """Stand-ins for the plain callables that a layer or model of the user's own keeps, whatever they are for."""
    if type(layer).__module__.startswith(("keras.", "keras_")):
        return
    for name, f in list(layer.__dict__.items()):
        keras_own = name.startswith("_") or name in COMPILED or hasattr(type(layer), name)
        if not keras_own and name not in ("activation", "recurrent_activation") and _is_plain(f):
            yield name, _TappedAttribute(tapping, layer, f"/{name}", f, -1, "hidden")


def _written_inline(model: Any) -> list[tuple[Any, Any]]:
    """All layers, each with itself where activations may be written in its `call`; [] where they may in none.

    That is so of what the user has written, and of a functional model with operations between its layers.
    """
    found = [(layer, layer if _may_hold_operations(layer) else None) for layer in [model, *leaf_layers(model)]]
    return found if any(owner is not None for _, owner in found) else []


def _may_hold_operations(layer: Any) -> bool:
    if isinstance(layer, Functional) and not isinstance(layer, keras.Sequential):
        return not all(isinstance(operation, keras.layers.Layer) for operation in layer.operations)
    return not type(layer).call.__module__.startswith(("keras.", "keras_"))


def _is_plain(f: Any) -> bool:
    """Whether a callable is a function or an object of the user's own that can do nothing but be called.

    An object of Keras or TensorFlow is known by what it is, and one that is also asked for items or its length has uses
    that a stand-in can't serve.
    """
    while isinstance(f, functools.partial):
        f = f.func
    f = getattr(f, "python_function", getattr(f, "__wrapped__", f))  # of a tf.function or a custom gradient: the inside
    if isinstance(f, (types.FunctionType, types.MethodType)):
        return True
    families = {cls.__module__.partition(".")[0] for cls in type(f).__mro__}
    return (
        callable(f)
        and not isinstance(f, type)
        and not families & {"keras", "keras_hub", "tensorflow"}
        and not any(hasattr(type(f), name) for name in PROTOCOLS)
    )


def _may_be_activation(layer: Any) -> bool:
    """Whether a leaf layer could be an activation: nothing that multiplies, normalizes, drops or moves its input.

    Keras' own activation layers live in one package; of a user's own layers, those without a kernel are asked. Whether
    such a layer mixes its inputs, or has no curve at all, is measured, not guessed.
    """
    if isinstance(layer, keras.layers.Lambda):
        return True
    module = type(layer).__module__
    if module.startswith(("keras.", "keras_")):
        return ACTIVATION_LAYERS in module
    return all(len(variable.shape) < 2 for variable in layer.variables)


class _TappedActivation:
    """Stands in for `layer.activation` while a step is traced; attributes are the original's (Keras compares names)."""

    def __init__(self, tapping: Tapping, layer: Any, suffix: str, f: Any, axis: int, role: Role) -> None:
        self._through = functools.partial(_through_layer, tapping, layer, suffix, f, axis, role)
        self._f = f

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._through(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._f, name)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self._f or other == self._f

    def __hash__(self) -> int:
        return hash(self._f)


class _TappedAttribute(_TappedActivation):
    """Stands in for an attribute that may be an activation: it is one where it takes one tensor with a batch axis."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != 1 or not isinstance(args[0], tf.Tensor) or (args[0].shape.rank or 0) < 2:
            return self._f(*args, **kwargs)
        return self._through(*args, sure=False, presumed=True)


def _through_layer(
    tapping: Tapping, layer: Any, suffix: str, f: Any, axis: int, role: Role, *args: Any, **kwargs: Any
) -> Any:
    if not args:
        return f(**kwargs)
    return tapping.through(path_of(layer) + suffix, layer, f, *args, unit_axis=axis, role=role, **kwargs)


def _tapped_call(tapping: Tapping, layer: Any, call: Any, axis: int) -> Any:
    @functools.wraps(call)
    def tapped_call(*args: Any, **kwargs: Any) -> Any:
        if not args or any(isinstance(value, tf.Tensor) for value in args[1:]) or not _may_be_activation(layer):
            return call(*args, **kwargs)  # built by now, it may turn out to have a kernel
        sure = ACTIVATION_LAYERS in type(layer).__module__
        return tapping.through(path_of(layer), layer, call, *args, unit_axis=axis, sure=sure, **kwargs)

    return tapped_call


def _noted_call(tapping: Tapping, call: Any) -> Any:
    """Note what goes in and what comes out, so that a walk of the graph can go past what a batch's statistics do."""

    @functools.wraps(call)
    def noted_call(*args: Any, **kwargs: Any) -> Any:
        if not args or not isinstance(args[0], tf.Tensor) or getattr(args[0], "graph", None) is not tapping.graph:
            return call(*args, **kwargs)
        entering = pass_on(args[0], tf.identity(args[0]))
        tapping.affine[entering.op.name] = outputs = call(entering, *args[1:], **kwargs)
        return outputs

    return noted_call


def _spanned_call(tapping: Tapping, owner: Any, call: Any) -> Any:
    """Note which operations of the step that is traced are made by this call."""

    @functools.wraps(call)
    def spanned_call(*args: Any, **kwargs: Any) -> Any:
        if tf.compat.v1.get_default_graph() is not tapping.graph:
            return call(*args, **kwargs)
        with tapping.span(owner) as span:
            outputs = call(*args, **kwargs)
        if owner is not None:
            span.outputs = [leaf for leaf in tf.nest.flatten(outputs) if isinstance(leaf, tf.Tensor)]
        return outputs

    return spanned_call


def _tapped_output(tapping: Tapping, layer: Any, call: Any) -> Any:
    @functools.wraps(call)
    def tapped_call(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        if isinstance(outputs, tf.Tensor):
            return tapping.output_of(layer, call, outputs)
        if isinstance(outputs, (list, tuple)) and outputs and isinstance(outputs[0], tf.Tensor):
            return type(outputs)([tapping.output_of(layer, call, outputs[0]), *outputs[1:]])
        return outputs

    return tapped_call
