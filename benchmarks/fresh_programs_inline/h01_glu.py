import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class GLU(layers.Layer):
    """Gated linear unit: (xW + b) * sigmoid(xV + c)."""

    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.value = layers.Dense(units)
        self.gate = layers.Dense(units)

    def call(self, x):
        g = 1.0 / (1.0 + ops.exp(-self.gate(x)))
        return self.value(x) * g


def train(callbacks, cured=False):
    keras.utils.set_random_seed(1)
    X, y = load_digits(return_X_y=True)
    X, y = X[:1500], y[:1500]
    X = ((X - 8.0) / 6.0).astype("float32")
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    model = keras.Sequential([keras.Input((64,)), GLU(64), layers.Dropout(0.1), GLU(48), layers.Dense(10, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
