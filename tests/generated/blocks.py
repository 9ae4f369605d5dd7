"""What stands between the input and the last layers: lists of layers, by the kind of input they take and keep.

Each block gives layers that take its kind of tensor and give one of the same kind; a reducer gives (batch, features).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from generated.choices import Choices
from generated.parts import ACTIVATION_LAYERS, activation

#: Shape of one sample of each kind, and how high its whole numbers go, 0 for real ones.
KINDS: dict[str, tuple[tuple[int, ...], int]] = {
    "numbers": ((6,), 0),
    "sequence": ((5, 4), 0),
    "image": ((8, 8, 3), 0),
    "tokens": ((6,), 11),
}

Block = Callable[[Choices, str], list[Any]]


def _policy() -> str:
    """The dtype policy of new layers: Keras adds up penalties on activations in float32 only."""
    return keras.config.dtype_policy().name


class SelfAttention(layers.Layer):
    """Multi-head attention of a sequence to itself, with a residual."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 4, dropout=0.1)
        self.norm = layers.LayerNormalization()

    def build(self, shape):
        self.attention.build(shape, shape)
        self.norm.build(shape)

    def call(self, x):
        return self.norm(x + self.attention(x, x))


class Gated(layers.Layer):
    """Two inner layers that are built at the first call, and a shape that Python looks at."""

    def __init__(self):
        super().__init__()
        self.value = layers.Dense(6, "tanh")
        self.gate = layers.Dense(6, "sigmoid")

    def call(self, x):
        return self.value(x) * self.gate(x)


def _dense(choices: Choices, name: str) -> list[Any]:
    kinds = ["none", "l2", "constraint"] + ["activity"] * (_policy() == "float32")
    regularizer = choices.of(f"{name} regularizer", kinds, plain=0.6)
    keywords = {
        "l2": {"kernel_regularizer": "l2"},
        "activity": {"activity_regularizer": keras.regularizers.L1(1e-3)},
        "constraint": {"kernel_constraint": keras.constraints.MaxNorm(1.0)},
    }.get(regularizer, {})
    return [layers.Dense(6, activation(choices, f"{name} activation"), **keywords)]


def _activated(choices: Choices, name: str) -> list[Any]:
    return [layers.Dense(6), choices.from_table(f"{name} layer", ACTIVATION_LAYERS)()]


def _normalized(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "batch": lambda: layers.BatchNormalization(),
        "layer": lambda: layers.LayerNormalization(),
        "rms": lambda: layers.RMSNormalization(),
        "unit": lambda: layers.UnitNormalization(),
        "spectral": lambda: layers.SpectralNormalization(layers.Dense(6, "relu")),
    }
    return [choices.from_table(f"{name} normalization", kinds)()]


def _disturbed(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "dropout": lambda: layers.Dropout(0.3),
        "dropout with a seed": lambda: layers.Dropout(0.3, seed=5),
        "noise": lambda: layers.GaussianNoise(0.1),
        "gaussian dropout": lambda: layers.GaussianDropout(0.2),
        "alpha dropout": lambda: layers.AlphaDropout(0.2),
        "rescaling": lambda: layers.Rescaling(0.5),
    }
    if _policy() == "float32":
        kinds["penalty"] = lambda: layers.ActivityRegularization(l1=1e-3)
    return [choices.from_table(f"{name} disturbance", kinds)()]


def _own(choices: Choices, name: str) -> list[Any]:
    return [Gated()]


def _recurrent(choices: Choices, name: str) -> list[Any]:
    return [recurrent(choices, name, True)]


def recurrent(choices: Choices, name: str, sequences: bool, stateful: bool = False) -> Any:
    """A recurrent layer over (batch, time, features)."""
    keywords = {"return_sequences": sequences, "stateful": stateful}
    cells = {
        "LSTM": lambda: layers.LSTM(4, **keywords),
        "GRU": lambda: layers.GRU(4, **keywords),
        "SimpleRNN": lambda: layers.SimpleRNN(4, activation(choices, f"{name} activation"), **keywords),
        "LSTM with dropout": lambda: layers.LSTM(4, dropout=0.2, recurrent_dropout=0.2, **keywords),
        "GRU with own function": lambda: layers.GRU(4, activation(choices, f"{name} activation"), **keywords),
        "unrolled": lambda: layers.LSTM(4, unroll=True, **keywords),
        "backwards": lambda: layers.GRU(4, go_backwards=True, reset_after=False, **keywords),
        "stacked": lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)], **keywords),
        "bidirectional": lambda: layers.Bidirectional(layers.LSTM(2, **keywords)),
        "bidirectional of two": lambda: layers.Bidirectional(
            layers.GRU(2, **keywords), backward_layer=layers.SimpleRNN(2, go_backwards=True, **keywords)
        ),
    }
    return choices.from_table(f"{name} cell", cells)()


def _attention(choices: Choices, name: str) -> list[Any]:
    return [SelfAttention()]


