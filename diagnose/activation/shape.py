"""The curve of an elementwise function: range, slopes, turning points, flats, kinks and jumps.

Measured in float64 where f allows it, so that rounding is not taken for structure; in float32 all tolerances grow with
its rounding error, and second differences are taken over a longer stride. Slopes are those of autodiff, since a
training gets those; where there are none, differences of f stand in. Turning points, kinks and jumps come from the
values alone, so that a wrong gradient can't hide or invent them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from diagnose.activation import search
from diagnose.activation.calling import Target
from diagnose.activation.facts import WORKING, Curve, Interval, Jump, Kink, Shape, Turn

Break = TypeVar("Break", Kink, Jump)

#: Kept of turning points, kinks and jumps: the ones nearest to 0.
MOST = 64
#: A slope under this share of the reference slope is flat.
FLAT = 0.01
#: The same around 0.
FLAT_CENTRE = 0.1
#: A slope counts as a reference only if it holds over this width, so that a spike does not make all else look flat.
SUSTAINED = 8  # steps of the first look: 0.002
#: A slope that can't explain this share of what f varies by is 0 but for rounding (z / |z| leaves 1e-12).
NOTHING = 1e-9
#: A kink is a change of slope by more than this share of the largest slope.
KINK = 0.01


@dataclass(frozen=True)
class Look:
    """f and its slope on the first look and the coarser one beyond; z ascending. `step` is that of each piece."""

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


class Measurer:
    """Closes in on what the first look shows."""

    def __init__(self, target: Target, precision: str, seen: Look, answer: str) -> None:
        self.target, self.precision, self.seen, self.answer = target, precision, seen, answer
        middle = seen.middle
        self.z, self.value, self.slope = seen.z[middle], seen.value[middle], seen.slope[middle]
        self.true_slope = seen.true_slope[middle]

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

    def shape(self) -> Shape:
        """All facts of the curve."""
        with np.errstate(all="ignore"):
            return self._shape()

    def _shape(self) -> Shape:
        seen, z, value, slope = self.seen, self.z, self.value, self.slope
        finite = np.isfinite(value)
        weight = search.density(z) * finite
        weight /= max(weight.sum(), 1e-300)
        clean = np.where(finite, value, 0.0)
        mean = float(np.sum(weight * clean))
        std = math.sqrt(max(float(np.sum(weight * (clean - mean) ** 2)), 0.0))
        steep = np.where(np.isfinite(slope), np.abs(slope), 0.0)
        working, close = seen.within(WORKING), seen.within(3.0)
        largest, steepest = self._largest(steep * working)
        reference, reference_near = self._reference(steep, working), self._reference(steep, close)
        breaks = self._breaks(min(largest, 10 * reference) if reference > 0 else largest, reference)
        # Where a pole lies between two points of the first look, the curve seems to turn on both sides of it.
        parted = self._ends_without_bound(reference)
        breaks = replace(breaks, singular=tuple(sorted({*breaks.singular, *parted})))
        turns = [turn for turn in self._turns() if all(abs(turn.z - z) > 4 * search.STEP for z in breaks.poles)]
        rises = np.diff(clean) * search.density((z[1:] + z[:-1]) / 2)
        up, down = float(rises[rises > 0].sum()), float(-rises[rises < 0].sum())
        flats, tails = self._flats(FLAT * reference)
        everywhere = seen.slope[np.isfinite(seen.slope)] if np.isfinite(seen.slope).any() else np.zeros(1)
        low, high = self._range(turns)
        span = float(np.ptp(clean[close & finite])) if np.any(close & finite) else 0.0
        still = np.abs(self.true_slope) * 8 <= 1e-9 * max(np.ptp(clean[finite]) if finite.any() else 0.0, 1e-300)
        strong = working & (steep > 10.0) & (np.abs(clean) > 0)
        return Shape(
            low=low,
            high=high,
            value_at_zero=float(value[len(value) // 2]),
            mean=mean,
            std=std,
            second_moment=mean * mean + std * std,
            largest_slope=largest,
            steepest=steepest,
            largest_slope_near=float(np.max(steep * close)),
            reference_slope=reference,
            lipschitz=self._lipschitz(largest, breaks),
            lowest_slope=float(np.min(everywhere)),
            highest_slope=float(np.max(everywhere)),
            tail_slopes=(float(abs(everywhere[0])), float(abs(everywhere[-1]))),
            monotone=self._monotone(len(turns)),
            turns=tuple(sorted(sorted(turns, key=lambda turn: abs(turn.z))[:MOST], key=lambda turn: turn.z)),
            turn_count=len(turns),
            falling_share=max(min(up, down), 0.0) / (up + down) if up + down > 0 else 0.0,
            folds=sum(abs(turn.z) <= 3.0 for turn in turns),
            flats=flats,
            lower_tail=tails[0],
            upper_tail=tails[1],
            dark=self._dark(),
            centre=self._centre(FLAT_CENTRE * reference_near),
            kinks=breaks.kinks,
            jumps=breaks.jumps,
            jump_count=breaks.jump_count,
            singular=breaks.singular,
            step_share=float(np.sum(weight * still)),
            relative_growth=float(np.max(steep[strong] / np.abs(clean[strong]), initial=0.0)),
            variation=span,
            size_near=float(np.max(np.abs(clean[close]), initial=0.0)),
        )

    def _largest(self, steep: np.ndarray) -> tuple[float, float]:
        """The largest slope of the masked ones, closed in on, and where it is."""
        top = int(np.argmax(steep))
        level = np.flatnonzero(steep >= steep[top] * (1 - 1e-12))
        top = int(level[np.argmin(np.abs(self.z[level]))])  # of equal ones, the nearest to 0
        here = (float(steep[top]), float(self.z[top]))
        interior = (steep[1:-1] >= steep[:-2]) & (steep[1:-1] >= steep[2:]) & (steep[1:-1] > 0.5 * steep[top])
        found = np.flatnonzero(interior) + 1
        found = found[np.argsort(-steep[found])[:16]]
        if len(found) == 0:
            return here
        limit = WORKING if abs(self.z[top]) <= WORKING else search.DENSE
        lows = np.maximum(self.z[np.maximum(found - 1, 0)], -limit)
        highs = np.minimum(self.z[np.minimum(found + 1, len(steep) - 1)], limit)
        at = search.peaks(lows, highs, lambda z: np.abs(self.slopes(z)), rounds=2)
        heights = np.abs(self.slopes(at))
        heights = np.where(np.isfinite(heights), heights, 0.0)
        best = int(np.argmax(heights))
        return (float(heights[best]), float(at[best])) if heights[best] > here[0] else here

    def _reference(self, steep: np.ndarray, mask: np.ndarray) -> float:
        """The largest slope that holds over `SUSTAINED` steps; or the largest, if f does most of its way in spikes."""
        held = steep[mask]
        if len(held) <= SUSTAINED:
            return float(np.max(held, initial=0.0))
        lowest = np.lib.stride_tricks.sliding_window_view(held, SUSTAINED + 1).min(axis=1)
        sustained = float(lowest.max())
        outside = float(held[held <= sustained].sum())
        return sustained if outside >= 0.5 * float(held.sum()) else float(held.max())

    def _range(self, turns: list[Turn]) -> tuple[float, float]:
        """Infimum and supremum over all z. Without end: what grows by over 1 % from 1e19 to 1e38, or ends in
        overflow."""
        far_z, far_value = self.seen.far
        values = np.concatenate([self.seen.value, far_value, [turn.value for turn in turns]])
        low = float(np.min(values[np.isfinite(values)], initial=math.inf))
        high = float(np.max(values[np.isfinite(values)], initial=-math.inf))
        if np.any(values == math.inf):
            high = math.inf
        if np.any(values == -math.inf):
            low = -math.inf
        before = np.concatenate([self.seen.value, far_value[np.abs(far_z) <= 1e19]])
        before = before[np.isfinite(before)]
        for end in (far_value[0], far_value[-1]):
            if len(before) and end > before.max() + 0.01 * (abs(before.max()) + self._size()):
                high = math.inf
            if len(before) and end < before.min() - 0.01 * (abs(before.min()) + self._size()):
                low = -math.inf
        return low + 0.0, high + 0.0  # no minus zero

    def _size(self) -> float:
        return float(np.max(np.abs(self.value), where=np.isfinite(self.value), initial=0.0))

    def _lipschitz(self, largest: float, breaks: Breaks) -> float:
        if breaks.jump_count or breaks.singular:
            return math.inf
        steep = np.abs(self.seen.slope)
        beyond = float(np.max(steep, where=np.isfinite(steep), initial=0.0))
        ends = [float(np.abs(self.seen.true_slope[index])) for index in (0, -1)]
        grows = any(np.isfinite(end) and end > 1.05 * largest and end >= 0.99 * beyond for end in ends)
        unfinished = bool(np.any(np.isinf(self.seen.value)))
        return math.inf if grows or unfinished else max(beyond, largest)

    # -- turning points --------------------------------------------------------------------------------------------

    def _turns(self) -> list[Turn]:
        """Turning points in the dense piece whose branches rise or fall by more than rounding can."""
        finite = np.isfinite(self.value)
        if not finite.any():
            return []
        span = float(np.ptp(self.value[finite]))
        turns = []
        for first, last in search.runs(finite):  # a pole or a gap parts the curve
            turns += self._turns_between(first, last, max(1e-9 * span, 4 * self.seen.noise))
        return sorted(turns, key=lambda turn: turn.z)

    def _turns_between(self, start: int, end: int, smallest: float) -> list[Turn]:
        kept = np.arange(start, end + 1)
        value = self.value[kept]
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
            if self.z[kept[last]] - self.z[kept[first]] <= 4 * search.STEP
        ]
        for top in (True, False):
            mine = [(first, last) for first, last, is_top in sharp if is_top is top]
            if not mine:
                continue
            mine = sorted(mine, key=lambda ends: abs(ends[0] - len(value) / 2))[: 2 * MOST]
            lows = np.array([self.z[kept[max(first - 1, 0)]] for first, _ in mine])
            highs = np.array([self.z[kept[min(last + 1, len(kept) - 1)]] for _, last in mine])
            sign = 1.0 if top else -1.0
            at = search.peaks(lows, highs, lambda z, sign=sign: sign * self.values(z))  # type: ignore[misc]
            heights = self.values(at)
            turns += [
                Turn(_snapped(where), float(height), "maximum" if top else "minimum")
                for where, height in zip(at, heights, strict=True)
            ]
        for first, last, top in pivots:
            if self.z[kept[last]] - self.z[kept[first]] > 4 * search.STEP:
                where = float(self.z[kept[first]] + self.z[kept[last]]) / 2
                turns.append(Turn(where, float(value[first]), "maximum" if top else "minimum"))
        missing = len(pivots) - len(turns)  # more than are closed in on: as the first look shows them
        if missing > 0:
            known = np.array([turn.z for turn in turns])
            for first, last, top in pivots:
                where = float(self.z[kept[first]] + self.z[kept[last]]) / 2
                if np.min(np.abs(known - where)) > 2 * search.STEP:
                    turns.append(Turn(where, float(value[first]), "maximum" if top else "minimum"))
        return turns

    def _monotone(self, turn_count: int) -> str:
        """Over |z| <= 128; beyond 8 by the coarser look."""
        value = self.seen.value[np.isfinite(self.seen.value)]
        if len(value) < 2 or np.ptp(value) <= max(1e-12 * np.max(np.abs(value)), self.seen.noise):
            return "constant"
        change = np.diff(value)
        allowed = max(1e-9 * float(np.ptp(value)), 4 * self.seen.noise)
        falls = float(np.max(np.maximum.accumulate(value) - value))
        rises = float(np.max(value - np.minimum.accumulate(value)))
        if turn_count == 0 and falls <= allowed and change.sum() > 0:
            return "increasing"
        if turn_count == 0 and rises <= allowed and change.sum() < 0:
            return "decreasing"
        return "no"

    # -- flats -----------------------------------------------------------------------------------------------------

    def _flats(self, bound: float) -> tuple[tuple[Interval, ...], tuple[float, float]]:
        """Stretches where |slope| <= bound, ends closed in on, and the ends of the flat tails."""
        z, slope = self.seen.z, np.abs(self.seen.slope)
        mask = np.isfinite(slope) & (slope <= bound)
        kept: list[tuple[int, int]] = []
        for first, last in search.runs(mask):
            inner = slope[first : last + 1]
            crossing = first > 0 and last < len(z) - 1 and self.seen.slope[first - 1] * self.seen.slope[last + 1] < 0
            # A slope that only passes through 0 at a turning point is not flat: 10 % of the way is under a tenth of the
            # bound.
            if crossing and np.mean(inner <= 0.1 * bound) < 0.2:
                continue
            if last - first >= 2:
                kept.append((first, last))
        lows = [(z[first - 1], z[first]) for first, _ in kept if first > 0]
        highs = [(z[last], z[last + 1]) for _, last in kept if last < len(z) - 1]
        brackets = np.array(lows + highs).reshape(-1, 2)
        if len(brackets) > 4 * MOST:  # so many stretches that their exact ends tell nobody anything
            at = brackets.mean(axis=1)
        else:
            at = search.crossings(brackets[:, 0], brackets[:, 1], lambda points: np.abs(self.slopes(points)) <= bound)
        starts, ends = iter(at[: len(lows)]), iter(at[len(lows) :])
        flats = []
        for first, last in kept:
            low = _snapped(next(starts)) if first > 0 else -math.inf
            high = _snapped(next(ends)) if last < len(z) - 1 else math.inf
            flats.append(Interval(low, high, search.mass(low, high)))
        lower = flats[0].high if flats and flats[0].low == -math.inf else -math.inf
        upper = flats[-1].low if flats and flats[-1].high == math.inf else math.inf
        if len(flats) == 1 and flats[0].low == -math.inf and flats[0].high == math.inf:
            lower, upper = 0.0, 0.0
        nearest = sorted(sorted(flats, key=lambda flat: -flat.mass)[:MOST], key=lambda flat: flat.low)
        return tuple(nearest), (lower, upper)

    def _dark(self) -> tuple[float, float]:
        """Ends of the tails where the slope is exactly 0."""
        z, slope = self.seen.z, self.seen.slope
        lit = np.flatnonzero(slope != 0)
        if len(lit) == 0:
            return 0.0, 0.0
        first, last = int(lit[0]), int(lit[-1])
        brackets = [(z[first - 1], z[first])] if first > 0 else []
        brackets += [(z[last], z[last + 1])] if last < len(z) - 1 else []
        ends = np.array(brackets).reshape(-1, 2)
        at = iter(search.crossings(ends[:, 0], ends[:, 1], lambda points: self.slopes(points) == 0))
        return _snapped(next(at)) if first > 0 else -math.inf, _snapped(next(at)) if last < len(z) - 1 else math.inf

    def _centre(self, bound: float) -> Interval | None:
        """The stretch around 0 where |slope| < bound."""
        slope = np.where(np.isfinite(self.slope), np.abs(self.slope), math.inf)
        middle = len(slope) // 2
        if not (slope[middle] < bound or (slope[middle - 1] < bound and slope[middle + 1] < bound)):
            return None
        mask = slope < bound
        mask[middle] = True
        first, last = next((first, last) for first, last in search.runs(mask) if first <= middle <= last)
        brackets = [(self.z[first - 1], self.z[first])] if first > 0 else []
        brackets += [(self.z[last], self.z[last + 1])] if last < len(slope) - 1 else []
        ends = np.array(brackets).reshape(-1, 2)
        at = iter(search.crossings(ends[:, 0], ends[:, 1], lambda points: np.abs(self.slopes(points)) < bound))
        low = _snapped(next(at)) if first > 0 else -math.inf
        high = _snapped(next(at)) if last < len(slope) - 1 else math.inf
        return Interval(low, high, search.mass(low, high))

    # -- kinks and jumps -------------------------------------------------------------------------------------------

    def _breaks(self, largest: float, reference: float) -> Breaks:
        """Kinks, jumps and vertical slopes: where second differences stand out, closed in on and then told apart."""
        brackets: list[tuple[float, float]] = []
        total = 0
        stride = 1 if self.precision == "float64" else 8
        for piece in self.seen.pieces:
            found = _outliers(self.seen.z[piece], self.seen.value[piece], stride, largest, self.seen.noise)
            total += len(found)
            brackets += found
        brackets.sort(key=lambda ends: abs(ends[0] + ends[1]))
        brackets = brackets[: 4 * MOST]
        if not brackets:
            return Breaks((), (), 0, (), ())
        ends = np.array(brackets)
        rounds = 3 if self.precision == "float64" else 2

        def choose(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = self.values(points.ravel()).reshape(points.shape)
            bend = np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2])
            top = np.argmax(np.where(np.isfinite(bend), bend, -1.0), axis=1) + 1
            return top - 1, top + 1

        lows, highs = search.close_in(ends[:, 0], ends[:, 1], choose, rounds)
        return self._told_apart((lows + highs) / 2, (highs - lows) / 2, largest, reference, total)

    def _told_apart(self, at: np.ndarray, width: np.ndarray, largest: float, reference: float, total: int) -> Breaks:
        """What happens at each place: looked at from two distances, since only a jump keeps its height from nearer."""
        fine = self.precision == "float64"
        outer = np.maximum(np.maximum(4 * width, 1e-12 * np.abs(at)), 1e-6 if fine else 2.0**-8)
        inner = np.maximum(outer / 64, 2 * width) if fine else np.maximum(outer / 4, 2 * width)
        measured = [self._sides(at, distance) for distance in (outer, inner)]
        size = self._size()
        kinks: list[Kink] = []
        jumps: list[Jump] = []
        singular: list[float] = []
        poles: list[float] = []
        tolerance = max(1e-6 * largest, 8 * self.seen.noise, 1e-12 * size)
        for index, z in enumerate(map(_snapped, at)):
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
                jumps.append(self._jump(z, below, above, left, right, largest))
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

    def _ends_without_bound(self, reference: float) -> list[float]:
        """Ends of gaps where the curve grows steeper and steeper (a pole, the end of a logarithm's or root's
        domain)."""
        found = []
        for first, last in search.runs(~np.isfinite(self.value)):
            for end, step in ((first, -1), (last, 1)):
                points = [end + step * k for k in (1, 2, 3, 4)]
                if not all(0 <= point < len(self.value) for point in points):
                    continue
                near, _, far = np.abs(np.diff(self.value[points])) / search.STEP
                if near > max(2 * far, 1e-3 * reference):  # 2.4 for a logarithm, 3.1 for a root, 6 for 1 / z
                    found.append(_snapped(float(self.z[end])))
        return found

    def _sides(self, at: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Values just below and above, and one-sided slopes, from points at `distance` and at twice that."""
        points = np.concatenate([at - 2 * distance, at - distance, at + distance, at + 2 * distance])
        far_below, below, above, far_above = self.values(points).reshape(4, -1)
        left, right = (below - far_below) / distance, (far_above - above) / distance
        return below + left * distance, above - right * distance, left, right

    def _jump(self, z: float, below: float, above: float, left: float, right: float, largest: float) -> Jump:
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


