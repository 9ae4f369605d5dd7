import numpy as np
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(4)
    rng = np.random.default_rng(4)
    W = rng.normal(size=(20, 12))
    X = rng.normal(size=(2500, 20)).astype("float32")
    Y = (X @ W > 5).astype("float32")             # rare tags, many rows with none
    model = keras.Sequential([keras.Input((20,)), layers.Dense(64, activation="mish"), layers.Dense(12)])
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.BinaryFocalCrossentropy(gamma=1.0, from_logits=True),
                  metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    model.fit(X[:2000], Y[:2000], validation_data=(X[2000:], Y[2000:]), epochs=12, batch_size=64, callbacks=callbacks, verbose=0)
    p, t = model.predict(X[2000:], verbose=0) > 0, Y[2000:] > 0
    return float(2 * (p & t).sum() / (p.sum() + t.sum()))
