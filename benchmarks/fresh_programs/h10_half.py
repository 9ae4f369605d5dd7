import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(10)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        rng = np.random.default_rng(10)
        X = rng.normal(size=(1800, 16)).astype("float32")
        y = np.abs(X @ rng.normal(size=(16, 4))).argmax(1)
        m = keras.Sequential([keras.Input((16,)), layers.Dense(96, activation="relu"), layers.LayerNormalization(),
                              layers.Dense(96, activation="relu"), layers.Dense(4), layers.Activation("softmax", dtype="float32")])
        m.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
        m.fit(X[:1400], y[:1400], validation_data=(X[1400:], y[1400:]), epochs=18, batch_size=32, callbacks=callbacks, verbose=0)
        return float(m.evaluate(X[1400:], y[1400:], verbose=0)[1])
    finally:
        keras.mixed_precision.set_global_policy("float32")
