import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": True,
         "cause": "the tf.data pipeline gives the rows sorted by class and does not shuffle, so each epoch trains one class after the other and forgets the earlier ones",
         "blames": "data", "cure": "shuffle the dataset with a buffer as large as the data"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(38)
    X, y = load_digits(return_X_y=True)
    X = X.astype("float32") / 16
    Xt, yt = X[1300:], y[1300:]
    X, y = X[:1300], y[:1300]
    parts = [(X[y == k], y[y == k]) for k in range(10)]      # read folder by folder
    ds = tf.data.Dataset.from_tensor_slices((np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])))
    if cured:
        ds = ds.shuffle(1300, seed=1)
    ds = ds.batch(16).prefetch(2)
    model = keras.Sequential([
        keras.Input((64,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(ds, validation_data=tf.data.Dataset.from_tensor_slices((Xt, yt)).batch(100), epochs=15, callbacks=callbacks, verbose=0)
    return float(model.evaluate(Xt, yt, verbose=0)[1])
