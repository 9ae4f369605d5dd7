"""The trainings of `calibration.py`: small ones, sick and healthy, on data sets that no figure is reported on.

One long table with what its rows are made of: cut in two, neither half could be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits, make_friedman1, make_moons


@dataclass
class Data:
    """Training and validation arrays."""

    x: Any
    y: Any
    validation: tuple[Any, Any]


@dataclass
class Training:
    """One training of the corpus.

    expected: rules of which one must be the first cause; empty for a healthy training, which must have none.
    """

    name: str
    expected: tuple[str, ...]
    model: Callable[[], keras.Model]
    data: Callable[[np.random.Generator], Data]
    loss: Any = "sparse_categorical_crossentropy"
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam()
    epochs: int = 8
    batch_size: int = 32
    metrics: tuple[str, ...] = ("accuracy",)


def digits(rng: np.random.Generator, count: int = 1300, scale: float = 1.0, shape: tuple[int, ...] = (64,)) -> Data:
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(x))
    x, y = (x[order] / 16 * scale).astype("float32").reshape(-1, *shape), y[order]
    return Data(x[:count], y[:count], (x[1400:], y[1400:]))


def pixels(rng: np.random.Generator) -> Data:
    return digits(rng, shape=(8, 8, 1))


def rows(rng: np.random.Generator) -> Data:
    return digits(rng, shape=(8, 8))


def bright(rng: np.random.Generator) -> Data:
    return digits(rng, scale=255.0)


def few(rng: np.random.Generator) -> Data:
    return digits(rng, count=100)


def shuffled(rng: np.random.Generator) -> Data:
    data = digits(rng, count=600)
    data.y = rng.permutation(data.y)
    data.validation = (data.validation[0], rng.permutation(data.validation[1]))
    return data


def noisy_labels(rng: np.random.Generator) -> Data:
    data = digits(rng, count=400)
    wrong = rng.random(len(data.y)) < 0.35
    data.y = np.where(wrong, rng.integers(0, 10, len(data.y)), data.y)
    return data


def with_nan(rng: np.random.Generator) -> Data:
    data = digits(rng)
    data.x[700, 3] = np.nan
    return data


def moons(rng: np.random.Generator) -> Data:
    x, y = make_moons(1200, noise=0.2, random_state=int(rng.integers(1 << 30)))
    x = x.astype("float32")
    return Data(x[:800], y[:800], (x[800:], y[800:]))


def rare(rng: np.random.Generator) -> Data:
    x = rng.normal(size=(2000, 10)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 2.2).astype("int64")  # 6 % of all
    return Data(x[:1500], y[:1500], (x[1500:], y[1500:]))


def rare_and_vague(rng: np.random.Generator) -> Data:
    x = rng.normal(size=(2000, 10)).astype("float32")
    y = (x[:, 0] + 4 * rng.normal(size=2000) > 7).astype("int64")  # 4 %, hardly to be told
    return Data(x[:1500], y[:1500], (x[1500:], y[1500:]))


def friedman(rng: np.random.Generator) -> Data:
    x, y = make_friedman1(1000, noise=1.0, random_state=int(rng.integers(1 << 30)))
    x, y = (x - 0.5).astype("float32"), ((y - y.mean()) / y.std()).astype("float32")
    return Data(x[:700], y[:700], (x[700:], y[700:]))


def vague_regression(rng: np.random.Generator) -> Data:
    data = friedman(rng)
    data.y = (data.y + 2 * rng.normal(size=len(data.y))).astype("float32")
    held = data.validation
    data.validation = (held[0], (held[1] + 2 * rng.normal(size=len(held[1]))).astype("float32"))
    return data


def large_targets(rng: np.random.Generator) -> Data:
    data = friedman(rng)
    data.y = data.y * 20 + 100
    data.validation = (data.validation[0], data.validation[1] * 20 + 100)
    return data


def pictures_again(rng: np.random.Generator) -> Data:
    data = digits(rng)
    return Data(data.x, data.x, (data.validation[0], data.validation[0]))


def words(rng: np.random.Generator) -> Data:
    x = rng.integers(1, 200, size=(1500, 12))
    y = (np.isin(x, np.arange(1, 40)).sum(axis=1) > 2).astype("int64")
    return Data(x[:1100], y[:1100], (x[1100:], y[1100:]))


def many_labels(rng: np.random.Generator) -> Data:
    x = rng.normal(size=(1500, 20)).astype("float32")
    y = (x @ rng.normal(size=(20, 6)) > 1).astype("float32")
    return Data(x[:1100], y[:1100], (x[1100:], y[1100:]))


def mlp(
    activation: Any = "relu",
    *,
    depth: int = 3,
    width: int = 64,
    initializer: Any = "glorot_uniform",
    inputs: int = 64,
    outputs: int = 10,
    last: Any = "softmax",
    between: Callable[[], Any] | None = None,
    regularizer: Any = None,
) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        stack: list[Any] = [keras.Input((inputs,))]
        for _ in range(depth):
            stack.append(
                layers.Dense(width, activation, kernel_initializer=initializer, kernel_regularizer=regularizer)
            )
            if between is not None:
                stack.append(between())
        return keras.Sequential([*stack, layers.Dense(outputs, last)])

    return build


def cnn(normalized: bool = False) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        stack: list[Any] = [keras.Input((8, 8, 1))]
        for filters in (16, 32):
            stack.append(layers.Conv2D(filters, 3, padding="same", activation=None if normalized else "relu"))
            if normalized:
                stack += [layers.BatchNormalization(), layers.Activation("relu")]
            stack.append(layers.MaxPooling2D())
        return keras.Sequential([*stack, layers.Flatten(), layers.Dropout(0.3), layers.Dense(10, "softmax")])

    return build


def recurrent(kind: Any) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential([keras.Input((8, 8)), kind(32), layers.Dense(10, "softmax")])


def transformer() -> keras.Model:
    x = inputs = keras.Input((8, 8))
    x = layers.Dense(32)(x)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, "gelu")(x)))
    return keras.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x)))


def residual() -> keras.Model:
    x = inputs = keras.Input((64,))
    x = layers.Dense(64)(x)
    for _ in range(8):
        x = x + layers.Dense(64, kernel_initializer="zeros")(layers.Dense(64, "relu")(layers.LayerNormalization()(x)))
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


def embedded() -> keras.Model:
    return keras.Sequential(
        [keras.Input((12,), dtype="int32"), layers.Embedding(200, 16), layers.GlobalAveragePooling1D(),
         layers.Dense(32, "relu"), layers.Dense(1, "sigmoid")]
    )  # fmt: skip


def autoencoder() -> keras.Model:
    sizes = (32, 8, 32)
    return keras.Sequential(
        [keras.Input((64,)), *(layers.Dense(size, "relu") for size in sizes), layers.Dense(64, "sigmoid")]
    )


def frozen_base() -> keras.Model:
    base = keras.Sequential([keras.Input((64,)), layers.Dense(256, "relu"), layers.Dense(128, "relu")], name="base")
    base.trainable = False
    return keras.Sequential([keras.Input((64,)), base, layers.Dense(10, "softmax")])


def sure_of_itself(z: Any) -> Any:
    return ops.tanh(z**5)


def steep(z: Any) -> Any:
    return ops.sigmoid(10 * z)


def wave(frequency: float) -> Any:
    return lambda z: ops.sin(frequency * z)


def elu_by_hand(z: Any) -> Any:
    return ops.where(z > 0, z, ops.exp(z) - 1)


def rounded(z: Any) -> Any:
    return ops.round(z)


def adam(rate: float) -> Callable[[], Any]:
    return lambda: keras.optimizers.Adam(rate)


def sgd(rate: float, momentum: float = 0.0) -> Callable[[], Any]:
    return lambda: keras.optimizers.SGD(rate, momentum=momentum)


HEALTHY = [
    Training("mlp", (), mlp(), digits),
    Training("mlp, two epochs", (), mlp(), digits, epochs=2),
    Training("mlp, one epoch", (), mlp(), digits, epochs=1),
    Training("mlp, one layer", (), mlp(depth=1), digits),
    Training("softmax regression", (), mlp(depth=0), digits, epochs=15),
    Training("deep relu, he", (), mlp(depth=10, initializer="he_normal"), digits),
    Training("wide relu", (), mlp(width=512, depth=2), digits),
    Training("narrow relu", (), mlp(width=8, depth=2), digits, epochs=15),
    Training("tanh", (), mlp("tanh"), digits),
    Training("sigmoid, adam", (), mlp("sigmoid", depth=2), digits, epochs=15),
    Training("gelu", (), mlp("gelu"), digits),
    Training("silu", (), mlp("silu"), digits),
    Training("elu", (), mlp("elu"), digits),
    Training("selu, lecun", (), mlp("selu", initializer="lecun_normal", depth=6), digits),
    Training("softsign", (), mlp("softsign"), digits),
    Training("mish", (), mlp("mish"), digits),
    Training("leaky relu", (), mlp("leaky_relu"), digits),
    Training("hard sigmoid", (), mlp("hard_sigmoid", depth=1), digits, epochs=15),
    Training("relu6", (), mlp("relu6"), digits),
    Training("softplus", (), mlp("softplus"), digits),
    Training("sine", (), mlp(ops.sin), digits),
    Training("sgd with momentum", (), mlp(), digits, optimizer=sgd(0.05, 0.9)),
    Training("plain sgd", (), mlp(), digits, optimizer=sgd(0.1)),
    Training("slow sgd, learning", (), mlp(depth=1), digits, optimizer=sgd(0.01), epochs=20),
    Training("adam 0.01", (), mlp(), digits, optimizer=adam(0.01)),
    Training("rmsprop", (), mlp(), digits, optimizer=lambda: keras.optimizers.RMSprop()),
    Training("dropout 0.5", (), mlp(between=lambda: layers.Dropout(0.5)), digits, epochs=15),
    Training("dropout 0.7, wide", (), mlp(width=256, depth=1, between=lambda: layers.Dropout(0.7)), digits, epochs=15),
    Training("batch normalization", (), mlp(between=layers.BatchNormalization), digits),
    Training("layer normalization", (), mlp(between=layers.LayerNormalization), digits),
    Training("weight decay", (), mlp(regularizer=keras.regularizers.L2(1e-3)), digits),
    Training("cnn", (), cnn(), pixels),
    Training("cnn with batch normalization", (), cnn(True), pixels),
    Training("lstm", (), recurrent(layers.LSTM), rows, epochs=12),
    Training("gru", (), recurrent(layers.GRU), rows, epochs=12),
    Training("simple rnn", (), recurrent(layers.SimpleRNN), rows, epochs=12),
    Training("transformer", (), transformer, rows, epochs=12),
    Training("residual, zero gains", (), residual, digits),
    Training("embedding", (), embedded, words, loss="binary_crossentropy", epochs=20),
    Training("autoencoder", (), autoencoder, pictures_again, loss="mse", epochs=20),
    Training(
        "moons",
        (),
        mlp(inputs=2, outputs=1, last="sigmoid", width=16, depth=2),
        moons,
        loss="binary_crossentropy",
        epochs=30,
    ),
    Training("moons, two softmax units", (), mlp(inputs=2, outputs=2, width=16, depth=2), moons, epochs=30),
    Training("rare class", (), mlp(inputs=10, outputs=1, last="sigmoid"), rare, loss="binary_crossentropy", epochs=12),
    Training(
        "many labels",
        (),
        mlp(inputs=20, outputs=6, last="sigmoid"),
        many_labels,
        loss="binary_crossentropy",
        epochs=12,
        metrics=(),
    ),
    Training("regression", (), mlp(inputs=10, outputs=1, last=None), friedman, loss="mse", epochs=30),
    Training("regression, mae", (), mlp(inputs=10, outputs=1, last=None, width=32), friedman, loss="mae", epochs=15),
    Training(
        "regression, vague",
        (),
        mlp(inputs=10, outputs=1, last=None, width=16, depth=1),
        vague_regression,
        loss="mse",
        epochs=20,
    ),
    Training(
        "regression, large targets", (), mlp(inputs=10, outputs=1, last=None), large_targets, loss="mse", epochs=40
    ),
    Training(
        "small data", (), mlp(width=32, depth=1, between=lambda: layers.Dropout(0.3)), few, epochs=40, batch_size=16
    ),
    Training("frozen base", (), frozen_base, digits, epochs=20),
    Training(
        "tanh(x**5), large init",
        (),
        mlp(sure_of_itself, initializer=keras.initializers.RandomNormal(stddev=0.5)),
        digits,
    ),
    Training("sigmoid(10x), deep, sgd", (), mlp(steep, depth=8), digits, optimizer=sgd(0.01)),
    Training(
        "raw pixels, rescaled inside",
        (),
        lambda: keras.Sequential(
            [keras.Input((64,)), layers.Rescaling(1 / 255), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
        ),
        bright,
    ),
    Training("large batches", (), mlp(), digits, batch_size=256, epochs=20),
    Training("single samples", (), mlp(depth=1), few, batch_size=1, epochs=4),
]

SICK = [
    Training(
        "tanh(x**5), sgd",
        ("saturated-activation", "flat-activation", "blocked-gradient"),
        mlp(sure_of_itself),
        digits,
        optimizer=sgd(0.01),
    ),
    Training(
        "tanh(x**5), deep",
        ("saturated-activation", "flat-activation", "blocked-gradient"),
        mlp(sure_of_itself, depth=6),
        digits,
    ),
    Training(
        "tanh, huge init",
        ("saturated-activation", "mismatched-initialization"),
        mlp("tanh", initializer=keras.initializers.RandomNormal(stddev=3.0)),
        digits,
    ),
    Training(
        "deep sigmoid, sgd",
        ("vanishing-gradient", "collapsed-representation"),
        mlp("sigmoid", depth=8),
        digits,
        optimizer=sgd(0.01),
    ),
    Training(
        "deep sigmoid, adam", ("vanishing-gradient", "collapsed-representation"), mlp("sigmoid", depth=12), digits
    ),
    Training(
        "deep relu, small init",
        ("mismatched-initialization", "vanishing-gradient", "fading-signal"),
        mlp(depth=8, initializer=keras.initializers.RandomNormal(stddev=0.01)),
        digits,
        optimizer=sgd(0.01),
    ),
    Training("sin(30x)", ("folded-activation", "non-monotonic-activation", "steep-activation"), mlp(wave(30)), digits),
    Training("sin(10x)", ("folded-activation", "non-monotonic-activation", "steep-activation"), mlp(wave(10)), digits),
    Training("rounded", ("zero-gradient", "gradientless-activation"), mlp(rounded), digits),
    Training("elu by hand, raw pixels", ("non-finite-gradient", "nan-gradient-activation"), mlp(elu_by_hand), bright),
    Training("nan in the data", ("non-finite-input",), mlp(), with_nan),
    Training("sgd, rate 100", ("large-updates", "exploding-gradient"), mlp(), digits, optimizer=sgd(100.0)),
    Training("adam, rate 1", ("large-updates",), mlp(), digits, optimizer=adam(1.0)),
    Training("adam, rate 0.3", ("large-updates",), mlp(), digits, optimizer=adam(0.3)),
    Training("sgd, rate 1e-5", ("small-updates",), mlp(), digits, optimizer=sgd(1e-5)),
    Training("adam, rate 1e-7", ("small-updates",), mlp(), digits, optimizer=adam(1e-7)),
    Training("raw pixels, tanh", ("unscaled-input",), mlp("tanh"), bright, optimizer=sgd(0.1)),
    Training("raw pixels, sgd", ("unscaled-input",), mlp(), bright, optimizer=sgd(0.05)),
    Training(
        "dead from the start",
        ("dead-units", "mismatched-initialization"),
        lambda: keras.Sequential(
            [
                keras.Input((64,)),
                layers.Dense(64, "relu", bias_initializer=keras.initializers.Constant(-20.0)),
                layers.Dense(10, "softmax"),
            ]
        ),
        digits,
    ),
    Training("shuffled labels", ("memorized-labels",), mlp(width=256), shuffled, epochs=60),
    Training("noisy labels", ("overfitting",), mlp(width=256), noisy_labels, epochs=60),
    Training(
        "rare and vague",
        ("class-imbalance",),
        mlp(inputs=10, outputs=1, last="sigmoid", width=8, depth=1),
        rare_and_vague,
        loss="binary_crossentropy",
        epochs=10,
    ),
    Training("constant input", ("constant-input",), mlp(), lambda rng: _zeroed(digits(rng)), epochs=5),
    Training(
        "too few epochs",
        ("unfinished-training", "slow-progress", "small-updates"),
        mlp("sigmoid"),
        digits,
        optimizer=sgd(0.003),
        epochs=6,
    ),
]


def _zeroed(data: Data) -> Data:
    return Data(data.x * 0, data.y, (data.validation[0] * 0, data.validation[1]))
