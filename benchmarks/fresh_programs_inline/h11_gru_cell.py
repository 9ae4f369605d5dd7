import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class MinimalGRUCell(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.units = units
        self.state_size = units
        self.output_size = units

    def build(self, shape):
        u, d = self.units, shape[-1]
        self.wx = self.add_weight(shape=(d, 3 * u), initializer="glorot_uniform", name="wx")
        self.wh = self.add_weight(shape=(u, 2 * u), initializer="orthogonal", name="wh")
        self.wc = self.add_weight(shape=(u, u), initializer="orthogonal", name="wc")
        self.b = self.add_weight(shape=(3 * u,), initializer="zeros", name="b")

    def call(self, x, states):
        h, u = states[0], self.units
        gx = ops.matmul(x, self.wx) + self.b
        gh = ops.matmul(h, self.wh)
        z = ops.sigmoid(gx[:, :u] + gh[:, :u])
        r = ops.sigmoid(gx[:, u:2 * u] + gh[:, u:])
        c = ops.tanh(gx[:, 2 * u:] + ops.matmul(r * h, self.wc))
        h = z * h + (1.0 - z) * c
        return h, [h]


def train(callbacks, cured=False):
    keras.utils.set_random_seed(11)
    rng = np.random.default_rng(11)
    n, T = 1400, 12
    X = rng.normal(size=(n, T, 2)).astype("float32")
    y = (X[:, -6:, 0].sum(1) + 0.5 * X[:, -3:, 1].sum(1) > 0).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = keras.Sequential([keras.Input((T, 2)), layers.RNN(MinimalGRUCell(24)), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean((model.predict(xv, verbose=0) > 0.5) == yv))
