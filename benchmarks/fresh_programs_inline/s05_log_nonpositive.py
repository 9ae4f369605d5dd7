import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True, "cause": "log of relu features: log(0) = -inf, loss NaN from the first batch", "blames": "activation", "cure": "log1p (log of 1 + x)"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(25)
    X, y = load_digits(return_X_y=True)
    X, y = ((X[:1500] - 5.0) / 6.0).astype("float32"), y[:1500]
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    inp = keras.Input((64,))
    h = layers.Dense(64, activation="relu")(inp)
    # compress the dynamic range
    h = ops.log(1.0 + h) if cured else ops.log(h)
    h = layers.Dense(32, activation="relu")(h)
    out = layers.Dense(10, activation="softmax")(h)
    model = keras.Model(inp, out)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
