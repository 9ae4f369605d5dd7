"""A watched training is the same training: weights, optimizer and statistics are bit for bit equal with and without.

Each case builds its model and data from one seed, fits it twice, and compares every variable, and the random numbers
that are drawn next. Things that have nothing to do with each other share a case, since each takes seconds. The promise
is for the CPU; on a GPU two bare runs may differ already.
"""

from __future__ import annotations

import random
import tempfile
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from sweeps import quick
from watched_fits import ready

from diagnose.callbacks import TrainingMonitor, watch

SAMPLES = 90  # with batches of 16: five full ones and a short one


def features(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((SAMPLES, *shape)).astype("float32")


def classes(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, count, SAMPLES)


def state_of(model) -> list[np.ndarray]:
    variables = list(model.variables)
    for value in vars(model).values():
        if isinstance(value, keras.optimizers.Optimizer):
            variables += value.variables
    counted = [np.array(getattr(model, "calls", 0))]  # a user's own counter must not be counted up by our tracing
    return counted + [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same_state(bare, watched) -> None:
    assert len(bare) == len(watched) > 2
    for one, other in zip(bare, watched, strict=True):
        np.testing.assert_array_equal(one, other)


def seeded() -> None:
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)


def mlp(**compiled):
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(12, "tanh"), layers.Dense(12, "relu"), layers.Dense(3, "softmax")]
    )
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**options, **compiled})
    ready(model)
    return model


def fit(model, callbacks, x=None, y=None, **options):
    options = {"epochs": 3, "batch_size": 16, "verbose": 0, **options}
    if x is None:
        x, y = features(6), classes(3)
    model.fit(x, y, callbacks=callbacks, **options)
    return model


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, "elu")
        self.drop = layers.Dropout(0.4)
        self.answer = layers.Dense(3)
        self.calls = 0
        self.seen = tf.Variable(0.0, trainable=False)

    def call(self, x, training=False):
        return self.answer(self.drop(watch(tf.sin, name="wave")(self.hidden(x)), training=training))

    def train_step(self, data):
        self.calls += 1
        self.seen.assign_add(1.0)
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def sometimes_infinite(y, p):
    """Infinite in the short last batch, without an effect on the gradient: the weights stay finite."""
    crossed = keras.losses.sparse_categorical_crossentropy(y, p)
    return crossed + tf.where(tf.shape(y)[0] < 16, tf.math.log(0.0) * tf.stop_gradient(-1.0), 0.0)


class TwoNetworks(keras.Model):
    """A small GAN: two networks, two optimizers, noise drawn inside the step."""

    def __init__(self):
        super().__init__()
        self.maker = keras.Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dense(6, "tanh")])
        self.critic = keras.Sequential([layers.Input((6,)), layers.Dense(8, "leaky_relu"), layers.Dense(1)])
        self.maker_optimizer = keras.optimizers.Adam(1e-3)
        self.critic_optimizer = keras.optimizers.Adam(2e-3)
        self.score = keras.losses.BinaryCrossentropy(from_logits=True)
        self.noise = keras.random.SeedGenerator(3)

    def call(self, x):
        return self.critic(x)

    def train_step(self, real):
        noise = keras.random.normal((tf.shape(real)[0], 4), seed=self.noise)
        with tf.GradientTape() as tape:
            told, made = self.critic(real), self.critic(self.maker(noise))
            loss = self.score(tf.ones_like(told), told) + self.score(tf.zeros_like(made), made)
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        with tf.GradientTape() as tape:
            told = self.critic(self.maker(noise))
            cheated = self.score(tf.ones_like(told), told)
        variables = self.maker.trainable_variables
        self.maker_optimizer.apply_gradients(zip(tape.gradient(cheated, variables), variables, strict=True))
        return {"critic_loss": loss, "maker_loss": cheated}


class EagerNoise(layers.Layer):
    def call(self, x, training=False):
        return x + 0.1 * tf.random.normal(tf.shape(x)) if training else x


