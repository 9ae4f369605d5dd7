import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the last layer `scores` gives raw logits but the loss is SparseCategoricalCrossentropy with from_logits=False, which clips and renormalises the negative values",
         "blames": "loss", "cure": "set from_logits=True in the loss"}


def make(n, rng):
    t = np.linspace(0, 1, 64)
    y = rng.integers(0, 6, n)
    f = 2 + 2 * y
    X = np.sin(2 * np.pi * (f[:, None] * t + rng.random((n, 1)))) + 0.4 * rng.normal(size=(n, 64))
    return X[..., None].astype("float32"), y


def train(callbacks, cured=False):
    keras.utils.set_random_seed(77)
    rng = np.random.default_rng(77)
    X, y = make(1200, rng)
    Xt, yt = make(400, rng)
    m = keras.Sequential([
        layers.Input((64, 1)),
        layers.Conv1D(16, 7, activation="relu", padding="same"),
        layers.MaxPooling1D(2),
        layers.Conv1D(32, 5, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(6, name="scores"),
    ])
    m.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=cured), metrics=["accuracy"])
    m.fit(X, y, validation_data=(Xt, yt), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float((m.predict(Xt, verbose=0).argmax(1) == yt).mean())
