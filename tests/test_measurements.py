"""What is read inside the shadow step equals the same number found on another road: a tape of our own, plain NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from diagnose.callbacks import TrainingMonitor, watch
from diagnose.callbacks.measuring.slopes import saturated_share
from diagnose.callbacks.observing.reading import Curve
from diagnose.run.quantities import QUANTITIES, bend

RATE = 0.05
SIZE = 32


def folding(x):
    return tf.sin(6.0 * x)


@pytest.fixture(scope="module")
def watched():
    """A run of three SGD steps on one batch, every step observed, with the weights before each step."""
    keras.utils.set_random_seed(11)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SIZE, 5)).astype("float32") * 2
    y = rng.integers(0, 3, SIZE)
    hidden = layers.Dense(16, "tanh", name="squashed")
    dark = layers.Dense(
        10, "relu", name="dark", bias_initializer=lambda shape, dtype: tf.constant([-50.0] * 4 + [0.0] * 6)
    )
    model = keras.Sequential(
        [
            layers.Input((5,)),
            hidden,
            dark,
            layers.Dense(8, folding, name="folded"),
            layers.Dense(3, "softmax", name="answer"),
        ]
    )
    model.compile(keras.optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    weights = []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            weights.append({variable.path: variable.numpy() for variable in model.trainable_variables})

    monitor = TrainingMonitor(every=1)
    model.fit(x, y, batch_size=SIZE, epochs=3, shuffle=False, verbose=0, callbacks=[Keep(), monitor])
    weights.append({variable.path: variable.numpy() for variable in model.trainable_variables})
    return model, monitor.run, x, y, weights


def at(run, quantity, where, step=0):
    table = run.table(quantity)
    (value,) = table[(table["where"] == where) & (table["step"] == step)]["value"]
    return value


def forward(weights, x):
    """Pre-activations and activations of the four layers in plain NumPy, float64."""
    zs, a = [], x.astype(np.float64)
    outputs = []
    functions = [np.tanh, lambda z: np.maximum(z, 0), lambda z: np.sin(6 * z), None]
    names = ["squashed", "dark", "folded", "answer"]
    for name, function in zip(names, functions, strict=True):
        kernel, bias = (
            next(v for p, v in weights.items() if p.endswith(f"{name}/{part}")) for part in ("kernel", "bias")
        )
        z = a @ kernel.astype(np.float64) + bias
        if function is None:
            e = np.exp(z - z.max(axis=1, keepdims=True))
            a = e / e.sum(axis=1, keepdims=True)
        else:
            a = function(z)
        zs.append(z)
        outputs.append(a)
    return zs, outputs


def test_the_loss_is_the_batchs_own_before_its_update(watched):
    _, run, x, y, weights = watched
    for step in range(3):
        _, outputs = forward(weights[step], x)
        by_hand = -np.log(outputs[-1][np.arange(SIZE), y]).mean()
        assert at(run, "batch.loss", "", step) == pytest.approx(by_hand, rel=1e-5)
        assert at(run, "batch.loss_reported", "", step) == pytest.approx(by_hand, rel=1e-5)


def test_the_accuracy_is_the_share_of_right_answers(watched):
    _, run, x, y, weights = watched
    _, outputs = forward(weights[0], x)
    assert at(run, "batch.accuracy", "", 0) == pytest.approx((outputs[-1].argmax(axis=1) == y).mean())


def test_the_tapped_gradient_is_the_one_that_moved_the_weight(watched):
    """Plain SGD moves a weight by -rate * gradient, so the move alone reveals the gradient."""
    _, run, _, _, weights = watched
    for path, before in weights[0].items():
        moved = (before - weights[1][path]) / RATE
        assert at(run, "gradient.rms", path) == pytest.approx(np.sqrt(np.mean(moved**2)), rel=2e-3, abs=1e-7)


def test_the_update_ratio_is_the_move_over_the_weight(watched):
    _, run, _, _, weights = watched
    for path, before in weights[1].items():
        if path.endswith("kernel"):
            move = np.sqrt(np.mean((weights[2][path] - before) ** 2)) / np.sqrt(np.mean(before**2))
            assert at(run, "update.ratio", path, 1) == pytest.approx(move, rel=1e-4)


def test_a_variable_that_is_still_zero_has_no_update_ratio(watched):
    model, run, *_ = watched
    assert model.layers[0].bias.path not in set(run.table("update.ratio").query("step == 0")["where"])


def test_weights_are_measured_before_the_update(watched):
    _, run, _, _, weights = watched
    for path, value in weights[2].items():
        assert at(run, "weight.rms", path, 2) == pytest.approx(np.sqrt(np.mean(value**2)), rel=1e-5)


def test_the_spectral_norm_is_numpys(watched):
    _, run, _, _, weights = watched
    for path, kernel in weights[0].items():
        if path.endswith("kernel"):
            assert at(run, "weight.spectral_norm", path) == pytest.approx(np.linalg.norm(kernel, 2), rel=1e-3)


def test_distributions_are_numpys(watched):
    model, run, x, _, weights = watched
    zs, outputs = forward(weights[0], x)
    for layer, z, a in zip(model.layers, zs, outputs, strict=True):
        for prefix, values in (("preactivation", z), ("activation", a)):
            for name in ("mean", "std", "min", "max"):
                told = at(run, f"{prefix}.{name}", layer.path)
                assert told == pytest.approx(getattr(values, name)(), rel=1e-4, abs=1e-5)
            assert at(run, f"{prefix}.nonfinite", layer.path) == 0


def test_the_saturated_share_is_counted_by_the_slope(watched):
    """tanh's slope is under 1 % of its largest beyond |z| = atanh(sqrt(0.99)) = 2.993."""
    model, run, x, _, weights = watched
    z = forward(weights[0], x)[0][0]
    assert at(run, "activation.saturated_share", model.layers[0].path) == pytest.approx(
        np.mean(np.abs(z) > 2.993), abs=1e-6
    )


