"""When a sickness counts as lasting: at 4 of the last 5 observations, or at all of fewer.

One hot batch is noise. Four of five in a row by chance, at one in ten, is one run in two thousand.
"""

from __future__ import annotations

import math

import numpy as np

from diagnose.run.run import Series
from diagnose.wording import counted

WINDOW = 5  # a guess: five batches are more than a hot one
NEEDED = 4  # arithmetic: at one in ten by chance, four of five are 5 in 10,000
FEWEST = 3  # a guess: two observations of an untrained network say nothing that lasts


def lasting(series: Series, sick: np.ndarray) -> int | None:
    """First step of the sickness that lasts to the end of the series, None where none does.

    sick: (n,) of bool, one for each entry of `series`. Fewer than `FEWEST` entries: None.

    >>> steps = np.array([0, 10, 20, 30, 40, 50])
    >>> lasting(Series(steps, np.zeros(6)), np.array([False, True, True, False, True, True]))
    10
    >>> lasting(Series(steps[:4], np.zeros(4)), np.array([True, True, False, True])) is None
    True
    """
    if len(series) < FEWEST:
        return None
    counts = np.concatenate([[0], np.cumsum(sick)])
    ends = np.arange(1, len(sick) + 1)
    starts = np.maximum(ends - WINDOW, 0)
    holds = counts[ends] - counts[starts] >= np.where(ends >= WINDOW, NEEDED, ends)
    if not holds[-1]:
        return None
    broken = np.flatnonzero(~holds)
    begin = max(int(broken[-1]) + 2 - WINDOW, 0) if len(broken) else 0
    return int(series.steps[begin + int(np.argmax(sick[begin:]))])


def recent(series: Series) -> float:
    """Median of the last observations that `lasting` looks at; NaN of none."""
    values = series.values[-WINDOW:].tolist()  # np.median takes ten times as long for so few, at thousands of places
    if not values or any(math.isnan(value) for value in values):
        return float("nan")
    values.sort()
    middle = len(values) // 2
    return float(values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)


def too_few(series: Series) -> str:
    """Why nothing can be said of a short series.

    >>> too_few(Series(np.arange(2), np.zeros(2)))
    'seen at 2 observations; 3 are needed'
    """
    return f"seen at {counted(len(series), 'observation')}; {FEWEST} are needed"
