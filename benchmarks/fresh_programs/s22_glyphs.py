import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRUTH = {"sick": True,
         "cause": "Adam's learning rate of 0.3 is far too high for the convolutional net",
         "blames": "learning-rate", "cure": "lower the learning rate to 0.001"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(22)
    d = load_digits()
    X = d.images[..., None] / 16.0
    Y = keras.utils.to_categorical(d.target)
    X_tr, X_te, Y_tr, Y_te = train_test_split(X, Y, test_size=0.25, random_state=7)
    model = keras.Sequential()
    model.add(keras.Input(shape=(8, 8, 1)))
    model.add(layers.Conv2D(16, (3, 3), activation="relu"))
    model.add(layers.Conv2D(32, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=1e-3 if cured else 0.3), metrics=["accuracy"])
    model.fit(X_tr, Y_tr, batch_size=32, epochs=8, validation_data=(X_te, Y_te), callbacks=callbacks, verbose=0)
    return float(model.evaluate(X_te, Y_te, verbose=0)[1])
