import numpy as np
import keras
from keras import layers
from sklearn.datasets import make_circles

TRUTH = {"sick": True,
         "cause": "the ExponentialDecay schedule halves the learning rate every 3 steps, so after a few dozen steps it is practically zero",
         "blames": "learning-rate", "cure": "set decay_steps to 3000"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(23)
    X, y = make_circles(2000, noise=0.08, factor=0.5, random_state=9)
    inputs = keras.Input((2,))
    x = layers.Dense(32, activation="elu")(inputs)
    x = layers.Dense(32, activation="elu")(x)
    outputs = layers.Dense(1)(x)
    model = keras.Model(inputs, outputs)
    sched = keras.optimizers.schedules.ExponentialDecay(5e-3, decay_steps=3000 if cured else 3, decay_rate=0.5, staircase=True)
    model.compile(optimizer=keras.optimizers.Adam(sched), loss=keras.losses.BinaryCrossentropy(from_logits=True),
                  metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    model.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float(((model.predict(X[1500:], verbose=0)[:, 0] > 0) == y[1500:]).mean())
