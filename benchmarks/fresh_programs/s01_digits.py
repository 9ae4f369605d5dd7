import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True,
         "cause": "the own activation `gate` used in layers enc1, enc2 and enc3 is a sigmoid of 60*x, so the units saturate and pass almost no gradient",
         "blames": "activation", "cure": "use a gate with slope 1 centred at zero (tanh) instead of sigmoid(60*x)"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(11)
    X, y = load_digits(return_X_y=True)
    X = (X / 16.0).astype("float32")
    Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)

    def gate(x):
        if cured:
            return ops.tanh(x)
        return ops.sigmoid(60.0 * x)

    model = keras.Sequential([
        layers.Input((64,)),
        layers.Dense(24, activation=gate, name="enc1"),
        layers.Dense(12, activation=gate, name="enc2"),
        layers.Dense(6, activation=gate, name="enc3"),
        layers.Dense(10, activation="softmax", name="head"),
    ])
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Xa, ya, validation_data=(Xb, yb), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(model.predict(Xb, verbose=0).argmax(1) == yb))
