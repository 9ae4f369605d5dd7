"""Values from a run file that somebody else may have written: texts, JSON and arrays, each held against its limits.

Whatever is said here of a value, is said by a ValueError whose words stand in a note of the run.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy

from diagnose.run import limits
from diagnose.wording import one_line


def plain_text(text: str, most: int = limits.TEXT) -> str:
    """A text in one line without characters that steer a terminal, cut where it is longer than `most` letters.

    >>> plain_text("dense\\n\\x1b[2J"), plain_text("abcdef", 3)
    ('dense\\\\n\\\\x1b[2J', 'abc…')
    """
    return one_line(text if len(text) <= most else f"{text[:most]}…")


def from_json(text: str) -> Any:
    """The value that a JSON text stands for, with plain texts in it.

    Raises ValueError for what is no JSON, nests too deep, holds too many values or a whole number beyond 2**53.

    >>> from_json('{"a": [1, "b"]}')
    {'a': [1, 'b']}
    """
    if text.count(",") > limits.VALUES:
        raise ValueError(f"it holds more than {limits.VALUES:,} values")
    try:
        return _checked(json.loads(text), 0)
    except RecursionError:
        raise ValueError(f"it nests deeper than {limits.NESTING} levels") from None


def epoch_log(value: Any) -> list[float]:
    """The log of a metric, a number an epoch; null is NaN. Raises ValueError for what is no list of numbers.

    >>> epoch_log([1, 0.5, None])
    [1.0, 0.5, nan]
    """
    if not isinstance(value, list):
        raise ValueError("it is no list of numbers")
    for entry in value:
        if isinstance(entry, bool) or not isinstance(entry, int | float | None):
            raise ValueError(f"it should hold numbers and holds {entry!r:.40}")
    return [math.nan if entry is None else float(entry) for entry in value]


def array_of(blob: bytes) -> np.ndarray:
    """The array that NumPy's own format holds; nothing in it is executed, and its header can claim nothing.

    Raises ValueError for another format, a dtype of no real numbers, and a shape that is not that of its content.
    """
    try:
        shape, fortran, dtype, start = _header(blob)
    except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"it has no header of an array ({type(error).__name__})") from None
    if dtype.kind not in "biuf":
        raise ValueError(f"its numbers are of the type {str(dtype)[:40]}")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(blob) - start:
        raise ValueError("it holds more or fewer numbers than its shape says")
    return np.frombuffer(blob, dtype, offset=start).reshape(shape, order="F" if fortran else "C").copy()


def _header(blob: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, dtype and the place where the numbers start."""
    file = io.BytesIO(blob)
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its format is {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, fortran, dtype, file.tell()


def _checked(value: Any, depth: int) -> Any:
    if depth > limits.NESTING:
        raise ValueError(f"it nests deeper than {limits.NESTING} levels")
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, dict):
        return {plain_text(key): _checked(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list):
        return [_checked(entry, depth + 1) for entry in value]
    if isinstance(value, int) and abs(value) > limits.WHOLE:
        raise ValueError("it holds a whole number beyond 2**53")
    return value
