"""Programs for `prove`: functions of a seed, in a module as users have them."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
from keras import layers, ops

WIDTH, DEPTH, EPOCHS = 16, 4, 5
SAMPLES, HELD = 320, 80


def tanh_of_fifth_power(z: Any) -> Any:
    return ops.tanh(z**5)


def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = 0.3 * rng.normal(size=(SAMPLES + HELD, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype("float32")
    return {"x": x[:SAMPLES], "y": y[:SAMPLES], "validation_data": (x[SAMPLES:], y[SAMPLES:])}


def model(activation: Any, rate: float = 0.01) -> keras.Model:
    hidden = [layers.Dense(WIDTH, activation, name=f"hidden_{depth}") for depth in range(DEPTH)]
    made = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1, "sigmoid", name="out")], name="net")
    made.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return made


def flat(seed: int) -> tuple[keras.Model, dict[str, Any]]:
    """Sick: its activation is flat around 0, where its inputs are."""
    keras.utils.set_random_seed(seed)
    return model(tanh_of_fifth_power), data() | {"epochs": EPOCHS, "batch_size": 16}


def sound(seed: int) -> tuple[keras.Model, dict[str, Any]]:
    """Healthy. It sets no seed itself."""
    return model("relu"), data() | {"epochs": EPOCHS, "batch_size": 16}


def without_seed() -> Any:
    return sound(0)


def raising(seed: int) -> Any:
    raise FileNotFoundError("no file 'digits.npz'")


def not_compiled(seed: int) -> Any:
    return keras.Sequential([keras.Input((8,)), layers.Dense(1)]), data()


def model_alone(seed: int) -> Any:
    return model("relu")


def misspelt(seed: int) -> Any:
    return model("relu"), {"x": np.zeros((4, 8)), "epoch": 3}


def generator(seed: int) -> Any:
    return model("relu"), {"x": itertools.repeat((np.zeros((4, 8)), np.zeros(4)))}


KEPT: list[Any] = []


def same_again(seed: int) -> Any:
    KEPT[:] = KEPT or [model("relu")]
    return KEPT[0], data()
