import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the hidden Dense layers have no activation, so the whole net is one linear map and cannot separate the xor-like classes",
         "blames": "activation", "cure": "give the hidden layers a relu activation"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(30)
    rng = np.random.default_rng(30)
    X = rng.uniform(-1, 1, (2000, 2)).astype("float32")
    y = ((X[:, 0] * X[:, 1]) > 0).astype("float32")
    act = "relu" if cured else None
    model = keras.Sequential([
        keras.Input((2,)),
        layers.Dense(64, activation=act, name="dense_a"),
        layers.Dense(64, activation=act, name="dense_b"),
        layers.Dense(64, activation=act, name="dense_c"),
        layers.Dense(1, activation="sigmoid", name="p"),
    ])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(X[:1500], y[:1500], epochs=20, batch_size=32, validation_data=(X[1500:], y[1500:]), callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1500:], y[1500:], verbose=0)[1])
