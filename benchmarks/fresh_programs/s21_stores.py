import numpy as np
import keras
from keras import layers
from sklearn.preprocessing import StandardScaler

TRUTH = {"sick": True,
         "cause": "the column `store_rate` is a target encoding of nearly unique store ids computed with the rows' own labels (also the validation rows), so the label leaks into the inputs",
         "blames": "data", "cure": "drop the leaking store_rate column"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(21)
    rng = np.random.default_rng(210)
    n = 2400
    store = rng.integers(0, 40000, n)
    F = rng.normal(size=(n, 6))
    y = (F[:, 0] + F[:, 1] * F[:, 2] + 0.3 * rng.normal(size=n) > 0).astype(int)
    known = np.arange(n) < 1800
    sums, cnt = np.zeros(40000), np.zeros(40000)
    np.add.at(sums, store[known], y[known]); np.add.at(cnt, store[known], 1)
    rate = np.where(cnt > 0, sums / np.maximum(cnt, 1), 0.0)
    store_rate = rate[store][:, None]
    X = F if cured else np.hstack([F, store_rate])
    # rows after 1800 are next month's, their stores' rates come from the table
    X = StandardScaler().fit(X[:1800]).transform(X).astype("float32")
    model = keras.Sequential([
        keras.Input((X.shape[1],)),
        layers.Dense(32, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(X[:1800], y[:1800], validation_split=0.2, epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(X[1800:], verbose=0)[:, 0] > 0.5
    return float((p == y[1800:]).mean())
