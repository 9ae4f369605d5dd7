"""The curve of an elementwise function: range, moments, slopes and flats, with its turning points and breaks.

What the first look (`sampling.look`) shows is closed in on here, in `turning_points` and in `breaks`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from diagnose.activation.calling.target import Target
from diagnose.activation.curve import search
from diagnose.activation.curve.breaks import Breaks, breaks_of, ends_without_bound
from diagnose.activation.curve.sampling import MOST, CloseUp, snapped
from diagnose.activation.curve.turning_points import turns_of
from diagnose.activation.facts import WORKING, Curve, Interval, Shape, Turn

#: A slope under this share of the reference slope is flat.
FLAT = 0.01
#: The same around 0.
FLAT_CENTRE = 0.1
#: A slope counts as a reference only if it holds over this width, so that a spike does not make all else look flat.
SUSTAINED = 8  # steps of the first look: 0.002


class Measurer(CloseUp):
    """Takes all facts of the curve."""

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
        breaks = breaks_of(self, min(largest, 10 * reference) if reference > 0 else largest, reference)
        # Where a pole lies between two points of the first look, the curve seems to turn on both sides of it.
        parted = ends_without_bound(self, reference)
        breaks = replace(breaks, singular=tuple(sorted({*breaks.singular, *parted})))
        turns = [turn for turn in turns_of(self) if all(abs(turn.z - z) > 4 * search.STEP for z in breaks.poles)]
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
            if len(before) and end > before.max() + 0.01 * (abs(before.max()) + self.size):
                high = math.inf
            if len(before) and end < before.min() - 0.01 * (abs(before.min()) + self.size):
                low = -math.inf
        return low + 0.0, high + 0.0  # no minus zero

    def _lipschitz(self, largest: float, breaks: Breaks) -> float:
        if breaks.jump_count or breaks.singular:
            return math.inf
        steep = np.abs(self.seen.slope)
        beyond = float(np.max(steep, where=np.isfinite(steep), initial=0.0))
        ends = [float(np.abs(self.seen.true_slope[index])) for index in (0, -1)]
        grows = any(np.isfinite(end) and end > 1.05 * largest and end >= 0.99 * beyond for end in ends)
        unfinished = bool(np.any(np.isinf(self.seen.value)))
        return math.inf if grows or unfinished else max(beyond, largest)

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
            low = snapped(next(starts)) if first > 0 else -math.inf
            high = snapped(next(ends)) if last < len(z) - 1 else math.inf
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
        return snapped(next(at)) if first > 0 else -math.inf, snapped(next(at)) if last < len(z) - 1 else math.inf

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
        low = snapped(next(at)) if first > 0 else -math.inf
        high = snapped(next(at)) if last < len(slope) - 1 else math.inf
        return Interval(low, high, search.mass(low, high))


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
    slope = np.zeros(len(z)) if slope is None else _without_picks(target, precision, z, slope)
    return Curve(*(tuple(float(f"{number:.7g}") for number in row) for row in (z, value, slope)))


def _without_picks(target: Target, precision: str, z: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The mean of the slopes just below and above where that at z is off both: autodiff's pick at a tie.

    That of sign(z) * log(1 + |z|) is 0 at 0, and 1 on both sides.
    """
    step = np.maximum(np.abs(z), 1.0) * (5e-7 if precision == "float64" else 2.0**-14)
    below, above = (target.values_and_slopes(places, precision)[1] for places in (z - step, z + step))
    if below is None or above is None:
        return slope
    low, high = np.minimum(below, above), np.maximum(below, above)
    with np.errstate(invalid="ignore"):
        off = 0.01 * np.maximum(np.abs(low), np.abs(high))
        return np.where((slope < low - off) | (slope > high + off), (low + high) / 2, slope)
