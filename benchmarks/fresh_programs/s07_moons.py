import numpy as np
import keras
from keras import layers
from sklearn.datasets import make_moons

TRUTH = {"sick": True,
         "cause": "the output layer `prob` has one unit with softmax, which is always 1, so nothing can be learnt with binary cross-entropy",
         "blames": "activation", "cure": "use sigmoid on the single output unit"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(1)
    X, y = make_moons(1400, noise=0.15, random_state=4)
    model = keras.Sequential([
        keras.Input((2,)),
        layers.Dense(32, activation="gelu"),
        layers.Dense(32, activation="gelu"),
        layers.Dense(1, activation="sigmoid" if cured else "softmax", name="prob"),
    ])
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=keras.losses.BinaryCrossentropy(), metrics=["binary_accuracy"])
    model.fit(X[:1000], y[:1000], validation_split=0.2, epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(X[1000:], verbose=0).ravel() > 0.5
    return float((p == y[1000:]).mean())
