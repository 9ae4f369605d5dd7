"""What is described of a model's layers, on models that are never trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from diagnose.callbacks.model.description import describe_layers, loose_parameters


class OfItsOwn(layers.Layer):
    """Holds a `tf.Variable`, which Keras does not track."""

    def __init__(self, trainable: bool) -> None:
        super().__init__()
        self.scale = tf.Variable(np.ones(3, "float32"), trainable=trainable, name="scale")

    def call(self, x: Any) -> Any:
        return x * self.scale


def test_layers_inside_a_lambda_and_variables_of_tensorflow_are_loose() -> None:
    inner = layers.Dense(3, name="inner")
    inner.build((None, 2))
    hidden = layers.Lambda(lambda x: inner(x), name="hidden")
    assert [variable.path for variable in loose_parameters(hidden)] == ["inner/kernel", "inner/bias"]
    assert [variable.name for variable in loose_parameters(OfItsOwn(True))] == ["scale:0"]


def test_what_is_meant_to_stay_and_what_keras_owns_are_not() -> None:
    inner = layers.Dense(3, trainable=False)
    inner.build((None, 2))
    kept = [layers.Lambda(lambda x: inner(x)), layers.Lambda(lambda x: 2 * x), OfItsOwn(False), layers.Dense(3)]
    kept[-1].build((None, 2))
    assert [loose_parameters(layer) for layer in kept] == [[], [], [], []]


def test_a_constraint_is_described_with_its_layer() -> None:
    bound = layers.Dense(1, kernel_constraint=keras.constraints.MaxNorm(1.0), name="bound")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="free"), bound])
    told = {layer.path.rpartition("/")[2]: layer.constraint for layer in describe_layers(model).layers}
    assert told == {"free": "", "bound": "MaxNorm"}
