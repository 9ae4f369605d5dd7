import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the pixels are divided by 255 and then cast to an integer type, so almost all inputs become zero",
         "blames": "preprocessing", "cure": "cast to float32 instead of uint8 after dividing by 255"}


def stamps(n, rng):
    y = rng.integers(0, 4, n)
    X = rng.integers(0, 60, (n, 16, 16, 1))
    for i in range(n):
        a, b = rng.integers(1, 7, 2)
        s = 7
        if y[i] == 0: X[i, a:a + s, b:b + s] += 150
        elif y[i] == 1: X[i, a:a + s, b + 3] += 150; X[i, a + 3, b:b + s] += 150
        elif y[i] == 2: X[i, a:a + s, b] += 150; X[i, a:a + s, b + s] += 150
        else:
            for k in range(s): X[i, a + k, b + k] += 150
    return np.clip(X, 0, 254).astype("uint8"), y


def train(callbacks, cured=False):
    keras.utils.set_random_seed(20)
    rng = np.random.default_rng(20)
    X, y = stamps(1400, rng)
    X = (X / 255.0).astype("float32" if cured else "uint8")
    model = keras.Sequential([
        keras.Input((16, 16, 1)),
        layers.Conv2D(12, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(24, 3, activation="relu"), layers.GlobalMaxPooling2D(),
        layers.Dense(4, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    model.fit(X[:1000], y[:1000], validation_data=(X[1000:], y[1000:]), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1000:], y[1000:], verbose=0)[1])
