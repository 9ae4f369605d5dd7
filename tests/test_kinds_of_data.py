"""Whatever fit takes as data, targets and losses: observed, or not measured with the reason, and never changed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from diagnose.callbacks import TrainingMonitor

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Double(layers.Layer):
    def __init__(self):
        super().__init__()
        self._supports_ragged_inputs = True

    def call(self, x):
        return 2 * x


class Mean(layers.Layer):
    def call(self, x):
        return tf.reduce_mean(x, axis=1)


class Endpoint(layers.Layer):
    """The only loss of its model, by `add_loss`."""

    def call(self, z, t):
        self.add_loss(ops.mean(ops.binary_crossentropy(t, z, from_logits=True)))
        return ops.sigmoid(z)


class OwnLoss(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return tf.reduce_mean((y["wanted"] - y_pred) ** 2)


class OwnStep(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def batches(*data):
    return tf.data.Dataset.from_tensor_slices(data).batch(8)


def ragged(*shape):
    values = np.random.default_rng(1).normal(size=(48, *shape)).astype("float32")
    return tf.RaggedTensor.from_row_lengths(values, [1, 2] * 16)


def kind_ragged_inputs_and_targets():
    model = keras.Sequential([Double()])
    model.compile("adam", lambda y, p: 0)
    return model, batches(ragged(), ragged())


def kind_ragged_inputs():
    model = keras.Sequential([Mean(), layers.Dense(3, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    return model, batches(ragged(4), Y)


def kind_ragged_targets():
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)])
    model.compile("adam", lambda y, p: (tf.reduce_mean(y, axis=1, keepdims=True) - p) ** 2)
    return model, batches(X, ragged())


def kind_sparse_inputs():
    model = keras.Sequential([layers.Input((4,), sparse=True), layers.Dense(3, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    return model, batches(tf.sparse.from_dense(X), Y)


def kind_own_loss_of_a_dictionary():
    inputs = keras.Input((4,))
    model = OwnLoss(inputs, layers.Dense(1)(inputs))
    model.compile("adam")
    return model, batches(X, {"wanted": Y, "unused": Y})


def kind_own_step_without_a_loss():
    inputs = keras.Input((4,))
    model = OwnStep(inputs, layers.Dense(1)(inputs))
    model.compile("adam")
    return model, batches(X, Y)


def kind_add_loss_alone():
    inputs, wanted = keras.Input((4,)), keras.Input((1,))
    model = keras.Model([inputs, wanted], Endpoint()(layers.Dense(1)(inputs), wanted))
    model.compile("adam")
    return model, batches((X, Y))


KINDS = [value for name, value in sorted(globals().items()) if name.startswith("kind_")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.removeprefix("kind_"))
def test_a_training_on_it_is_observed_and_stays_the_same(kind):
    weights = []
    for callbacks in ([], [monitor := TrainingMonitor()]):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model, data = kind()
        model.fit(data, epochs=2, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert monitor.run.observations >= 7  # of 8: a model that layers of the user's own build is left alone at first
    assert monitor.run.notes == []
    diagnosis = monitor.diagnosis
    assert "dominant-regularizer" not in [finding.rule for finding in diagnosis.findings]
    if kind in (kind_ragged_targets, kind_ragged_inputs_and_targets):
        assert any("no dense tensors" in each.reason for each in diagnosis.not_measured)
