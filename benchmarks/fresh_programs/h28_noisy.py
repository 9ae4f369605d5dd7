import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(28)
    rng = np.random.default_rng(28)
    X = rng.normal(size=(9000, 10)).astype("float32")
    clean = (X[:, 0] + X[:, 1] > X[:, 2]).astype(int)
    y = np.where(rng.random(9000) < 0.3, 1 - clean, clean)               # 30 % wrong labels from the crowd
    m = keras.Sequential([keras.Input((10,)), layers.Dense(8, activation="relu"), layers.Dense(2, activation="softmax")])
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:8000], y[:8000], validation_data=(X[8000:], clean[8000:]), epochs=8, batch_size=32, callbacks=callbacks, verbose=0)
    return float((m.predict(X[8000:], verbose=0).argmax(1) == clean[8000:]).mean())
