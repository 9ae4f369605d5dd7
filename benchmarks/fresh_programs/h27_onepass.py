import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(27)
    rng = np.random.default_rng(27)
    X = rng.normal(size=(60000, 8)).astype("float32")
    y = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + np.abs(X[:, 3]))[:, None].astype("float32")
    m = keras.Sequential([keras.Input((8,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1)])
    m.compile(keras.optimizers.Adam(3e-3), "mse")
    m.fit(X[:55000], y[:55000], validation_data=(X[55000:], y[55000:]), epochs=1, batch_size=32, callbacks=callbacks, verbose=0)   # one pass is enough
    return float(r2_score(y[55000:], m.predict(X[55000:], verbose=0, batch_size=1000)))
