import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(23)
    rng = np.random.default_rng(23)
    A, B = rng.normal(size=(2, 2500, 8)).astype("float32")
    worth = lambda Z: Z[:, 0] + np.tanh(2 * Z[:, 1]) - 0.5 * Z[:, 2] ** 2
    first = keras.Input((8,), name="better"); second = keras.Input((8,), name="worse")
    scorer = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(1, use_bias=False)], name="scorer")
    diff = layers.Subtract()([scorer(first), scorer(second)])
    m = keras.Model([first, second], diff)
    sw = worth(A) < worth(B)
    W, L = np.where(sw[:, None], B, A), np.where(sw[:, None], A, B)
    ones = np.ones((2500, 1), "float32")                                     # all labels equal, by design
    m.compile("adam", loss=lambda t, d: ops.mean(ops.softplus(-d), axis=-1))
    m.fit([W[:2000], L[:2000]], ones[:2000], validation_data=([W[2000:], L[2000:]], ones[2000:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float((m.predict([W[2000:], L[2000:]], verbose=0) > 0).mean())
