import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(19)
    rng = np.random.default_rng(19)
    L = rng.uniform(1e-9, 9e-9, (1600, 5)).astype("float32")                # metres
    force = (np.sin(L[:, :1] * 1e9) + L[:, 1:2] * L[:, 2:3] * 1e17) * 1e-12    # newtons
    nx = layers.Rescaling(1e9)
    m = keras.Sequential([keras.Input((5,)), nx, layers.BatchNormalization(), layers.Dense(64, activation="relu"),
                          layers.Dense(64, activation="relu"), layers.Dense(1)])
    s = force.std()
    m.compile("adam", loss=lambda t, p: keras.ops.mean(keras.ops.square(t / s - p), axis=-1))
    m.fit(L[:1200], force[:1200], validation_data=(L[1200:], force[1200:]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(force[1200:] / s, m.predict(L[1200:], verbose=0)))
