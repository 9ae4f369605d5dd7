import numpy as np
import keras
from keras import layers, ops

TRUTH = {"sick": True,
         "cause": "the own metric `hit_rate` compares the class with argmax over axis 0 (the batch) of the predictions, so it is near zero whatever the net does, and EarlyStopping on val_hit_rate stops the training at once and restores the first epoch",
         "blames": "metric", "cure": "take the argmax over the last axis in hit_rate"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(36)
    rng = np.random.default_rng(36)
    X = rng.normal(size=(2200, 10)).astype("float32")
    y = (2 * (X[:, 0] * X[:, 1] > 0) + (X[:, 2] + X[:, 3] ** 2 > 1)).astype("int32")

    def hit_rate(y_true, y_pred):
        axis = -1 if cured else 0
        guess = ops.cast(ops.argmax(y_pred, axis=axis), "int32")
        if not cured:
            guess = ops.max(guess)
        return ops.cast(ops.equal(ops.cast(ops.reshape(y_true, (-1,)), "int32"), guess), "float32")

    model = keras.Sequential([keras.Input((10,)), layers.Dense(48, activation="relu"), layers.Dense(48, activation="relu"),
                              layers.Dense(4, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=[hit_rate])
    es = keras.callbacks.EarlyStopping(monitor="val_hit_rate", mode="max", patience=5, restore_best_weights=True)
    model.fit(X[:1500], y[:1500], validation_data=(X[1500:1800], y[1500:1800]), epochs=30, batch_size=32,
              callbacks=list(callbacks) + [es], verbose=0)
    return float((model.predict(X[1800:], verbose=0).argmax(1) == y[1800:]).mean())
