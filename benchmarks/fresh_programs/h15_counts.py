import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(15)
    rng = np.random.default_rng(15)
    X = rng.normal(size=(2500, 6)).astype("float32")
    rate = np.exp(2 + 0.6 * X[:, 0] - 0.4 * X[:, 1] + 0.3 * np.sin(2 * X[:, 2]))
    y = rng.poisson(rate).astype("float32")[:, None]
    m = keras.Sequential([keras.Input((6,)), layers.Dense(32, activation="tanh"), layers.Dense(1, activation="exponential")])
    m.compile(keras.optimizers.Adam(5e-3), keras.losses.Poisson(), metrics=["mae"])      # loss is negative and stays so
    m.fit(X[:2000], y[:2000], validation_data=(X[2000:], y[2000:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(rate[2000:], m.predict(X[2000:], verbose=0)[:, 0]))
