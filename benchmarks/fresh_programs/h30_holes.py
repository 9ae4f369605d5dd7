import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(30)
    rng = np.random.default_rng(30)
    X = rng.normal(size=(1500, 9)).astype("float32")
    y = (X[:, 0] * X[:, 1] > 0).astype("float32")
    r = (X[:, 2] + X[:, 3] ** 2).astype("float32") * 1000               # euros
    have = rng.random(1500) < 0.5                                          # the amount is known for half of the rows only
    r_obs = np.where(have, r, 0.0).astype("float32")
    i = keras.Input((9,))
    h = layers.Dense(64, activation="relu")(i)
    h = layers.Dense(64, activation="relu")(h)
    o1 = layers.Dense(1, activation="sigmoid", name="buys")(h)
    o2 = layers.Rescaling(1000.0, name="amount")(layers.Dense(1, name="amount_k")(h))
    m = keras.Model(i, {"buys": o1, "amount": o2})
    m.compile(keras.optimizers.Adam(4e-3), {"buys": "binary_crossentropy", "amount": "mse"}, loss_weights={"buys": 1.0, "amount": 1e-6},
              metrics={"buys": ["accuracy"]}, run_eagerly=False)
    sl = slice(0, 1100)
    m.fit(X[sl], {"buys": y[sl], "amount": r_obs[sl]}, sample_weight={"buys": np.ones(1100), "amount": have[sl].astype("float32")},
          validation_data=(X[1100:], {"buys": y[1100:], "amount": r[1100:]}), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    p = m.predict(X[1100:], verbose=0)
    acc = ((p["buys"][:, 0] > 0.5) == y[1100:]).mean()
    r2 = 1 - ((p["amount"][:, 0] - r[1100:]) ** 2).sum() / ((r[1100:] - r[1100:].mean()) ** 2).sum()
    return float(min(acc, r2))