def test_a_relu_is_never_saturated_and_its_dark_units_are_dead(watched):
    model, run, *_ = watched
    assert at(run, "activation.saturated_share", model.layers[1].path) == 0
    assert at(run, "activation.dead_share", model.layers[1].path) == pytest.approx(0.4)
    assert at(run, "activation.constant_share", model.layers[1].path) >= 0.4


def test_the_falling_share_weighs_slopes_on_falling_branches(watched):
    model, run, x, _, weights = watched
    slope = 6 * np.cos(6 * forward(weights[0], x)[0][2])
    by_hand = -slope[slope < 0].sum() / np.abs(slope).sum()
    assert at(run, "activation.falling_share", model.layers[2].path) == pytest.approx(by_hand, rel=1e-3)


def test_the_gate_gain_is_what_a_tape_of_ones_own_finds(watched):
    model, run, x, y, weights = watched
    for variable in model.trainable_variables:
        variable.assign(weights[0][variable.path])
    with tf.GradientTape(persistent=True) as tape:
        a, sites = tf.constant(x), []
        for layer in model.layers:
            z = tf.matmul(a, layer.kernel) + layer.bias
            tape.watch(z)
            a = layer.activation(z)
            tape.watch(a)
            sites.append((layer, z, a))
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, a))
    for layer, z, a in sites[:-1]:
        arriving, leaving = (float(tf.sqrt(tf.reduce_mean(tape.gradient(loss, value) ** 2))) for value in (a, z))
        assert at(run, "activation.gradient_rms", layer.path) == pytest.approx(arriving, rel=1e-4)
        assert at(run, "activation.gate_gain", layer.path) == pytest.approx(leaving / arriving, rel=1e-4)


def test_where_the_loss_takes_the_logits_no_gate_gain_is_told(watched):
    model, run, *_ = watched
    assert model.layers[3].path not in run.places("activation.gate_gain")


def test_every_measured_quantity_is_in_the_table_and_in_its_range(watched):
    _, run, *_ = watched
    for quantity in run.quantities:
        values = run.table(quantity)["value"]
        assert values.between(QUANTITIES[quantity].low, QUANTITIES[quantity].high).all(), quantity


def test_skill_compares_with_the_majority(watched):
    model, run, x, y, _ = watched
    for variable in model.trainable_variables:
        variable.assign(watched[4][3][variable.path])
    right = (model.predict(x, verbose=0).argmax(axis=1) == y).mean()
    base = np.bincount(y).max() / SIZE
    assert run.series("skill.train").values[-1] == pytest.approx((right - base) / (1 - base))


