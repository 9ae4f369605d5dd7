import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(2)
    X, y = load_wine(return_X_y=True)
    X = X * np.array([1e6, 1e-6, 1, 1, 1e3, 1, 1, 1e-4, 1, 1, 1, 1, 1e2])      # odd units
    Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    inp = keras.Input((13,))
    norm = layers.Normalization()
    norm.adapt(Xa[:, None, :].reshape(-1, 13))
    h = norm(inp)
    h = layers.Dense(16, activation="relu")(h)
    model = keras.Model(inp, layers.Dense(3, activation="softmax")(h))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Xa, ya, validation_data=(Xb, yb), epochs=25, batch_size=16, callbacks=callbacks, verbose=0)
    return float(model.evaluate(Xb, yb, verbose=0)[1])
