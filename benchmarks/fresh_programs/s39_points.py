import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own layer PairDistance (dist) takes the square root of a squared distance that is zero on the diagonal, whose gradient is infinite and turns the weights of `place` into NaN",
         "blames": "layers", "cure": "add a small constant under the square root"}


class PairDistance(layers.Layer):
    def __init__(self, eps, **kw):
        super().__init__(**kw)
        self.eps = eps

    def call(self, p):
        d = p[:, :, None, :] - p[:, None, :, :]
        r = ops.sqrt(ops.sum(d * d, axis=-1) + self.eps)
        return ops.reshape(r, (-1, 25))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(39)
    rng = np.random.default_rng(39)
    P = rng.normal(size=(1500, 5, 2)).astype("float32")
    D = np.sqrt(((P[:, :, None] - P[:, None]) ** 2).sum(-1))
    y = D.reshape(len(P), -1).mean(1, keepdims=True)
    y = ((y - y.mean()) / y.std()).astype("float32")
    inp = keras.Input((5, 2), name="atoms")
    h = layers.Dense(2, name="place")(inp)
    h = PairDistance(1e-6 if cured else 0.0, name="dist")(h)
    h = layers.Dense(32, activation="relu", name="read")(h)
    model = keras.Model(inp, layers.Dense(1, name="spread")(h))
    model.compile(keras.optimizers.Adam(0.005), "mse")
    model.fit(P[:1100], y[:1100], validation_data=(P[1100:], y[1100:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(P[1100:], verbose=0)
    return float(r2_score(y[1100:], p)) if np.isfinite(p).all() else float("nan")
