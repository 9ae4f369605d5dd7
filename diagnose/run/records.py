"""Frozen records to plain JSON types and back.

A record lies in a run file as JSON, which knows neither tuples nor a field called `class`. Dacite reads the types of
the fields and says in an error which one does not fit; cattrs and msgspec do too, but take longer to import than all
that `import diagnose` loads besides.

A field may say in its metadata (`kept`) under which key it is kept, and that it is left out while it is None.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import dacite

Record = TypeVar("Record")


def kept(default: Any = dataclasses.MISSING, *, key: str | None = None, optional: bool = False) -> Any:
    """A field of a record. key: what it is called in the plain form; optional: left out there while it is None."""
    return dataclasses.field(default=default, metadata={"key": key, "optional": optional})


def to_plain(value: Any, *, finite: bool = True) -> Any:
    """Dataclasses, tuples, dicts and numbers as dicts, lists and what JSON has.

    finite: whether infinity and NaN become the strings "inf", "-inf" and "nan", which JSON itself does not know.

    >>> to_plain((1, float("inf"), None))
    [1, 'inf', None]
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            _key(field): to_plain(entry, finite=finite)
            for field in dataclasses.fields(value)
            if (entry := getattr(value, field.name)) is not None or not field.metadata.get("optional")
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry, finite=finite) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(entry, finite=finite) for entry in value]
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    number = float(value)
    return number if math.isfinite(number) or not finite else str(number)


def from_plain(kind: type[Record], data: Mapping[str, Any], *, strict: bool = False) -> Record:
    """The record of this class that `to_plain` made `data` of. A field that is absent keeps its default.

    strict: whether a key that the record has no field for is an error. Raises ValueError, naming the field, for that,
    for a value of another type, and for a field without a default that is absent.
    """
    hooks: dict[Any, Any] = {float: _number}
    for record in _records_in(kind, set()):
        renamed = {_key(field): field.name for field in dataclasses.fields(record) if _key(field) != field.name}
        if renamed:
            hooks[record] = _renaming(record, renamed)
    config = dacite.Config(type_hooks=hooks, cast=[tuple], strict=strict)
    try:
        given = hooks[kind](data) if kind in hooks else data
        return dacite.from_dict(kind, given, config)
    except (dacite.DaciteError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _key(field: dataclasses.Field[Any]) -> str:
    return field.metadata.get("key") or field.name


def _number(value: Any) -> Any:
    """A number, also one that JSON keeps as text; anything else as it is, for dacite to refuse."""
    if isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _renaming(record: type, renamed: dict[str, str]) -> Any:
    def to_fields(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {renamed.get(key, key): entry for key, entry in value.items()}

    return to_fields


def _records_in(hint: Any, seen: set[Any]) -> set[Any]:
    """All record classes that a type holds."""
    if dataclasses.is_dataclass(hint):
        if hint not in seen:
            seen.add(hint)
            for inner in typing.get_type_hints(hint).values():
                _records_in(inner, seen)
    else:
        for inner in typing.get_args(hint):
            _records_in(inner, seen)
    return seen
