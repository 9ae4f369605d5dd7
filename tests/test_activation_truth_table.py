"""What is expected of each of ninety functions, worked out by hand or by SciPy and mpmath, never by the package.

`TRUTHS` holds elementwise functions with a second, scalar definition in plain mathematics: means, moments and slopes
are computed from that one by quadrature (SciPy) and by differences in 30 digits (mpmath). What the eye can read off a
formula (range, turning points, kinks, jumps) stands beside it. `EXPECTED` says which rules fire above a note, for sound
and for faulty functions.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import mpmath
import numpy as np
import pytest
import tensorflow as tf
from profiles import examine_function
from scipy import integrate, optimize

from diagnose.api import ActivationProfile

INF = math.inf


# --- functions whose facts are known ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """truth(m, z): the function in plain mathematics; m is `math` or `mpmath`. low, high: its range.

    monotone: None if it turns. turns, kinks, jumps: where; places: where an integral must be cut.
    """

    f: Any
    truth: Callable[[Any, Any], Any]
    low: float
    high: float
    monotone: str | None = "increasing"
    turns: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()


def sigma(m: Any, z: Any) -> Any:
    return 1 / (1 + m.exp(-z)) if z > -700 else m.exp(z)


def softplus(m: Any, z: Any) -> Any:
    return z if z > 40 else m.log1p(m.exp(z))


def phi(m: Any, z: Any) -> Any:
    return (1 + m.erf(z / m.sqrt(2))) / 2


def clip(z: Any, low: float, high: float) -> Any:
    return min(max(z, low), high)


def selu(m: Any, z: Any) -> Any:
    return 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * m.expm1(z))


def turning_point(slope: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(slope, low, high, xtol=1e-12))


def silu_slope(z: float) -> float:
    s = 1 / (1 + math.exp(-z))
    return s + z * s * (1 - s)


def mish_slope(z: float) -> float:
    return float(mpmath.diff(lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), z))


def gelu_slope(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2))) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


SILU_DIP = turning_point(silu_slope, -2.0, -1.0)
MISH_DIP = turning_point(mish_slope, -2.0, -1.0)
GELU_DIP = turning_point(gelu_slope, -1.5, -0.5)
HALF_PI = math.pi / 2


def prelu() -> keras.layers.Layer:
    """A PReLU of 4 units whose median slope on the left is 0.25."""
    layer = keras.layers.PReLU()
    layer.build((None, 4))
    layer.set_weights([np.array([0.25, 0.25, 0.25, 0.5], "float32")])
    return layer


TRUTHS = {
    "relu": Truth("relu", lambda m, z: max(z, 0), 0, INF, kinks=(0,)),
    "relu6": Truth("relu6", lambda m, z: clip(z, 0, 6), 0, 6, kinks=(0, 6)),
    "leaky_relu": Truth("leaky_relu", lambda m, z: max(z, 0.2 * z), -INF, INF, kinks=(0,)),
    "elu": Truth("elu", lambda m, z: z if z > 0 else m.expm1(z), -1, INF),
    "selu": Truth("selu", selu, -1.0507009873554805 * 1.6732632423543772, INF, kinks=(0,)),
    "celu": Truth("celu", lambda m, z: max(z, 0) + min(m.expm1(min(z, 0)), 0), -1, INF),
    "gelu": Truth("gelu", lambda m, z: z * phi(m, z), -0.16997120747990369, INF, None, (GELU_DIP,)),
    "silu": Truth("silu", lambda m, z: z * sigma(m, z), -0.27846454276107374, INF, None, (SILU_DIP,)),
    "mish": Truth("mish", lambda m, z: z * m.tanh(softplus(m, z)), -0.30884341, INF, None, (MISH_DIP,)),
    "softplus": Truth("softplus", softplus, 0, INF),
    "softsign": Truth("softsign", lambda m, z: z / (1 + abs(z)), -1, 1),
    "tanh": Truth("tanh", lambda m, z: m.tanh(z), -1, 1),
    "sigmoid": Truth("sigmoid", sigma, 0, 1),
    "log_sigmoid": Truth("log_sigmoid", lambda m, z: -softplus(m, -z), -INF, 0),
    "hard_sigmoid": Truth("hard_sigmoid", lambda m, z: clip(z / 6 + 0.5, 0, 1), 0, 1, kinks=(-3, 3)),
    # z (z + 3) / 6 within |z| <= 3: least at -1.5, where it is -0.375
    "hard_silu": Truth("hard_silu", lambda m, z: z * clip(z / 6 + 0.5, 0, 1), -0.375, INF, None, (-1.5,), (-3, 3)),
    "hard_tanh": Truth("hard_tanh", lambda m, z: clip(z, -1, 1), -1, 1, kinks=(-1, 1)),
    "hard_shrink": Truth("hard_shrink", lambda m, z: z if abs(z) > 0.5 else 0, -INF, INF, jumps=(-0.5, 0.5)),
    "soft_shrink": Truth("soft_shrink", lambda m, z: z - clip(z, -0.5, 0.5), -INF, INF, kinks=(-0.5, 0.5)),
    "tanh_shrink": Truth("tanh_shrink", lambda m, z: z - m.tanh(z), -INF, INF),
    "squareplus": Truth("squareplus", lambda m, z: (z + m.sqrt(z * z + 4)) / 2, 0, INF),
    "sparse_plus": Truth("sparse_plus", lambda m, z: 0 if z <= -1 else (z + 1) ** 2 / 4 if z < 1 else z, 0, INF),
    "sparse_sigmoid": Truth("sparse_sigmoid", lambda m, z: clip((z + 1) / 2, 0, 1), 0, 1, kinks=(-1, 1)),
    "exponential": Truth("exponential", lambda m, z: m.exp(z), 0, INF),
    "linear": Truth("linear", lambda m, z: z, -INF, INF),
    "threshold": Truth(
        functools.partial(keras.activations.threshold, threshold=1.0, default_value=0.0),
        lambda m, z: z if z > 1 else 0,
        0,
        INF,
        jumps=(1,),
    ),
    "arctan": Truth(tf.atan, lambda m, z: m.atan(z), -HALF_PI, HALF_PI),
    "asinh": Truth(tf.asinh, lambda m, z: m.asinh(z), -INF, INF),
    "absolute": Truth(tf.abs, lambda m, z: abs(z), 0, INF, None, (0,), (0,)),
    "gaussian": Truth(lambda z: tf.exp(-z * z), lambda m, z: m.exp(-z * z), 0, 1, None, (0,)),
    "sine": Truth(tf.sin, lambda m, z: m.sin(z), -1, 1, None, (-3 * HALF_PI, -HALF_PI, HALF_PI, 3 * HALF_PI)),
    "snake": Truth(lambda z: z + tf.sin(z) ** 2, lambda m, z: z + m.sin(z) ** 2, -INF, INF),
    "softplus of ops": Truth(lambda z: keras.ops.softplus(2 * z) / 2, lambda m, z: softplus(m, 2 * z) / 2, 0, INF),
    "LeakyReLU layer": Truth(
        keras.layers.LeakyReLU(negative_slope=0.1), lambda m, z: max(z, 0.1 * z), -INF, INF, kinks=(0,)
    ),
    "ReLU layer with a lid": Truth(keras.layers.ReLU(max_value=6.0), lambda m, z: clip(z, 0, 6), 0, 6, kinks=(0, 6)),
    "ELU layer": Truth(
        keras.layers.ELU(alpha=0.5), lambda m, z: z if z > 0 else 0.5 * m.expm1(z), -0.5, INF, kinks=(0,)
    ),
    "PReLU layer": Truth(prelu(), lambda m, z: max(z, 0.25 * z), -INF, INF, kinks=(0,)),
    "tf.function": Truth(tf.function(lambda z: 1.5 * tf.tanh(z)), lambda m, z: 1.5 * m.tanh(z), -1.5, 1.5),
    "decreasing": Truth(lambda z: -2.0 * tf.tanh(z), lambda m, z: -2 * m.tanh(z), -2, 2, "decreasing"),
    # faulty ones, whose facts are no less certain
    "tanh of a power": Truth(lambda z: tf.tanh(z**5), lambda m, z: m.tanh(z**5), -1, 1),
    "steep sigmoid": Truth(lambda z: tf.sigmoid(10 * z), lambda m, z: sigma(m, 10 * z), 0, 1),
    "cube": Truth(lambda z: z**3, lambda m, z: z**3, -INF, INF),
    "jump": Truth(
        lambda z: tf.where(z > 0.7, z + 1, 0.5 * z), lambda m, z: z + 1 if z > 0.7 else z / 2, -INF, INF, jumps=(0.7,)
    ),
}  # fmt: skip


@functools.cache
def profile_of(name: str) -> ActivationProfile:
    return examined(TRUTHS[name].f)


def examined(f: Any) -> ActivationProfile:
    """Without the cost and what serialization makes of it, which `test_profile` looks at."""
    return examine_function(f, dtype="float32", quick=True)


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


# --- which rules fire ------------------------------------------------------------------------------------------------


def captured() -> Callable[[Any], Any]:
    alpha = tf.Variable(0.25)
    return lambda z: tf.where(z > 0, z, alpha * z)


def counting() -> Callable[[Any], Any]:
    calls: list[int] = []

    def f(z: Any) -> Any:
        calls.append(1)
        return z * float(len(calls))

    return f


def drifting() -> Callable[[Any], Any]:
    calls: list[int] = []

    def f(z: Any) -> Any:
        calls.append(1)
        return tf.tanh(z) * (1.0 if len(calls) < 30 else 0.9)

    return f


def changing_state() -> Callable[[Any], Any]:
    count = tf.Variable(0.0, trainable=False)

    def f(z: Any) -> Any:
        count.assign_add(1.0)
        return tf.tanh(z)

    return f


def with_gradient(value: Callable[[Any], Any], gradient: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    @tf.custom_gradient
    def f(z: Any) -> Any:
        return value(z), lambda upstream: gradient(upstream, z)

    return f


def tanh_slope(z: Any) -> Any:
    return 1 - tf.tanh(z) ** 2


def raising_far_out(z: Any) -> Any:
    tf.debugging.assert_less(tf.abs(z), tf.cast(50.0, z.dtype))
    return tf.tanh(z)


def of_rank_three(z: Any) -> Any:
    if z.shape.rank != 3:
        raise ValueError(f"expected (batch, time, features), got {z.shape}")
    return tf.tanh(z)


def printing(z: Any) -> Any:
    print("in here")
    return tf.tanh(z)


def outer(z: Any) -> Any:
    flat = tf.reshape(z, [-1])
    return tf.reshape(flat + 0 * tf.reduce_sum(flat[:, None] * flat[None, :], axis=1), tf.shape(z))


class Swish(keras.layers.Layer):
    """A layer of a user's own, with a trained parameter for each unit."""

    def build(self, shape: Any) -> None:
        self.beta = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, z: Any) -> Any:
        return z * keras.ops.sigmoid(self.beta * z)


