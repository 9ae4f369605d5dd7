import numpy as np
import keras
from keras import layers
from sklearn.datasets import make_classification

TRUTH = {"sick": True,
         "cause": "the class weights are exchanged: the frequent class 0 gets the large weight and the rare class 1 the small one, so the net never finds the rare class",
         "blames": "data", "cure": "exchange the two class weights (weight inversely to the class frequency)"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(37)
    X, y = make_classification(4000, n_features=12, n_informative=6, n_redundant=0, weights=[0.93], class_sep=1.4, flip_y=0.0,
                               n_clusters_per_class=1, random_state=5)
    X = X.astype("float32")
    share = np.bincount(y[:3000]) / 3000
    if cured:
        cw = {0: 0.5 / share[0], 1: 0.5 / share[1]}
    else:
        cw = {0: 0.5 / share[1], 1: 0.5 / share[0]}
    model = keras.Sequential([keras.Input((12,)), layers.Dense(16, activation="relu"),
                              layers.Dense(1, activation="sigmoid", name="fraud")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(X[:3000], y[:3000], validation_data=(X[3000:], y[3000:]), epochs=12, batch_size=64, class_weight=cw, callbacks=callbacks, verbose=0)
    p, t = model.predict(X[3000:], verbose=0)[:, 0] > 0.5, y[3000:]
    return float((p[t == 1].mean() + (~p[t == 0]).mean()) / 2)
