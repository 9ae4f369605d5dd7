"""What a profile says of a function, with its number and its place."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from profiles import faults, finding, quick_profile

from diagnose.api import profile
from diagnose.comparing import (
    compare_activations,
)
from diagnose.testing import assert_sound_activation


def test_the_hidden_nan_is_told_with_its_place_and_construct():
    """exp overflows float32 above ln(3.4e38) = 88.72; `where` takes 0 times that slope."""
    found = profile(lambda z: tf.where(z > 0, z, tf.exp(z) - 1))
    (gap,) = found.numerics[0].backward
    assert gap.low == pytest.approx(math.log(float(np.finfo(np.float32).max)), rel=1e-6) and gap.high == math.inf
    assert gap.construct == "exp in the branch of where that is not selected"
    told = finding(found, "nan-gradient-activation")
    assert "88.72" in told.message and told.severity == "warning" and "safe = where" in told.remedy


def test_a_root_at_zero_is_critical():
    """Zeros are what data holds most of."""
    found = profile(lambda z: tf.sqrt(tf.nn.relu(z)))
    told = finding(found, "nan-gradient-activation")
    assert told.severity == "critical" and "sqrt" in told.message and "epsilon" in told.remedy


def test_what_matters_is_the_dtype_asked_for():
    """exp overflows float16 above ln(65504) = 11.09; with float32 in the layer that is a note."""
    by_hand = lambda z: tf.math.log(1 + tf.exp(0.4 * z))  # noqa: E731
    assert faults(profile(by_hand, dtype="float32")) == set()
    assert "overflowing-activation" not in faults(profile(lambda z: tf.math.log(1 + tf.exp(0.2 * z)), dtype="float16"))
    assert "overflowing-activation" in faults(profile(lambda z: tf.math.log(1 + tf.exp(z)), dtype="float16"))


def test_sixteen_bit_limits_are_exact():
    """Every number of a 16-bit dtype is tried: 11.0859375 is the last float16 whose exp is finite."""
    found = profile("exponential").numerics_in("float16")
    assert found.exhaustive and found.forward[0].low == 11.09375
    with np.errstate(over="ignore"):
        assert np.isfinite(np.exp(np.float16(11.0859375))) and not np.isfinite(np.exp(np.float16(11.09375)))


def test_the_ratio_of_a_wrong_gradient_is_told():
    @tf.custom_gradient
    def halved(z: Any) -> Any:
        return tf.tanh(z), lambda upstream: 0.5 * upstream * (1 - tf.tanh(z) ** 2)

    found = profile(halved)
    assert found.gradient.ratio == pytest.approx(0.5, rel=1e-6)
    assert "by a factor of 0.5" in finding(found, "wrong-gradient-activation").message


def test_a_missing_upstream_factor_is_told():
    @tf.custom_gradient
    def deaf(z: Any) -> Any:
        return tf.tanh(z), lambda upstream: 1 - tf.tanh(z) ** 2

    assert "ignores the upstream gradient" in finding(profile(deaf), "wrong-gradient-activation").message


def test_a_captured_parameter_is_named():
    alpha = keras.Variable(0.25, name="alpha")
    found = profile(lambda z: keras.ops.where(z > 0, z, alpha * z))
    assert found.captured[0].name == "alpha" and found.captured[0].trainable
    assert "reads alpha" in finding(found, "untracked-parameter").message


def test_a_layers_own_parameter_is_no_stray():
    layer = keras.layers.PReLU()
    layer.build((None, 8))
    assert profile(layer).captured == () and profile(layer.call).captured == ()


def test_a_layer_that_differs_by_unit_is_told_so():
    layer = keras.layers.PReLU()
    layer.build((None, 3))
    layer.set_weights([np.array([0.0, 0.1, 2.0], "float32")])
    found = profile(layer)
    assert found.mixing.by_position and found.shape.lowest_slope == pytest.approx(0.1)  # the median unit


def test_a_straight_through_round_is_a_note():
    found = profile(lambda z: z + tf.stop_gradient(tf.round(z) - z))
    assert found.gradient.surrogate and finding(found, "wrong-gradient-activation").severity == "note"


def test_what_the_model_said_of_saving_becomes_a_warning():
    """A function alone is a note, since custom_objects may be given; a model that failed to clone is no guess."""
    from dataclasses import replace

    found = profile(lambda z: tf.tanh(z))
    assert finding(found, "unsavable-activation").severity == "note"
    asked = replace(found, saving=replace(found.saving, model_error="TypeError: Could not locate function"))
    assert finding(asked, "unsavable-activation").severity == "warning"


def test_a_registered_function_can_be_loaded():
    @keras.saving.register_keras_serializable(package="test_profile")
    def registered(z: Any) -> Any:
        return keras.ops.tanh(z)

    found = profile(registered)
    assert found.saving.kind == "registered" and found.saving.loads


def test_mean_field_depths_are_those_of_the_paper():
    """ReLU under He: any q is fixed, chi is 1. Under LeCun each layer halves both (Schoenholz et al. 2017)."""
    he, glorot, lecun = profile("relu").propagation.depths
    assert he.fixed == "any" and he.chi == pytest.approx(1.0, rel=1e-3) and he.signal_layers == 1000
    assert lecun.fixed == "zero" and lecun.after_8 == pytest.approx(0.5**8, rel=1e-3)
    assert lecun.signal_layers == 10 and glorot.signal_layers == 10  # 2**-10 is the first under 1/1000
    assert profile("relu").propagation.suits == "he_normal"


def test_tanh_under_he_has_the_fixed_point_of_scipy():
    from scipy import integrate, optimize

    def excess(q: float) -> float:
        second = integrate.quad(lambda z: math.tanh(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2), -10, 10)[0]
        return 2 * second / math.sqrt(2 * math.pi) - q

    (point,) = profile("tanh").propagation.depths[0].points
    assert point.q == pytest.approx(optimize.brentq(excess, 0.1, 2.0), rel=1e-4) and point.stable


def test_the_fixed_point_of_a_cube_drives_signals_away():
    """q = 15 q^3 at q = 15**-0.5 with gain 1; below it signals vanish, above it they explode."""
    depth = profile(lambda z: z**3).propagation.depths[1]
    (point,) = depth.points
    assert point.q == pytest.approx(15**-0.5, rel=1e-3) and not point.stable and depth.after_8 > 1e3


def test_bad_arguments_are_told_what_would_be_right():
    with pytest.raises(ValueError, match="dtype is 'int8'; profile knows float32"):
        profile(tf.tanh, dtype="int8")
    with pytest.raises(TypeError, match="got an int, which can't be called"):
        profile(3)
    with pytest.raises(TypeError, match=r"pass an instance: profile\(ReLU\(\)\)"):
        profile(keras.layers.ReLU)
    with pytest.raises(ValueError, match="Keras has no activation 'relo'; did you mean relu"):
        profile("relo")


@pytest.mark.parametrize("examine", [profile, compare_activations, assert_sound_activation])
def test_a_whole_model_is_refused_with_what_does_look_at_models(examine):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "relu")], name="digits")
    with pytest.raises(TypeError, match=r"got the model 'digits'.*audit\(model, x, y\).*TrainingMonitor\(\)"):
        examine(model)


def test_a_model_that_serves_as_an_activation_is_examined_in_a_training():
    assert quick_profile(keras.Sequential([keras.layers.ReLU()])).shape.low == 0


def test_another_backend_is_told(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"Keras runs on 'jax'.*KERAS_BACKEND"):
        profile("relu")


def test_an_exchange_of_channels_that_leaves_the_first_in_its_place_mixes_units():
    class Shuffle(keras.layers.Layer):
        def call(self, x):
            return keras.ops.concatenate([x[..., ::2], x[..., 1::2]], axis=-1)

    found = profile(Shuffle())
    assert found.mixing.units and "gradientless-activation" not in {finding.rule for finding in found.findings}


def test_the_curve_leaves_out_what_autodiff_picks_at_a_tie():
    """The slope of sign(z) * log(1 + |z|) is 1 on both sides of 0, and autodiff's is 0 at it."""
    curve = profile(lambda z: tf.sign(z) * tf.math.log1p(tf.abs(z))).curve
    assert curve is not None
    assert np.array(curve.slope)[np.abs(curve.z) < 0.01].min() > 0.98
