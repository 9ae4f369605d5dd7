import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the SimpleRNN `memory` uses relu with a recurrent matrix of 1.5 times the identity over 60 steps, so state and gradient explode",
         "blames": "initialization", "cure": "lower the gain of the identity recurrent initializer to 0.95"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(31)
    rng = np.random.default_rng(31)
    n, T = 700, 60
    ph, f = rng.uniform(0, 6.28, (n, 1)), rng.uniform(0.1, 0.4, (n, 1))
    full = np.sin(ph + f * np.arange(T + 1)) + 0.05 * rng.normal(size=(n, T + 1))
    X, y = full[:, :T, None].astype("float32"), full[:, T:].astype("float32")
    rnn = layers.SimpleRNN(24, activation="relu",
                           recurrent_initializer=keras.initializers.Identity(gain=0.95 if cured else 1.5), name="memory")
    model = keras.Sequential([keras.Input((T, 1)), rnn, layers.Dense(1, name="next")])
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(X[:550], y[:550], validation_data=(X[550:], y[550:]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(X[550:], verbose=0)
    return float(r2_score(y[550:], p)) if np.isfinite(p).all() else float("nan")
