import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

TRUTH = {"sick": True,
         "cause": "the own activation `soft_clip` of layers b1..b5 squares and divides so that small values shrink (x*|x|/(10+x*x)): signal and gradient vanish through the five layers",
         "blames": "activation", "cure": "use x/(1+|x|) (softsign) as the soft clip"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(4)
    X, y = load_wine(return_X_y=True)
    idx = np.random.default_rng(0).permutation(len(X))
    X, y = X[idx], y[idx]
    X = StandardScaler().fit(X[:120]).transform(X).astype("float32")
    Y = keras.utils.to_categorical(y, 3)

    def soft_clip(x):
        if cured:
            return x / (1.0 + ops.abs(x))
        return x * ops.abs(x) / (10.0 + x * x)

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="cellar")
            self.blocks = [layers.Dense(24, activation=soft_clip, name=f"b{i}") for i in range(1, 6)]
            self.cls = layers.Dense(3, activation="softmax", name="cultivar")

        def call(self, x):
            for b in self.blocks:
                x = b(x)
            return self.cls(x)

    model = Net()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:120], Y[:120], epochs=35, batch_size=16, validation_data=(X[120:], Y[120:]), callbacks=callbacks, verbose=0)
    return float((model.predict(X[120:], verbose=0).argmax(1) == y[120:]).mean())
