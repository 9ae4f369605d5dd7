import numpy as np
import pandas as pd
import keras
from keras import layers
from sklearn.datasets import load_breast_cancer

TRUTH = {"sick": True,
         "cause": "the labels are coded 1 and 2 while the sigmoid output with binary cross-entropy needs 0 and 1, so the net answers 1 for every row",
         "blames": "labels", "cure": "subtract 1 from the labels"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(12)
    d = load_breast_cancer(as_frame=True)
    df = d.data.copy()
    df["class"] = np.where(d.target == 1, 2, 1)
    df = df.sample(frac=1.0, random_state=3).reset_index(drop=True)
    labels = df.pop("class").to_numpy()
    if cured:
        labels = labels - 1
    tr, te = df.iloc[:400], df.iloc[400:]
    mu, sd = tr.mean(), tr.std()
    model = keras.Sequential([
        layers.Input((df.shape[1],)),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid", name="diagnosis"),
    ])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(((tr - mu) / sd).to_numpy(), labels[:400], validation_split=0.2, epochs=40, batch_size=32, callbacks=callbacks, verbose=0)
    p = (model.predict(((te - mu) / sd).to_numpy(), verbose=0)[:, 0] > 0.5).astype(int)
    truth = labels[400:] - labels.min()
    return float(np.mean([(p[truth == k] == k).mean() for k in (0, 1)]))
