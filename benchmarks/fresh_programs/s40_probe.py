import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the own train_step computes and applies gradients for the head only, the encoder (layers enc_a, enc_b with the narrow code of 2 units) stays at its random start",
         "blames": "optimizer", "cure": "take the gradients of all trainable variables of the model in train_step"}


class Probe(keras.Model):
    def __init__(self, everything):
        super().__init__(name="probe")
        self.everything = everything
        self.encoder = keras.Sequential([layers.Dense(32, activation="tanh", name="enc_a"), layers.Dense(2, activation="tanh", name="enc_b")], name="encoder")
        self.head = keras.Sequential([layers.Dense(32, activation="relu", name="head_a"), layers.Dense(1, name="head_b")], name="head")

    def call(self, x, training=False):
        return self.head(self.encoder(x, training=training), training=training)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = self.compute_loss(x, y, p)
        params = self.trainable_variables if self.everything else self.head.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, params), params))
        for m in self.metrics:
            if m.name == "loss":
                m.update_state(loss)
            else:
                m.update_state(y, p)
        return {m.name: m.result() for m in self.metrics}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(40)
    rng = np.random.default_rng(40)
    X = rng.normal(size=(2000, 16)).astype("float32")
    y = (np.sin(X[:, :1] + X[:, 1:2]) + np.tanh(X[:, 2:3] - X[:, 3:4])).astype("float32")
    m = Probe(cured)
    m.compile(optimizer=keras.optimizers.Adam(5e-3), loss="mse", metrics=["mae"])
    m.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]), epochs=14, batch_size=32, callbacks=callbacks, verbose=0)
    return float(r2_score(y[1500:], m.predict(X[1500:], verbose=0)))
