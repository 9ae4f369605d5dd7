import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own activation `signed_root` in layers root_a and root_b takes the power 0.5 of negative numbers inside ops.where, so the unused branch gives NaN gradients",
         "blames": "activation", "cure": "take the root of the absolute value plus a small constant, so that neither branch is ever NaN"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    X = rng.normal(size=(1600, 6)).astype("float32")
    y = np.sign(X[:, :1]) * np.sqrt(np.abs(X[:, :1])) + 0.7 * X[:, 1:2] - np.abs(X[:, 2:3])
    y = y.astype("float32")

    def signed_root(x):
        if cured:
            return ops.sign(x) * (ops.sqrt(ops.abs(x) + 0.1) - 0.1 ** 0.5)
        return ops.where(x >= 0, ops.power(x, 0.5), 0.1 * x)

    model = keras.Sequential(name="returns")
    model.add(layers.Input((6,)))
    model.add(layers.Dense(32, name="proj_a"))
    model.add(layers.Activation(signed_root, name="root_a"))
    model.add(layers.Dense(32, name="proj_b"))
    model.add(layers.Activation(signed_root, name="root_b"))
    model.add(layers.Dense(1, name="out"))
    model.compile(optimizer="rmsprop", loss="mse", jit_compile=False)
    model.fit(X[:1200], y[:1200], validation_split=0.1, epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(X[1200:], verbose=0)
    return float(r2_score(y[1200:], p)) if np.isfinite(p).all() else float("nan")
