import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(26)
    rng = np.random.default_rng(26)
    X = rng.normal(size=(1800, 7)).astype("float32")
    ang = 1.5 * np.tanh(X[:, 0]) + X[:, 1] * X[:, 2] * 0.5
    D = np.stack([np.cos(ang), np.sin(ang)], 1).astype("float32")
    m = keras.Sequential([keras.Input((7,)), layers.Dense(64, activation="gelu"), layers.Dense(64, activation="gelu"), layers.Dense(2), layers.UnitNormalization()])
    m.compile("adam", loss=keras.losses.CosineSimilarity())          # runs from 0 down to -1
    m.fit(X[:1400], D[:1400], validation_data=(X[1400:], D[1400:]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float((m.predict(X[1400:], verbose=0) * D[1400:]).sum(1).mean())
