"""What depth makes of a signal and of a gradient that go through the function: mean-field theory.

In a wide network of square layers with independent weights of variance gain / n and no bias, each unit's z is normal,
and its second moment q goes from layer to layer as (the length map of Poole et al. 2016)

    q[l + 1] = gain * V(q[l]),    V(q) = E f(sqrt(q) z)^2,    z ~ N(0, 1)

while a squared gradient is multiplied at each layer, on its way back, by (chi_1 of Schoenholz et al. 2017)

    chi(q) = gain * E f'(sqrt(q) z)^2

and the correlation of two inputs returns to its fixed point over -1 / ln chi layers (their depth scale xi_c, where the
fixed point is c = 1). The gain is 2 for He, and 1 for LeCun and, where layers are square, for Glorot initialization.

Expectations are sums over evenly spaced z, which for smooth f converge faster than any power of the step; V and chi are
tabled over q and interpolated in the logarithm, in which power laws (ReLU, x^3) are straight lines.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from diagnose.activation.calling.target import Target
from diagnose.activation.curve import search
from diagnose.activation.curve.sampling import Look
from diagnose.activation.facts import Depth, FixedPoint, Propagation

#: Initializers and their gains, fan-in times variance, where layers are square.
GAINS = {"he_normal": 2.0, "glorot_normal": 1.0, "lecun_normal": 1.0}
#: Layers for which the rule asks (rules: unstable-signal).
DEPTH = 8
#: Layers kept for the picture.
KEPT_LAYERS = 32
#: A signal or gradient is lost once its second moment has changed by this factor.
LOST = 1000.0
#: Layers after which nobody asks any more.
DEEP = 1000
#: q = gain V(q) within this share, over a factor 100 of q, is told as "any".
SAME = 1e-3

# Middles of even cells, so that a kink at 0 falls between two.
_Z = (np.arange(2048) + 0.5) * (17.0 / 2048) - 8.5
_WEIGHT = search.density(_Z) / np.sum(search.density(_Z))
_Q = np.logspace(-10, 10, 81)


@dataclass(frozen=True)
class _Moments:
    """V and E f'^2, tabled over q; infinite where f overflows."""

    value: np.ndarray
    slope: np.ndarray

    def at(self, q: float, column: np.ndarray) -> float:
        """The moment at q: a straight line between the tabled points, in logarithms."""
        if not math.isfinite(q) or q > _Q[-1]:
            return (
                float(column[-1])
                if not math.isfinite(column[-1])
                else math.inf
                if column[-1] > column[-9] * 10
                else float(column[-1])
            )
        log_q = math.log(max(q, _Q[0]))
        table = np.log(_Q)
        index = int(np.clip(np.searchsorted(table, log_q) - 1, 0, len(_Q) - 2))
        low, high = float(column[index]), float(column[index + 1])
        share = (log_q - table[index]) / (table[index + 1] - table[index])
        if low <= 0 or high <= 0 or not math.isfinite(high) or not math.isfinite(low):
            return low if share < 0.5 else high
        found = math.exp(math.log(low) * (1 - share) + math.log(high) * share)
        # Below the table: the power law of its first two points.
        if q < _Q[0] and column[0] > 0:
            power = math.log(column[1] / column[0]) / (table[1] - table[0])
            found = float(column[0]) * (q / _Q[0]) ** power if q > 0 else 0.0 if power > 0.1 else float(column[0])
        return found


