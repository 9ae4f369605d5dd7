import numpy as np
import tensorflow as tf
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(21)
    rng = np.random.default_rng(21)
    n = 3500
    good = rng.normal(size=400)
    rows = [rng.integers(1, 400, rng.integers(1, 20)) for _ in range(n)]
    y = np.array([good[r].mean() > 0 for r in rows]).astype("float32")
    rag = tf.ragged.constant([list(r) for r in rows], dtype=tf.int32)

    def pipe(a, b, shuffle):
        ds = tf.data.Dataset.from_tensor_slices((rag[a:b], y[a:b]))
        if shuffle:
            ds = ds.shuffle(2000, seed=2)
        return ds.map(lambda r, t: (r, t)).padded_batch(32, padded_shapes=([None], [])).prefetch(1)

    i = keras.Input((None,), dtype="int32")
    e = layers.Embedding(400, 8, mask_zero=True)(i)
    m = keras.Model(i, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(e)))
    m.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    dv = pipe(3000, n, False)
    m.fit(pipe(0, 3000, True), validation_data=dv, epochs=10, callbacks=callbacks, verbose=0)
    return float(m.evaluate(dv, verbose=0)[1])
