import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import make_moons

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(14)
    X, y = make_moons(1500, noise=0.12, random_state=1)
    y = 2.0 * y - 1.0
    rbf_c = X[:40].astype("float32")

    def bumps(x):
        d = ops.sum(ops.square(x[:, None, :] - rbf_c[None]), axis=-1)
        return ops.exp(-4.0 * d)

    m = keras.Sequential([keras.Input((2,)), layers.Lambda(bumps, output_shape=(40,)), layers.Dense(1, kernel_regularizer="l2")])
    m.compile(keras.optimizers.SGD(0.5), keras.losses.SquaredHinge(), metrics=[lambda t, p: ops.mean(ops.equal(ops.sign(p), t))])
    m.fit(X[:1100], y[:1100], validation_data=(X[1100:], y[1100:]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float((np.sign(m.predict(X[1100:], verbose=0)[:, 0]) == y[1100:]).mean())
