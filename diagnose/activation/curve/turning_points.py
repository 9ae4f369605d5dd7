"""Turning points: where the curve changes between rising and falling, by more than rounding can.

Found in the values alone, so that a wrong gradient can't hide or invent them.
"""

from __future__ import annotations

import numpy as np

from diagnose.activation.curve import search
from diagnose.activation.curve.sampling import MOST, CloseUp, snapped
from diagnose.activation.facts import Turn


def turns_of(close: CloseUp) -> list[Turn]:
    """Turning points in the dense piece whose branches rise or fall by more than rounding can."""
    finite = np.isfinite(close.value)
    if not finite.any():
        return []
    span = float(np.ptp(close.value[finite]))
    turns = []
    for first, last in search.runs(finite):  # a pole or a gap parts the curve
        turns += _turns_between(close, first, last, max(1e-9 * span, 4 * close.seen.noise))
    return sorted(turns, key=lambda turn: turn.z)


def _turns_between(close: CloseUp, start: int, end: int, smallest: float) -> list[Turn]:
    kept = np.arange(start, end + 1)
    value = close.value[kept]
    if len(value) < 3:
        return []
    change = np.sign(np.diff(value))
    moving = np.flatnonzero(change)
    if len(moving) == 0:
        return []
    signs = change[moving]
    flips = np.flatnonzero(signs[1:] != signs[:-1])
    # A plateau between a rise and a fall is an extreme from moving[i] + 1 to moving[i + 1].
    extremes = [(int(moving[i]) + 1, int(moving[i + 1])) for i in flips]
    pivots = _zigzag(value, extremes, smallest)
    turns = []
    sharp = [
        (first, last, top)
        for first, last, top in pivots
        if close.z[kept[last]] - close.z[kept[first]] <= 4 * search.STEP
    ]
    for top in (True, False):
        mine = [(first, last) for first, last, is_top in sharp if is_top is top]
        if not mine:
            continue
        mine = sorted(mine, key=lambda ends: abs(ends[0] - len(value) / 2))[: 2 * MOST]
        lows = np.array([close.z[kept[max(first - 1, 0)]] for first, _ in mine])
        highs = np.array([close.z[kept[min(last + 1, len(kept) - 1)]] for _, last in mine])
        sign = 1.0 if top else -1.0
        at = search.peaks(lows, highs, lambda z, sign=sign: sign * close.values(z))  # type: ignore[misc]
        heights = close.values(at)
        turns += [
            Turn(snapped(where), float(height), "maximum" if top else "minimum")
            for where, height in zip(at, heights, strict=True)
        ]
    for first, last, top in pivots:
        if close.z[kept[last]] - close.z[kept[first]] > 4 * search.STEP:
            where = float(close.z[kept[first]] + close.z[kept[last]]) / 2
            turns.append(Turn(where, float(value[first]), "maximum" if top else "minimum"))
    missing = len(pivots) - len(turns)  # more than are closed in on: as the first look shows them
    if missing > 0:
        known = np.array([turn.z for turn in turns])
        for first, last, top in pivots:
            where = float(close.z[kept[first]] + close.z[kept[last]]) / 2
            if np.min(np.abs(known - where)) > 2 * search.STEP:
                turns.append(Turn(where, float(value[first]), "maximum" if top else "minimum"))
    return turns


def _zigzag(value: np.ndarray, extremes: list[tuple[int, int]], smallest: float) -> list[tuple[int, int, bool]]:
    """The extremes (first, last index) with branches of at least `smallest` on both sides; True for a maximum."""
    ends = [(0, 0), *extremes, (len(value) - 1, len(value) - 1)]
    kept: list[tuple[int, int, bool]] = []
    high = low = ends[0]
    rising: bool | None = None
    for ends_of in ends:
        height = value[ends_of[0]]
        if height > value[high[0]]:
            high = ends_of
        if height < value[low[0]]:
            low = ends_of
        if rising is not False and value[high[0]] - height > smallest:
            if rising or (high[0] > 0 and value[high[0]] - value[: high[0]].min() > smallest):
                kept.append((*high, True))
            rising, low = False, ends_of
        elif rising is not True and height - value[low[0]] > smallest:
            if rising is False or (low[0] > 0 and value[: low[0]].max() - value[low[0]] > smallest):
                kept.append((*low, False))
            rising, high = True, ends_of
    return kept
