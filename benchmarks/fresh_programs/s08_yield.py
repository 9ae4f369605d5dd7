import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score
import tensorflow as tf

TRUTH = {"sick": True,
         "cause": "the output layer `tons` uses sigmoid although the regression targets run from about 1 to 9",
         "blames": "activation", "cure": "give the output layer a linear activation"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(9)
    rain = rng.uniform(-1, 1, (2000, 1)); soil = rng.uniform(-1, 1, (2000, 4))
    y = 5 + 2.5 * np.sin(2 * rain) + soil[:, :1] * soil[:, 1:2] + 0.5 * soil[:, 2:3]
    a = keras.Input((1,), name="rain"); b = keras.Input((4,), name="soil")
    h = layers.Concatenate()([layers.Dense(16, activation="relu")(a), layers.Dense(16, activation="relu")(b)])
    h = layers.Dense(32, activation="relu")(h)
    out = layers.Dense(1, activation=None if cured else "sigmoid", name="tons")(h)
    model = keras.Model([a, b], out)
    model.compile("adam", loss="mse", metrics=["mae"])
    ds = tf.data.Dataset.from_tensor_slices(({"rain": rain[:1500], "soil": soil[:1500]}, y[:1500])).shuffle(1500, seed=1).batch(32)
    dv = tf.data.Dataset.from_tensor_slices(({"rain": rain[1500:], "soil": soil[1500:]}, y[1500:])).batch(100)
    model.fit(ds, validation_data=dv, epochs=30, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1500:], model.predict({"rain": rain[1500:], "soil": soil[1500:]}, verbose=0)))
