import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(5)
    X = load_digits().data.astype("float32") / 16
    a, b = X[:1400], X[1400:]
    enc = keras.Sequential([keras.Input((64,)), layers.GaussianNoise(0.1), layers.Dense(64, activation="selu"), layers.Dense(12, name="code")])
    dec = keras.Sequential([keras.Input((12,)), layers.Dense(64, activation="selu"), layers.Dense(64, activation="sigmoid")])
    ae = keras.Model(enc.inputs, dec(enc.outputs[0]))
    ae.compile("adam", loss="binary_crossentropy")          # stays near 0.3 by nature
    ae.fit(a, a, validation_data=(b, b), epochs=25, batch_size=32, callbacks=callbacks, verbose=0)
    r = ae.predict(b, verbose=0)
    return float(1 - ((b - r) ** 2).sum() / ((b - b.mean(0)) ** 2).sum())
