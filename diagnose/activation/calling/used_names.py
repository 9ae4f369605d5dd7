"""What code names: the globals it reads or sets, and the attributes it asks for.

Read off the compiled code, nested functions and comprehensions included, so that of a script's hundred globals only
those count that a function can get at. What is named by a text (`getattr`, `globals()["n"]`) is not seen.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import types
from dataclasses import dataclass
from typing import Any

#: Whose objects hold no state of a user's, but for what the user handed them.
LIBRARIES = frozenset(sys.stdlib_module_names) | {"diagnose", "jax", "keras", "numpy", "tensorflow"}


@dataclass(frozen=True, slots=True)
class UsedNames:
    """Names in a piece of code. stored: the attributes that it sets."""

    global_names: frozenset[str]
    imported: frozenset[str]
    attributes: frozenset[str]
    stored: frozenset[str]


@functools.lru_cache(maxsize=4096)
def used_names(code: types.CodeType) -> UsedNames:
    """The names that a piece of code and the functions written inside it use.

    >>> used = used_names((lambda x: sum(x.shape)).__code__)
    >>> sorted(used.global_names), sorted(used.attributes)
    (['sum'], ['shape'])
    """
    found: dict[str, set[str]] = {"GLOBAL": set(), "IMPORT": set(), "ATTR": set(), "STORE_ATTR": set()}
    for instruction in dis.get_instructions(code):
        operation, name = instruction.opname, instruction.argval
        if operation.endswith(("_GLOBAL", "_NAME")):
            found["IMPORT" if operation.startswith("IMPORT") else "GLOBAL"].add(name)
        elif operation.endswith(("_ATTR", "_METHOD", "IMPORT_FROM")) and isinstance(name, str):
            found["ATTR"].add(name)
            if operation == "STORE_ATTR":
                found["STORE_ATTR"].add(name)
    parts = [frozenset(names) for names in found.values()]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = used_names(constant)
            more = (inner.global_names, inner.imported, inner.attributes, inner.stored)
            parts = [part | other for part, other in zip(parts, more, strict=True)]
    return UsedNames(*parts)


def is_library(module: Any) -> bool:
    """Whether a module of this name is one of `LIBRARIES`."""
    return isinstance(module, str) and module.partition(".")[0] in LIBRARIES


def own_of_libraries(cls: type) -> frozenset[str]:
    """Attributes of instances of `cls` that code of its library bases sets: bookkeeping that must follow what is done.

    Read off these bases' code, since a user's own layer may well have attributes that begin with "_".
    """
    found: set[str] = set()
    for base in cls.__mro__:
        if is_library(base.__module__) and base is not object:
            found |= _stored_by(base)
    return frozenset(found)


@functools.cache
def _stored_by(base: type) -> frozenset[str]:
    found: set[str] = set()
    for member in vars(base).values():
        member = getattr(member, "fset", None) or getattr(member, "__func__", member)
        function = inspect.unwrap(member) if inspect.isfunction(member) else None
        if function is not None:
            found |= used_names(function.__code__).stored
    return frozenset(found)
