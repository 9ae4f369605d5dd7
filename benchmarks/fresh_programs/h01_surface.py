import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


class Siren(layers.Layer):
    """Sine layer after Sitzmann et al., with the fitting initialisation."""
    def __init__(self, units, omega=10.0, first=False, **kw):
        super().__init__(**kw)
        self.units, self.omega, self.first = units, omega, first

    def build(self, s):
        lim = 1 / s[-1] if self.first else (6 / s[-1]) ** 0.5 / self.omega
        self.w = self.add_weight(shape=(s[-1], self.units), initializer=keras.initializers.RandomUniform(-lim, lim))
        self.b = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, x):
        return ops.sin(self.omega * (ops.matmul(x, self.w) + self.b))


def train(callbacks):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    P = rng.uniform(-1, 1, (2500, 2)).astype("float32")
    v = np.sin(6 * P[:, :1]) * np.cos(5 * P[:, 1:]) + P[:, :1]
    model = keras.Sequential([keras.Input((2,)), Siren(48, first=True), Siren(48), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    model.fit(P[:2000], v[:2000], validation_data=(P[2000:], v[2000:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(v[2000:], model.predict(P[2000:], verbose=0)))
