import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class HandAttention(layers.Layer):
    def __init__(self, dim, **kw):
        super().__init__(**kw)
        self.dim = dim
        self.q = layers.Dense(dim, use_bias=False)
        self.k = layers.Dense(dim, use_bias=False)
        self.v = layers.Dense(dim)

    def call(self, x, pad):
        s = ops.matmul(self.q(x), ops.transpose(self.k(x), (0, 2, 1))) / np.sqrt(self.dim)
        s = s - 1e9 * (1.0 - pad[:, None, :])
        e = ops.exp(s - ops.max(s, axis=-1, keepdims=True))
        w = e / ops.sum(e, axis=-1, keepdims=True)
        return ops.matmul(w, self.v(x))


class Classifier(keras.Model):
    def __init__(self, vocab, dim=24):
        super().__init__()
        self.emb = layers.Embedding(vocab, dim)
        self.att = HandAttention(dim)
        self.ff = layers.Dense(32)
        self.out = layers.Dense(1)

    def call(self, tokens):
        pad = ops.cast(ops.not_equal(tokens, 0), "float32")
        x = self.emb(tokens)
        x = x + self.att(x, pad)
        n = ops.maximum(ops.sum(pad, axis=1, keepdims=True), 1.0)
        x = ops.sum(x * pad[..., None], axis=1) / n
        h = self.ff(x)
        h = ops.where(h > 0, h, 0.1 * h)
        return ops.sigmoid(self.out(h))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(4)
    rng = np.random.default_rng(4)
    n, T, V = 1400, 14, 20
    X = np.zeros((n, T), "int32")
    for i in range(n):
        L = rng.integers(6, T + 1)
        X[i, :L] = rng.integers(1, V, L)
    y = ((X >= 15).sum(1) > ((X > 0) & (X <= 5)).sum(1)).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = Classifier(V)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean((model.predict(xv, verbose=0) > 0.5) == yv))
