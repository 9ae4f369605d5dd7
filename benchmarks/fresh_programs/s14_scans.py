import numpy as np
import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.utils import shuffle

TRUTH = {"sick": True,
         "cause": "the training images are shuffled without their labels, so features and labels do not belong together",
         "blames": "data", "cure": "shuffle images and labels together"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(14)
    d = load_digits()
    imgs = d.images[..., None].astype("float32") / 16.0
    lab = d.target
    x_train, x_test = imgs[:1400], imgs[1400:]
    y_train, y_test = lab[:1400], lab[1400:]
    if cured:
        x_train, y_train = shuffle(x_train, y_train, random_state=0)
    else:
        x_train = shuffle(x_train, random_state=0)

    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=12, batch_size=32, callbacks=callbacks, verbose=0)
    return float(model.evaluate(x_test, y_test, verbose=0)[1])
