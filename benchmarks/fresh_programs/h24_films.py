import numpy as np
import keras
from keras import layers
from sklearn.metrics import r2_score

TRUTH = {"sick": False}


def train(callbacks):
    keras.utils.set_random_seed(24)
    rng = np.random.default_rng(24)
    U, I = rng.normal(size=(80, 3)), rng.normal(size=(60, 3))
    u, i = rng.integers(0, 80, 6000), rng.integers(0, 60, 6000)
    r = np.clip(3 + (U[u] * I[i]).sum(1) * 0.6 + 0.1 * rng.normal(size=6000), 0, 6).astype("float32")
    a, b = keras.Input((1,), dtype="int32", name="user"), keras.Input((1,), dtype="int32", name="item")
    ea, eb = layers.Embedding(80, 6)(a), layers.Embedding(60, 6)(b)
    ba, bb = layers.Embedding(80, 1)(a), layers.Embedding(60, 1)(b)
    s = layers.Add()([layers.Dot(axes=2)([ea, eb]), ba, bb])
    out = layers.Lambda(lambda z: 3.0 + z, output_shape=(1,))(layers.Flatten()(s))
    m = keras.Model([a, b], out)
    m.compile(keras.optimizers.Adam(0.02), "mse")
    x = lambda s: {"user": u[s, None], "item": i[s, None]}
    tr, te = slice(0, 5000), slice(5000, 6000)
    m.fit(x(tr), r[tr], validation_data=(x(te), r[te]), epochs=10, batch_size=64, callbacks=callbacks, verbose=0)
    return float(r2_score(r[te], m.predict(x(te), verbose=0)[:, 0]))
