import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False}


def dice_bce(t, p):
    inter = ops.sum(t * p, axis=(1, 2, 3)); tot = ops.sum(t + p, axis=(1, 2, 3))
    return 1 - (2 * inter + 1) / (tot + 1) + ops.mean(keras.losses.binary_crossentropy(t, p), axis=(1, 2))


def train(callbacks):
    keras.utils.set_random_seed(29)
    rng = np.random.default_rng(29)
    g = np.mgrid[:16, :16]
    c = rng.uniform(3, 13, (500, 2, 1, 1)); r = rng.uniform(2, 5, (500, 1, 1))
    M = (((g[None] - c) ** 2).sum(1) < r ** 2)[..., None].astype("float32")
    X = (0.8 * M + 0.4 * rng.normal(size=M.shape)).astype("float32")
    i = keras.Input((16, 16, 1))
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(i)
    b = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(a)
    u = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(b)
    o = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(layers.Concatenate()([a, u]))
    m = keras.Model(i, o)
    m.compile(keras.optimizers.Adam(5e-3), loss=dice_bce)
    m.fit(X[:400], M[:400], validation_data=(X[400:], M[400:]), epochs=10, batch_size=16, callbacks=callbacks, verbose=0)
    P = m.predict(X[400:], verbose=0) > 0.5
    return float(2 * (P * M[400:]).sum() / (P.sum() + M[400:].sum()))
