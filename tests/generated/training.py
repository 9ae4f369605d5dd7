"""One generated training, bare or watched, and all that can be compared of the two.

Each runs in this process under the same fresh seeds. Compared exactly, bit for bit: variables of model, optimizer and
metrics, the history, what the model predicts, the random numbers that are drawn next, the names that Keras would give
next, and what Python the model is made of: its layers' attributes, so that nothing of ours stays and no counter of a
user's moves.
"""

from __future__ import annotations

import random
import tempfile
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks import SaturationMonitor, TrainingMonitor
from generated.choices import Choices
from generated.feeding import data_for, fed
from generated.models import BATCH, Made, made
from generated.options import POLICIES, compiled

#: To `_tracked` each trace of some layers adds the same names again; `build` changes with the first model of a class.
KERAS_NOTES = ("_tracked", "build")


@dataclass
class Trained:
    """What a training left: by the name of what it is, a value that is compared exactly."""

    left: dict[str, Any]
    choices: Choices
    monitor: TrainingMonitor | None = None
    warned: list[str] = field(default_factory=list)


class Draws(keras.callbacks.Callback):
    """Draws from all global random states at each batch, and moves a weight by it."""

    def on_train_batch_end(self, batch, logs=None):
        drawn = random.random() + np.random.random() + float(tf.random.normal([])) + float(keras.random.normal(()))
        if self.model.trainable_variables:
            variable = self.model.trainable_variables[0]
            variable.assign(variable + 1e-3 * drawn)


def _others(choices: Choices, model: Any, folder: str) -> list[Any]:
    """What else is called back, of what this model's fit takes."""
    callbacks = keras.callbacks
    kinds = {
        "none": list,
        "early stopping": lambda: [
            callbacks.EarlyStopping("loss", patience=0, min_delta=9.0, restore_best_weights=True)
        ],
        "not a number": lambda: [callbacks.TerminateOnNaN()],
        "checkpoint": lambda: [callbacks.ModelCheckpoint(f"{folder}/{{epoch}}.weights.h5", save_weights_only=True)],
        "draws": lambda: [Draws()],
    }
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if isinstance(inner._learning_rate, keras.Variable):
        kinds["schedule"] = lambda: [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)]
        kinds["plateau"] = lambda: [callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=9.0, cooldown=0)]
    if inner.use_ema:
        kinds["swapped average"] = lambda: [callbacks.SwapEMAWeights(swap_on_epoch=True)]
    if model.built:
        kinds["backup"] = lambda: [callbacks.BackupAndRestore(f"{folder}/backup", save_freq=2)]
    return choices.from_table("other callback", kinds, plain=0.4)()


def _watching(choices: Choices, folder: str) -> list[Any]:
    """The monitors, the leading one first."""
    kinds = {
        "each step": lambda: [TrainingMonitor(every=1)],
        "by budget": lambda: [TrainingMonitor()],
        "each second step": lambda: [TrainingMonitor(every=2)],
        "into a file": lambda: [TrainingMonitor(f"{folder}/run.sqlite", every=1)],
        "two monitors": lambda: [TrainingMonitor(every=1), SaturationMonitor()],
    }
    return choices.from_table("monitor", kinds, plain=0.4)()


def trained(seed: int, watched: bool, forced: Mapping[str, str] | None = None) -> Trained:
    """The training of this seed, from a cleared session on. What fit raises is what it left."""
    choices = Choices(seed, forced)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.random.set_global_generator(tf.random.Generator.from_seed(seed))  # which Keras leaves as it is
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(choices.of("policy", POLICIES, plain=0.4))
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            monitors = _watching(choices, folder) if watched else []
            left = _left(choices, monitors, folder)
        told = [str(each.message) for each in caught if "keras-diagnose" in str(each.message)]
        return Trained(left, choices, monitors[0] if monitors else None, told)
    finally:
        keras.config.set_dtype_policy(before)