def moments(target: Target, precision: str, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E f(sqrt(q) z)^2 and E f'(sqrt(q) z)^2 for each q; infinite where f overflows on what z really meets."""
    points = np.sqrt(q)[:, None] * _Z
    values, slopes = target.values_and_slopes(points.ravel(), precision)
    with np.errstate(all="ignore"):
        values = values.reshape(points.shape)
        slope = np.zeros_like(values) if slopes is None else slopes.reshape(points.shape)
        return _mean_square(values), _mean_square(slope)


def _mean_square(rows: np.ndarray) -> np.ndarray:
    """Weighted mean of squares of each row; single entries that are not finite (a pole) are left out, more make it
    infinite."""
    finite = np.isfinite(rows)
    lost = 1.0 - np.sum(_WEIGHT * finite, axis=1)
    square = np.sum(_WEIGHT * np.where(finite, rows, 0.0) ** 2, axis=1)
    return np.where(lost > 1e-3, np.inf, square)


def propagation(target: Target, precision: str, seen: Look) -> Propagation:
    """What 8 and 1000 layers make of unit input, for each initializer; the first look gives the moments of unit
    input."""
    value, slope = moments(target, precision, _Q)
    table = _Moments(value, slope)
    starts = np.array([GAINS[name] for name in GAINS])
    paths = _first_layers(target, precision, starts)
    depths = tuple(
        _depth(name, gain, table, target, precision, paths[index]) for index, (name, gain) in enumerate(GAINS.items())
    )
    alive = [(min(depth.signal_layers, depth.gradient_layers), -order) for order, depth in enumerate(depths)]
    longest = max(alive)
    suits = depths[-longest[1]].initializer if longest[0] > DEPTH else ""
    unit, unit_slope = _unit_moments(seen)
    return Propagation(unit_slope, depths, suits, 1.0 / unit if 0 < unit < math.inf else math.nan)


def _unit_moments(seen: Look) -> tuple[float, float]:
    """E f^2 and E f'^2 for z ~ N(0, 1), from the dense look: exact even where kinks and jumps lie."""
    z, value, slope = seen.z[seen.middle], seen.value[seen.middle], seen.slope[seen.middle]
    weight = search.density(z) / np.sum(search.density(z))
    parts = [float(np.sum(weight * np.where(np.isfinite(row), row, 0.0) ** 2)) for row in (value, slope)]
    return parts[0], parts[1]


def _first_layers(target: Target, precision: str, gains: np.ndarray) -> np.ndarray:
    """E f^2 and E f'^2 at each of the first layers, exactly: (gains, DEPTH, 2)."""
    q = gains.copy()  # unit input: the first z has variance gain
    found = np.empty((len(gains), DEPTH, 2))
    for layer in range(DEPTH):
        value, slope = moments(target, precision, np.where(np.isfinite(q), np.minimum(q, 1e60), 1e60))
        value = np.where(np.isfinite(q), value, np.inf)
        found[:, layer, 0], found[:, layer, 1] = value, slope
        q = gains * value
    return found


def _depth(name: str, gain: float, table: _Moments, target: Target, precision: str, first: np.ndarray) -> Depth:
    signal, gradient = [], []
    q, factor = gain, 1.0
    signal_layers = gradient_layers = DEEP
    for layer in range(DEEP):
        exact = layer < DEPTH
        moment = float(first[layer, 0]) if exact else table.at(q, table.value)
        factor *= gain * (float(first[layer, 1]) if exact else table.at(q, table.slope))
        if layer < KEPT_LAYERS:
            signal.append(float(moment))
            gradient.append(float(factor))
        if not 1 / LOST <= moment <= LOST:
            signal_layers = min(signal_layers, layer + 1)
        if not 1 / LOST <= factor <= LOST:
            gradient_layers = min(gradient_layers, layer + 1)
        if layer >= KEPT_LAYERS and (signal_layers < DEEP and gradient_layers < DEEP):
            break
        q = gain * moment
    fixed, points = _fixed_points(gain, table, target, precision)
    stable = [point.q for point in points if point.stable]
    rest = stable[0] if stable else min(max(q, _Q[0]), _Q[-1])
    chi = gain * float(moments(target, precision, np.array([rest]))[1][0])
    correlation = -1.0 / math.log(chi) if 0 < chi < 1 else math.inf if chi >= 1 else 0.0
    return Depth(
        initializer=name,
        gain=gain,
        fixed=fixed,
        points=points,
        chi=chi,
        after_8=float(first[DEPTH - 1, 0]),
        signal_layers=signal_layers,
        gradient_layers=gradient_layers,
        correlation_layers=correlation,
        path=tuple(signal),
        gradient_path=tuple(gradient),
    )


def _fixed_points(gain: float, table: _Moments, target: Target, precision: str) -> tuple[str, tuple[FixedPoint, ...]]:
    """What kind of fixed points the map has, and those above 0, closed in on."""
    with np.errstate(all="ignore"):
        ratio = gain * table.value / _Q
    usual = (_Q >= 0.1) & (_Q <= 10)
    if np.all(np.abs(ratio[usual] - 1) < SAME):
        return "any", ()
    # Far out the map only shows where f overflows, or where q is too small to tell f from a line.
    told = np.flatnonzero((_Q >= 1e-4) & (_Q <= 1e4) & (np.abs(ratio - 1) > SAME))
    above = ratio > 1
    changes = [(left, right) for left, right in itertools.pairwise(told) if above[left] != above[right]][:4]
    at = [_crossing(gain, _Q[left], _Q[right], target, precision) for left, right in changes]
    points = tuple(FixedPoint(q, bool(above[left])) for q, (left, _) in zip(at, changes, strict=True))
    if points:
        return ("several" if len(points) > 1 else "one"), points
    return ("zero" if len(told) and not above[told[0]] else "none"), ()


def _crossing(gain: float, low: float, high: float, target: Target, precision: str) -> float:
    """The q in the bracket with q = gain V(q): one cut, then a straight line in logarithms."""
    q = np.geomspace(low, high, 17)
    with np.errstate(all="ignore"):
        excess = np.log(gain * moments(target, precision, q)[0] / q)
    index = int(np.flatnonzero(np.sign(excess[1:]) != np.sign(excess[:-1]))[:1].sum())
    left, right = excess[index], excess[index + 1]
    share = left / (left - right) if np.isfinite(left - right) and left != right else 0.5
    return float(q[index] * (q[index + 1] / q[index]) ** share)
