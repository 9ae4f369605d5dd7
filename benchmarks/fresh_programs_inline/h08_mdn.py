import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": False, "cause": "", "blames": "", "cure": ""}
K = 3


class MDN(keras.Model):
    def __init__(self):
        super().__init__()
        self.d1 = layers.Dense(48)
        self.d2 = layers.Dense(48)
        self.pi = layers.Dense(K)
        self.mu = layers.Dense(K, bias_initializer=keras.initializers.RandomUniform(-1.5, 1.5))
        self.sigma = layers.Dense(K)

    def call(self, x):
        h = ops.tanh(self.d1(x))
        h = ops.tanh(self.d2(h))
        sigma = ops.softplus(self.sigma(h)) + 1e-2
        return ops.concatenate([self.pi(h), self.mu(h), sigma], axis=-1)


def mdn_nll(y, p):
    logit, mu, sigma = p[:, :K], p[:, K:2 * K], p[:, 2 * K:]
    logp = ops.log_softmax(logit, axis=-1) - ops.log(sigma) - 0.5 * ops.square((y - mu) / sigma) - 0.5 * np.log(2 * np.pi)
    return -ops.logsumexp(logp, axis=-1)


def mean_mae(y, p):
    m = ops.sum(ops.softmax(p[:, :K], axis=-1) * p[:, K:2 * K], axis=-1, keepdims=True)
    return ops.mean(ops.abs(y - m), axis=-1)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(8)
    rng = np.random.default_rng(8)
    x = rng.uniform(-2, 2, (1500, 1))
    sign = rng.choice([-1.0, 1.0], (1500, 1))
    y = sign * (0.6 + 0.4 * np.abs(x)) + 0.1 * rng.normal(size=x.shape)
    x, y = x.astype("float32"), y.astype("float32")
    model = MDN()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=mdn_nll, metrics=[mean_mae])
    model.fit(x[:1200], y[:1200], validation_data=(x[1200:], y[1200:]), epochs=30, batch_size=32, callbacks=callbacks, verbose=0)
    # score: gain in nats over a single gaussian
    yv = y[1200:]
    nll = float(np.mean(ops.convert_to_numpy(mdn_nll(yv, model.predict(x[1200:], verbose=0)))))
    base = float(0.5 * np.log(2 * np.pi * y.var()) + 0.5)
    return base - nll
