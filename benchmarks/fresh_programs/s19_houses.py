import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": True,
         "cause": "the targets are prices around 300000 and are not scaled, so Adam with its small steps never reaches that size from outputs near zero",
         "blames": "preprocessing", "cure": "standardise the target prices before fitting"}


def train(callbacks, cured=False):
    keras.utils.set_random_seed(19)
    rng = np.random.default_rng(19)
    n = 1500
    area = rng.uniform(40, 220, n); rooms = rng.integers(1, 8, n); age = rng.uniform(0, 90, n); zone = rng.integers(0, 5, n)
    price = (area * 2500 * np.array([0.7, 0.9, 1.0, 1.3, 1.6])[zone] - 600 * age + 8000 * rooms + rng.normal(0, 8000, n))
    num = np.stack([area, rooms, age], 1)
    num = ((num - num.mean(0)) / num.std(0)).astype("float32")
    target = price.astype("float32")
    if cured:
        target = (target - target[:1100].mean()) / target[:1100].std()
    ni, zi = keras.Input((3,), name="numeric"), keras.Input((1,), name="zone", dtype="int32")
    e = layers.Flatten()(layers.Embedding(5, 4, name="zone_emb")(zi))
    h = layers.Dense(64, activation="relu")(layers.Concatenate()([ni, e]))
    h = layers.Dense(64, activation="relu")(h)
    model = keras.Model([ni, zi], layers.Dense(1, name="price")(h))
    model.compile(optimizer="adam", loss="mean_absolute_error")
    model.fit([num[:1100], zone[:1100, None]], target[:1100], epochs=30, batch_size=32,
              validation_data=([num[1100:], zone[1100:, None]], target[1100:]), callbacks=callbacks, verbose=0)
    p = model.predict([num[1100:], zone[1100:, None]], verbose=0)[:, 0]
    return float(r2_score(target[1100:], p))
