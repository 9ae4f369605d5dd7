"""Places where f is not smooth: kinks, jumps, vertical slopes and poles.

Found in the values alone, so that a wrong gradient can't hide or invent them: where second differences stand out, in
float32 over a longer stride, closed in on and then told apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from diagnose.activation.curve import search
from diagnose.activation.curve.sampling import MOST, CloseUp, snapped
from diagnose.activation.facts import Jump, Kink

Break = TypeVar("Break", Kink, Jump)

#: A kink is a change of slope by more than this share of the largest slope.
KINK = 0.01


@dataclass(frozen=True)
class Breaks:
    """Places where f is not smooth."""

    kinks: tuple[Kink, ...]
    jumps: tuple[Jump, ...]
    jump_count: int
    singular: tuple[float, ...]
    poles: tuple[float, ...]


def breaks_of(close: CloseUp, largest: float, reference: float) -> Breaks:
    """Kinks, jumps and vertical slopes: where second differences stand out, closed in on and then told apart."""
    brackets: list[tuple[float, float]] = []
    total = 0
    stride = 1 if close.precision == "float64" else 8
    for piece in close.seen.pieces:
        found = _outliers(close.seen.z[piece], close.seen.value[piece], stride, largest, close.seen.noise)
        total += len(found)
        brackets += found
    brackets.sort(key=lambda ends: abs(ends[0] + ends[1]))
    brackets = brackets[: 4 * MOST]
    if not brackets:
        return Breaks((), (), 0, (), ())
    ends = np.array(brackets)
    rounds = 3 if close.precision == "float64" else 2

    def choose(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = close.values(points.ravel()).reshape(points.shape)
        bend = np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2])
        top = np.argmax(np.where(np.isfinite(bend), bend, -1.0), axis=1) + 1
        return top - 1, top + 1

    lows, highs = search.close_in(ends[:, 0], ends[:, 1], choose, rounds)
    return _told_apart(close, (lows + highs) / 2, (highs - lows) / 2, largest, reference, total)


def _told_apart(
    close: CloseUp, at: np.ndarray, width: np.ndarray, largest: float, reference: float, total: int
) -> Breaks:
    """What happens at each place: looked at from two distances, since only a jump keeps its height from nearer."""
    fine = close.precision == "float64"
    outer = np.maximum(np.maximum(4 * width, 1e-12 * np.abs(at)), 1e-6 if fine else 2.0**-8)
    inner = np.maximum(outer / 64, 2 * width) if fine else np.maximum(outer / 4, 2 * width)
    measured = [_sides(close, at, distance) for distance in (outer, inner)]
    size = close.size
    kinks: list[Kink] = []
    jumps: list[Jump] = []
    singular: list[float] = []
    poles: list[float] = []
    tolerance = max(1e-6 * largest, 8 * close.seen.noise, 1e-12 * size)
    for index, z in enumerate(map(snapped, at)):
        (far_below, far_above, far_left, far_right), (below, above, left, right) = (
            tuple(float(row[index]) for row in sides) for sides in measured
        )
        if not all(map(math.isfinite, (below, above, left, right, far_below, far_above))):
            continue
        height, far_height = above - below, far_above - far_below
        if max(abs(above), abs(below)) > 8 * max(abs(far_above), abs(far_below), tolerance):
            singular.append(z)  # the nearer, the larger
            poles.append(z)
        elif abs(height) > tolerance and abs(height) > 0.5 * abs(far_height):
            jumps.append(_jump(z, below, above, left, right, largest))
        elif max(abs(left), abs(right)) > max(3 * max(abs(far_left), abs(far_right)), reference):
            singular.append(z)
        elif abs(right - left) > KINK * largest and abs(right - left) > 0.5 * abs(far_right - far_left):
            kinks.append(Kink(z, left, right))
    kinks, jumps = _distinct(kinks), _distinct(jumps)
    scale = total / len(at)  # places beyond those closed in on, at the same rate
    return Breaks(
        tuple(sorted(kinks[:MOST], key=lambda kink: kink.z)),
        tuple(sorted(jumps[:MOST], key=lambda jump: jump.z)),
        round(len(jumps) * scale),
        tuple(sorted(singular)),
        tuple(poles),
    )


def _sides(
    close: CloseUp, at: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values just below and above, and one-sided slopes, from points at `distance` and at twice that."""
    points = np.concatenate([at - 2 * distance, at - distance, at + distance, at + 2 * distance])
    far_below, below, above, far_above = close.values(points).reshape(4, -1)
    left, right = (below - far_below) / distance, (far_above - above) / distance
    return below + left * distance, above - right * distance, left, right


def _jump(z: float, below: float, above: float, left: float, right: float, largest: float) -> Jump:
    flat = 1e-3 * largest
    sides = ((below, left, above, right), (above, right, below, left))
    dead_zone = any(
        abs(dead) <= 1e-6 * abs(kept)
        and abs(dead_slope) <= flat
        and z != 0
        and abs(kept - slope * z) <= 1e-3 * abs(kept)
        for dead, dead_slope, kept, slope in sides
    )
    return Jump(z, below, above, dead_zone, sloped=max(abs(left), abs(right)) > max(flat, 1e-9))


def ends_without_bound(close: CloseUp, reference: float) -> list[float]:
    """Ends of gaps where the curve grows steeper and steeper (a pole, the end of a logarithm's or root's
    domain)."""
    found = []
    for first, last in search.runs(~np.isfinite(close.value)):
        for end, step in ((first, -1), (last, 1)):
            points = [end + step * k for k in (1, 2, 3, 4)]
            if not all(0 <= point < len(close.value) for point in points):
                continue
            near, _, far = np.abs(np.diff(close.value[points])) / search.STEP
            if near > max(2 * far, 1e-3 * reference):  # 2.4 for a logarithm, 3.1 for a root, 6 for 1 / z
                found.append(snapped(float(close.z[end])))
    return found


def _outliers(z: np.ndarray, value: np.ndarray, stride: int, largest: float, noise: float) -> list[tuple[float, float]]:
    """Brackets around second differences that are large, and stand out from those a few steps away."""
    z, value = z[::stride], value[::stride]
    step = z[1] - z[0]
    bend = np.zeros(len(z))
    bend[1:-1] = np.abs(value[2:] - 2 * value[1:-1] + value[:-2])
    bend[~np.isfinite(bend)] = 0.0
    count = len(bend)
    padded = np.pad(bend[1:-1], 5, constant_values=np.inf)  # the ends have neighbours on one side only
    # A kink between two points shows at both, a jump too: neighbours are asked from three steps on.
    around = np.maximum.reduce(
        [np.minimum(padded[4 + k : 4 + k + count], padded[4 - k : 4 - k + count]) for k in (3, 4)]
    )
    found = bend > np.maximum(3 * around, max(0.25 * KINK * step * largest, 8 * noise))
    brackets = []
    for first, last in search.runs(found):
        top = first + int(np.argmax(bend[first : last + 1]))
        brackets.append((float(z[max(top - 2, 0)]), float(z[min(top + 2, count - 1)])))
    return brackets


def _distinct(places: list[Break]) -> list[Break]:
    """The places without those that were met twice, nearest to 0 first."""
    kept: list[Break] = []
    for place in sorted(places, key=lambda place: place.z):
        if not kept or place.z - kept[-1].z > 1e-5:
            kept.append(place)
    return sorted(kept, key=lambda place: abs(place.z))
