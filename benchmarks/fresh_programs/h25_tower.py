import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(25)
    X, y = load_digits(return_X_y=True)
    X = (X - X.mean()) / X.std()
    m = keras.Sequential([keras.Input((64,))])
    for _ in range(10):
        m.add(layers.Dense(40, activation="selu", kernel_initializer="lecun_normal"))
    m.add(layers.AlphaDropout(0.1))
    m.add(layers.Dense(10, activation="softmax"))
    m.compile(keras.optimizers.Adamax(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:1300], y[:1300], validation_data=(X[1300:], y[1300:]), epochs=10, batch_size=32, callbacks=callbacks, verbose=0)
    return float(m.evaluate(X[1300:], y[1300:], verbose=0)[1])
