"""The first look at an elementwise function, and the closer ones that follow it.

Measured in float64 where f allows it, so that rounding is not taken for structure; in float32 all tolerances grow with
its rounding error. Slopes are those of autodiff, since a training gets those; where there are none, differences of f
stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diagnose.activation.calling.target import Target
from diagnose.activation.curve import search

#: Kept of turning points, kinks and jumps (the ones nearest to 0), and of flats.
MOST = 64
#: A slope that can't explain this share of what f varies by is 0 but for rounding (z / |z| leaves 1e-12).
NOTHING = 1e-9


@dataclass(frozen=True)
class Look:
    """f and its slope on the first look and the coarser one beyond.

    z: ascending; pieces: coarse, dense (|z| <= 8), coarse. slope: that of autodiff, true_slope: of differences of f.
    far: larger z, and f there. noise: what rounding alone may make of differences of f.
    """

    z: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    true_slope: np.ndarray
    pieces: tuple[slice, slice, slice]
    far: tuple[np.ndarray, np.ndarray]
    noise: float

    @property
    def middle(self) -> slice:
        """The dense piece, |z| <= 8."""
        return self.pieces[1]

    def within(self, width: float) -> np.ndarray:
        """Mask of the dense piece's points with |z| <= width."""
        return np.abs(self.z[self.middle]) <= width


def look(target: Target, precision: str) -> tuple[Look, str]:
    """The first look, and what autodiff answered: "slopes", "zero" or "none"."""
    left, right = search.wide()
    middle = search.dense()
    far = search.far(1e38)
    z = np.concatenate([left, middle, right, -far[::-1], far])
    value, slope = target.values_and_slopes(z, precision)
    count = len(left) + len(middle) + len(right)
    near_z, near_value = z[:count], value[:count]
    pieces = (slice(0, len(left)), slice(len(left), len(left) + len(middle)), slice(len(left) + len(middle), count))
    with np.errstate(all="ignore"):
        true_slope = np.concatenate([_differences(near_z[piece], near_value[piece]) for piece in pieces])
        gentle = np.concatenate([_gentler(near_z[piece], near_value[piece]) for piece in pieces])
        finite = near_value[np.isfinite(near_value)]
        size = float(np.max(np.abs(near_value[pieces[1]]), where=np.isfinite(near_value[pieces[1]]), initial=0.0))
        span = float(np.ptp(finite)) if len(finite) else 0.0
    noise = 4 * (2.0**-52 if precision == "float64" else 2.0**-23 if precision == "float32" else 2.0**-8) * size
    varies = span > max(1e-12 * size, noise)
    if slope is None:
        answer = "none"
    elif varies and np.all((np.abs(slope[:count]) <= NOTHING * span)[np.isfinite(near_value)]):
        answer = "zero"
    else:
        answer = "slopes"
    if (
        slope is None
        or answer == "zero"
        or np.mean(np.isfinite(slope[pieces[1]])) < 0.5 * np.mean(np.isfinite(near_value[pieces[1]]))
    ):
        used = gentle
    else:
        used = np.where(np.isfinite(near_value), slope[:count], np.nan)
    used = _without_lone_points(used)
    return Look(near_z, near_value, used, true_slope, pieces, (z[count:], value[count:]), noise), answer


def _differences(z: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Central differences inside, one-sided ones at the ends."""
    slope = np.empty_like(value)
    slope[1:-1] = (value[2:] - value[:-2]) / (z[2:] - z[:-2])
    slope[0], slope[-1] = (value[1] - value[0]) / (z[1] - z[0]), (value[-1] - value[-2]) / (z[-1] - z[-2])
    return slope


def _without_lone_points(slope: np.ndarray) -> np.ndarray:
    """NaN where one point alone is off its neighbours: autodiff's pick at a tie (celu gives 2 at 0) is no slope of
    f."""
    low, high = np.minimum(slope[:-2], slope[2:]), np.maximum(slope[:-2], slope[2:])
    here = slope[1:-1]
    size = np.maximum(np.abs(low), np.abs(high))
    size = np.maximum(
        size, 0.1 * np.max(size, where=np.isfinite(size), initial=0.0)
    )  # in a flat tail, dither is no pick
    with np.errstate(all="ignore"):
        lone = (here > high + 0.01 * size) | (here < low - 0.01 * size)
        # On both sides the slope is as it was a step before: so this is no spike.
        steady = np.abs(np.diff(slope, prepend=slope[:1], append=slope[-1:]))
        lone &= (steady[:-3] <= 0.01 * size) & (steady[3:] <= 0.01 * size)
    return np.concatenate([slope[:1], np.where(lone, np.nan, here), slope[-1:]])


def _gentler(z: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The gentler of the two one-sided differences: that of a step function is 0 beside its steps too."""
    steps = np.diff(value) / np.diff(z)
    left, right = np.append(steps[:1], steps), np.append(steps, steps[-1:])
    return np.where(np.abs(left) <= np.abs(right), left, right)


class CloseUp:
    """f, to be asked again where the first look shows something.

    z, value, slope, true_slope: of the dense piece of that look.
    """

    def __init__(self, target: Target, precision: str, seen: Look, answer: str) -> None:
        self.target, self.precision, self.seen, self.answer = target, precision, seen, answer
        middle = seen.middle
        self.z, self.value, self.slope = seen.z[middle], seen.value[middle], seen.slope[middle]
        self.true_slope = seen.true_slope[middle]

    @property
    def size(self) -> float:
        """The largest |f| of the dense piece."""
        return float(np.max(np.abs(self.value), where=np.isfinite(self.value), initial=0.0))

    def values(self, z: np.ndarray) -> np.ndarray:
        """f of a flat array."""
        return self.target.values(z, self.precision)

    def slopes(self, z: np.ndarray) -> np.ndarray:
        """The slope that the facts are about: autodiff's, or differences of f where it has none."""
        if self.answer == "slopes":
            found = self.target.values_and_slopes(z, self.precision)[1]
            return np.zeros(len(z)) if found is None else found
        width = 1e-6 if self.precision == "float64" else 2.0**-9
        below, here, above = self.values(np.concatenate([z - width, z, z + width])).reshape(3, -1)
        with np.errstate(all="ignore"):
            left, right = (here - below) / width, (above - here) / width
            return np.where(np.abs(left) <= np.abs(right), left, right)


def snapped(z: float) -> float:
    """A place as found, or 0 if it is nearer to 0 than the last bracket was wide."""
    return 0.0 if abs(z) < 1e-7 else float(z)
