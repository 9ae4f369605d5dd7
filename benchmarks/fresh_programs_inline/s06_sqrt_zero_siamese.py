import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import make_blobs

TRUTH = {"sick": True, "cause": "euclidean distance sqrt(sum(d**2)) of identical pairs: sqrt has infinite slope at 0, gradients are NaN though the loss of the first batch is finite", "blames": "activation", "cure": "add a small epsilon under the sqrt"}


class Distance(layers.Layer):
    def __init__(self, eps, **kw):
        super().__init__(**kw)
        self.eps = eps

    def call(self, a, b):
        return ops.sqrt(ops.sum(ops.square(a - b), axis=-1, keepdims=True) + self.eps)


def contrastive(y, d):
    return ops.mean(y * ops.square(d) + (1.0 - y) * ops.square(ops.maximum(1.0 - d, 0.0)), axis=-1)


def same_acc(y, d):
    return ops.mean(ops.cast(ops.equal(ops.cast(d < 0.5, "float32"), y), "float32"), axis=-1)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(26)
    rng = np.random.default_rng(26)
    X, c = make_blobs(400, 8, centers=4, cluster_std=1.5, random_state=26)
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    i = rng.integers(0, 400, 1400)
    j = np.array([rng.choice(np.flatnonzero(c == c[k])) if rng.random() < 0.5 else rng.choice(np.flatnonzero(c != c[k])) for k in i])
    j[::20] = i[::20]  # some pairs are the very same sample
    y = (c[i] == c[j]).astype("float32")[:, None]
    a, b = X[i], X[j]
    base = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(8)])
    ia, ib = keras.Input((8,)), keras.Input((8,))
    model = keras.Model([ia, ib], Distance(1e-6 if cured else 0.0)(base(ia), base(ib)))
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss=contrastive, metrics=[same_acc])
    n = 1100
    model.fit([a[:n], b[:n]], y[:n], validation_data=([a[n:], b[n:]], y[n:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    d = model.predict([a[n:], b[n:]], verbose=0)
    return float(np.mean((d < 0.5) == (y[n:] > 0.5))) if np.all(np.isfinite(d)) else 0.0
