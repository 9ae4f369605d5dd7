import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False}
Q = np.array([0.1, 0.5, 0.9], "float32")


def pinball(y, q):
    e = y - q
    return ops.mean(ops.maximum(Q * e, (Q - 1) * e), axis=-1)


def train(callbacks):
    keras.utils.set_random_seed(16)
    rng = np.random.default_rng(16)
    x = rng.uniform(-3, 3, (2000, 1)).astype("float32")
    y = np.sin(x) * 2 + (0.1 + 0.15 * np.abs(x)) * rng.normal(size=x.shape)
    m = keras.Sequential([keras.Input((1,)), layers.Dense(48, activation="softplus"), layers.Dense(48, activation="softplus"), layers.Dense(3)])
    m.compile(keras.optimizers.Adam(0.01), loss=pinball)
    m.fit(x[:1500], y[:1500], validation_data=(x[1500:], y[1500:]), epochs=20, batch_size=64, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1500:], m.predict(x[1500:], verbose=0)[:, 1]))
