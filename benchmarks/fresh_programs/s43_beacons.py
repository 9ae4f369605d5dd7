import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "SGD is used with clipvalue=1e-5, so every step is cut to almost nothing and the weights hardly move",
         "blames": "optimizer", "cure": "set clipvalue to 1.0"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(43)
    rng = np.random.default_rng(43)
    C = rng.normal(size=(5, 8)) * 1.6
    y = rng.integers(0, 5, 1500)
    X = (C[y] + rng.normal(size=(1500, 8))).astype("float32")
    Y = keras.ops.one_hot(y, 5)
    model = keras.Sequential([keras.Input((8,)), layers.BatchNormalization(), layers.Dense(32, activation="leaky_relu"),
                              layers.Dense(5, activation="softmax")])
    opt = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipvalue=1.0 if cured else 1e-5)
    model.compile(optimizer=opt, loss="categorical_crossentropy", metrics=["categorical_accuracy"])
    model.fit(X[:1100], Y[:1100], validation_data=(X[1100:], Y[1100:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float((model.predict(X[1100:], verbose=0).argmax(1) == y[1100:]).mean())