def _left(choices: Choices, monitors: list[Any], folder: str) -> dict[str, Any]:
    left: dict[str, Any] = {}
    subject = made(choices)
    compiled(choices, subject)
    others = _others(choices, subject.model, folder)
    callbacks = [*others, *monitors] if choices.of("monitor is", ["last", "first"]) == "last" else [*monitors, *others]
    arguments = fed(choices, subject)
    try:
        _fitted(choices, subject, arguments, callbacks, left)
    except Exception as error:
        left["error"] = f"{type(error).__name__}: {error}"[:300]
    for monitor in monitors:
        str(monitor.diagnosis)
    left["random numbers drawn next"] = _drawn()
    left["names given next"] = [keras.layers.Dense(1).name, keras.Sequential().name]
    _keep_state(subject.model, left)
    left.update(_anatomy(subject.model))
    if subject.model.built and "error" not in left:
        x = data_for(subject, BATCH, choices.seed + 2).x
        predicted = keras.tree.flatten(subject.model.predict(x, batch_size=BATCH, verbose=0))
        left.update({f"prediction {number}": each for number, each in enumerate(predicted)})
    return left


def _fitted(
    choices: Choices, subject: Made, arguments: dict[str, Any], callbacks: list[Any], left: dict[str, Any]
) -> None:
    """One fit or two, with what users do between them."""
    between = choices.of(
        "fits",
        ["one", "two", "compiled again between", "frozen between", "evaluated between", "a step by hand between"],
        plain=0.5,
    )
    model = subject.model
    left["history"] = model.fit(callbacks=callbacks, **arguments).history
    if between == "one":
        return
    data = data_for(subject, BATCH, choices.seed + 3)
    if between == "compiled again between":
        compiled(choices, subject)
    elif between == "frozen between":
        model.layers[0].trainable = False
        compiled(choices, subject)
    elif between == "evaluated between":
        left["evaluated"] = model.evaluate(data.x, data.y, batch_size=BATCH, verbose=0)
        model.predict(data.x, batch_size=BATCH, verbose=0)
    elif between == "a step by hand between":
        left["by hand"] = model.train_on_batch(data.x, data.y)
    left["second history"] = model.fit(callbacks=callbacks, **{**arguments, "epochs": 1}).history


def _keep_state(model: Any, left: dict[str, Any]) -> None:
    variables = {f"{number} {each.path}": each for number, each in enumerate(model.variables)}
    for optimizer in [value for value in vars(model).values() if isinstance(value, keras.optimizers.Optimizer)]:
        variables |= {f"optimizer {number} {each.path}": each for number, each in enumerate(optimizer.variables)}
    for number, metric in enumerate(model.metrics):
        variables |= {f"metric {number} {each.path}": each for each in metric.variables}
    for name, variable in variables.items():
        left[f"variable {name}"] = keras.ops.convert_to_numpy(variable)


def _drawn() -> list[float]:
    """What all global random states would give next."""
    return [
        random.random(),
        float(np.random.random()),
        float(tf.random.normal([])),
        float(tf.random.get_global_generator().normal([])),
        float(keras.random.normal(())),
    ]


def _anatomy(model: Any) -> dict[str, str]:
    """For each attribute of the model, its layers, its metrics and its optimizer: what kind of value it has."""
    parts = [*model._flatten_layers(), *model.metrics, model.optimizer]
    return {
        f"{number} {getattr(part, 'name', '')}.{name}": _kind_of(value)
        for number, part in enumerate(parts)
        for name, value in vars(part).items()
        if name not in KERAS_NOTES
    }


def _kind_of(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (list, tuple, set, dict)):
        return f"{type(value).__name__} of {len(value)}"
    calls = getattr(value, "calls", None)
    return f"{type(value).__module__}.{type(value).__qualname__}{'' if calls is None else f' with {calls} calls'}"


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of what differs, of whatever size the difference is; NaN equals NaN of the same bits."""
    found = []
    for name in {**one, **other}:
        a, b = one.get(name, "nothing"), other.get(name, "nothing")
        if not _equal(a, b):
            found.append(name if isinstance(a, np.ndarray) else f"{name} ({a!s:.80} and {b!s:.80})")
    return found


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return repr(one) == repr(other)