class Numbers(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        rows = slice(index * 16, index * 16 + 16)
        return features(6)[rows], classes(3)[rows]


def case_mlp(callbacks):
    return fit(mlp(), callbacks, validation_split=0.2)


def case_convolutions(callbacks):
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return fit(model, callbacks, features(8, 8, 3), classes(3))


def case_xla(callbacks):
    return fit(mlp(jit_compile=True), callbacks)


def case_seven_steps_an_execution(callbacks):
    return fit(mlp(steps_per_execution=7), callbacks, batch_size=8)


def case_eager(callbacks):
    return fit(mlp(run_eagerly=True), callbacks, epochs=1)


def case_accumulation_and_sample_weights(callbacks):
    model = mlp(optimizer=keras.optimizers.Adam(gradient_accumulation_steps=4))
    return fit(model, callbacks, features(6), classes(3), sample_weight=np.linspace(0, 2, SAMPLES))


def case_moving_average_and_class_weights(callbacks):
    model = mlp(optimizer=keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=5))
    return fit(model, callbacks, class_weight={0: 1.0, 1: 0.5, 2: 3.0})


def case_mixed_precision(callbacks):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return fit(mlp(), callbacks)
    finally:
        keras.config.set_dtype_policy("float32")


def case_subclassed_with_own_step(callbacks):
    model = OwnStep()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return fit(model, callbacks)


def case_several_inputs_and_outputs(callbacks):
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    both = layers.Concatenate()([layers.Dense(8, "gelu")(left), layers.Dense(8, "silu")(right)])
    outputs = {"kind": layers.Dense(3, "softmax", name="kind")(both), "size": layers.Dense(1, name="size")(both)}
    model = keras.Model({"left": left, "right": right}, outputs)
    model.compile("rmsprop", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"kind": ["accuracy"]})
    return fit(model, callbacks, {"left": features(6), "right": features(4)}, {"kind": classes(3), "size": features(1)})


def own_bend(z):
    return z * tf.sigmoid(1.5 * z)


