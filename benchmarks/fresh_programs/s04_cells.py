import numpy as np
import keras
from keras import layers, ops
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

TRUTH = {"sick": True,
         "cause": "the own activation `threshold_relu` of layer hidden2 cuts at 12, far above any value it receives, so the layer is dead and returns zeros",
         "blames": "activation", "cure": "set the threshold theta of the activation to 0"}


@keras.saving.register_keras_serializable("cells")
class ThresholdReLU(layers.Layer):
    def __init__(self, theta, **kw):
        super().__init__(**kw)
        self.theta = theta

    def call(self, x):
        return ops.relu(x - self.theta)


def train(callbacks, cured=False):
    keras.utils.set_random_seed(8)
    X, y = load_breast_cancer(return_X_y=True)
    Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=1, stratify=y)
    sc = StandardScaler().fit(Xa)
    Xa, Xb = sc.transform(Xa), sc.transform(Xb)
    theta = 0.0 if cured else 12.0

    x_in = layers.Input((30,))
    h = layers.Dense(32, activation="relu", name="hidden1")(x_in)
    h = layers.Dense(16, name="hidden2_lin")(h)
    h = ThresholdReLU(theta, name="hidden2")(h)
    o = layers.Dense(1, activation="sigmoid", name="malignant")(h)
    model = keras.Model(x_in, o)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", "AUC"])
    model.fit(Xa, ya, epochs=25, batch_size=16, validation_data=(Xb, yb), callbacks=callbacks, verbose=0)
    p = model.predict(Xb, verbose=0)[:, 0] > 0.5
    tpr, tnr = (p[yb == 1]).mean(), (~p[yb == 0]).mean()
    return float((tpr + tnr) / 2)
