import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits

TRUTH = {"sick": True,
         "cause": "in the variational autoencoder the KL term of layer `sample` is a sum over the code while the reconstruction loss is a mean over 64 pixels, so the KL term outweighs it and the code collapses to the prior",
         "blames": "loss", "cure": "weight the KL term by 0.001"}


class Sample(layers.Layer):
    def __init__(self, weight, **kw):
        super().__init__(**kw)
        self.weight = weight
        self.seed = keras.random.SeedGenerator(7)

    def call(self, mu, logvar, training=False):
        kl = -0.5 * ops.sum(1 + logvar - ops.square(mu) - ops.exp(logvar), axis=-1)
        self.add_loss(self.weight * ops.mean(kl))
        if training:
            return mu + ops.exp(0.5 * logvar) * keras.random.normal(ops.shape(mu), seed=self.seed)
        return mu


def train(callbacks, cured=False):
    keras.utils.set_random_seed(42)
    X = (load_digits().data / 16).astype("float32")
    inp = keras.Input((64,))
    h = layers.Dense(64, activation="relu", name="enc")(inp)
    mu, lv = layers.Dense(8, name="mu")(h), layers.Dense(8, name="logvar")(h)
    z = Sample(1e-3 if cured else 1.0, name="sample")(mu, lv)
    h = layers.Dense(64, activation="relu", name="dec")(z)
    out = layers.Dense(64, activation="sigmoid", name="pixels")(h)
    vae = keras.Model(inp, out)
    vae.compile(keras.optimizers.Adam(2e-3), "mse")
    vae.fit(X[:1300], X[:1300], validation_data=(X[1300:], X[1300:]), epochs=20, batch_size=48, callbacks=callbacks, verbose=0)
    R, T = vae.predict(X[1300:], verbose=0), X[1300:]
    return float(1 - ((T - R) ** 2).sum() / ((T - T.mean(0)) ** 2).sum())
