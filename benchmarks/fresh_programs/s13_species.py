import numpy as np
import pandas as pd
import keras
from keras import layers
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True,
         "cause": "the class names are turned to numbers separately for train and validation in order of appearance (pd.factorize), so the same number means different classes",
         "blames": "labels", "cure": "use one fixed mapping of class names to numbers for both parts"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(13)
    d = load_iris()
    names = np.array(d.target_names)[d.target]
    Xa, Xb, na, nb = train_test_split(d.data, names, test_size=0.3, random_state=5, stratify=names)
    if cured:
        table = {n: i for i, n in enumerate(sorted(set(names)))}
        ya = np.array([table[n] for n in na])
        yb = np.array([table[n] for n in nb])
    else:
        ya, _ = pd.factorize(na)
        yb, _ = pd.factorize(nb)
    norm = layers.Normalization()
    norm.adapt(Xa)
    model = keras.Sequential([keras.Input((4,)), norm, layers.Dense(24, activation="relu"),
                              layers.Dense(3, activation="softmax", name="species")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(Xa, ya, validation_data=(Xb, yb), epochs=40, batch_size=16, callbacks=callbacks, verbose=0)
    return float((model.predict(Xb, verbose=0).argmax(1) == yb).mean())
