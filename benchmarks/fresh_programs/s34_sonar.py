import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": True,
         "cause": "the own layer Jitter (jitter) has the training flag inverted: it adds strong noise at inference and none in training",
         "blames": "layers", "cure": "add the noise only if training is true"}


class Jitter(layers.Layer):
    def __init__(self, std, flip, seed=1, **kw):
        super().__init__(**kw)
        self.std, self.flip = std, flip
        self.gen = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        noisy = training if self.flip else not training
        if noisy:
            return x + self.std * keras.random.normal(ops.shape(x), seed=self.gen)
        return x


def train(callbacks, cured=False):
    keras.utils.set_random_seed(34)
    rng = np.random.default_rng(34)
    X = rng.normal(size=(5000, 20)).astype("float32")
    y = (X[:, :5].sum(1) > 0).astype(int)
    inp = keras.Input((20,))
    h = Jitter(2.0, cured, name="jitter")(inp)
    h = layers.Dense(64, activation="relu", name="body")(h)
    out = layers.Dense(2, activation="softmax", name="echo")(h)
    model = keras.Model(inp, out)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:4500], y[:4500], validation_data=(X[4500:], y[4500:]), epochs=12, batch_size=64, callbacks=callbacks, verbose=0)
    return float((model.predict(X[4500:], verbose=0).argmax(1) == y[4500:]).mean())
