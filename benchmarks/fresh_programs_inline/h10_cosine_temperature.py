import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class CosineHead(layers.Layer):
    def __init__(self, classes, temperature=0.1, **kw):
        super().__init__(**kw)
        self.classes, self.t = classes, temperature

    def build(self, shape):
        self.proto = self.add_weight(shape=(shape[-1], self.classes), initializer="glorot_uniform", name="proto")

    def call(self, z):
        z = z / ops.sqrt(ops.sum(z * z, axis=-1, keepdims=True) + 1e-8)
        w = self.proto / ops.sqrt(ops.sum(ops.square(self.proto), axis=0, keepdims=True) + 1e-8)
        return ops.matmul(z, w) / self.t


def train(callbacks, cured=False):
    keras.utils.set_random_seed(10)
    X, y = load_digits(return_X_y=True)
    X, y = ((X[:1500] - 5.0) / 6.0).astype("float32"), y[:1500]
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=1, stratify=y)
    inp = keras.Input((64,))
    h = layers.Dense(96, activation="relu")(inp)
    z = layers.Dense(32)(h)
    model = keras.Model(inp, CosineHead(10)(z))
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
