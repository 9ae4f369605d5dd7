import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": True,
         "cause": "the attention mask given to the MultiHeadAttention layer `mha` is inverted: it is true at the padding, so only the padding is attended to",
         "blames": "layers", "cure": "pass tokens != 0 instead of tokens == 0 as the attention mask"}


class Block(keras.Model):
    def __init__(self, vocab, good):
        super().__init__(name="tagger")
        self.good = good
        self.emb = layers.Embedding(vocab, 24, name="emb")
        self.query = self.add_weight(shape=(1, 1, 24), initializer="random_normal", name="cls")
        self.mha = layers.MultiHeadAttention(2, 12, name="mha")
        self.head = layers.Dense(3, activation="softmax", name="head")

    def call(self, tokens):
        mask = ops.not_equal(tokens, 0) if self.good else ops.equal(tokens, 0)
        h = self.emb(tokens)
        q = ops.tile(self.query, (ops.shape(tokens)[0], 1, 1))
        z = self.mha(q, h, attention_mask=mask[:, None, :])
        return self.head(z[:, 0])


def train(callbacks, cured=False):
    keras.utils.set_random_seed(35)
    rng = np.random.default_rng(35)
    n, T = 1800, 16
    X = np.zeros((n, T), "int32"); y = rng.integers(0, 3, n)
    for i in range(n):
        L = rng.integers(5, 13)
        X[i, :L] = rng.integers(10, 40, L)
        k = rng.choice(L, 2, replace=False)
        X[i, k] = 1 + 3 * rng.integers(0, 3, 2) + y[i]
    model = Block(40, cured)
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:1400], y[:1400], validation_data=(X[1400:], y[1400:]), epochs=10, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1400:], y[1400:], verbose=0)[1])
