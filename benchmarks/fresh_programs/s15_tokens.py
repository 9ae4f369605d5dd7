import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": True,
         "cause": "the own attention pooling layer `pool` takes its softmax over axis 0 (the batch) instead of axis 1 (the time steps), so a row's weights depend on the other rows and vanish",
         "blames": "layers", "cure": "take the softmax over axis=1 in the attention pooling"}


class AttnPool(layers.Layer):
    def __init__(self, axis, **kw):
        super().__init__(**kw)
        self.axis = axis
        self.key = layers.Dense(16, activation="tanh")
        self.score = layers.Dense(1)

    def call(self, h):
        w = ops.softmax(4.0 * self.score(self.key(h)), axis=self.axis)
        return ops.sum(w * h, axis=1)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(15)
    rng = np.random.default_rng(15)
    n, T, V = 2400, 20, 30
    X = rng.integers(4, V, (n, T))
    y = rng.integers(0, 4, n)
    pos = rng.integers(0, T, n)
    X[np.arange(n), pos] = y            # one key word among the others
    inp = keras.Input((T,), dtype="int32")
    h = layers.Embedding(V, 16, name="emb")(inp)
    h = AttnPool(1 if cured else 0, name="pool")(h)
    out = layers.Dense(4, activation="softmax", name="topic")(h)
    model = keras.Model(inp, out)
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:1800], y[:1800], validation_data=(X[1800:], y[1800:]), epochs=15, batch_size=64, callbacks=callbacks, verbose=0)
    p = np.concatenate([model.predict_on_batch(X[i:i + 1]) for i in range(1800, n, 4)]).argmax(1)
    return float((p == y[1800:n:4]).mean())
