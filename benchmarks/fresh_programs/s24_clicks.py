import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "EarlyStopping watches val_loss with mode='max' and restores the best weights, so it stops early and gives back the worst epoch",
         "blames": "epochs", "cure": "set mode='min' in EarlyStopping"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(24)
    rng = np.random.default_rng(24)
    X = rng.normal(size=(2500, 12)).astype("float32")
    w = rng.normal(size=(12, 3))
    y = np.argmax(np.abs(X @ w), axis=1)
    model = keras.Sequential([keras.Input((12,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"),
                              layers.Dense(3, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", mode="min" if cured else "max", patience=4, restore_best_weights=True)
    model.fit(X[:1800], y[:1800], epochs=20, batch_size=64, validation_data=(X[1800:2100], y[1800:2100]),
              callbacks=list(callbacks) + [stop], verbose=0)
    return float(model.evaluate(X[2100:], y[2100:], verbose=0)[1])
