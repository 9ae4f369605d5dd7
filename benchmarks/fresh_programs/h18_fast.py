import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(18)
    X, y = load_digits(return_X_y=True)
    X = (X - 8.0) / 8.0
    m = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="tanh"), layers.BatchNormalization(), layers.Dense(10, activation="softmax")])
    m.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:1300], y[:1300], validation_data=(X[1300:], y[1300:]), epochs=12, batch_size=128, callbacks=callbacks, verbose=0)
    return float(m.evaluate(X[1300:], y[1300:], verbose=0)[1])
