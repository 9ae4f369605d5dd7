import numpy as np
import tensorflow as tf
import keras
from keras import layers

TRUTH = {"sick": True, "cause": "x / norm(x) with rows that are all zero (empty documents): 0/0 = NaN", "blames": "activation", "cure": "epsilon under the norm's square root"}


class UnitNorm(layers.Layer):
    def __init__(self, safe=False, **kw):
        super().__init__(**kw)
        self.safe = safe

    def call(self, x):
        if self.safe:
            return x / tf.sqrt(tf.reduce_sum(x * x, axis=-1, keepdims=True) + 1e-6)
        return x / tf.norm(x, axis=-1, keepdims=True)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(31)
    rng = np.random.default_rng(31)
    n, V = 1400, 30
    y = rng.integers(0, 2, n)
    topic = np.where(y[:, None] == 1, np.linspace(0.2, 1.4, V), np.linspace(1.4, 0.2, V))
    X = rng.poisson(topic).astype("float32")
    X[::60] = 0.0  # empty documents
    y = y.astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = keras.Sequential([keras.Input((V,)), layers.Dense(24, use_bias=False), UnitNorm(cured), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(xv, verbose=0)
    return float(np.mean((p > 0.5) == (yv > 0.5))) if np.all(np.isfinite(p)) else 0.0
