import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": True,
         "cause": "the hidden relu layers fc1 and fc2 start with all kernels at zero, so every unit is zero, no gradient flows and only the output bias learns",
         "blames": "initialization", "cure": "use the glorot_uniform kernel initializer"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(27)
    X, y = load_digits(return_X_y=True)
    X = X.astype("float32") / 16
    init = "glorot_uniform" if cured else "zeros"

    class MLP(keras.Model):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.fc1 = layers.Dense(48, activation="relu", kernel_initializer=init, name="fc1")
            self.fc2 = layers.Dense(48, activation="relu", kernel_initializer=init, name="fc2")
            self.out = layers.Dense(10, name="logits")

        def call(self, x, training=False):
            return self.out(self.fc2(self.fc1(x)))

    model = MLP(name="mlp")
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(X[:1300], y[:1300], validation_data=(X[1300:], y[1300:]), epochs=10, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1300:], y[1300:], verbose=0)[1])
