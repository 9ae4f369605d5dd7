import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": True,
         "cause": "the dropout layers drop1 and drop2 drop 95 % of the units (the keep probability taken for the rate)",
         "blames": "regularization", "cure": "set the dropout rate to 0.05"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(32)
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    rate = 0.05 if cured else 0.95
    inputs = keras.Input(shape=(64,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = layers.Dropout(rate, name="drop1")(x)
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dropout(rate, name="drop2")(x)
    outputs = layers.Dense(10, activation="softmax")(x)
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X[:1300], y[:1300], batch_size=32, epochs=15, validation_data=(X[1300:], y[1300:]), callbacks=callbacks, verbose=0)
    return float(model.evaluate(X[1300:], y[1300:], verbose=0)[1])