class WithoutConfig(keras.layers.Layer):
    """A layer that get_config does not describe."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def call(self, z: Any) -> Any:
        return keras.ops.tanh(self.scale * z)


#: name: (function, rules that fire above a note). The facts behind each are in the comment, worked out by hand.
EXPECTED: dict[str, tuple[Any, set[str]]] = {
    **{
        name: (truth.f, set())
        for name, truth in TRUTHS.items()
        if name not in ("tanh of a power", "steep sigmoid", "cube", "jump")
    },
    "softmax": ("softmax", set()),
    "log_softmax": ("log_softmax", set()),
    "glu": ("glu", set()),
    "sparsemax": ("sparsemax", set()),
    "Softmax layer": (keras.layers.Softmax(), set()),
    "unit norm": (lambda z: tf.math.l2_normalize(z, axis=-1, epsilon=1e-6), set()),
    "layer of a user": (Swish(), set()),
    "layer without a config": (WithoutConfig(1.0), set()),
    "dropout layer": (keras.layers.Dropout(0.5), set()),
    "batch normalization": (keras.layers.BatchNormalization(), set()),
    "tf.function, jitted": (tf.function(lambda z: tf.nn.elu(z), jit_compile=True), set()),
    "straight-through round": (lambda z: z + tf.stop_gradient(tf.round(z) - z), set()),
    "double where": (lambda z: tf.where(z > 0, z, tf.math.expm1(tf.where(z > 0, tf.zeros_like(z), z))), set()),
    "printing": (printing, set()),
    "of rank three": (of_rank_three, set()),
    "crelu": (lambda z: tf.concat([tf.nn.relu(z), tf.nn.relu(-z)], axis=-1), set()),
    # faulty from here on
    # |z| < 0.47: a slope under a tenth of 2.39; 36 % of the mass. At small q, E f^2 falls like q^5: to 0 in 8 layers.
    "tanh of a power": (TRUTHS["tanh of a power"].f, {"flat-activation", "unstable-signal"}),
    # slope 2.5 at 0, under 0.025 for |z| > 0.6: 55 %
    "steep sigmoid": (TRUTHS["steep sigmoid"].f, {"saturating-activation"}),
    # slope 30, turning each 0.105
    "fast sine": (lambda z: tf.sin(30 * z), {"non-monotonic-activation", "steep-activation"}),
    # turning at 0.52, 1.57, 2.62; slope 3
    "sine of three": (lambda z: tf.sin(3 * z), {"non-monotonic-activation"}),
    # slope 3 z^2: 48 at 4, under 2.7 for |z| < 0.95; E z^6 = 15, so each layer takes q to 15 q^3
    "cube": (TRUTHS["cube"].f, {"flat-activation", "steep-activation", "unstable-signal"}),
    # slope 5 z^4: 1280 at 4; under 40.5 for |z| < 1.69: 91 %
    "fifth power": (lambda z: z**5, {"flat-activation", "steep-activation", "unstable-signal"}),
    # slope 2 z: 8 at 4, under 0.6 for |z| < 0.3: 24 %; E z^4 = 3, so q goes to 3 q^2 or more
    "square": (tf.square, {"unstable-signal"}),
    # slope 20 at 0, under 0.2 for |z| > 0.15: 88 %
    "steep tanh": (lambda z: tf.tanh(20 * z), {"saturating-activation", "steep-activation"}),
    "narrow gaussian": (lambda z: tf.exp(-((10 * z) ** 2)), {"saturating-activation"}),
    # flat for z < 2: 98 % of the mass; E f^2 = 0.0058, so each layer loses more
    "shifted relu": (lambda z: tf.nn.relu(z - 2), {"flat-activation", "unstable-signal"}),
    "relu cut at a thousandth": (
        lambda z: tf.clip_by_value(z, 0.0, 1e-3),
        {"badly-scaled-activation", "saturating-activation", "unstable-signal"},
    ),
    "times 1e5": (lambda z: 1e5 * z, {"badly-scaled-activation", "steep-activation", "unstable-signal"}),
    "times 1e-3": (lambda z: 1e-3 * z, {"badly-scaled-activation", "unstable-signal"}),
    "jump": (TRUTHS["jump"].f, {"discontinuous-activation"}),
    "elu by hand": (lambda z: tf.where(z > 0, z, tf.exp(z) - 1), {"nan-gradient-activation"}),
    "softplus by hand": (lambda z: tf.math.log(1 + tf.exp(z)), {"overflowing-activation"}),
    "exp of a square": (
        lambda z: tf.exp(z * z),
        {"overflowing-activation", "steep-activation", "unstable-signal", "flat-activation", "badly-scaled-activation"},
    ),
    # exp(-z) is infinite from z = -88.7 down; 1 / inf is a fine 0, but its slope is inf / inf^2
    "sigmoid by hand": (lambda z: 1 / (1 + tf.exp(-z)), {"nan-gradient-activation"}),
    "root": (lambda z: tf.sqrt(tf.abs(z)), {"nan-gradient-activation", "steep-activation"}),
    "root with epsilon": (lambda z: tf.sqrt(tf.abs(z) + 0.01), set()),
    # a step: its slope is 0 but for rounding
    "sign by division": (lambda z: z / tf.abs(z), {"overflowing-activation", "gradientless-activation"}),
    "z over z": (lambda z: z / z, {"overflowing-activation", "constant-activation"}),
    "logarithm": (tf.math.log, {"overflowing-activation", "steep-activation", "unstable-signal"}),
    "round": (tf.round, {"gradientless-activation"}),
    "sign": (tf.sign, {"gradientless-activation"}),
    "floor": (tf.floor, {"gradientless-activation"}),
    "stopped": (lambda z: tf.stop_gradient(tf.tanh(z)), {"gradientless-activation"}),
    "integers": (lambda z: tf.cast(z, tf.int32), {"gradientless-activation", "dtype-changing-activation"}),
    "one hot": (lambda z: tf.one_hot(tf.argmax(z, -1), tf.shape(z)[-1], dtype=z.dtype), {"gradientless-activation"}),
    "wrong sign": (with_gradient(tf.tanh, lambda u, z: -u * tanh_slope(z)), {"wrong-gradient-activation"}),
    "wrong scale": (with_gradient(tf.tanh, lambda u, z: 2 * u * tanh_slope(z)), {"wrong-gradient-activation"}),
    "a relu with no upstream": (
        with_gradient(tf.nn.relu, lambda u, z: tf.cast(z > 0, z.dtype)),
        {"wrong-gradient-activation"},
    ),
    "no upstream": (with_gradient(tf.tanh, lambda u, z: tanh_slope(z)), {"wrong-gradient-activation"}),
    "constant": (lambda z: 0.0 * z + 3.0, {"constant-activation"}),
    "softmax over the batch": (lambda z: tf.nn.softmax(z, axis=0), {"mixing-activation"}),
    "less the mean of all": (lambda z: z - tf.reduce_mean(z), {"mixing-activation"}),
    "sum of all": (tf.reduce_sum, {"mixing-activation"}),
    "running sum": (lambda z: tf.cumsum(z, axis=-1), {"mixing-activation"}),
    "neighbour": (lambda z: z - tf.roll(z, 1, axis=-1), {"mixing-activation"}),
    "one more axis": (lambda z: z[..., None], {"mixing-activation"}),
    "noise": (lambda z: z + tf.random.normal(tf.shape(z), dtype=z.dtype), {"impure-activation"}),
    "counting": (counting(), {"impure-activation"}),
    "drifting": (drifting(), {"impure-activation"}),
    "changing state": (changing_state(), {"impure-activation"}),
    "captured parameter": (captured(), {"untracked-parameter"}),
    "always float32": (lambda z: tf.tanh(tf.cast(z, tf.float32)), {"dtype-changing-activation"}),
    "through NumPy": (np.tanh, {"failing-activation"}),
    "nothing": (lambda z: None, {"failing-activation"}),
    "a list": (lambda z: [z], {"failing-activation"}),
    "strings": (tf.as_string, {"failing-activation"}),
    "complex": (lambda z: tf.cast(z, tf.complex64), {"failing-activation"}),
    "two arguments": (lambda z, a: z * a, {"failing-activation"}),
    "raising far out": (raising_far_out, {"failing-activation"}),
    "too large": (lambda z: z + tf.reduce_sum(tf.zeros([200_000, 200_000])), {"failing-activation"}),
    "too large, in NumPy": (lambda z: z + np.ones((10**6, 10**6)).sum(), {"failing-activation"}),
    "Python's if": (lambda z: z if float(tf.reduce_max(z)) > -1e30 else -z, {"failing-activation"}),
}  # fmt: skip


def test_the_table_holds_what_was_promised():
    faulty = [name for name, (_, rules) in EXPECTED.items() if rules]
    assert len(EXPECTED) >= 90 and len(faulty) >= 40


def test_every_activation_of_keras_is_in_the_table():
    from diagnose.comparing import keras_activations

    names = {(getattr(f, "func", None) and f.func.__name__) or f for f in keras_activations()}
    assert names <= set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_rules_that_fire_are_those_expected(name):
    f, rules = EXPECTED[name]
    found = profile_of(name) if name in TRUTHS else examined(f)
    assert {finding.rule for finding in found.findings if finding.severity != "note"} == rules
    assert [verdict for verdict in found.not_measured if "the rule itself failed" in verdict.reason] == []
    for finding in found.findings:
        assert finding.message and finding.remedy and finding.refute and finding.blames[0] == "activation"