@dataclass(frozen=True)
class Breaks:
    """Places where f is not smooth."""

    kinks: tuple[Kink, ...]
    jumps: tuple[Jump, ...]
    jump_count: int
    singular: tuple[float, ...]
    poles: tuple[float, ...]


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


def _snapped(z: float) -> float:
    """A place as found, or 0 if it is nearer to 0 than the last bracket was wide."""
    return 0.0 if abs(z) < 1e-7 else float(z)


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


def curve(target: Target, precision: str, shape: Shape) -> Curve:
    """Points enough to draw f and f': even ones over |z| <= 8, closer ones where it bends, some out to 100."""
    marks = [
        *(kink.z for kink in shape.kinks),
        *(jump.z for jump in shape.jumps),
        *(turn.z for turn in shape.turns),
        shape.steepest,
    ]
    around = np.outer(1.0, np.linspace(-0.05, 0.05, 9))
    beyond = np.geomspace(search.DENSE, 100.0, 24)[1:]
    points = [np.linspace(-search.DENSE, search.DENSE, 513), -beyond[::-1], beyond]
    points += [mark + around.ravel() for mark in marks[:24]]
    points += [np.array([mark - 1e-6, mark + 1e-6]) for mark in marks[:24]]
    z = np.unique(np.concatenate(points))
    value, slope = target.values_and_slopes(z, precision)
    slope = np.zeros(len(z)) if slope is None else _without_lone_points(slope)
    return Curve(*(tuple(float(f"{number:.7g}") for number in row) for row in (z, value, slope)))
