"""The state that a user's code holds: found by following what the code can reach, copied, and put back in place.

An activation, a loss or a layer may count its calls, move a running range, draw from a generator of its own. Each call
of ours would move that on, and the training would go on from there. So before we run a user's code all is copied that
it can get at: what its closures and the globals it names are bound to, attributes of the user's own objects and
classes, the members of lists, dicts and sets, arrays, variables, generators of random numbers, and all that in the
functions and methods that it calls in its turn. Nothing goes by names of functions.

Objects of libraries (Keras, TensorFlow, NumPy, the standard library) are gone through for what a user put into them,
and are not put back themselves: what Keras notes there must follow what was built. Of a user's own layer neither are
the attributes that Keras' code sets. But the penalties of a layer's last call are: other callbacks may read them.

What can't be put back is told: an iterator that goes on where it is asked, an open file, more than the bounds below
allow. So is a function of a global generator that is held where no stand-in can take its place: its state belongs to
the whole process, and is never written (see `random_numbers`).
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import inspect
import io
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from diagnose.activation.calling import keepers
from diagnose.activation.calling.random_numbers import routed_function, shared_generators
from diagnose.activation.calling.used_names import is_library, own_of_libraries, used_names

#: Objects that are looked at: a model of 1,000 layers has about 60,000.
MOST_OBJECTS = 200_000
#: Bytes of NumPy arrays that are copied.
MOST_BYTES = 1 << 28

_PLAIN = (str, bytes, int, float, complex, type(None), range, slice, types.CodeType, np.generic, np.dtype, type(...))
#: Modules of the standard library whose objects hold nothing but what a user put there.
_PLAIN_HOLDERS = ("types", "_thread", "collections")
#: Modules of Keras whose objects hold tensors, graphs, and notes of these.
_KERAS_NOTES = ("keras.src.ops.", "keras.src.backend.", "keras.src.dtype_policies", "keras.src.utils")
_BOUND = (types.BuiltinMethodType, types.MethodWrapperType)


class Ours:
    """What we hang on a user's object ourselves. It is not gone through: no code of the user's asks for it."""


_LEFT_ALONE = (*_PLAIN, Ours)


class HeldState:
    """What code that starts from `roots` can reach and change, as it was when this was made.

    roots: functions, layers, models, losses, optimizers ... cannot: what can't be put back, in words, without doubles.
    """

    def __init__(self, *roots: Any) -> None:
        self._keepers: list[keepers.Keeper] = []
        self._swaps: list[tuple[Any, str, Any]] = []  # a namespace or cell, a name, a global generator's function
        self._cannot: dict[str, None] = {}
        self._seen: dict[int, Any] = {}  # what was met, kept alive: ids must not come again
        self._kept: set[int] = set()
        self._bytes = 0
        self._attributes: set[str] = set()  # that reached code asks for
        self._parked: dict[str, list[Any]] = {}  # methods and so on that nobody has asked for yet
        self._known_globals: set[tuple[int, str]] = set()
        self._shared = shared_generators()
        self._waiting: list[tuple[Any, bool]] = [(root, True) for root in reversed(roots)]
        while self._waiting and len(self._seen) <= MOST_OBJECTS:
            self._meet(*self._waiting.pop())
        if self._waiting:
            self._cannot[f"it can reach more than {MOST_OBJECTS} objects"] = None
        self._waiting.clear()

    @property
    def cannot(self) -> tuple[str, ...]:
        """What can't be put back, in words."""
        return tuple(self._cannot)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Put everything back when the body ends, however it ends.

        Functions of global generators that are held by a name give threads with random numbers of their own those.
        """
        for holder, name, function in self._swaps:
            _bind(holder, name, routed_function(function))
        try:
            yield
        finally:
            for holder, name, function in self._swaps:
                _bind(holder, name, function)
            self.put_back()

    def put_back(self) -> None:
        """Make all of it what it was when this was made."""
        for keeper in self._keepers:
            keeper.put_back()

    # -- the walk ------------------------------------------------------------------------------------------------------

    def _look_at(self, things: Any, own: bool = True) -> None:
        self._waiting.extend((thing, own) for thing in things if not isinstance(thing, _PLAIN))

    def _meet(self, thing: Any, own: bool) -> None:
        """own: whether it is a user's, and not a library's note of something."""
        if isinstance(thing, _LEFT_ALONE) or (id(thing) in self._seen and (not own or id(thing) in self._kept)):
            return
        self._seen[id(thing)] = thing
        if own:
            self._kept.add(id(thing))
        if isinstance(thing, type):
            self._meet_class(thing)
        elif isinstance(thing, types.FunctionType):
            self._meet_function(thing)
        elif isinstance(thing, types.MethodType):
            self._look_at([thing.__self__, *_functions_of(thing.__func__)])  # one of NumPy's is not written in Python
        elif isinstance(thing, functools.partial):
            self._look_at([thing.func, *thing.args, *thing.keywords.values()])
        elif isinstance(thing, (property, staticmethod, classmethod, functools.cached_property)):
            self._look_at(_functions_of(thing))
        elif isinstance(thing, keepers.CONTAINERS):
            if own:
                self._keepers.append(keepers.Members(thing))
            self._look_at([*thing, *thing.values()] if isinstance(thing, dict) else thing, own)
            if not is_library(type(thing).__module__):
                self._meet_instance(thing)
        elif isinstance(thing, (tuple, frozenset)):
            self._look_at(thing, own)
        elif isinstance(thing, np.ndarray):
            self._meet_array(thing)
        elif _is_builtin(thing):
            self._look_at([thing.__self__])  # of a list, of a generator
        elif not self._met_as_state(thing, own) and not isinstance(thing, types.ModuleType):
            self._meet_instance(thing)

    def _meet_array(self, array: np.ndarray) -> None:
        if array.dtype == object:
            self._look_at(array.ravel().tolist())
        if not array.flags.writeable:
            return
        self._bytes += array.nbytes
        if self._bytes > MOST_BYTES:
            self._cannot[f"it can reach arrays of more than {MOST_BYTES >> 20} MB"] = None
        else:
            self._keepers.append(keepers.Array(array))

    def _met_as_state(self, thing: Any, own: bool) -> bool:
        """Whether it is a variable, a generator of random numbers, an iterator or a file, and was dealt with."""
        if isinstance(thing, (random.Random, np.random.RandomState)):
            if id(thing) in self._shared:
                self._cannot["it holds a global generator of random numbers by a name of its own"] = None
            elif isinstance(thing, random.Random):
                self._keepers.append(keepers.Drawn(thing.getstate, thing.setstate))
            else:
                self._keepers.append(keepers.Drawn(thing.get_state, thing.set_state))
        elif isinstance(thing, (np.random.Generator, np.random.BitGenerator)):
            bits: Any = getattr(thing, "bit_generator", thing)
            self._keepers.append(keepers.Drawn(lambda: bits.state, lambda state: setattr(bits, "state", state)))
        elif (variable := _variable_in(thing)) is not None:
            if not isinstance(variable, type(thing)):  # a Keras variable's own attributes are Keras' business
                self._look_at([variable])
            else:
                self._keepers.append(keepers.Variable(variable))
        elif isinstance(thing, io.IOBase) and own:
            self._cannot["it holds an open file"] = None
        elif hasattr(type(thing), "__next__") and is_library(type(thing).__module__) and own:
            self._cannot[f"it holds an iterator ({type(thing).__name__})"] = None
        else:
            return False
        return True

    def _meet_function(self, function: types.FunctionType) -> None:
        own = not is_library(function.__globals__.get("__name__"))
        self._look_at([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()])
        for cell in function.__closure__ or ():
            held = keepers.contents_of(cell)
            if not self._is_swapped(cell, "", held):
                if own:
                    self._keepers.append(keepers.Cell(cell))
                self._look_at([held], own or callable(held))
        if own or "__wrapped__" in vars(function):
            self._meet_space(vars(function), own=own)
        if own:
            self._meet_code(function)

    def _meet_code(self, function: types.FunctionType) -> None:
        used = used_names(function.__code__)
        space = function.__globals__
        modules = [sys.modules.get(name) for name in used.imported]
        for name in used.global_names:
            value = space.get(name)
            if isinstance(value, types.ModuleType):
                modules.append(value)
            elif name in space or not hasattr(builtins, name):
                self._meet_global(space, name)
        for module in modules:
            if module is not None and not is_library(module.__name__):
                for name in used.attributes & vars(module).keys():
                    self._meet_global(vars(module), name)
        for name in used.attributes - self._attributes:
            self._attributes.add(name)
            self._look_at(self._parked.pop(name, ()))

    def _meet_global(self, space: dict[str, Any], name: str) -> None:
        if (id(space), name) in self._known_globals:
            return
        self._known_globals.add((id(space), name))
        value = space.get(name)
        if isinstance(value, types.ModuleType) or self._is_swapped(space, name, value):
            return
        self._keepers.append(keepers.Names(space, [name]))
        self._look_at([value])

    def _meet_space(self, space: dict[str, Any], *, own: bool, all_but: frozenset[str] = frozenset()) -> None:
        if own:
            self._keepers.append(keepers.Names(space, all_but=all_but))
        for name, value in list(space.items()):
            if isinstance(value, _PLAIN) or self._is_swapped(space, name, value):
                continue
            theirs = own and name not in all_but
            hands_over = theirs or not isinstance(value, (io.IOBase, *keepers.CONTAINERS))
            if theirs and self._only_if_asked_for(value) and name not in self._attributes:
                self._parked.setdefault(name, []).append(value)
            else:
                self._look_at([value], hands_over and (theirs or callable(value)))

    @staticmethod
    def _only_if_asked_for(value: Any) -> bool:
        """What can't be put back counts where reached code asks for it, and not because it lies beside."""
        return isinstance(value, io.IOBase) or (hasattr(type(value), "__next__") and is_library(type(value).__module__))

    def _meet_instance(self, thing: Any) -> None:
        kind = type(thing)
        space = getattr(thing, "__dict__", None)
        self._keepers.extend(keepers.Members(container) for container in _penalties_of(thing))
        if is_library(kind.__module__):
            inside = [getattr(thing, name) for name in ("python_function", "__wrapped__") if hasattr(kind, name)]
            self._look_at(inside or [vars(thing).get("__wrapped__")] if isinstance(space, dict) else inside)
            if isinstance(space, dict) and _may_hold_a_users(kind):
                self._meet_space(space, own=kind.__module__ in _PLAIN_HOLDERS)
            return
        if isinstance(space, dict):
            self._meet_space(space, own=True, all_but=own_of_libraries(kind))
        for base in kind.__mro__:
            slots = [] if is_library(base.__module__) else _slots_of(base)
            if slots:
                self._keepers.append(keepers.Attributes(thing, slots))
                self._look_at(getattr(thing, name, None) for name in slots)
        self._look_at([kind])

    def _meet_class(self, kind: type) -> None:
        """Its attributes, and those methods that Keras or Python call, or reached code asks for."""
        if is_library(kind.__module__):
            return
        libraries = [base for base in kind.__mro__ if is_library(base.__module__)]
        kept = []
        for name, value in vars(kind).items():
            dunder = name.startswith("__") and name.endswith("__")
            if _functions_of(value):
                if dunder or name in self._attributes or any(name in vars(base) for base in libraries):
                    self._look_at([value])
                else:
                    self._parked.setdefault(name, []).append(value)
            elif not dunder and not inspect.isdatadescriptor(value) and not name.startswith("_abc_"):
                kept.append(name)
                self._look_at([value])
        self._keepers.append(keepers.Attributes(kind, kept))
        self._look_at(kind.__bases__)

    def _is_swapped(self, holder: Any, name: str, value: Any) -> bool:
        """Whether it is a function of a global generator; `kept` puts another in its place."""
        method = isinstance(value, types.MethodType) or _is_builtin(value)
        if method and id(value.__self__) in self._shared:
            self._swaps.append((holder, name, value))
            return True
        return False


