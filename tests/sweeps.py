"""Which trainings run with each change, and which are further ones of the same kind: `pytest -m sweep`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

#: A parameter that is a sweep, as `pytest.param`.
further = functools.partial(pytest.param, marks=pytest.mark.sweep)


def quick(names: Iterable[str], *, first: Iterable[str], groups: Sequence[str] = ()) -> list[Any]:
    """Names as parameters of a test, all but the `first` marked as a sweep. groups: the process that each stays in.

    Raises ValueError for one of `first` that is no name, so that none is left out by a slip of the pen.
    """
    names, first = list(names), set(first)
    if unknown := first - set(names):
        raise ValueError(f"{', '.join(sorted(unknown))} is not among {', '.join(names)}.")
    marks: list[list[Any]] = [[] if name in first else [pytest.mark.sweep] for name in names]
    for mark, group in zip(marks, groups, strict=False):
        mark.append(pytest.mark.xdist_group(group))
    return [pytest.param(name, marks=mark, id=name) for name, mark in zip(names, marks, strict=True)]
