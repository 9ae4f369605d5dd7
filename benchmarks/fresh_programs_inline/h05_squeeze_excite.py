import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class SEBlock(layers.Layer):
    def __init__(self, ratio=4, **kw):
        super().__init__(**kw)
        self.ratio = ratio

    def build(self, shape):
        c = shape[-1]
        self.fc1 = layers.Dense(c // self.ratio)
        self.fc2 = layers.Dense(c)
        self.fc1.build((None, c))
        self.fc2.build((None, c // self.ratio))

    def call(self, x):
        s = tf.reduce_mean(x, axis=[1, 2])
        s = tf.nn.relu(self.fc1(s))
        s = tf.nn.sigmoid(self.fc2(s))
        return x * s[:, None, None, :]


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.c1 = layers.Conv2D(16, 3, padding="same")
        self.se1 = SEBlock()
        self.c2 = layers.Conv2D(24, 3, strides=2, padding="same")
        self.se2 = SEBlock()
        self.flat = layers.Flatten()
        self.out = layers.Dense(10)

    def call(self, x):
        x = self.se1(tf.nn.relu(self.c1(x)))
        x = self.se2(tf.nn.relu(self.c2(x)))
        return self.out(self.flat(x))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(5)
    X, y = load_digits(return_X_y=True)
    X = (X[:1500] / 16.0).astype("float32").reshape(-1, 8, 8, 1)
    xt, xv, yt, yv = train_test_split(X, y[:1500], test_size=0.25, random_state=0, stratify=y[:1500])
    model = Net()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
