import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import make_classification

TRUTH = {"sick": True, "cause": "sin(30*x) after ordinary Dense layers scrambles the signal: memorizes the training set, validation at chance", "blames": "activation", "cure": "use sin(x) (frequency 1)"}


class SinNet(keras.Model):
    def __init__(self, omega):
        super().__init__()
        self.omega = omega
        self.d1 = layers.Dense(64)
        self.d2 = layers.Dense(64)
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, x):
        x = ops.sin(self.omega * self.d1(x))
        x = ops.sin(self.omega * self.d2(x))
        return self.out(x)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(22)
    X, y = make_classification(1400, 10, n_informative=6, n_redundant=0, n_clusters_per_class=1, class_sep=1.5, random_state=22)
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    y = y.astype("float32")[:, None]
    xt, xv, yt, yv = X[:1100], X[1100:], y[:1100], y[1100:]
    model = SinNet(1.0 if cured else 30.0)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean((model.predict(xv, verbose=0) > 0.5) == yv))
