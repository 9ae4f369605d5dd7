import numpy as np
import keras
from keras import layers, regularizers
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True,
         "cause": "the L2 weight penalty of 1.0 on layers r1, r2 and r3 is so strong that it drives the weights to zero",
         "blames": "regularization", "cure": "lower the L2 factor to 1e-4"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(33)
    X, y = load_wine(return_X_y=True)
    Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.35, random_state=3, stratify=y)
    mu, sd = Xa.mean(0), Xa.std(0)
    Xa, Xb = (Xa - mu) / sd, (Xb - mu) / sd
    lam = 1e-4 if cured else 1.0
    model = keras.Sequential([
        keras.Input((13,)),
        layers.Dense(32, activation="relu", kernel_regularizer=regularizers.l2(lam), name="r1"),
        layers.Dense(32, activation="relu", kernel_regularizer=regularizers.l2(lam), name="r2"),
        layers.Dense(3, activation="softmax", kernel_regularizer=regularizers.l2(lam), name="r3"),
    ])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Xa, ya, validation_data=(Xb, yb), epochs=25, batch_size=8, callbacks=callbacks, verbose=0)
    return float((model.predict(Xb, verbose=0).argmax(1) == yb).mean())
