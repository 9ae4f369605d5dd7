"""The functions that sites call: whose they are, what they are called, and which of them compute the same."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from typing import Any

import keras

from diagnose.callbacks.observing.tensorflow.inline_function import InlineFunction

#: Keras' own activation layers live in one package; what they compute follows from class and settings.
ACTIVATION_LAYERS = ".layers.activations."


def is_custom(f: Any) -> bool:
    """Whether a function is the user's own and not Keras'."""
    if isinstance(f, InlineFunction):
        return f.custom
    return not (getattr(f, "__module__", "") or "").startswith("keras.")


def identity(f: Any) -> Hashable:
    """What makes a function the same at two sites: of a layer without variables, its class's own `call`."""
    if isinstance(f, InlineFunction):
        return f.key
    layer = getattr(f, "__self__", None)
    shared = layer is not None and not getattr(layer, "variables", None)
    return id(getattr(f, "__func__", f)) if shared else id(f if layer is None else layer)


def function_name(f: Any) -> str:
    """What the function is called; of a layer's call, its class."""
    inner = getattr(f, "__self__", None)
    if inner is not None and getattr(f, "__name__", "") == "call":
        return type(inner).__name__
    return str(getattr(f, "__name__", None) or getattr(f, "name", None) or type(f).__name__)


def computation(f: Any) -> Hashable:
    """A key that two functions share only if they compute the same, as long as both exist."""
    if isinstance(f, InlineFunction):
        return f.key
    owner = getattr(f, "__self__", None)
    if isinstance(owner, keras.layers.Layer) and ACTIVATION_LAYERS in type(owner).__module__ and not owner.variables:
        settings = {name: value for name, value in owner.get_config().items() if name != "name"}
        return type(owner), repr(settings)
    return (id(owner), id(f.__func__)) if inspect.ismethod(f) else id(f)
