import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own layer Projection (proj) holds its matrix as a constant tensor instead of add_weight, so the narrow random projection to 3 units is never trained",
         "blames": "layers", "cure": "create the matrix with add_weight so that it is trained"}


class Projection(layers.Layer):
    def __init__(self, units, tracked, **kw):
        super().__init__(**kw)
        self.units, self.tracked = units, tracked

    def build(self, shape):
        scale = (1.0 / shape[-1]) ** 0.5
        if self.tracked:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer=keras.initializers.RandomNormal(stddev=scale))
        else:
            self.kernel = keras.random.normal((shape[-1], self.units), stddev=scale, seed=5)
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, x):
        return ops.matmul(x, self.kernel) + self.bias


def train(callbacks, cured=False):
    keras.utils.set_random_seed(29)
    rng = np.random.default_rng(29)
    X = rng.normal(size=(1800, 40)).astype("float32")
    a, b = X @ rng.normal(size=40) / 6, X @ rng.normal(size=40) / 6
    y = np.tanh(a) + b * b - 1
    inp = keras.Input((40,), name="descriptor")
    z = Projection(3, cured, name="proj")(inp)
    h = layers.Dense(32, activation="relu", name="mix1")(z)
    h = layers.Dense(32, activation="relu", name="mix2")(h)
    model = keras.Model(inp, layers.Dense(1, name="affinity")(h))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(X[:1400], y[:1400], validation_data=(X[1400:], y[1400:]), epochs=18, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1400:], model.predict(X[1400:], verbose=0)[:, 0]))
