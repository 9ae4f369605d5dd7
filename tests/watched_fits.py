"""A real fit under watch, and small data for it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from diagnose.callbacks import TrainingMonitor

SIZE = 96


def made_anew() -> None:
    """Names and weights of layers as in a new process; to be a fixture."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)


def ready(model: keras.Model) -> None:
    """Make the optimizer's variables of a built model now: a step that has to make them itself is traced twice."""
    if model.built and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def watched(
    model: keras.Model, x: Any, y: Any, loss: Any = "mse", *, epochs: int = 2, rate: float = 0.01, every: int = 1
):
    """The monitor of a real fit."""
    model.compile(keras.optimizers.Adam(rate), loss)
    ready(model)
    monitor = TrainingMonitor(every=every)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[monitor])
    assert monitor.run.notes == []
    return monitor


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, (SIZE, *shape)."""
    return np.random.default_rng(seed).standard_normal((SIZE, *shape)).astype("float32")
