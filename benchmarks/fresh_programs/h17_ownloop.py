import numpy as np
import tensorflow as tf
import keras
from keras import layers
from sklearn.datasets import load_digits

TRUTH = {"sick": False}


class MixUp(keras.Model):
    def train_step(self, data):
        x, y = data
        lam = tf.random.uniform((), 0.7, 1.0)
        perm = tf.random.shuffle(tf.range(tf.shape(x)[0]))
        xm = lam * x + (1 - lam) * tf.gather(x, perm)
        ym = lam * y + (1 - lam) * tf.gather(y, perm)
        with tf.GradientTape() as tape:
            p = self(xm, training=True)
            loss = self.compute_loss(xm, ym, p)
        g = tape.gradient(loss, self.trainable_variables)
        g, _ = tf.clip_by_global_norm(g, 1.0)
        self.optimizer.apply(g, self.trainable_variables)
        for mt in self.metrics:
            if mt.name == "loss":
                mt.update_state(loss)
            else:
                mt.update_state(y, p)
        return {mt.name: mt.result() for mt in self.metrics}


def train(callbacks):
    keras.utils.set_random_seed(17)
    d = load_digits()
    X, Y = (d.data / 16).astype("float32"), keras.utils.to_categorical(d.target)
    i = keras.Input((64,))
    h = layers.BatchNormalization()(layers.Dense(64, use_bias=False)(i))
    h = layers.Activation("relu")(h)
    m = MixUp(i, layers.Dense(10, activation="softmax")(h))
    m.compile(keras.optimizers.Adam(2e-3), "categorical_crossentropy", metrics=["accuracy"])
    m.fit(X[:1300], Y[:1300], validation_data=(X[1300:], Y[1300:]), epochs=15, batch_size=32, callbacks=callbacks, verbose=0)
    return float((m.predict(X[1300:], verbose=0).argmax(1) == d.target[1300:]).mean())
