import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.datasets import make_moons

TRUTH = {"sick": True, "cause": "relu(x - 10): every unit is dead on standardized inputs, output constant", "blames": "activation", "cure": "drop the shift, relu(x)"}


class ShiftedRelu(layers.Layer):
    def __init__(self, shift=10.0, **kw):
        super().__init__(**kw)
        self.shift = shift

    def call(self, x):
        return tf.maximum(x - self.shift, 0.0)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(28)
    X, y = make_moons(1400, noise=0.12, random_state=28)
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    y = y.astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    s = 0.0 if cured else 10.0
    model = keras.Sequential([keras.Input((2,)), layers.Dense(32), ShiftedRelu(s), layers.Dense(32), ShiftedRelu(s), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean((model.predict(xv, verbose=0) > 0.5) == yv))
