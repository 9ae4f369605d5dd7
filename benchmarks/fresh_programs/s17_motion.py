import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the recordings of shape (channels, time) are brought to (time, channels) with reshape instead of transpose, which scrambles the channels and time steps",
         "blames": "preprocessing", "cure": "use transpose (0, 2, 1) instead of reshape"}


def record(n, rng):
    # three accelerometer channels, 40 steps, stored channel first; the class is which channel leads the others
    y = rng.integers(0, 6, n)
    lag = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]])[y] * 2
    z = rng.normal(size=(n, 60))
    X = np.stack([[z[i, 10 - l:50 - l] for l in lag[i]] for i in range(n)])
    return X + 0.1 * rng.normal(size=X.shape), y


def train(callbacks, cured=False):
    keras.utils.set_random_seed(17)
    rng = np.random.default_rng(17)
    X, y = record(2000, rng)
    if cured:
        X = X.transpose(0, 2, 1)
    else:
        X = X.reshape(len(X), 40, 3)
    X = X.astype("float32")
    model = keras.Sequential([
        layers.Input((40, 3)),
        layers.Conv1D(32, 5, activation="relu", name="c1"),
        layers.Conv1D(32, 3, activation="relu", name="c2"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(6, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1500:], y[1500:], verbose=0)[1])
