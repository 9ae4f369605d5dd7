import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own activation `wave` of layers w1 and w2 is sin(30*x): standardised inputs wrap around many periods, the net only memorises and does not generalise",
         "blames": "activation", "cure": "lower the frequency of the sine from 30 to 1"}


class Wave(keras.Layer):
    def __init__(self, units, omega, **kwargs):
        super().__init__(**kwargs)
        self.lin = layers.Dense(units)
        self.omega = omega

    def call(self, x):
        return keras.ops.sin(self.omega * self.lin(x))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(21)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(900, 5)).astype("float32")
    y = (np.tanh(X[:, 0] + X[:, 1]) + 0.5 * X[:, 2] * X[:, 3]).astype("float32")[:, None]
    omega = 1.0 if cured else 30.0
    model = keras.Sequential([
        keras.Input((5,)),
        Wave(64, omega, name="w1"),
        Wave(64, omega, name="w2"),
        layers.Dense(1, name="level"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), loss="mean_squared_error")
    model.fit(X[:600], y[:600], validation_data=(X[600:], y[600:]), epochs=40, batch_size=32,
              callbacks=callbacks, verbose=0)
    return float(r2_score(y[600:], model.predict(X[600:], verbose=0)))
