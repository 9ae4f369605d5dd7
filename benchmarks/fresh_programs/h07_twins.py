import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def info_nce(labels, z):
    """Supervised contrastive loss over the batch; z has unit length."""
    sim = ops.matmul(z, ops.transpose(z)) / 0.2
    n = ops.shape(z)[0]
    eye = ops.eye(n)
    lab = ops.reshape(labels, (-1, 1))
    pos = ops.cast(ops.equal(lab, ops.transpose(lab)), "float32") * (1 - eye)
    logp = sim - 1e9 * eye
    logp = logp - ops.logsumexp(logp, axis=1, keepdims=True)
    logp = ops.where(eye > 0, 0.0, logp)
    return -ops.sum(pos * logp, axis=1) / ops.maximum(ops.sum(pos, axis=1), 1.0)


def train(callbacks):
    keras.utils.set_random_seed(7)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    m = keras.Sequential([keras.Input((64,)), layers.Dense(96, activation="relu"), layers.Dense(16), layers.UnitNormalization()])
    m.compile(keras.optimizers.Adam(2e-3), loss=info_nce)
    m.fit(X[:1300], y[:1300], validation_data=(X[1300:], y[1300:]), epochs=12, batch_size=128, callbacks=callbacks, verbose=0)
    A, B = m.predict(X[:1300], verbose=0), m.predict(X[1300:], verbose=0)
    return float((y[:1300][(B @ A.T).argmax(1)] == y[1300:]).mean())
