import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(8)
    d = load_digits()
    X, y = (d.images / 16)[..., None].astype("float32"), d.target
    low = y < 6
    base = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(24, 3, activation="relu"), layers.BatchNormalization(),
                             layers.Conv2D(32, 3, activation="relu"), layers.Flatten()], name="base")
    pre = keras.Sequential([base, layers.Dense(6, activation="softmax")])
    pre.compile("adam", "sparse_categorical_crossentropy")
    pre.fit(X[low], y[low], epochs=6, verbose=0)

    base.trainable = False
    Xh, yh = X[~low], y[~low] - 6
    inp = keras.Input((8, 8, 1))
    out = layers.Dense(4, activation="softmax", name="new_head")(base(inp, training=False))
    m = keras.Model(inp, out)
    m.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(Xh[:500], yh[:500], validation_data=(Xh[500:], yh[500:]), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(m.evaluate(Xh[500:], yh[500:], verbose=0)[1])
