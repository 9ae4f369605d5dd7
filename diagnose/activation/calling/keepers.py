"""How each kind of Python state is copied, and put back in place: whoever holds the object sees the old value again."""

from __future__ import annotations

import collections
import contextlib
import types
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_ABSENT = object()


class Keeper(Protocol):
    """A copy of some state, made when it was created."""

    def put_back(self) -> None:
        """Make the state what it was, where it has changed."""


class Names:
    """Names of a namespace (an instance's or a module's), whatever they are bound to; a name that was not there goes.

    all_but: names that are left alone. Without `names`, all others of the namespace are kept.
    """

    def __init__(self, space: dict[str, Any], names: Iterable[str] | None = None, all_but: Iterable[str] = ()) -> None:
        self._space, self._whole, self._all_but = space, names is None, frozenset(all_but)
        kept = list(space) if names is None else names
        self._before = {name: space.get(name, _ABSENT) for name in kept if name not in self._all_but}

    def put_back(self) -> None:
        """Bind the names again; past `__setattr__`, which may do more."""
        for name, value in self._before.items():
            if self._space.get(name, _ABSENT) is value:
                continue
            if value is _ABSENT:
                self._space.pop(name, None)
            else:
                self._space[name] = value
        if self._whole:
            for name in [name for name in self._space if name not in self._before and name not in self._all_but]:
                del self._space[name]


class Attributes:
    """Attributes that live in no namespace of an instance: those of a class, and `__slots__`."""

    def __init__(self, owner: Any, names: Iterable[str]) -> None:
        self._owner = owner
        base = type if isinstance(owner, type) else object
        self._set, self._delete = base.__setattr__, base.__delattr__
        self._before = {name: self._now(name) for name in names}

    def _now(self, name: str) -> Any:
        if isinstance(self._owner, type):
            return vars(self._owner).get(name, _ABSENT)  # and not what a descriptor makes of it
        try:
            return object.__getattribute__(self._owner, name)
        except AttributeError:
            return _ABSENT

    def put_back(self) -> None:
        """Set again what was set to something else."""
        for name, value in self._before.items():
            now = self._now(name)
            if now is value:
                continue
            with contextlib.suppress(AttributeError, TypeError):
                if value is _ABSENT:
                    self._delete(self._owner, name)
                else:
                    self._set(self._owner, name, value)


class Members:
    """The members of a list, dict, set, deque or bytearray, in their order."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._before = self._now()

    def _now(self) -> list[Any]:
        return list(self._container.items() if isinstance(self._container, dict) else self._container)

    def put_back(self) -> None:
        """Fill the container as it was, by its own methods: Keras' lists take note of what is in them."""
        now = self._now()
        if len(now) == len(self._before) and all(map(_is_same, now, self._before)):
            return
        if isinstance(self._container, list) and all(map(_is_same, now, self._before)) and len(now) > len(self._before):
            while len(self._container) > len(self._before):
                self._container.pop()
            return
        self._container.clear()
        if isinstance(self._container, dict):
            for key, value in self._before:  # not by `update`, which a Counter counts with
                self._container[key] = value
        elif isinstance(self._container, set):
            self._container.update(self._before)
        else:
            self._container.extend(self._before)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other) == 2:
        return one[0] is other[0] and one[1] is other[1]
    return one is other


class Cell:
    """What a closure's variable is bound to."""

    def __init__(self, cell: types.CellType) -> None:
        self._cell, self._before = cell, contents_of(cell)

    def put_back(self) -> None:
        """Bind the variable again."""
        if contents_of(self._cell) is self._before:
            return
        if self._before is _ABSENT:
            del self._cell.cell_contents
        else:
            self._cell.cell_contents = self._before


def contents_of(cell: types.CellType) -> Any:
    """What a closure's variable is bound to, an object of no use if it is not bound yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return _ABSENT


class Array:
    """The numbers of a NumPy array that can be written to."""

    def __init__(self, array: Any) -> None:
        self._array, self._before = array, array.copy()

    def put_back(self) -> None:
        """Write the old numbers into it; a resized array keeps what it has."""
        if self._array.shape == self._before.shape and self._array.flags.writeable:
            self._array[...] = self._before


class Variable:
    """The value of a `tf.Variable`. To read it copies nothing: TensorFlow copies where it is written to later."""

    def __init__(self, variable: Any) -> None:
        self._variable, self._before = variable, variable.read_value()

    def put_back(self) -> None:
        """Assign the old value."""
        with contextlib.suppress(Exception):  # deleted meanwhile, or of another strategy's scope
            self._variable.assign(self._before)


class Drawn:
    """How far a generator of random numbers has got; what reads and sets that."""

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self._write, self._before = write, read()

    def put_back(self) -> None:
        """Let it draw from there again."""
        self._write(self._before)


CONTAINERS = (list, dict, set, collections.deque, bytearray)
