import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def nll(y, p):
    """Gaussian likelihood: p holds mean and log of the scale."""
    m, s = p[:, :1], ops.clip(p[:, 1:], -7.0, 5.0)
    return ops.squeeze(s + 0.5 * ops.square((y - m) * ops.exp(-s)), -1)


def train(callbacks):
    keras.utils.set_random_seed(20)
    rng = np.random.default_rng(20)
    X = rng.normal(size=(2000, 4)).astype("float32")
    y = (0.3 * X[:, :1] * X[:, 1:2] + 0.02 * (1 + X[:, 2:3] ** 2) * rng.normal(size=(2000, 1))).astype("float32")
    i = keras.Input((4,))
    h = layers.Dense(48, activation="silu")(i)
    h = layers.Dense(48, activation="silu")(h)
    o = layers.Concatenate()([layers.Dense(1, name="mean")(h), layers.Dense(1, name="log_scale")(h)])
    m = keras.Model(i, o)
    m.compile(keras.optimizers.Adam(3e-3), loss=nll)
    m.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1500:], m.predict(X[1500:], verbose=0)[:, :1]))
