import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(11)
    rng = np.random.default_rng(11)
    n, T = 1200, 15
    X = np.full((n, T, 2), -99.0, "float32")
    y = np.zeros((n, 1), "float32")
    for i in range(n):
        L = rng.integers(4, T + 1)
        v, f = rng.uniform(-1, 1, L), rng.random(L) < 0.4
        X[i, :L, 0], X[i, :L, 1] = v, f
        y[i] = (v * f).sum()
    m = keras.Sequential([keras.Input((T, 2)), layers.Masking(-99.0), layers.LSTM(24), layers.Dense(1)])
    m.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "huber")
    m.fit(X[:900], y[:900], validation_data=(X[900:], y[900:]), epochs=10, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(y[900:], m.predict(X[900:], verbose=0)))