def test_the_constant_loss_is_the_entropy_of_the_labels(watched):
    _, run, _, y, _ = watched
    shares = np.bincount(y) / SIZE
    assert run.series("loss.constant").values[0] == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-5)


def test_the_constant_loss_is_that_of_all_held_samples_not_of_one_batch():
    """Of one batch of eight, the labels' entropy would come out far too low."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.zeros((64, 2), "float32"), np.repeat(np.arange(4), 16)
    monitor = TrainingMonitor(every=1)
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[monitor])
    assert monitor.run.series("loss.constant").values[0] == pytest.approx(np.log(4), rel=1e-5)


def test_a_penalty_on_what_a_layer_gives_is_no_part_of_the_losses_compared():
    keras.utils.set_random_seed(0)
    penalized = layers.Dense(4, "relu", activity_regularizer=keras.regularizers.L1(100.0))
    model = keras.Sequential([layers.Input((2,)), penalized, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    x, y = np.random.default_rng(0).normal(size=(64, 2)), np.arange(64) % 2
    monitor = TrainingMonitor(every=1)
    model.fit(x, y, verbose=0, callbacks=[monitor])
    assert monitor.run.notes == [] and monitor.run.series("batch.loss").values[0] > 10
    assert monitor.run.series("loss.constant").values[0] == pytest.approx(np.log(2), rel=1e-5)
    own = keras.losses.binary_crossentropy(y, model.predict(x, verbose=0)[:, 0])
    assert monitor.run.series("loss.train").values[-1] == pytest.approx(float(own), rel=1e-4)


@pytest.mark.parametrize("confident", [1.0, 60.0])
def test_logits_that_keras_hangs_on_an_output_are_handed_on(confident):
    """A tap that dropped them would compute the loss from clipped probabilities: 13.3 for 60.0."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(2, "softmax", use_bias=False)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.layers[0].kernel.assign([[confident, 0.0], [0.0, confident]])
    x, y = np.eye(2, dtype="float32"), np.array([1, 0])
    monitor = TrainingMonitor(every=1)
    model.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0, callbacks=[monitor])
    by_hand = np.log(1 + np.exp(confident))
    assert monitor.run.series("batch.loss").values[0] == pytest.approx(by_hand, rel=1e-5)


class Shared(keras.Model):
    def __init__(self):
        super().__init__()
        self.twice = layers.Dense(4, "tanh", name="twice")
        self.gate = layers.Dense(4, "sigmoid", name="gate")
        self.answer = layers.Dense(1, name="answer")

    def call(self, x):
        a = self.twice(self.twice(x)) * self.gate(x)
        return self.answer(watch(folding, name="marked")(a))


@pytest.fixture(scope="module")
def shared():
    keras.utils.set_random_seed(0)
    model = Shared()
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    monitor = TrainingMonitor(every=1)
    model.fit(
        rng.standard_normal((64, 4)).astype("float32"),
        rng.standard_normal(64),
        epochs=1,
        verbose=0,
        callbacks=[monitor],
    )
    return model, monitor.run


def test_a_shared_layer_is_told_apart_by_call(shared):
    model, run = shared
    path = model.twice.path
    assert {path, f"{path}@2"} <= set(run.places("activation.gate_gain"))


def test_roles_come_from_the_graph(shared):
    model, run = shared
    roles = {site["where"]: site["role"] for site in run.meta["sites"]}
    assert roles[model.gate.path] == "gate"
    assert roles[model.answer.path] == "output"
    assert roles["marked"] == "hidden"
    assert roles[model.twice.path] == "hidden"


def test_a_watched_function_is_a_site_of_its_own(shared):
    assert "marked" in shared[1].places("activation.falling_share")


def test_an_activation_inside_a_loop_is_not_measured_and_says_so():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((5, 3)), layers.LSTM(4, name="memory"), layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = TrainingMonitor(every=1)
    model.fit(np.zeros((8, 5, 3), "float32"), np.zeros(8), verbose=0, callbacks=[monitor])
    run = monitor.run
    assert model.layers[0].path in run.places("activation.std")
    assert any("loop" in reason for where, reason in run.meta["unmeasured"].items() if "lstm_cell" in where)
    assert any("lstm_cell" in each.where for each in monitor.diagnosis.not_measured)


