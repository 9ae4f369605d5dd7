import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True, "cause": "sigmoid(25*x) in eight layers is saturated at 0/1, almost a step: gradients are zero or spiky and the lower layers hardly learn", "blames": "activation", "cure": "use relu instead of the steep sigmoid"}


class SteepDense(layers.Layer):
    def __init__(self, units, cured, **kw):
        super().__init__(**kw)
        self.dense = layers.Dense(units, kernel_initializer="he_normal")
        self.cured = cured

    def call(self, x):
        z = self.dense(x)
        return ops.relu(z) if self.cured else 1.0 / (1.0 + ops.exp(-25.0 * z))


def train(callbacks, cured=False):
    keras.utils.set_random_seed(27)
    X, y = load_digits(return_X_y=True)
    X, y = ((X[:1500] - 5.0) / 6.0).astype("float32"), y[:1500]
    xt, xv, yt, yv = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    model = keras.Sequential([keras.Input((64,))] + [SteepDense(24, cured) for _ in range(8)] + [layers.Dense(10, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(xt, yt, validation_data=(xv, yv), epochs=20, batch_size=32, callbacks=callbacks, verbose=0)
    return float(np.mean(np.argmax(model.predict(xv, verbose=0), 1) == yv))
