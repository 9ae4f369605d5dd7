import numpy as np
import keras
from keras import layers, regularizers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(22)
    rng = np.random.default_rng(22)
    n, V = 2000, 1500
    y = rng.integers(0, 4, n)
    X = np.zeros((n, V), "float32")
    for k in range(n):
        X[k, rng.integers(80, V, 12)] = 1
        X[k, 20 * y[k] + rng.integers(0, 20, 3)] = 1          # 99 % of the entries are zero
    m = keras.Sequential([keras.Input((V,)), layers.Dropout(0.5), layers.Dense(16, activation="relu", kernel_regularizer=regularizers.l1(1e-5)),
                          layers.Dense(4, activation="softmax")])
    m.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]), epochs=8, batch_size=32, callbacks=callbacks, verbose=0)
    return float(m.evaluate(X[1500:], y[1500:], verbose=0)[1])
