import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits

TRUTH = {"sick": True,
         "cause": "the own contrastive loss has its two terms exchanged: pairs labelled 1 (same digit) are pushed apart and pairs labelled 0 are pulled together",
         "blames": "loss", "cure": "exchange y_true and 1-y_true in the contrastive loss"}


def make_pairs(X, y, n, rng):
    a, b = rng.integers(0, len(X), n), rng.integers(0, len(X), n)
    by = [np.flatnonzero(y == k) for k in range(10)]
    for i in range(0, n, 2):
        b[i] = rng.choice(by[y[a[i]]])
    return X[a], X[b], (y[a] == y[b]).astype("float32")


def train(callbacks, cured=False):
    keras.utils.set_random_seed(31)
    rng = np.random.default_rng(31)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    A, B, S = make_pairs(X[:1300], y[:1300], 4000, rng)
    At, Bt, St = make_pairs(X[1300:], y[1300:], 800, rng)

    emb = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(16)], name="embedder")
    ia, ib = keras.Input((64,), name="left"), keras.Input((64,), name="right")
    dist = layers.Lambda(lambda z: ops.sqrt(ops.sum(ops.square(z[0] - z[1]), axis=1, keepdims=True) + 1e-6), output_shape=(1,), name="dist")([emb(ia), emb(ib)])
    model = keras.Model([ia, ib], dist)

    def contrastive(y_true, y_pred, margin=1.0):
        near = ops.square(y_pred)
        far = ops.square(ops.maximum(margin - y_pred, 0.0))
        if cured:
            return ops.mean(y_true * near + (1 - y_true) * far)
        return ops.mean((1 - y_true) * near + y_true * far)

    model.compile("adam", loss=contrastive)
    model.fit([A, B], S, validation_data=([At, Bt], St), epochs=12, batch_size=64, callbacks=callbacks, verbose=0)
    d = model.predict([At, Bt], verbose=0)[:, 0]
    return float(((d < 0.5) == (St > 0.5)).mean())
