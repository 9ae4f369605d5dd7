import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the batch size is as large as the whole training set, so the 15 epochs make 15 updates in all",
         "blames": "batch-size", "cure": "use batch_size=32"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(26)
    rng = np.random.default_rng(26)
    X = rng.uniform(-1, 1, (3000, 6)).astype("float32")
    y = (0.4 * np.sin(3 * X[:, 0]) + 1.5 * X[:, 1] * X[:, 2] + X[:, 3] ** 2)[:, None].astype("float32")
    inp = layers.Input((6,))
    h = layers.Dense(64, activation="swish", name="h1")(inp)
    h = layers.Dense(64, activation="swish", name="h2")(h)
    model = keras.Model(inp, layers.Dense(1, name="load")(h))
    model.compile(keras.optimizers.Adam(3e-3), loss="mse", metrics=[keras.metrics.R2Score()])
    model.fit(X[:2400], y[:2400], validation_data=(X[2400:], y[2400:]), epochs=15, batch_size=32 if cured else 2400,
              callbacks=callbacks, verbose=0)
    return float(r2_score(y[2400:], model.predict(X[2400:], verbose=0)))
