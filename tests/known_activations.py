"""Elementwise functions with a second, scalar definition in plain mathematics, and what the eye can read off a formula.

Range, turning points, kinks and jumps stand beside each; means, moments and slopes are computed from the second
definition by quadrature (SciPy) and by differences in 30 digits (mpmath), where they are tested.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import mpmath
import numpy as np
import tensorflow as tf
from profiles import examine_function
from scipy import optimize

from diagnose.api import ActivationProfile

INF = math.inf


@dataclass(frozen=True)
class Truth:
    """truth(m, z): the function in plain mathematics; m is `math` or `mpmath`. low, high: its range.

    monotone: None if it turns. turns, kinks, jumps: where. rules: those that fire above a note.
    """

    f: Any
    truth: Callable[[Any, Any], Any]
    low: float
    high: float
    monotone: str | None = "increasing"
    turns: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    rules: frozenset[str] = frozenset()


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
    # |z| < 0.47: a slope under a tenth of 2.39; 36 % of the mass. At small q, E f^2 falls like q^5: to 0 in 8 layers.
    "tanh of a power": Truth(
        lambda z: tf.tanh(z**5),
        lambda m, z: m.tanh(z**5),
        -1,
        1,
        rules=frozenset({"flat-activation", "unstable-signal"}),
    ),
    # slope 2.5 at 0, under 0.025 for |z| > 0.6: 55 %
    "steep sigmoid": Truth(
        lambda z: tf.sigmoid(10 * z), lambda m, z: sigma(m, 10 * z), 0, 1, rules=frozenset({"saturating-activation"})
    ),
    # slope 3 z^2: 48 at 4, under 2.7 for |z| < 0.95; E z^6 = 15, so each layer takes q to 15 q^3
    "cube": Truth(
        lambda z: z**3,
        lambda m, z: z**3,
        -INF,
        INF,
        rules=frozenset({"flat-activation", "steep-activation", "unstable-signal"}),
    ),
    "jump": Truth(
        lambda z: tf.where(z > 0.7, z + 1, 0.5 * z),
        lambda m, z: z + 1 if z > 0.7 else z / 2,
        -INF,
        INF,
        jumps=(0.7,),
        rules=frozenset({"discontinuous-activation"}),
    ),
}  # fmt: skip


@functools.cache
def profile_of(name: str) -> ActivationProfile:
    return examined(TRUTHS[name].f)


def examined(f: Any) -> ActivationProfile:
    """Without the cost and what serialization makes of it, which `test_profile_facts` looks at."""
    return examine_function(f, dtype="float32", quick=True)
