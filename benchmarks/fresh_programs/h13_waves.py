import numpy as np
import tensorflow as tf
import keras
from keras import layers

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(13)
    rng = np.random.default_rng(13)
    t = np.arange(80) / 80
    y = rng.integers(0, 4, 1200)
    amp = 10.0 ** rng.uniform(-3, 3, (1200, 1))                        # amplitudes over six decades
    X = amp * (np.sign(np.sin(2 * np.pi * (3 + 2 * y[:, None]) * (t + rng.random((1200, 1))))) + 0.2 * rng.normal(size=(1200, 80)))
    ds = tf.data.Dataset.from_tensor_slices((X[:900, :, None].astype("float32"), y[:900])).cache().shuffle(900, seed=0).batch(32).repeat()
    dv = tf.data.Dataset.from_tensor_slices((X[900:, :, None].astype("float32"), y[900:])).batch(64)
    m = keras.Sequential([keras.Input((80, 1)), layers.LayerNormalization(axis=1, epsilon=1e-12), layers.SeparableConv1D(24, 9, activation="relu"),
                          layers.Conv1D(24, 9, strides=2, activation="relu"), layers.GlobalMaxPooling1D(), layers.Dense(4)])
    m.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    m.fit(ds, validation_data=dv, steps_per_epoch=29, epochs=14, callbacks=callbacks, verbose=0)
    return float(m.evaluate(dv, verbose=0)[1])
