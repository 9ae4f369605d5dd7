import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import make_blobs

TRUTH = {"sick": True, "cause": "softmax applied inline in call and again by the loss (from_logits=True): flat loss near log(classes)", "blames": "activation", "cure": "return the logits"}


class Classifier(keras.Model):
    def __init__(self, classes, cured):
        super().__init__()
        self.cured = cured
        self.d1 = layers.Dense(64, activation="relu")
        self.d2 = layers.Dense(64, activation="relu")
        self.out = layers.Dense(classes)

    def call(self, x):
        x = self.out(self.d2(self.d1(x)))
        if not self.cured:
            x = ops.softmax(x, axis=-1)
        return x


def train(callbacks, cured=False):
    keras.utils.set_random_seed(29)
    X, y = make_blobs(1500, 12, centers=40, cluster_std=2.0, random_state=29)
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    xt, xv, yt, yv = X[:1200], X[1200:], y[:1200], y[1200:]
    model = Classifier(40, cured)
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    # score: 1 - cross entropy / log(classes), as the model is meant to be used (softmax of its output)
    z = model.predict(xv, verbose=0)
    z = z - z.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    return float(1.0 + np.mean(logp[np.arange(len(yv)), yv]) / np.log(40))
