import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True, "cause": "where(x > 0, sqrt(x), 0): forward is finite but the gradient of the unchosen sqrt(negative) is NaN and turns all weights NaN", "blames": "activation", "cure": "make the argument safe inside: sqrt(where(x > eps, x, eps))"}


class SignedRoot(layers.Layer):
    def __init__(self, safe=False, **kw):
        super().__init__(**kw)
        self.safe = safe

    def call(self, x):
        if self.safe:
            xs = tf.where(x > 0.01, x, 0.01 * tf.ones_like(x))
            return tf.where(x > 0.01, tf.sqrt(xs), tf.zeros_like(x))
        return tf.where(x > 0.01, tf.sqrt(x), tf.zeros_like(x))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(32)
    rng = np.random.default_rng(32)
    X = rng.normal(size=(1400, 4)).astype("float32")
    y = np.maximum(X[:, 0], 0) + X[:, 1] - 0.8 * np.abs(X[:, 2]) + 0.05 * rng.normal(size=1400)
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(48), SignedRoot(cured), layers.Dense(32, activation="relu"), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(xv, verbose=0)
    return float(r2_score(yv, p)) if np.all(np.isfinite(p)) else -1.0