class Bends(keras.Model):
    """Activations kept as attributes: of the model, used twice, and of a layer of the user's own."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.answer = layers.Dense(8), layers.Dense(8), layers.Dense(3)
        self.bend, self.wave, self.stretch = own_bend, tf.function(tf.sin), lambda x, factor: factor * x
        self.noise = lambda x: x + 0.1 * tf.random.normal(tf.shape(x)) + 0.1 * keras.random.normal(tf.shape(x))

    def call(self, x):
        x = self.noise(self.bend(self.second(self.bend(self.first(x)))))
        return self.answer(self.wave(self.stretch(x, 2.0)))


def case_attributes(callbacks):
    model = Bends()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kept = (model.bend, model.wave, model.stretch)
    fit(model, callbacks)
    assert kept == (model.bend, model.wave, model.stretch) and kept[0] is own_bend
    return model


def case_recurrent_with_a_function_of_ones_own(callbacks):
    recurrent = [layers.LSTM(6, return_sequences=True), layers.GRU(6, activation=own_bend)]
    model = keras.Sequential([layers.Input((5, 3)), *recurrent, layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return fit(model, callbacks, features(5, 3), classes(3))


def case_own_function_between_random_layers(callbacks):
    """Asking whether the layer with the function saves draws no seed, and gives no later layer another name."""
    model = keras.Sequential([layers.Input((6,)), layers.Dense(12, own_bend), layers.Dropout(0.3), layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, callbacks, epochs=1)
    later = keras.Sequential([layers.Input((6,)), layers.Dense(12, own_bend), layers.Dropout(0.5), layers.Dense(3)])
    assert [layer.name for layer in later.layers] == ["dense_2", "dropout_1", "dense_3"]
    later.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return fit(later, callbacks)


def case_data_set_and_early_stopping(callbacks):
    data = tf.data.Dataset.from_tensor_slices((features(6), classes(3))).shuffle(50, seed=3).batch(16).prefetch(2)
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0, restore_best_weights=True)
    return fit(mlp(), [*callbacks, stop], data, batch_size=None)


def case_second_fit(callbacks):
    model = fit(mlp(), callbacks, epochs=1)
    return fit(model, callbacks, epochs=2)


def case_generator_and_saved_while_watched(callbacks):
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/{{epoch}}.keras"
        saves = keras.callbacks.ModelCheckpoint(path)
        model = fit(mlp(), [*callbacks, saves], Numbers(), batch_size=None)
        loaded = keras.saving.load_model(path.format(epoch=3))
        for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    return model


class BreaksOff(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 4:
            raise self.error


def case_search_for_what_broke_the_loss(callbacks):
    model = fit(mlp(loss=sometimes_infinite), callbacks)
    for monitor in callbacks:
        assert monitor.run.series("weight.finite").values[-1] == 1  # it was the loss that broke
        assert monitor.diagnosis.outcome == "diverged"
    return model


def case_interrupted_and_started_again(callbacks):
    model = mlp()
    for error in (KeyboardInterrupt(), RuntimeError("the data are gone")):
        with pytest.raises(type(error)):
            fit(model, [*callbacks, BreaksOff(error)])
        for monitor in callbacks:
            assert monitor.diagnosis.outcome
            assert "StepStandIn" not in repr(model.train_function)
    return fit(model, callbacks, epochs=1)


def case_two_networks(callbacks):
    model = TwoNetworks()
    model.compile()
    return fit(model, callbacks, features(6), None)


def case_eager_random_numbers(callbacks):
    model = keras.Sequential([layers.Input((6,)), EagerNoise(), layers.Dense(8, "softplus"), layers.Dense(1)])
    model.compile("adam", "mse")
    fit(model, callbacks, features(6), features(1))
    model.compile("adam", "mse", run_eagerly=True)
    fit(model, callbacks, features(6), features(1), epochs=1)
    random_after = tf.random.normal([2]).numpy()
    model.variables[0].assign_add(tf.fill(model.variables[0].shape, random_after[0]))
    return model


def drawn() -> list[np.ndarray]:
    """What is drawn after a training: by Python, by NumPy, and by TensorFlow."""
    return [np.array(random.random()), np.random.random(1), tf.random.normal([]).numpy()]


CASES = {name.removeprefix("case_"): case for name, case in sorted(globals().items()) if name.startswith("case_")}


#: Run with each change.
FIRST = {
    "mlp",
    "xla",
    "eager",
    "mixed_precision",
    "several_inputs_and_outputs",
    "subclassed_with_own_step",
    "own_function_between_random_layers",
    "second_fit",
    "data_set_and_early_stopping",
}


@pytest.mark.parametrize("name", quick(CASES, first=FIRST))
def test_a_watched_training_is_the_same_training(name):
    case = CASES[name]
    seeded()
    bare = state_of(case([])) + drawn()
    seeded()
    monitor = TrainingMonitor(every=None if case is case_convolutions else 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        watched = state_of(case([monitor])) + drawn()
    assert_same_state(bare, watched)
    assert monitor.run.notes == []
    assert monitor.run.observations > 2
    if case is case_mlp:
        assert monitor.run.observed_steps.tolist() == list(range(0, 3 * 5, 2))


class Penalized(layers.Layer):
    def call(self, x):
        self.add_loss(1e-3 * keras.ops.mean(x**2))
        return x


class ReadsPenalties(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.read = []

    def on_epoch_end(self, epoch, logs=None):
        self.read.append([float(penalty) for penalty in self.model.losses])


def test_other_callbacks_read_the_penalties_of_the_last_step():
    """`model.losses` belongs to the model's last call, and ours come between the last step and the epoch's end."""
    read = []
    for callbacks in ([], [TrainingMonitor()]):
        seeded()
        model = keras.Sequential([layers.Input((6,)), layers.Dense(3, kernel_regularizer="l2"), Penalized()])
        model.compile("sgd", "mse", run_eagerly=True)
        fit(model, [*callbacks, reads := ReadsPenalties()], features(6), features(3), epochs=2)
        read.append(reads.read)
    assert [len(penalties) for penalties in read[0]] == [2, 2]
    assert read[0] == read[1]
