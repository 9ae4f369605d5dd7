import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(12)
    rng = np.random.default_rng(12)
    n, T = 1500, 14
    X, y = np.zeros((n, T), "int32"), rng.integers(0, 3, n)
    for i in range(n):
        L = rng.integers(4, T)
        X[i, :L] = rng.integers(10, 500, L)
        X[i, rng.integers(0, L)] = 1 + y[i]
    inp = keras.Input((T,), dtype="int32")
    h = layers.Embedding(500, 16, mask_zero=True)(inp)
    a = layers.MultiHeadAttention(2, 8)(h, h)
    h = layers.LayerNormalization()(h + a)
    h = layers.GlobalAveragePooling1D()(h)
    m = keras.Model(inp, layers.Dense(3, activation="softmax")(h))
    m.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:1200], y[:1200], validation_data=(X[1200:], y[1200:]), epochs=8, batch_size=32, callbacks=callbacks, verbose=0)
    return float(m.evaluate(X[1200:], y[1200:], verbose=0)[1])
