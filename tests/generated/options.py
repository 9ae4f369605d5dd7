"""How a model is compiled: optimizer with all it can be told, loss, metrics, and the way its step runs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from generated.choices import Choices
from generated.models import Made
from generated.tasks import metrics

optimizers = keras.optimizers
schedules = keras.optimizers.schedules


class OwnSchedule(schedules.LearningRateSchedule):
    """Counts how often Python asks."""

    def __init__(self):
        self.asked = 0

    def __call__(self, step):
        self.asked += 1
        return 0.01 / (1.0 + 0.1 * tf.cast(step, tf.float32))


#: Names of optimizers: class and what it is told besides the learning rate.
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "SGD": (optimizers.SGD, {}),
    "momentum": (optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adam": (optimizers.Adam, {}),
    "AMSGrad": (optimizers.Adam, {"amsgrad": True}),
    "AdamW": (optimizers.AdamW, {}),
    "RMSprop": (optimizers.RMSprop, {"momentum": 0.5, "centered": True}),
    "Adagrad": (optimizers.Adagrad, {}),
    "Adadelta": (optimizers.Adadelta, {}),
    "Adamax": (optimizers.Adamax, {}),
    "Nadam": (optimizers.Nadam, {}),
    "Ftrl": (optimizers.Ftrl, {}),
    "Lion": (optimizers.Lion, {}),
    "Lamb": (optimizers.Lamb, {}),
    "Adafactor": (optimizers.Adafactor, {}),
    "Muon": (getattr(optimizers, "Muon", optimizers.Adam), {}),
}
RATES = {
    "constant": lambda: 0.01,
    "exponential": lambda: schedules.ExponentialDecay(0.01, 3, 0.5),
    "steps": lambda: schedules.PiecewiseConstantDecay([2, 4], [0.01, 0.005, 0.001]),
    "cosine": lambda: schedules.CosineDecay(0.0, 10, warmup_target=0.01, warmup_steps=3),
    "own": lambda: OwnSchedule(),
    "callable": lambda: lambda: 0.01,
    "high": lambda: 50.0,
}
EXTRAS: dict[str, dict[str, Any]] = {
    "none": {},
    "clipnorm": {"clipnorm": 0.1},
    "global clipnorm": {"global_clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.01},
    "weight decay": {"weight_decay": 0.01},
    "average": {"use_ema": True, "ema_momentum": 0.9},
    "overwriting average": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
    "scaled loss": {"loss_scale_factor": 8.0},
}
#: How the step runs. Keras' own choice would be XLA, on the CPU, too.
MODES: dict[str, dict[str, Any]] = {
    "no XLA": {"jit_compile": False},
    "XLA": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "2 steps an execution": {"steps_per_execution": 2, "jit_compile": False},
    "2 steps and XLA": {"steps_per_execution": 2, "jit_compile": True},
    "5 steps an execution": {"steps_per_execution": 5, "jit_compile": False},
}
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float64")


def optimizer(choices: Choices, sparse: bool) -> Any:
    """The optimizer; a user may have built it by hand, as one that scales the loss, too."""
    made, keywords = choices.from_table("optimizer", OPTIMIZERS)
    extras = {name: extra for name, extra in EXTRAS.items() if not (sparse and name == "scaled loss")}
    keywords = {**keywords, **choices.from_table("optimizer extra", extras, plain=0.3)}
    inner = made(choices.from_table("rate", RATES, plain=0.4)(), **keywords)
    if choices.of("loss scale", ["none", "explicit"], plain=0.8) == "explicit":
        return optimizers.LossScaleOptimizer(inner, initial_scale=64.0, dynamic_growth_steps=2)
    return inner


def compiled(choices: Choices, made: Made) -> None:
    """Compile the model; a second time it gets an optimizer of its own."""
    # XLA takes minutes for a loop over time steps on a slow machine
    modes = {name: mode for name, mode in MODES.items() if not made.looped or mode.get("jit_compile") is False}
    mode = choices.from_table("mode", {**modes, "eager": MODES["eager"]}, plain=0.5)
    losses = {name: task.loss() for name, task in made.tasks.items()}
    options: dict[str, Any]
    if list(losses) == [""]:
        options = {"loss": losses[""], **metrics(choices, made.tasks[""])}
    elif made.nested == "dict":
        options = {"loss": losses, "loss_weights": {"first": 1.0, "second": 0.3}}
    else:
        options = {"loss": list(losses.values()), "loss_weights": [1.0, 0.3]}
    made.model.compile(optimizer(choices, made.sparse), **options, **mode)
