import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "LayerNormalization `ln_in` normalises over the last axis, which has size 1 in the single-channel series, so it returns zeros for every input",
         "blames": "layers", "cure": "normalise over the time axis (axis=1) in ln_in"}


def beats(n, rng):
    t = np.arange(60)
    y = rng.integers(0, 3, n)
    width = np.array([2.0, 5.0, 10.0])[y]
    c = rng.integers(20, 40, n)
    X = np.exp(-((t - c[:, None]) / width[:, None]) ** 2) * rng.uniform(1, 3, (n, 1)) + 0.05 * rng.normal(size=(n, 60))
    return X[..., None].astype("float32"), keras.utils.to_categorical(y, 3)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(16)
    rng = np.random.default_rng(16)
    X, Y = beats(900, rng)
    Xt, Yt = beats(300, rng)
    inp = keras.Input((60, 1), name="lead_II")
    x = layers.LayerNormalization(axis=1 if cured else -1, name="ln_in")(inp)
    x = layers.Conv1D(16, 9, strides=2, activation="relu", name="conv_a")(x)
    x = layers.Conv1D(32, 5, strides=2, activation="relu", name="conv_b")(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(32, activation="relu")(x)
    out = layers.Dense(3, activation="softmax", name="rhythm")(x)
    model = keras.Model(inp, out, name="ecg")
    model.compile(optimizer=keras.optimizers.Nadam(2e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, validation_data=(Xt, Yt), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(Xt, Yt, verbose=0)[1])
