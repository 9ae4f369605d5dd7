import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the GRU is trained for 1 epoch only and is still far from converged",
         "blames": "epochs", "cure": "train for 15 epochs"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(25)
    rng = np.random.default_rng(25)
    X = rng.integers(0, 2, (1200, 10, 1)).astype("float32")
    # longest run of ones, three classes
    def longest(r):
        best = cur = 0
        for v in r:
            cur = cur + 1 if v else 0
            best = max(best, cur)
        return best
    y = np.digitize([longest(r[:, 0]) for r in X], [3, 5])
    model = keras.Sequential([
        keras.Input((10, 1)),
        layers.GRU(24, name="gru"),
        layers.Dense(3, activation="softmax"),
    ])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:900], y[:900], validation_data=(X[900:], y[900:]), epochs=15 if cured else 1, batch_size=64, callbacks=callbacks, verbose=0)
    p = model.predict(X[900:], verbose=0).argmax(1)
    return float(np.mean([(p[y[900:] == k] == k).mean() for k in range(3)]))
