"""The healthy programs of `mutants.py`, as records of plain choices, and the models and data that are made from them.

A choice is a word or a number, never an object, so that an operator is a `dataclasses.replace`, a mutant differs from
its program in nothing else, and `repr` tells whether a kept result still belongs to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import keras
import numpy as np
import trainings
from keras import layers
from mutated_data import SPOILS
from trainings import LOSS, OUTPUT, Data


@dataclass(frozen=True)
class Program:
    """What a user chooses when training a network.

    data: a function of `tests/trainings.py`. spoils: what is done to its training samples, as (name in `SPOILS`,
        strength). network: name in `NETWORKS`.
    activation, width, dropout, normalized: of each hidden layer; the first `unactivated` have no activation.
    depth: hidden layers, or blocks of layers. kernel, pool: of convolutions.
    initializer, bias: Keras' name, or a number: the deviation of normal kernels, a constant bias; None is no bias.
    regularizer: Keras' name and its strength.
    last, loss: "" is what the data ask for. Several activations of the last layer are parted by "+".
    rate: None is the optimizer's own default.
    """

    name: str
    data: str
    network: str = "dense"
    spoils: tuple[tuple[str, float], ...] = ()
    activation: str = "relu"
    unactivated: int = 0
    depth: int = 2
    width: int = 32
    kernel: int = 3
    pool: int = 2
    dropout: float = 0.0
    normalized: bool = False
    initializer: str | float = "glorot_uniform"
    bias: str | float | None = "zeros"
    regularizer: tuple[str, float] | None = None
    last: str = ""
    loss: str = ""
    from_logits: bool = False
    optimizer: str = "adam"
    rate: float | None = 3e-3
    clipnorm: float | None = None
    epochs: int = 10
    batch_size: int = 32


HEALTHY = (
    Program("dense classifier", "digits", epochs=8),
    Program("convolution", "pictures", "convolution", width=8, dropout=0.2, epochs=6),
    Program("regression", "friedman", epochs=15),
    Program("binary", "cancer", depth=1, width=16, optimizer="sgd", rate=0.1),
    Program("recurrent", "waves", "recurrent", activation="tanh", depth=1, width=16, rate=1e-2, epochs=6),
    Program("tokens", "words", "tokens", depth=1, width=16, rate=1e-2, epochs=8),
    Program("deep, normalized", "clusters", depth=6, normalized=True, initializer="he_normal", rate=1e-2, epochs=15),
    Program("autoencoder", "digits_again", "autoencoder", depth=1, last="sigmoid", loss="mse", epochs=12),
    Program("many labels", "several", regularizer=("l2", 1e-4)),
    Program("residual", "digits", "residual", activation="gelu", epochs=5),
    Program("attention", "rows", "attention", activation="gelu", depth=1, epochs=6),
    Program("self-normalizing", "digits", activation="selu", depth=5, initializer="lecun_normal", rate=1e-3, epochs=8),
    Program("curve", "bumps", activation="tanh", width=24, rate=1e-2),
    Program("signals", "waves", "signals", depth=1, width=16, kernel=5, optimizer="rmsprop", epochs=10),
    Program("moons", "moons", activation="tanh", width=16, optimizer="sgd", rate=0.3, epochs=15),
)


def digits_again(rng: np.random.Generator) -> Data:
    return trainings.reconstruct(trainings.digits(rng), rng)


# Networks: from a program and its input to what the last layer is given.


def settings(program: Program) -> dict[str, Any]:
    """What all kernels of a program have in common."""
    start, bias = program.initializer, program.bias
    return {
        "kernel_initializer": start if isinstance(start, str) else keras.initializers.RandomNormal(stddev=start),
        "bias_initializer": bias if isinstance(bias, str) else keras.initializers.Constant(bias or 0.0),
        "use_bias": bias is not None,
        "kernel_regularizer": regularizer(program),
    }


def regularizer(program: Program) -> Any:
    if program.regularizer is None:
        return None
    name, strength = program.regularizer
    return {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}[name](strength)


def finished(program: Program, x: Any, number: int = 0) -> Any:
    """A hidden layer with what belongs behind it."""
    if program.normalized:
        x = layers.BatchNormalization()(x)
    if number >= program.unactivated and program.activation != "linear":
        x = layers.Activation(program.activation)(x)
    return layers.Dropout(program.dropout)(x) if program.dropout else x


def dense(program: Program, x: Any) -> Any:
    for number in range(program.depth):
        x = finished(program, layers.Dense(program.width, **settings(program))(x), number)
    return x


def convolution(program: Program, x: Any) -> Any:
    for number in range(program.depth):
        filters = program.width * 2 ** min(number, 1)
        x = layers.Conv2D(filters, program.kernel, padding="same", **settings(program))(x)
        x = finished(program, x, number)
        if program.pool > 1:
            x = layers.MaxPooling2D(program.pool, padding="same")(x)
    return layers.Flatten()(x)


def signals(program: Program, x: Any) -> Any:
    for number in range(program.depth):
        x = layers.Conv1D(program.width, program.kernel, padding="same", **settings(program))(x)
        x = finished(program, x, number)
        if program.pool > 1:
            x = layers.MaxPooling1D(program.pool, padding="same")(x)
    return layers.GlobalMaxPooling1D()(x)


def recurrent(program: Program, x: Any) -> Any:
    for number in range(program.depth):
        activation = "linear" if number < program.unactivated else program.activation
        again = number < program.depth - 1
        x = layers.GRU(program.width, activation, return_sequences=again, **settings(program))(x)
        x = layers.Dropout(program.dropout)(x) if program.dropout else x
    return x if program.depth else layers.Flatten()(x)


def tokens(program: Program, x: Any) -> Any:
    return dense(program, layers.GlobalAveragePooling1D()(layers.Embedding(200, program.width)(x)))


def autoencoder(program: Program, x: Any) -> Any:
    x = dense(program, x)
    code = replace(program, depth=1, width=max(program.width // 4, 1), unactivated=0)
    return dense(program, dense(code, x))


def residual(program: Program, x: Any) -> Any:
    x = layers.Dense(program.width, **settings(program))(x)
    for number in range(program.depth):
        inner = layers.Dense(program.width, **settings(program))(layers.LayerNormalization()(x))
        inner = finished(program, inner, number)
        x = x + layers.Dense(program.width, **settings(program))(inner)
    return x


def attention(program: Program, x: Any) -> Any:
    width = program.width
    x = layers.Dense(width, **settings(program))(x)
    for number in range(program.depth):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, max(width // 2, 1), **settings(program))(x, x))
        inner = finished(program, layers.Dense(2 * width, **settings(program))(x), number)
        x = layers.LayerNormalization()(x + layers.Dense(width, **settings(program))(inner))
    return layers.Flatten()(x)  # a mean would forget which row was which


NETWORKS: dict[str, Callable[[Program, Any], Any]] = {
    made.__name__: made for made in (dense, convolution, signals, recurrent, tokens, autoencoder, residual, attention)
}


def data_of(program: Program, seed: int) -> Data:
    """The samples. The same seed gives a mutant what it gives its program, up to what an operator spoils."""
    rng = np.random.default_rng(seed)
    source = digits_again if program.data == "digits_again" else getattr(trainings, program.data)
    data: Data = source(rng)
    for name, strength in program.spoils:
        data = SPOILS[name](data, rng, strength)
    return data


def model_of(program: Program, data: Data) -> keras.Model:
    """The compiled model."""
    inputs = keras.Input(data.x.shape[1:], dtype=data.x.dtype.name)
    hidden = NETWORKS[program.network](program, inputs)
    first, *others = (program.last or OUTPUT[data.kind] or "linear").split("+")
    x = layers.Dense(data.outputs, first, name="output", **{**settings(program), "kernel_regularizer": None})(hidden)
    for name in others:
        x = layers.Activation(name)(x)
    model = keras.Model(inputs, x)
    optimizer = keras.optimizers.get(program.optimizer)
    if program.rate is not None:
        optimizer.learning_rate = program.rate
    optimizer.clipnorm = program.clipnorm
    loss: Any = keras.losses.get(program.loss or LOSS[data.kind])
    if program.from_logits:
        name = program.loss or LOSS[data.kind]
        loss = {
            "binary_crossentropy": keras.losses.BinaryCrossentropy,
            "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
        }[name](from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"] if data.kind in ("classes", "binary") else None)
    return model
