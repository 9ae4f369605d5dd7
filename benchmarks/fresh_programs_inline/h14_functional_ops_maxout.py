import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(14)
    rng = np.random.default_rng(14)
    X = rng.uniform(-1, 1, (1500, 2)).astype("float32")
    y = (np.sin(2 * np.pi * X[:, 0]) + np.abs(X[:, 1]) * 1.5).astype("float32")[:, None]
    y = y - y.mean()
    xt, xv, yt, yv = X[:1200], X[1200:], y[:1200], y[1200:]

    inp = keras.Input((2,))
    # fourier features, fixed bands
    f = ops.concatenate([inp] + [fn(np.pi * k * inp) for k in (1.0, 2.0) for fn in (ops.sin, ops.cos)], axis=-1)
    h = layers.Dense(48)(f)
    h = ops.max(ops.reshape(h, (-1, 16, 3)), axis=-1)  # maxout
    h2 = layers.Dense(16)(h)
    h = h + ops.tanh(h2)
    out = layers.Dense(1)(h)
    model = keras.Model(inp, out)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
