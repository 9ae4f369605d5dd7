"""Frozen records to plain JSON types and back.

A profile lies in a run file as JSON, which knows neither infinity nor NaN nor tuples. Non-finite numbers become the
strings "inf", "-inf" and "nan", which `float` reads; the types of the fields say what to make of the rest.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

Record = TypeVar("Record")


def to_plain(value: Any) -> Any:
    """Dataclasses, tuples, dicts and numbers as dicts, lists and what JSON has.

    >>> to_plain((1, float("inf"), None))
    [1, 'inf', None]
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)


def from_plain(kind: type[Record], data: dict[str, Any]) -> Record:
    """The record of this class that `to_plain` made `data` of. A field that is absent keeps its default."""
    hints = _hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _read(hints[name], entry) for name, entry in data.items() if name in known})


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(kind: type) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    return _HINTS[kind]


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _read(next(part for part in parts if part is not type(None)), value)
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return tuple(_read(parts[0], entry) for entry in value)
        return tuple(_read(part, entry) for part, entry in zip(parts, value, strict=True))
    if origin is dict:
        return {key: _read(parts[1], entry) for key, entry in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_plain(hint, value)  # type: ignore[arg-type]
    return float(value) if hint is float else value
