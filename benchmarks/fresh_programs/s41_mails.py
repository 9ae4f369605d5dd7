import numpy as np
import keras
from keras import layers

TRUTH = {"sick": True,
         "cause": "the short texts are padded at the end with zeros to length 90 without a mask, so the GRU `reader` runs over about eighty padding steps and forgets the text",
         "blames": "layers", "cure": "set mask_zero=True in the embedding `words`"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(41)
    rng = np.random.default_rng(41)
    n = 800
    texts, y = [], rng.integers(0, 2, n)
    for i in range(n):
        t = rng.integers(10, 60, rng.integers(5, 12))
        t[rng.integers(0, len(t))] = rng.integers(1, 5) + 5 * y[i]
        texts.append(list(t))
    X = keras.utils.pad_sequences(texts, maxlen=90, padding="post")
    model = keras.Sequential([
        keras.Input((90,), dtype="int32"),
        layers.Embedding(60, 12, mask_zero=cured, name="words"),
        layers.GRU(16, name="reader"),
        layers.Dense(1, activation="sigmoid", name="spam"),
    ])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.fit(X[:600], y[:600], validation_data=(X[600:], y[600:]), epochs=6, batch_size=32, callbacks=callbacks, verbose=0)
    return float(((model.predict(X[600:], verbose=0)[:, 0] > 0.5) == y[600:]).mean())
