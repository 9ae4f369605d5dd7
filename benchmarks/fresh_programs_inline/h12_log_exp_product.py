import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class ProductUnits(layers.Layer):
    """Multiplicative path of an NALU: exp(W log(|x| + eps))."""

    def __init__(self, units, eps=1e-4, **kw):
        super().__init__(**kw)
        self.units, self.eps = units, eps

    def build(self, shape):
        self.w_hat = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform", name="w_hat")

    def call(self, x):
        w = 2.0 * ops.tanh(self.w_hat)
        return ops.exp(ops.matmul(ops.log(ops.abs(x) + self.eps), w))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(12)
    rng = np.random.default_rng(12)
    X = rng.uniform(0.5, 2.0, (1400, 4)).astype("float32")
    y = X[:, 0] * X[:, 1] / X[:, 2] + 0.5 * X[:, 3] + 0.02 * rng.normal(size=1400)
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = keras.Sequential([keras.Input((4,)), ProductUnits(12), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
