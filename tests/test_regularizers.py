"""The spectral norm penalty against a singular value decomposition, finite differences, and in a real fit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import diagnose
from diagnose.callbacks import TrainingMonitor
from diagnose.regularizers import SpectralNorm

rng = np.random.default_rng(0)


def by_svd(kernel: np.ndarray, coefficient: float) -> float:
    singular = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
    return coefficient / 2 * float(singular[0]) ** 2


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (32, 32), (1, 4), (4, 1), (3, 3, 8, 16), (5, 4, 6)])
def test_the_penalty_is_half_the_squared_largest_singular_value(shape):
    kernel = rng.normal(size=shape).astype("float32")
    assert float(SpectralNorm(0.1, iterations=100)(kernel)) == pytest.approx(by_svd(kernel, 0.1), rel=0.02)


def test_by_default_the_norm_of_random_kernels_is_found_nearly_and_from_below():
    """What `ITERATIONS` says of itself."""
    own = np.random.default_rng(0)  # whichever tests drew before
    kernels = [own.normal(size=(64, 64)).astype("float32") for _ in range(20)]
    found = [float(SpectralNorm(2.0)(kernel)) ** 0.5 / by_svd(kernel, 2.0) ** 0.5 for kernel in kernels]
    assert min(found) > 0.92 and np.mean(found) > 0.98 and max(found) < 1.0001


def test_its_gradient_is_that_of_finite_differences():
    kernel, step = rng.normal(size=(6, 4)), 1e-6
    penalty = SpectralNorm(0.3, iterations=150)
    variable = tf.Variable(kernel)
    with tf.GradientTape() as tape:
        loss = penalty(variable)
    gradient = tape.gradient(loss, variable).numpy()
    for place in np.ndindex(*kernel.shape):
        moved = np.zeros_like(kernel)
        moved[place] = step
        difference = (by_svd(kernel + moved, 0.3) - by_svd(kernel - moved, 0.3)) / (2 * step)
        assert gradient[place] == pytest.approx(difference, abs=1e-5)


def test_equal_kernels_have_equal_penalties_and_zeros_have_none():
    kernel = rng.normal(size=(7, 7)).astype("float32")
    penalty = SpectralNorm(0.1)
    assert float(penalty(kernel)) == float(penalty(kernel))
    variable = tf.Variable(np.zeros((3, 3), "float32"))
    with tf.GradientTape() as tape:
        loss = penalty(variable)
    assert float(loss) == 0 and np.isfinite(tape.gradient(loss, variable)).all()


def test_half_precision_is_computed_in_float32():
    kernel = (300 * rng.normal(size=(32, 32))).astype("float16")  # its squares overflow float16
    assert float(SpectralNorm(1e-3)(kernel)) == pytest.approx(by_svd(kernel.astype("float32"), 1e-3), rel=0.08)


def test_it_holds_the_norms_down_in_a_real_fit_and_is_saved_with_the_model(tmp_path):
    x = rng.normal(size=(256, 8)).astype("float32")
    y = rng.normal(size=(256, 1)).astype("float32")

    def norms(regularizer: keras.regularizers.Regularizer | None) -> tuple[keras.Model, float]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.Input((8,)), layers.Dense(16, "relu", kernel_regularizer=regularizer), layers.Dense(1)]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        monitor = TrainingMonitor()
        model.fit(x, y, epochs=5, verbose=0, callbacks=[monitor])
        assert monitor.run.notes == []
        return model, float(np.linalg.norm(model.layers[0].kernel.numpy(), 2))

    model, held = norms(SpectralNorm(0.5))
    assert held < 0.7 * norms(None)[1]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[0].kernel_regularizer
    assert again.get_config() == {"coefficient": 0.5, "iterations": 20}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"coefficient": -1}, "from 0 on"), ({"coefficient": "l2"}, "number"), ({"iterations": 0}, "from 1")],
)
def test_a_bad_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        SpectralNorm(**arguments)


def test_a_bias_has_no_spectral_norm():
    with pytest.raises(ValueError, match=r"for kernels, and got a weight of shape \(3,\)"):
        SpectralNorm()(np.ones(3, "float32"))


def test_it_is_found_where_the_package_is():
    assert diagnose.regularizers.SpectralNorm is SpectralNorm
