"""What must hold for any function: planted features are found where they lie, and scaling and shifting do what they
should."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import quick_profile

from diagnose.api import ActivationProfile

#: One profile takes about 0.2 s, so a few well chosen examples each; derandomized, so that a failure comes back.
FEW = settings(
    max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
#: Off the dense look's grid on purpose: what lies between two points must be found too.
places = st.floats(-3.7, 3.7).map(lambda z: z + 1.23e-5)
CLOSE = 1e-3


def spline(knots: np.ndarray, slopes: np.ndarray) -> Any:
    """A rising function: the integral of a piecewise linear slope that is never negative, straight beyond the knots."""
    steps = np.diff(knots)
    heights = np.concatenate([[0.0], np.cumsum(steps * (slopes[1:] + slopes[:-1]) / 2)])

    def f(z: Any) -> Any:
        dtype = z.dtype
        x = tf.clip_by_value(z, tf.cast(knots[0], dtype), tf.cast(knots[-1], dtype))
        index = tf.clip_by_value(
            tf.searchsorted(knots.astype(dtype.as_numpy_dtype), tf.reshape(x, [-1]), side="right") - 1,
            0,
            len(knots) - 2,
        )
        index = tf.reshape(index, tf.shape(z))
        low, step = (tf.gather(tf.constant(row, dtype), index) for row in (knots[:-1], steps))
        base, left, right = (
            tf.gather(tf.constant(row, dtype), index) for row in (heights[:-1], slopes[:-1], slopes[1:])
        )
        t = x - low
        inside = base + left * t + (right - left) * t * t / (2 * step)
        ends = tf.cast(slopes[0], dtype) * tf.minimum(z - x, 0) + tf.cast(slopes[-1], dtype) * tf.maximum(z - x, 0)
        return inside + ends

    return f


def ends(intervals: Any) -> list[float]:
    return [end for interval in intervals for end in (interval.low, interval.high)]


@pytest.mark.sweep
@FEW
@given(st.lists(st.floats(0.0, 3.0), min_size=5, max_size=9), st.integers(0, 10_000))
def test_a_rising_spline_has_no_turning_point(slopes, seed):
    """Stretches of slope 0 among them."""
    cuts = np.sort(np.random.default_rng(seed).uniform(-6, 6, len(slopes)))
    knots = cuts + 0.05 * np.arange(len(slopes))
    slopes = np.array(slopes)
    slopes[slopes < 0.05] = 0.0
    slopes[-1] += 0.1
    found = quick_profile(spline(knots, slopes))
    assert found.shape.turns == () and found.shape.monotone == "increasing"


@FEW
@given(st.floats(-8, 8).map(lambda power: 2.0**power), st.booleans())
def test_scaling_f_scales_its_slopes(size, negative):
    factor = -size if negative else size
    one, scaled = quick_profile(tf.nn.gelu).shape, quick_profile(lambda z: factor * tf.nn.gelu(z)).shape
    assert scaled.largest_slope == pytest.approx(size * one.largest_slope, rel=1e-6)
    assert scaled.std == pytest.approx(size * one.std, rel=1e-9)
    assert [turn.z for turn in scaled.turns] == pytest.approx([turn.z for turn in one.turns], abs=1e-6)
    assert ends(scaled.flats) == pytest.approx(ends(one.flats), abs=1e-6)


@FEW
@given(st.floats(-2.0, 2.0))
def test_shifting_z_shifts_the_intervals(shift):
    """A trapezoid whose flats end at -1, 0, 1 and 2 before the shift."""

    def trapezoid(z: Any) -> Any:
        return tf.clip_by_value(z + 1.0, 0.0, 1.0) - tf.clip_by_value(z - 1.0, 0.0, 1.0)

    shape = quick_profile(lambda z: trapezoid(z - shift)).shape
    assert ends(shape.flats) == pytest.approx(
        [-math.inf, -1 + shift, 0 + shift, 1 + shift, 2 + shift, math.inf], abs=CLOSE
    )
    assert [kink.z for kink in shape.kinks] == pytest.approx([-1 + shift, shift, 1 + shift, 2 + shift], abs=CLOSE)
    assert [turn.z for turn in shape.turns] == pytest.approx([shift + 0.5], abs=CLOSE)  # the middle of the plateau


@FEW
@given(places, st.floats(0.1, 3.0), st.floats(-2.0, 2.0))
def test_a_planted_kink_is_found(place, left, change):
    change = math.copysign(max(abs(change), 0.1), change)
    shape = quick_profile(lambda z: left * (z - place) + change * tf.nn.relu(z - place)).shape
    assert [kink.z for kink in shape.kinks] == pytest.approx([place], abs=CLOSE)
    assert (shape.kinks[0].left, shape.kinks[0].right) == pytest.approx((left, left + change), abs=1e-3)


@FEW
@given(places, st.floats(-2.0, 2.0))
def test_a_planted_jump_is_found(place, height):
    height = math.copysign(max(abs(height), 0.05), height)
    shape = quick_profile(lambda z: tf.tanh(z) + tf.where(z > place, tf.cast(height, z.dtype), 0)).shape
    assert [jump.z for jump in shape.jumps] == pytest.approx([place], abs=CLOSE)
    assert shape.jumps[0].above - shape.jumps[0].below == pytest.approx(height, abs=1e-4)
    assert shape.lipschitz == math.inf


@FEW
@given(places, st.floats(0.01, 1.0))
def test_a_planted_flat_is_found(place, width):
    shape = quick_profile(lambda z: z - tf.clip_by_value(z - place, 0.0, width)).shape
    (flat,) = shape.flats
    assert (flat.low, flat.high) == pytest.approx((place, place + width), abs=CLOSE)


@FEW
@given(places)
def test_a_spike_a_thousandth_wide_is_found(place):
    """Between two round numbers, on a function of slope 1."""
    shape = quick_profile(lambda z: z + 0.1 * tf.nn.relu(1 - tf.abs(z - place) / 5e-4)).shape
    assert min(abs(turn.z - place) for turn in shape.turns) < CLOSE
    assert shape.largest_slope == pytest.approx(1 + 0.1 / 5e-4, rel=1e-3) and abs(shape.steepest - place) < CLOSE


@FEW
@given(places)
def test_a_planted_vertical_slope_is_found(place):
    """A root of |z - place|: its slope has no bound there, and autodiff none at all at the very point."""
    found = quick_profile(lambda z: tf.sqrt(tf.abs(z - place)))
    assert [round(z - place, 3) for z in found.shape.singular] == [0.0]


@FEW
@given(places, st.floats(1e-3, 0.5))
def test_a_planted_stretch_of_nan_is_found(place, width):
    nan = float("nan")
    found = quick_profile(lambda z: tf.where((z > place) & (z < place + width), tf.cast(nan, z.dtype), z))
    (gap,) = found.numerics[0].forward
    assert (gap.low, gap.high) == pytest.approx((place, place + width), abs=CLOSE)


@FEW
@given(places)
def test_a_pole_is_found(place):
    """The divisor is 0 at one float32 number, or at none: then the slope gives the pole away."""
    found = quick_profile(lambda z: 1 / (z - place))
    assert [round(z - place, 3) for z in found.shape.singular] == [0.0]


@FEW
@given(st.integers(-3700, 3700))
def test_a_nan_at_one_round_number_is_found(thousandths):
    """A single number: the decimals to three places are all tried."""
    place = thousandths / 1000
    found = quick_profile(lambda z: tf.where(tf.equal(z, tf.cast(place, z.dtype)), tf.cast(float("nan"), z.dtype), z))
    (gap,) = found.numerics[0].forward
    assert (gap.low, gap.high) == pytest.approx((place, place), abs=1e-6)


@FEW
@given(st.floats(0.05, 20.0))
def test_the_point_of_overflow_is_bisected(rate):
    """exp(rate z) is finite as long as rate z is below ln of float32's largest number."""
    found = quick_profile(lambda z: tf.exp(rate * z))
    bound = math.log(float(np.finfo(np.float32).max)) / rate
    (gap,) = found.numerics[0].forward
    assert gap.low == pytest.approx(bound, rel=1e-6) and gap.high == math.inf


@FEW
@given(st.floats(-5, 5), st.floats(0.1, 5), st.sampled_from([tf.nn.relu, tf.tanh, tf.nn.gelu, tf.nn.softplus]))
def test_a_profile_comes_back_from_plain_types(shift, scale, base):
    found = quick_profile(lambda z: scale * base(z - shift))
    again = ActivationProfile.from_dict(found.to_dict())
    assert again.to_json() == found.to_json() and again.findings == found.findings
