"""Where the function and its slope are finite, for each dtype.

A 16-bit dtype has 65,536 numbers, so all of them are tried. For float32 the dense look of `curve.search` is joined with
round decimal numbers, the constants that f itself contains (a root or a pole often lies at one), the dtype's far ends
and the smallest numbers around 0; each end of a stretch that is not finite is then bisected to the very number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diagnose.activation.calling.target import Target
from diagnose.activation.curve import search
from diagnose.activation.facts import Gap, Numerics

#: Largest number that is tried, and the dtype whose numbers are searched: beyond, float64 has only more of the same.
FARTHEST = float(np.finfo(np.float32).max)
#: Kept of the gaps of one dtype, each way.
MOST_GAPS = 8


def numerics(target: Target, dtype: str, marks: np.ndarray) -> Numerics:
    """The gaps of f and f' in `dtype`; `marks` are further z worth trying. Raises what f raises."""
    import tensorflow as tf

    kind = tf.as_dtype(dtype)
    largest = float(kind.max)
    exhaustive = kind.size == 2
    if exhaustive:
        patterns = np.arange(65_536, dtype=np.uint16).view(kind.as_numpy_dtype)
        with np.errstate(invalid="ignore"):  # some of them are NaN
            z = patterns.astype(np.float64)
        z = np.unique(z[np.isfinite(z)])
    else:
        z = _points(min(largest, FARTHEST), marks)
    values, slopes = target.values_and_slopes(z, dtype)
    bad_value = ~np.isfinite(values) & ~_inside(z, target.failed)
    bad_slope = np.zeros(len(z), bool) if slopes is None else ~np.isfinite(slopes) & np.isfinite(values)

    def slope_of(points: np.ndarray) -> np.ndarray:
        value, slope = target.values_and_slopes(points, dtype)
        return np.where(
            np.isfinite(value) & (slope is not None), np.zeros(len(points)) if slope is None else slope, 0.0
        )

    return Numerics(
        dtype=dtype,
        forward=_gaps(z, values, bad_value, lambda points: target.values(points, dtype), exhaustive),
        backward=() if slopes is None else _gaps(z, slopes, bad_slope, slope_of, exhaustive),
        largest=largest,
        exhaustive=exhaustive,
    )


def _points(largest: float, marks: np.ndarray) -> np.ndarray:
    left, right = search.wide()
    decimals = np.arange(-8000, 8001) / 1000
    far, near = search.far(largest), search.near(2.0**-149)
    marks = np.concatenate([marks, -marks, np.nextafter(marks.astype(np.float32), np.float32(np.inf)).astype(float)])
    points = np.concatenate([left, search.dense(), right, decimals, -far, far, -near, near, marks])
    with np.errstate(over="ignore"):
        points = np.unique(points.astype(np.float32)).astype(np.float64)
    return points[np.isfinite(points)]


def _inside(z: np.ndarray, stretches: list[tuple[float, float]]) -> np.ndarray:
    """Mask of the z in one of the stretches on which f raised: those are told as failures, not as gaps."""
    mask = np.zeros(len(z), bool)
    for low, high in stretches:
        mask |= (z >= low) & (z <= high)
    return mask


def _gaps(z: np.ndarray, found: np.ndarray, bad: np.ndarray, evaluate, exhaustive: bool) -> tuple[Gap, ...]:  # type: ignore[no-untyped-def]
    """The stretches of bad numbers, nearest to 0 first, with exact ends."""
    stretches = search.runs(bad)
    stretches.sort(key=lambda ends: 0.0 if z[ends[0]] * z[ends[1]] <= 0 else min(abs(z[ends[0]]), abs(z[ends[1]])))
    stretches = stretches[:MOST_GAPS]
    if not stretches:
        return ()
    lows = [(z[first], z[first - 1]) for first, _ in stretches if first > 0]
    highs = [(z[last], z[last + 1]) for _, last in stretches if last < len(z) - 1]
    ends = np.array(lows + highs).reshape(-1, 2)
    bad_ends, good_ends = (ends[:, 0], ends[:, 1]) if exhaustive else _bisect(ends[:, 0], ends[:, 1], evaluate)
    beside = evaluate(np.concatenate([good_ends, bad_ends])) if len(ends) else np.empty(0)
    lower = iter(range(len(lows)))
    upper = iter(range(len(lows), len(ends)))
    gaps = []
    for first, last in stretches:
        below = next(lower) if first > 0 else None
        above = next(upper) if last < len(z) - 1 else None
        low = -np.inf if below is None else float(bad_ends[below])
        high = np.inf if above is None else float(bad_ends[above])
        inward = below if (abs(low) <= abs(high) and below is not None) or above is None else above
        bad_value = float(found[first]) if inward is None else float(beside[len(ends) + inward])
        kind = "nan" if np.isnan(bad_value) else "inf" if bad_value > 0 else "-inf"
        gaps.append(Gap(low, high, kind, float("nan") if inward is None else float(beside[inward])))
    return tuple(gaps)


def _bisect(bad: np.ndarray, good: np.ndarray, evaluate) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Neighbouring float32 numbers, one bad and one good, for each pair: bisected over the numbers' order, 16 at
    once."""
    bad_order, good_order = _order(bad), _order(good)
    row = np.arange(len(bad))
    while np.any(np.abs(bad_order - good_order) > 1):
        share = np.arange(17)
        orders = good_order[:, None] + ((bad_order - good_order)[:, None] * share) // 16
        orders[:, -1] = bad_order
        states = ~np.isfinite(evaluate(_number(orders.ravel()))).reshape(orders.shape)
        states[:, -1] = True
        first_bad = np.maximum(np.argmax(states, axis=1), 1)
        stuck = (orders[row, first_bad] == bad_order) & (orders[row, first_bad - 1] == good_order)
        bad_order, good_order = orders[row, first_bad], orders[row, first_bad - 1]
        if np.all(stuck | (np.abs(bad_order - good_order) <= 1)):
            break
    return _number(bad_order), _number(good_order)


def _order(z: np.ndarray) -> np.ndarray:
    """Position of float32 numbers in their order, 0 for 0."""
    bits = np.asarray(z, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _number(order: np.ndarray) -> np.ndarray:
    """The float32 number at each position, as float64."""
    bits = np.where(order < 0, (-order) | 0x80000000, order).astype(np.uint32)
    return bits.view(np.float32).astype(np.float64)


def with_constructs(found: Numerics, constructs: dict[tuple[str, float], str]) -> Numerics:
    """The same numerics, each gap told what makes it; keys are ("forward" or "backward", `Gap.nearest`)."""
    return replace(
        found,
        forward=tuple(replace(gap, construct=constructs.get(("forward", gap.nearest), "")) for gap in found.forward),
        backward=tuple(replace(gap, construct=constructs.get(("backward", gap.nearest), "")) for gap in found.backward),
    )
