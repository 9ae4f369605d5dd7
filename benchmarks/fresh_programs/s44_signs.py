import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the augmentation layer RandomFlip('horizontal') (flip) turns left arrows into right arrows while the labels stay, so left and right cannot be told apart",
         "blames": "data", "cure": "flip only vertically"}


def arrows(n, rng):
    X = 0.15 * rng.normal(size=(n, 12, 12, 1))
    y = rng.integers(0, 2, n)
    for i in range(n):
        r, c = rng.integers(3, 9), rng.integers(1, 5)
        X[i, r, c:c + 6] += 1
        tip = c + 5 if y[i] else c
        s = -1 if y[i] else 1
        for k in (1, 2):
            X[i, r - k, tip + s * k] += 1
            X[i, r + k, tip + s * k] += 1
    return X.astype("float32"), y


def train(callbacks, cured=False):
    keras.utils.set_random_seed(44)
    rng = np.random.default_rng(44)
    X, y = arrows(1000, rng)
    model = keras.Sequential([
        keras.Input((12, 12, 1)),
        layers.RandomFlip("vertical" if cured else "horizontal", seed=4, name="flip"),
        layers.Conv2D(12, 3, activation="relu", name="conv1"),
        layers.Conv2D(12, 3, activation="relu", name="conv2"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid", name="right"),
    ])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    model.fit(X[:700], y[:700], validation_data=(X[700:], y[700:]), epochs=10, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[700:], y[700:], verbose=0)[1])
