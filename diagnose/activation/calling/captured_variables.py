"""Variables that a function reads without owning them: closure, globals, defaults, bound object.

A trainable variable in a lambda's closure looks like a parameter and never trains, because no layer knows it. What the
traced graph reads is the truth; the closure is searched as well, since it knows the names (a Keras path), and where f
can't be traced it is all there is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

from diagnose.activation.facts import Captured


def captured_variables(f: Any, read: tuple[Any, ...] = (), layer: Any = None) -> list[Any]:
    """The variables (Keras' or TensorFlow's) that f reads and that no layer f itself is, or is bound to, owns.

    read: the `tf.Variable`s that a trace of f reads, if there is one; those not found in the closure are added.
    layer: the copy of f that was traced, if f is a layer.
    """
    owned = {id(raw(variable)) for owner in _owners(f, layer) for variable in owner.variables}
    found: dict[int, Any] = {}
    for variable in [*_reachable(f), *read]:
        if id(raw(variable)) not in owned:
            found.setdefault(id(raw(variable)), variable)
    wanted = {id(raw(variable)) for variable in read}
    # A global variable that the code names but does not read in a trace is none of f's business.
    return [variable for key, variable in found.items() if not read or key in wanted]


def captured(f: Any, read: tuple[Any, ...] = (), layer: Any = None) -> tuple[Captured, ...]:
    """The same as records, for a profile."""
    return tuple(
        Captured(str(getattr(variable, "path", variable.name)), tuple(variable.shape), bool(variable.trainable))
        for variable in captured_variables(f, read, layer)
    )


def raw(variable: Any) -> Any:
    """The `tf.Variable` of a Keras variable, or the variable itself."""
    value = getattr(variable, "_value", None)
    return variable if value is None or not is_variable(value) else value


def is_variable(thing: Any) -> bool:
    """Anything with a value that can be assigned, a shape and a flag for training."""
    return (
        not inspect.isclass(thing)
        and callable(getattr(thing, "assign", None))
        and hasattr(thing, "trainable")
        and hasattr(thing, "shape")
    )


def _owners(f: Any, layer: Any) -> Iterator[Any]:
    """Layers that f is, or is a method of: their variables are known to them."""
    for thing in (f, layer, getattr(f, "__self__", None), getattr(f, "func", None)):
        if thing is not None and hasattr(thing, "add_weight") and hasattr(thing, "variables"):
            yield thing


def _reachable(f: Any, depth: int = 3) -> Iterator[Any]:
    """Variables in closure, globals that the code names, defaults and bound arguments, three functions deep."""
    import keras

    things: list[Any] = []
    if isinstance(f, functools.partial):
        things += [f.func, *f.args, *f.keywords.values()]
    function = inspect.unwrap(getattr(f, "python_function", f))
    bound = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    if bound is not None:
        things.append(bound)
    if inspect.isfunction(function):
        closed = inspect.getclosurevars(function)
        things += [*closed.nonlocals.values(), *closed.globals.values(), *(function.__defaults__ or ())]
        things += [*(function.__kwdefaults__ or {}).values()]
    elif not isinstance(f, functools.partial) and hasattr(f, "__dict__") and not isinstance(f, keras.layers.Layer):
        things += list(vars(f).values())
        things.append(type(f).__call__ if inspect.isfunction(getattr(type(f), "__call__", None)) else None)  # noqa: B004
    for thing in things:
        if is_variable(thing):
            yield thing
        elif isinstance(thing, (list, tuple)):
            yield from (entry for entry in thing[:64] if is_variable(entry))
        elif isinstance(thing, dict):
            yield from (entry for entry in list(thing.values())[:64] if is_variable(entry))
        elif isinstance(thing, keras.layers.Layer):
            yield from thing.variables  # a layer in a closure: the layer of the model does not know it either
        elif depth > 0 and (
            inspect.isfunction(thing) or inspect.ismethod(thing) or isinstance(thing, functools.partial)
        ):
            yield from _reachable(thing, depth - 1)
