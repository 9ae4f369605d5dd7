import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own layer Cubic (layers c1, c2, c3) raises its input to the third power, so the signal and the gradient explode from layer to layer",
         "blames": "activation", "cure": "replace the cube by a bounded activation (tanh) in the Cubic layers"}


class Cubic(layers.Layer):
    def __init__(self, bounded=False, **kw):
        super().__init__(**kw)
        self.bounded = bounded

    def call(self, x):
        if self.bounded:
            return keras.ops.tanh(x)
        return x * x * x + x


def train(callbacks, cured=False):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1500, 8)).astype("float32")
    y = (X[:, 0] * X[:, 1] + 2 * np.sin(X[:, 2]) + X[:, 3]).astype("float32")
    y = (y - y.mean()) / y.std()

    inp = keras.Input((8,), name="sensors")
    h = inp
    for i in (1, 2, 3):
        h = layers.Dense(48, name=f"d{i}")(h)
        h = Cubic(cured, name=f"c{i}")(h)
    out = layers.Dense(1, name="flow")(h)
    model = keras.Model(inp, out)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X[:1100], y[:1100], validation_data=(X[1100:], y[1100:]), epochs=25, batch_size=32,
              callbacks=callbacks, verbose=0)
    p = model.predict(X[1100:], verbose=0)[:, 0]
    if not np.isfinite(p).all():
        return float("nan")
    return float(r2_score(y[1100:], p))
