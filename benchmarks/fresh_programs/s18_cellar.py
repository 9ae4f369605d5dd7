import numpy as np
import keras
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

TRUTH = {"sick": True,
         "cause": "the inputs are not scaled: proline runs to 1680 while other columns are below 1, and plain SGD cannot train on them",
         "blames": "preprocessing", "cure": "standardise the features"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(18)
    X, y = load_wine(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)
    if cured:
        sc = StandardScaler()
        X_train = sc.fit_transform(X_train)
        X_test = sc.transform(X_test)
    model = keras.models.Sequential()
    model.add(keras.layers.Dense(20, activation="relu", input_shape=(13,)))
    model.add(keras.layers.Dense(10, activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.02), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X_train, y_train, validation_data=(X_test, y_test), epochs=35, batch_size=16, callbacks=callbacks, verbose=0)
    p = model.predict(X_test, verbose=0)
    return float((p.argmax(1) == y_test).mean()) if np.isfinite(p).all() else float("nan")
