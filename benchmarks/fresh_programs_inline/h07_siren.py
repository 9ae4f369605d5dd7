import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class Sine(layers.Layer):
    """SIREN layer with the paper's init."""

    def __init__(self, units, w0=6.0, first=False, **kw):
        super().__init__(**kw)
        self.units, self.w0, self.first = units, w0, first

    def build(self, shape):
        n = shape[-1]
        b = 1.0 / n if self.first else np.sqrt(6.0 / n) / self.w0
        self.dense = layers.Dense(self.units, kernel_initializer=keras.initializers.RandomUniform(-b, b), bias_initializer=keras.initializers.RandomUniform(-b, b))
        self.dense.build(shape)

    def call(self, x):
        return ops.sin(self.w0 * self.dense(x))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    X = rng.uniform(-1, 1, (1500, 2)).astype("float32")
    y = (np.sin(5 * X[:, 0]) * np.cos(4 * X[:, 1]) + 0.3 * X[:, 0]).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1200], X[1200:], y[:1200], y[1200:]
    model = keras.Sequential([keras.Input((2,)), Sine(64, first=True), Sine(64), Sine(64), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=35, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