def _is_builtin(thing: Any) -> bool:
    """Whether it is a method of an object that is not written in Python."""
    if not isinstance(thing, _BOUND) and not type(thing).__name__.startswith("cython_function"):
        return False
    return not isinstance(getattr(thing, "__self__", None), (types.ModuleType, type(None)))


def _penalties_of(thing: Any) -> list[Any]:
    """Where a Keras layer holds the penalties of its last call, which belong to the step that called it."""
    held = getattr(thing, "__dict__", {})
    return [held[name] for name in ("_losses", "_loss_ids") if isinstance(held.get(name), keepers.CONTAINERS)]


def _slots_of(kind: type) -> list[str]:
    """The members that `__slots__` of this very class names, as they are called inside Python."""
    return [name for name, value in vars(kind).items() if isinstance(value, types.MemberDescriptorType)]


def _bind(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[name] = value
    else:
        holder.cell_contents = value


def _functions_of(thing: Any) -> list[Any]:
    """The functions that a class's attribute stands for."""
    if isinstance(thing, property):
        return [part for part in (thing.fget, thing.fset, thing.fdel) if part is not None]
    if isinstance(thing, functools.cached_property):
        return [thing.func]
    if isinstance(thing, (staticmethod, classmethod)):
        return [thing.__func__]
    return [thing] if isinstance(thing, types.FunctionType) else []


def _variable_in(thing: Any) -> Any:
    """The `tf.Variable` that it is, or that a Keras variable or a `tf.random.Generator` holds; None for others."""
    if "tensorflow" not in sys.modules:
        return None
    import tensorflow as tf

    if isinstance(thing, tf.Variable):
        return thing
    held = getattr(thing, "__dict__", {})
    inner = held.get("_value" if hasattr(type(thing), "overwrite_with_gradient") else "_state_var")
    return inner if isinstance(inner, tf.Variable) else None


def _may_hold_a_users(kind: type) -> bool:
    """Whether objects of a library's class hold what users handed them: not tensors, graphs, or the notes of these."""
    module = kind.__module__
    return module.startswith(("keras.", *_PLAIN_HOLDERS)) and not module.startswith(_KERAS_NOTES)
