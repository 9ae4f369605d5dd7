"""What is expected of each of the known functions, by hand or by SciPy and mpmath, never by the package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from known_activations import TRUTHS, Truth, profile_of
from profiles import faults
from scipy import integrate

INF = math.inf


def mean_of(g: Callable[[float], float], cuts: tuple[float, ...]) -> float:
    """E g(z), z ~ N(0, 1), by SciPy's adaptive quadrature, cut where g is not smooth."""
    edges = sorted({-10.0, 0.0, 10.0, *cuts})
    parts = [
        integrate.quad(lambda z: g(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), low, high, limit=200)[0]
        for low, high in itertools.pairwise(edges)
    ]
    return sum(parts)


by_name = pytest.mark.parametrize("name", TRUTHS)


@by_name
def test_range_and_direction_are_those_of_the_formula(name):
    truth, shape = TRUTHS[name], profile_of(name).shape
    assert shape is not None, profile_of(name).missing
    assert (shape.low, shape.high) == pytest.approx((truth.low, truth.high), rel=1e-6, abs=1e-6)
    assert shape.monotone == (truth.monotone or "no")


@by_name
def test_moments_are_those_of_scipys_quadrature(name):
    truth, shape = TRUTHS[name], profile_of(name).shape
    cuts = (*truth.kinks, *truth.jumps)
    mean = mean_of(lambda z: float(truth.truth(math, z)), cuts)
    square = mean_of(lambda z: float(truth.truth(math, z)) ** 2, cuts)
    assert shape.mean == pytest.approx(mean, abs=1e-4 * max(math.sqrt(square), 1e-3))
    assert shape.second_moment == pytest.approx(square, rel=1e-3)


@by_name
def test_turns_kinks_and_jumps_are_where_the_formula_has_them(name):
    truth, shape = TRUTHS[name], profile_of(name).shape
    assert [turn.z for turn in shape.turns if abs(turn.z) < 5] == pytest.approx(truth.turns, abs=1e-6)
    assert [kink.z for kink in shape.kinks if abs(kink.z) <= 8] == pytest.approx(truth.kinks, abs=1e-6)
    assert [jump.z for jump in shape.jumps] == pytest.approx(truth.jumps, abs=1e-6)
    for kink in shape.kinks:
        left, right = (slope_of(truth, kink.z + side) for side in (-1e-5, 1e-5))
        assert (kink.left, kink.right) == pytest.approx((left, right), abs=1e-3)


def slope_of(truth: Truth, z: float) -> float:
    """The derivative by differences in 30 digits."""
    with mpmath.workdps(30):
        return float(mpmath.diff(lambda x: truth.truth(mpmath, x), mpmath.mpf(z), h=mpmath.mpf("1e-10")))


@by_name
def test_slopes_are_those_of_differences_in_thirty_digits(name):
    """At places off every kink; the curve is kept with 7 digits."""
    truth, curve = TRUTHS[name], profile_of(name).curve
    z, slope = np.array(curve.z), np.array(curve.slope)
    breaks = np.array([*truth.kinks, *truth.jumps, 99.0])
    usable = np.flatnonzero((np.abs(z) < 6) & (np.abs(z[:, None] - breaks).min(axis=1) > 1e-3) & (z != 0))
    for index in usable[:: max(len(usable) // 12, 1)]:
        assert slope[index] == pytest.approx(slope_of(truth, z[index]), rel=1e-4, abs=1e-6)


@by_name
def test_chi_under_he_is_twice_the_slopes_second_moment(name):
    """At q = 1; E f'^2 from the second definition, by quadrature."""
    truth, found = TRUTHS[name], profile_of(name).propagation

    def square(z: float) -> float:
        h = 1e-6
        return ((truth.truth(math, z + h) - truth.truth(math, z - h)) / (2 * h)) ** 2

    if truth.jumps:  # differences across a jump are no slopes
        cuts = tuple(jump + side for jump in truth.jumps for side in (-2e-6, 2e-6))
        edges = sorted({-10.0, 0.0, 10.0, *cuts})
        inner = [pair for pair in itertools.pairwise(edges) if pair[1] - pair[0] > 1e-5]
        expected = sum(
            integrate.quad(lambda z: square(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), *pair, limit=200)[0]
            for pair in inner
        )
    else:
        expected = mean_of(square, truth.kinks)
    assert found.slope_moment == pytest.approx(expected, rel=5e-3)


@by_name
def test_the_rules_that_fire_are_those_expected(name):
    assert faults(profile_of(name)) == TRUTHS[name].rules