def _over_time(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "Conv1D": lambda: layers.Conv1D(4, 3, padding="causal", activation=activation(choices, f"{name} activation")),
        "TimeDistributed": lambda: layers.TimeDistributed(layers.Dense(4, activation(choices, f"{name} activation"))),
        "EinsumDense": lambda: layers.EinsumDense("abc,cd->abd", (None, 4), activation="tanh"),
        "SeparableConv1D": lambda: layers.SeparableConv1D(4, 3, padding="same"),
        "SpatialDropout1D": lambda: layers.SpatialDropout1D(0.3),
        "MaxPooling1D": lambda: layers.MaxPooling1D(2, strides=1, padding="same"),
    }
    return [choices.from_table(f"{name} over time", kinds)()]


def _convolution(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "Conv2D": lambda: layers.Conv2D(4, 3, padding="same", activation=activation(choices, f"{name} activation")),
        "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(3, padding="same", activation="relu"),
        "SeparableConv2D": lambda: layers.SeparableConv2D(4, 3, padding="same", activation="tanh"),
        "Conv2DTranspose": lambda: layers.Conv2DTranspose(3, 2, activation="elu"),
    }
    return [choices.from_table(f"{name} convolution", kinds)()]


def _pooling(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "max": lambda: layers.MaxPooling2D(2, padding="same"),
        "average": lambda: layers.AveragePooling2D(2, padding="same"),
        "up": lambda: layers.UpSampling2D(2),
        "spatial dropout": lambda: layers.SpatialDropout2D(0.3),
        "group normalization": lambda: layers.GroupNormalization(groups=1),
    }
    return [choices.from_table(f"{name} pooling", kinds)()]


def _augmentation(choices: Choices, name: str) -> list[Any]:
    kinds = {
        "flip": lambda: layers.RandomFlip(),
        "rotation": lambda: layers.RandomRotation(0.1),
        "zoom": lambda: layers.RandomZoom(0.2),
        "translation": lambda: layers.RandomTranslation(0.1, 0.1),
        "contrast": lambda: layers.RandomContrast(0.2),
        "brightness": lambda: layers.RandomBrightness(0.1, value_range=(-4.0, 4.0)),
        "erasing": lambda: layers.RandomErasing(0.5, value_range=(-4.0, 4.0)),
        "several": lambda: keras.Sequential([layers.RandomFlip("horizontal", seed=3), layers.RandomRotation(0.1)]),
    }
    return [choices.from_table(f"{name} augmentation", kinds)()]


_FLAT: dict[str, Block] = {
    "dense": _dense,
    "activation layer": _activated,
    "normalized": _normalized,
    "disturbed": _disturbed,
    "own layer": _own,
}
BLOCKS: dict[str, dict[str, Block]] = {
    "numbers": _FLAT,
    "sequence": {
        "over time": _over_time,
        "recurrent": _recurrent,
        "attention": _attention,
        "normalized": _normalized,
        "disturbed": _disturbed,
    },
    "image": {
        "convolution": _convolution,
        "pooling": _pooling,
        "augmentation": _augmentation,
        "normalized": _normalized,
        "disturbed": _disturbed,
    },
}
BLOCKS["tokens"] = BLOCKS["sequence"]


def first(choices: Choices, kind: str) -> list[Any]:
    """Layers that make tokens a sequence, and leave other kinds as they are."""
    if kind == "tokens":
        return [layers.Embedding(11, 4, mask_zero=choices.of("mask", ["no", "yes"]) == "yes")]
    if kind == "sequence" and choices.of("masking", ["no", "yes"], plain=0.7) == "yes":
        return [layers.Masking()]
    return []


def reducer(choices: Choices, kind: str, stateful: bool) -> list[Any]:
    """Layers that give (batch, features)."""
    if kind == "numbers":
        return []
    if stateful:
        return [recurrent(choices, "reducer", False, stateful=True)]
    kinds: dict[str, Callable[[], Any]] = {"flatten": lambda: layers.Flatten()}
    if kind == "image":
        kinds["pool"] = lambda: layers.GlobalAveragePooling2D()
    else:
        kinds |= {
            "pool": lambda: layers.GlobalMaxPooling1D(),
            "recurrent": lambda: recurrent(choices, "reducer", False),
        }
    return [choices.from_table("reducer", kinds)()]


def body(choices: Choices, kind: str, stateful: bool = False) -> list[Any]:
    """All layers but the last, from an input of this kind to (batch, features)."""
    found = first(choices, kind)
    for number in range(1, 1 + int(choices.of("blocks", ["1", "2", "3"], plain=0.6))):
        found += choices.from_table(f"block {number}", BLOCKS[kind])(choices, f"block {number}")
    found += reducer(choices, kind, stateful)
    for number in range(1, 1 + int(choices.of("head", ["1", "2"], plain=0.6))):
        found += choices.from_table(f"head {number}", _FLAT, plain=0.3)(choices, f"head {number}")
    return found
