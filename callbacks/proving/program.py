"""A program to be tried: a freshly built model and the arguments of its fit, and what tells that one thing changed."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.callbacks.model.optimizers import optimizers_of

BUILD = "build(seed) must return a new compiled model and the keyword arguments of its fit: (model, {'x': x, 'y': y})"

Build = Callable[[int], Any]


class NotApplicableError(Exception):
    """A remedy can't be applied to this program; the message says why."""


@dataclass
class Program:
    """A compiled model that was not trained yet, and the keyword arguments that its fit will get."""

    model: Any
    arguments: dict[str, Any]

    def fit(self, *callbacks: Any) -> Any:
        """Train it, with these callbacks besides its own, and in silence."""
        every = [*callbacks_of(self), *callbacks]
        return self.model.fit(**{**self.arguments, "verbose": 0, "callbacks": every})


#: Applies a remedy of one kind to a program, at a layer ("" for none), with a value.
Apply = Callable[[Program, str, Any], None]


def callbacks_of(program: Program) -> list[Any]:
    """The callbacks that fit will get of the program itself."""
    own = program.arguments.get("callbacks") or []
    own = own.callbacks if isinstance(own, keras.callbacks.CallbackList) else own
    return [*own] if isinstance(own, (list, tuple)) else [own]


def built(build: Build, seed: int) -> Program:
    """The program of this seed, in a process whose Keras state is new: layers are named alike in each.

    The seed is set for Python, NumPy and the backend before `build` is called, so that a program that sets none itself
    begins each time the same.
    Raises TypeError where `build` gives something else than `BUILD` says, and whatever `build` raises.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    given = build(seed)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"build({seed}) returned {_shown(given)}; {BUILD}.")
    model, arguments = given
    if not isinstance(model, keras.Model):
        raise TypeError(f"build({seed}) returned {_shown(model)} for the model; {BUILD}.")
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise TypeError(f"build({seed}) returned {_shown(arguments)} for the arguments of fit; {BUILD}.")
    if not model.compiled:
        raise TypeError(f"build({seed}) returned a model that is not compiled: call model.compile(...) in it.")
    if unknown := [name for name in arguments if not _takes(model.fit, name)]:
        raise TypeError(f"build({seed}) returned the argument {unknown[0]!r}, which fit does not take; {BUILD}.")
    for name in ("x", "validation_data"):
        if inspect.isgenerator(arguments.get(name)) or _is_iterator(arguments.get(name)):
            raise TypeError(
                f"build({seed}) returned a generator for {name}, which one fit would use up for the others; give "
                "arrays, a keras.utils.PyDataset, or tf.data.Dataset.from_generator(function, ...)."
            )
    return Program(model, dict(arguments))


def check_fresh(build: Build, seed: int) -> Program:
    """The program of this seed, after making sure that a second call of `build` gives another model.

    Raises ValueError where it gives the same one, and what `built` raises.
    """
    first, second = built(build, seed), built(build, seed)
    if first.model is second.model:
        raise ValueError(
            f"build({seed}) returned the same model twice; each call must make a new one, or trials would train on."
        )
    return second


def check_build(build: Any) -> Build:
    """`build` if it can be called with a seed; TypeError if not."""
    if not callable(build):
        raise TypeError(f"build is {build!r}; it must be a function. {BUILD[0].upper()}{BUILD[1:]}.")
    try:
        inspect.signature(build).bind(0)
    except TypeError as error:
        name = getattr(build, "__name__", "build")
        raise TypeError(f"{name} can't be called with a seed ({error}); write it as `def {name}(seed):`.") from None
    except ValueError:  # made in C: no signature is known
        pass
    return build


def fingerprint(program: Program) -> dict[str, Any]:
    """What the program is, by name: two of one program differ where it was changed in between, and nowhere else.

    Names begin with the kind of thing: "activation:dense_1", "weight:dense_1/kernel", "optimizer:", "fit:epochs".
    """
    model = program.model
    compiled = getattr(getattr(model, "_compile_config", None), "config", {})
    told: dict[str, Any] = {"loss:": model.loss, "metric:": compiled.get("metrics")}
    for layer in leaf_layers(model):
        path = path_of(layer)
        told[f"activation:{path}"] = getattr(getattr(layer, "cell", layer), "activation", None)
        told[f"call:{path}"] = vars(layer).get("call")
        told[f"trainable:{path}"] = layer.trainable
        told[f"rate:{path}"] = getattr(layer, "rate", None)
        for kind in ("initializer", "regularizer"):
            for name in (f"kernel_{kind}", f"bias_{kind}", f"activity_{kind}"):
                told[f"{kind}:{path}/{name}"] = getattr(layer, name, None)
    for variable in model.variables:
        told[f"weight:{variable.path}"] = digest([np.asarray(variable)])
        told[f"regularizer:{variable.path}"] = getattr(variable, "regularizer", None)
    for optimizer in optimizers_of(model)[:1]:
        told |= {f"optimizer:{name}": value for name, value in _settings(optimizer).items()}
    return told | {f"fit:{name}": value for name, value in program.arguments.items()}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of what two fingerprints tell otherwise, in order."""
    return sorted(name for name in {*before, *after} if not _same(before.get(name), after.get(name)))


def _same(one: Any, other: Any) -> bool:
    plain = (int, float, str, bool)
    return one is other or (isinstance(one, plain) and isinstance(other, plain) and one == other)


def digest(arrays: list[np.ndarray]) -> str:
    """A short name for these very numbers: equal to the last bit, or another."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def _settings(optimizer: Any) -> dict[str, Any]:
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    names = ("clipnorm", "global_clipnorm", "clipvalue", "weight_decay")
    rate = inner._learning_rate
    known = {"class": type(inner).__name__, "rate": rate if callable(rate) else float(rate)}
    return known | {name: getattr(inner, name, None) for name in names}


def _takes(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _is_iterator(value: Any) -> bool:
    return hasattr(value, "__next__")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
