import numpy as np
import keras
from keras import layers, ops
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own loss `weighted_sq` subtracts targets of shape (batch,) from predictions of shape (batch,1), which broadcasts to (batch,batch), so the net only learns the mean",
         "blames": "loss", "cure": "squeeze the predictions to (batch,) inside the loss"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    X = rng.normal(size=(1800, 10)).astype("float32")
    y = (X @ rng.normal(size=10) + np.maximum(X[:, 0], 0) * 3).astype("float32")
    y = (y - y.mean()) / y.std()

    class WeightedSq(keras.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            y_true = ops.cast(y_true, y_pred.dtype)
            if cured:
                y_pred = ops.squeeze(y_pred, -1)
            w = 1.0 + 0.2 * ops.abs(y_true)
            return ops.mean(w * ops.square(y_true - y_pred))

    model = keras.Sequential([keras.Input((10,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"),
                              layers.Dense(1, name="kwh")])
    model.compile(keras.optimizers.Adam(1e-3), loss=WeightedSq())
    model.fit(X[:1300], y[:1300], validation_data=(X[1300:], y[1300:]), epochs=18, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1300:], model.predict(X[1300:], verbose=0)[:, 0]))
