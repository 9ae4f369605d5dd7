import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True, "cause": "x + x**3 in four layers grows without bound: huge activations, loss explodes", "blames": "activation", "cure": "use tanh in place of the cubic"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(30)
    rng = np.random.default_rng(30)
    X = rng.normal(size=(1400, 5)).astype("float32")
    y = np.sin(X[:, 0]) + X[:, 1] - 0.7 * np.abs(X[:, 2]) + 0.4 * X[:, 3] * X[:, 4]
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    inp = keras.Input((5,))
    h = inp
    for _ in range(4):
        h = layers.Dense(32)(h)
        h = ops.tanh(h) if cured else h + h ** 3
    model = keras.Model(inp, layers.Dense(1)(h))
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(xv, verbose=0)
    return float(np.clip(r2_score(yv, p), -1.0, 1.0)) if np.all(np.isfinite(p)) and np.abs(p).max() < 1e15 else -1.0
