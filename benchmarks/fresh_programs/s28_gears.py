import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True,
         "cause": "the tanh layers t1..t4 are initialised with RandomNormal(stddev=4), so all units start saturated and the gradients vanish",
         "blames": "initialization", "cure": "use glorot_normal as kernel initializer"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(28)
    X, y = load_digits(return_X_y=True)
    X = (X - 8) / 8
    Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=2)

    def init():
        return keras.initializers.GlorotNormal() if cured else keras.initializers.RandomNormal(stddev=4.0)

    model = keras.Sequential([keras.Input((64,))])
    for i in range(4):
        model.add(layers.Dense(32, activation="tanh", kernel_initializer=init(), name=f"t{i + 1}"))
    model.add(layers.Dense(10, activation="softmax", name="digit"))
    model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Xa, ya, validation_data=(Xb, yb), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float((model.predict(Xb, verbose=0).argmax(1) == yb).mean())
