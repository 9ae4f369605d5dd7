import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True, "cause": "exp(x) as hidden nonlinearity, stacked three times, overflows to inf/NaN", "blames": "activation", "cure": "use softplus in place of exp"}


class ExpMLP(keras.Model):
    def __init__(self, cured):
        super().__init__()
        self.cured = cured
        self.hidden = [layers.Dense(48) for _ in range(3)]
        self.out = layers.Dense(1)

    def call(self, x):
        for d in self.hidden:
            x = d(x)
            x = ops.softplus(x) if self.cured else ops.exp(x)
        return self.out(x)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(24)
    rng = np.random.default_rng(24)
    X = rng.normal(size=(1400, 5)).astype("float32")
    y = X[:, 0] + np.maximum(X[:, 1], 0) * 2 - X[:, 2] + 0.5 * X[:, 3] ** 2
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = ExpMLP(cured)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(xv, verbose=0)
    return float(r2_score(yv, p)) if np.all(np.isfinite(p)) else -1.0
