import keras
from keras import layers, ops
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


class VAE(keras.Model):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.e = layers.Dense(64, activation="relu")
        self.mu, self.lv = layers.Dense(8), layers.Dense(8)
        self.d = layers.Dense(64, activation="relu")
        self.o = layers.Dense(64)
        self.seed = keras.random.SeedGenerator(3)
        self.rec = keras.metrics.Mean(name="rec")

    def call(self, x, training=False):
        h = self.e(x)
        mu, lv = self.mu(h), self.lv(h)
        z = mu
        if training:
            z = mu + ops.exp(lv / 2) * keras.random.normal(ops.shape(mu), seed=self.seed)
        r = ops.sigmoid(self.o(self.d(z)))
        rec = ops.mean(ops.sum(ops.square(x - r), axis=-1))
        kl = -0.5 * ops.mean(ops.sum(1 + lv - mu ** 2 - ops.exp(lv), axis=-1))
        self.add_loss(rec + 0.03 * kl)
        self.rec.update_state(rec)
        return r


def train(callbacks):
    keras.utils.set_random_seed(6)
    X = (load_digits().data / 16).astype("float32")
    m = VAE()
    m.compile(keras.optimizers.Adam(3e-3))                        # only add_loss, no targets
    m.fit(X[:1400], validation_data=(X[1400:],), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    r, t = m.predict(X[1400:], verbose=0), X[1400:]
    return float(1 - ((t - r) ** 2).sum() / ((t - t.mean(0)) ** 2).sum())
