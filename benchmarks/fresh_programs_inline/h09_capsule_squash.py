import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


def squash(v, axis=-1):
    n2 = tf.reduce_sum(tf.square(v), axis=axis, keepdims=True)
    return n2 / (1.0 + n2) * v / tf.sqrt(n2 + 1e-7)


class Capsules(layers.Layer):
    def __init__(self, n, dim, **kw):
        super().__init__(**kw)
        self.n, self.dim = n, dim
        self.proj = layers.Dense(n * dim)

    def call(self, x):
        v = tf.reshape(self.proj(x), (-1, self.n, self.dim))
        return squash(v)


class CapsNet(keras.Model):
    def __init__(self):
        super().__init__()
        self.d = layers.Dense(96)
        self.prim = Capsules(16, 6)
        self.flat = layers.Flatten()
        self.digit = Capsules(10, 8)

    def call(self, x):
        h = tf.nn.elu(self.d(x))
        v = self.digit(self.flat(self.prim(h)))
        return tf.sqrt(tf.reduce_sum(tf.square(v), axis=-1) + 1e-7)


def margin_loss(y, p):
    l = y * tf.square(tf.maximum(0.0, 0.9 - p)) + 0.5 * (1.0 - y) * tf.square(tf.maximum(0.0, p - 0.1))
    return tf.reduce_sum(l, axis=-1)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(9)
    X, y = load_digits(return_X_y=True)
    X, y = ((X[:1500] - 5.0) / 6.0).astype("float32"), y[:1500]
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    model = CapsNet()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=margin_loss, metrics=["categorical_accuracy"])
    oh = np.eye(10, dtype="float32")
    model.fit(xt, oh[yt], validation_data=(xv, oh[yv]), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
