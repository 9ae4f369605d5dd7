"""Frozen records to plain JSON types and back.

A record lies in a run file as JSON, which knows neither tuples nor a field called `class`. Dacite reads the types of
the fields and says in an error which one does not fit; cattrs and msgspec do too, but take longer to import than all
that `import diagnose` loads besides.

A field may say in its metadata (`kept`) under which key it is kept, that it is left out while it is None, and how many
entries it may hold.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import dacite

Record = TypeVar("Record")


def kept(
    default: Any = dataclasses.MISSING, *, key: str | None = None, optional: bool = False, most: int | None = None
) -> Any:
    """A field of a record.

    key: what it is called in the plain form. optional: left out there while it is None. most: how many entries are
    read; more than any model has are no facts, and all that follows would take its time over them.
    """
    return dataclasses.field(default=default, metadata={"key": key, "optional": optional, "most": most})


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
    for a value of another type, for more entries than it may hold, and for a field without a default that is absent.
    """
    hooks: dict[Any, Any] = {float: _number}
    for record in _records_in(kind, set()):
        fields = dataclasses.fields(record)
        renamed = {_key(field): field.name for field in fields if _key(field) != field.name}
        bounds = {field.name: most for field in fields if (most := field.metadata.get("most")) is not None}
        if renamed or bounds:
            hooks[record] = _to_fields(renamed, bounds)
    config = dacite.Config(type_hooks=hooks, cast=[tuple], strict=strict)
    try:
        given = hooks[kind](data) if kind in hooks else data
        return dacite.from_dict(kind, given, config)
    except (dacite.DaciteError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _key(field: dataclasses.Field[Any]) -> str:
    return field.metadata.get("key") or field.name


def _number(value: Any) -> Any:
    """A number, also one that JSON keeps as text; anything else as it is, for dacite to refuse."""
    if isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _to_fields(renamed: dict[str, str], bounds: dict[str, int]) -> Any:
    """Gives the entries of a record the names of its fields. Raises ValueError where one holds more than it may."""

    def to_fields(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        for name, most in bounds.items():
            if isinstance(entries := value.get(name), list | tuple | dict) and len(entries) > most:
                raise ValueError(f'field "{name}" holds {len(entries):,} entries, and should hold {most:,} at most')
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
