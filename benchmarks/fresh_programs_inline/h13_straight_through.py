import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class Quantize(layers.Layer):
    """4-bit activations with a straight-through gradient."""

    def __init__(self, levels=15, **kw):
        super().__init__(**kw)
        self.levels = levels

    def call(self, x):
        x = ops.sigmoid(x)
        q = ops.round(x * self.levels) / self.levels
        return x + ops.stop_gradient(q - x)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(13)
    X, y = load_digits(return_X_y=True)
    X, y = ((X[:1500] - 5.0) / 6.0).astype("float32"), y[:1500]
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=2, stratify=y)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64), Quantize(), layers.Dense(48), Quantize(), layers.Dense(10, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
