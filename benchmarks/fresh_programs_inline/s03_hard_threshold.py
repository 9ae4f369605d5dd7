import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True, "cause": "cast(x > 0) has no gradient: the layers below it never train", "blames": "activation", "cure": "use relu instead of the step function"}


class StepNet(keras.Model):
    def __init__(self, cured):
        super().__init__()
        self.cured = cured
        self.d1 = layers.Dense(24)
        self.d2 = layers.Dense(24)
        self.d3 = layers.Dense(12)
        self.out = layers.Dense(1)

    def step(self, x):
        if self.cured:
            return tf.nn.relu(x)
        return tf.cast(x > 0, tf.float32)

    def call(self, x):
        x = self.step(self.d1(x))
        x = self.step(self.d2(x))
        x = self.step(self.d3(x))
        return self.out(x)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(23)
    rng = np.random.default_rng(23)
    X = rng.normal(size=(1400, 6)).astype("float32")
    y = X[:, 0] - 2 * X[:, 1] + np.abs(X[:, 2]) + 0.5 * X[:, 3] * X[:, 4]
    y = ((y - y.mean()) / y.std()).astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = StepNet(cured)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", metrics=["mae"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(yv, model.predict(xv, verbose=0)))
