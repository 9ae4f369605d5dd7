import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}


class Sampling(layers.Layer):
    def __init__(self, beta=1.0, **kw):
        super().__init__(**kw)
        self.beta = beta
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        eps = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        kl = -0.5 * ops.sum(1.0 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)
        self.add_loss(self.beta * ops.mean(kl))
        return mean + ops.exp(0.5 * log_var) * eps


class VAE(keras.Model):
    def __init__(self, latent=6):
        super().__init__()
        self.enc = layers.Dense(96)
        self.mean = layers.Dense(latent)
        self.log_var = layers.Dense(latent)
        self.sampling = Sampling(beta=0.002)
        self.dec = layers.Dense(96)
        self.out = layers.Dense(64)

    def call(self, x):
        h = ops.relu(self.enc(x))
        z = self.sampling([self.mean(h), self.log_var(h)])
        h = ops.maximum(self.dec(z), 0.0)
        return ops.sigmoid(self.out(h))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(3)
    X = (load_digits().data[:1500] / 16.0).astype("float32")
    X = X[np.random.default_rng(0).permutation(len(X))]
    xt, xv = X[:1200], X[1200:]
    model = VAE()
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="mse", metrics=["mae"])
    model.fit(xt, xt, validation_data=(xv, xv), epochs=40, batch_size=32, callbacks=callbacks, verbose=0)
    p = model.predict(xv, verbose=0)
    return float(1.0 - np.mean((p - xv) ** 2) / np.mean((xv - xt.mean(0)) ** 2))
