import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import make_moons

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class RBF(layers.Layer):
    def __init__(self, units, gamma=1.5, centers=None, **kw):
        super().__init__(**kw)
        self.units, self.gamma0, self.init = units, gamma, centers

    def build(self, shape):
        self.centers = self.add_weight(shape=(self.units, shape[-1]), initializer="random_normal", name="centers")
        self.log_gamma = self.add_weight(shape=(self.units,), initializer=keras.initializers.Constant(float(np.log(self.gamma0))), name="log_gamma")
        if self.init is not None:
            self.centers.assign(self.init)

    def call(self, x):
        d2 = ops.sum(ops.square(x[:, None, :] - self.centers[None]), axis=-1)
        return ops.exp(-ops.exp(self.log_gamma) * d2)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(6)
    X, y = make_moons(1400, noise=0.12, random_state=6)
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    y = y.astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    c = xt[np.random.default_rng(0).choice(len(xt), 40, replace=False)]
    model = keras.Sequential([keras.Input((2,)), RBF(40, centers=c), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean((model.predict(xv, verbose=0) > 0.5) == yv))
