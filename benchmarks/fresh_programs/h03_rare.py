import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    y = (rng.random(5000) < 0.04).astype("float32")
    X = rng.normal(size=(5000, 10)); X[:, :3] += 2.2 * y[:, None]
    X = X.astype("float32")
    b0 = float(np.log(y.mean() / (1 - y.mean())))
    model = keras.Sequential([keras.Input((10,)), layers.Dense(24, activation="relu"),
                              layers.Dense(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(b0))])
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.AUC(curve="PR", name="prc"), "recall"])
    model.fit(X[:3500], y[:3500], validation_data=(X[3500:], y[3500:]), epochs=10, batch_size=64, class_weight={0: 0.52, 1: 12.5},
              callbacks=callbacks, verbose=0)
    p, t = model.predict(X[3500:], verbose=0)[:, 0] > 0.5, y[3500:]
    return float((p[t == 1].mean() + (~p[t == 0]).mean()) / 2)
