import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class HandNorm(layers.Layer):
    def __init__(self, eps=1e-5, **kw):
        super().__init__(**kw)
        self.eps = eps

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

    def call(self, x):
        mu = tf.reduce_mean(x, axis=-1, keepdims=True)
        var = tf.reduce_mean(tf.square(x - mu), axis=-1, keepdims=True)
        return (x - mu) / tf.sqrt(var + self.eps) * self.gamma + self.beta


class ResMLP(keras.Model):
    def __init__(self, width=48, depth=3):
        super().__init__()
        self.inp = layers.Dense(width)
        self.norms = [HandNorm() for _ in range(depth)]
        self.ups = [layers.Dense(2 * width) for _ in range(depth)]
        self.downs = [layers.Dense(width) for _ in range(depth)]
        self.out = layers.Dense(1)

    def call(self, x):
        h = self.inp(x)
        for n, u, d in zip(self.norms, self.ups, self.downs):
            z = u(n(h))
            z = z * tf.sigmoid(z)
            h = h + d(z)
        return self.out(h)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1400, 6)).astype("float32")
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + 0.05 * rng.normal(size=1400)
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = ResMLP()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