def test_a_parameter_that_the_model_owns_is_not_called_untracked():
    class Swish(keras.Model):
        def __init__(self):
            super().__init__()
            self.beta = self.add_weight(shape=(), initializer="ones", name="beta")
            self.hidden = layers.Dense(4, lambda x: x * tf.sigmoid(self.beta * x))
            self.answer = layers.Dense(1)

        def call(self, x):
            return self.answer(self.hidden(x))

    keras.utils.set_random_seed(0)
    model = Swish()
    model.compile("sgd", "mse")
    monitor = TrainingMonitor(every=1)
    model.fit(np.ones((32, 4), "float32"), np.arange(32.0), verbose=0, callbacks=[monitor])
    assert monitor.run.meta["profiles"]["<lambda>"]["captured"][0]["owner"] == model.name
    assert "untracked-parameter" not in [finding.rule for finding in monitor.diagnosis.findings]


def test_numbers_near_the_end_of_the_dtype_are_measured():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(4, "relu", kernel_initializer="ones"), layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = TrainingMonitor(every=1)
    model.fit(np.full((8, 2), 1e30, "float32"), np.zeros(8), verbose=0, callbacks=[monitor])
    assert monitor.run.notes == []
    assert monitor.run.series("preactivation.max", model.layers[0].path).values[0] == pytest.approx(2e30, rel=1e-5)


def test_the_bend_of_an_activation_is_what_a_straight_line_leaves_of_it():
    """Of ReLU at z ~ N(0, 1) a line explains 1/4 / (1/2 - 1/(2 pi)) of the variance: 0.733."""
    z = np.random.default_rng(0).normal(size=200_000)
    assert bend(z, np.maximum(z, 0)) == pytest.approx((1 - 0.7337) ** 0.5, abs=0.01)
    assert bend(z, 3 * z + 1) == pytest.approx(0, abs=1e-6)


def test_the_dark_side_of_a_function_that_overflows_on_the_other_is_one_sided_too():
    """Where the slope is no number there is no end of the curve to go by; where none is, nothing is one-sided."""
    z = np.linspace(-4, 4, 801)
    slope = np.where(z > 3, np.nan, (z > 0) * 1.0)
    assert saturated_share(slope, z, Curve(z, np.maximum(z, 0), slope)) == 0.0
    nowhere = np.full(801, np.nan)
    assert saturated_share((z > 0) * 1.0, z, Curve(z, z, nowhere)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("side", ["input", "target", "sample weight"])
def test_one_bad_sample_between_two_observations_is_found_once_the_weights_are_broken(side):
    """Sample 1,500 comes in step 46; steps 0 to 19 are observed, then 39 and 79."""
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).standard_normal((2048, 6)).astype("float32")
    y = x @ np.ones((6, 2), "float32")
    weights = np.ones((2048, 1), "float32")
    {"input": x, "target": y, "sample weight": weights}[side][1500, -1] = np.nan
    model = keras.Sequential([layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(2, name="answer")])
    model.compile("adam", "mse")
    monitor = TrainingMonitor()
    model.fit(x, y, sample_weight=weights[:, 0], batch_size=32, epochs=3, shuffle=False, verbose=0, callbacks=[monitor])
    (found,) = [cause for cause in monitor.diagnosis.causes if cause.rule == "non-finite-input"]
    assert found.since < found.evidence["first bad step"] == 64 + 46
    assert found.message.startswith(f"The {side}")


def test_a_short_training_is_seen_to_its_end():
    """The grid, and the last step, are seen although so little time leaves nothing to spend."""
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).standard_normal((1600, 6)).astype("float32")
    model = keras.Sequential([layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    monitor = TrainingMonitor(overhead=1e-6)
    model.fit(x, x[:, :1], batch_size=160, epochs=14, verbose=0, callbacks=[monitor])
    judged = monitor.run.as_planned()
    assert judged.series("batch.loss").steps.tolist() == [*range(20), 20, 29, 40, 57, 80, 114, 139]
    assert judged.series("loss.train").steps.tolist() == [*range(9, 80, 10), 119, 139]
