import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(9)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    i = keras.Input((64,)); h = i; outs = {}
    for k in range(3):
        h = layers.Dense(40, activation="relu", name=f"stage{k}")(h)
        outs[f"exit{k}"] = layers.Dense(10, activation="softmax", name=f"exit{k}")(h)
    m = keras.Model(i, outs)
    m.compile(keras.optimizers.Adam(2e-3), {k: "sparse_categorical_crossentropy" for k in outs}, loss_weights={"exit0": 0.2, "exit1": 0.3, "exit2": 1.0},
              metrics={k: ["accuracy"] for k in outs})
    m.fit(X[:1300], {k: y[:1300] for k in outs}, validation_data=(X[1300:], {k: y[1300:] for k in outs}), epochs=10, batch_size=32,
          callbacks=callbacks, verbose=0)
    return float((m.predict(X[1300:], verbose=0)["exit2"].argmax(1) == y[1300:]).mean())
