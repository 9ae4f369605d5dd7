import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True, "cause": "tanh(x**5) inline in every block is flat near 0: no gradient and no signal passes", "blames": "activation", "cure": "use tanh(x)"}


class Block(layers.Layer):
    def __init__(self, units, cured, **kw):
        super().__init__(**kw)
        self.dense = layers.Dense(units)
        self.cured = cured

    def call(self, x):
        h = self.dense(x)
        if self.cured:
            return ops.tanh(h)
        return ops.tanh(h ** 5)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(21)
    rng = np.random.default_rng(21)
    X = rng.uniform(-1, 1, (1400, 4)).astype("float32")
    y = (np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 3]).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = keras.Sequential([keras.Input((4,)), Block(48, cured), Block(48, cured), Block(48, cured), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
