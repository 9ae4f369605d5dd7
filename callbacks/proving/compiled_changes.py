"""Changes of what was compiled: optimizer, rate, loss, metrics, and which layers are trained; all else stays."""

from __future__ import annotations

import math
from typing import Any

import keras

from diagnose.callbacks.model.layers import leaf_layers
from diagnose.callbacks.proving.layer_changes import layer_at
from diagnose.callbacks.proving.program import Apply, NotApplicableError, Program, callbacks_of


def recompiled(program: Program, **changed: Any) -> None:
    """Compile anew with these arguments changed and all others as they were."""
    model = program.model
    if type(model).compile is not keras.Model.compile:
        raise NotApplicableError("the model has a compile of its own")
    model.compile(**{**model._compile_config.config, **changed})


def _optimizer(program: Program) -> Any:
    optimizer = getattr(program.model, "optimizer", None)
    if optimizer is None:
        raise NotApplicableError("the model has no optimizer of its own")
    return getattr(optimizer, "inner_optimizer", None) or optimizer


def rate(program: Program, _: str, rate: float) -> None:
    """Another learning rate; a schedule, and a LearningRateScheduler, are scaled to begin with it."""
    optimizer = _optimizer(program)
    if callable(optimizer._learning_rate):
        _reoptimized(program, learning_rate=_scaled_schedule(optimizer._learning_rate, rate))
    else:
        before = float(optimizer.learning_rate)
        optimizer.learning_rate = rate
        _scale_schedulers(program, rate / before if before else math.inf)


def _scaled_schedule(schedule: Any, rate: float) -> Any:
    first = float(schedule(0)) if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule) else 0.0
    if not first:
        raise NotApplicableError("the learning rate is a schedule that does not say where it starts")

    class Scaled(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return schedule(step) * (rate / first)

        def get_config(self) -> dict[str, Any]:
            return {}

    return Scaled()


def _scale_schedulers(program: Program, factor: float) -> None:
    """A LearningRateScheduler sets the rate anew in each epoch: what it sets is scaled like the first rate."""
    for callback in callbacks_of(program):
        if isinstance(callback, keras.callbacks.LearningRateScheduler):
            if not math.isfinite(factor):
                raise NotApplicableError("the learning rate is 0 at first, and a LearningRateScheduler sets it")
            callback.schedule = _scaled_function(callback.schedule, factor)


def _scaled_function(schedule: Any, factor: float) -> Any:
    def scaled(epoch: int, rate: float) -> float:
        try:
            return float(schedule(epoch, rate / factor)) * factor
        except TypeError:
            return float(schedule(epoch)) * factor

    return scaled


def constant_rate(program: Program, _: str, rate: float) -> None:
    """This learning rate to the end: no schedule, and no callback that lowers it."""
    scheduling = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    kept = [callback for callback in callbacks_of(program) if not isinstance(callback, scheduling)]
    if "callbacks" in program.arguments:
        program.arguments["callbacks"] = kept
    if callable(_optimizer(program)._learning_rate):
        _reoptimized(program, learning_rate=rate)
    else:
        _optimizer(program).learning_rate = rate


def _reoptimized(program: Program, **changed: Any) -> None:
    optimizer = _optimizer(program)
    recompiled(program, optimizer=type(optimizer).from_config({**optimizer.get_config(), **changed}))


def other_optimizer(program: Program, _: str, to: dict[str, Any]) -> None:
    """A new optimizer of this class and learning rate, with Keras' defaults else."""
    new = getattr(keras.optimizers, to["class_name"])(learning_rate=to["learning_rate"])
    recompiled(program, optimizer=new)


def setting(name: str) -> Apply:
    """Sets this attribute of the optimizer; 0 becomes None, which switches it off."""

    def function(program: Program, _: str, value: Any) -> None:
        setattr(_optimizer(program), name, value or None)

    return function


def clipped(program: Program, _: str, norm: float) -> None:
    """Gradients clipped by this norm alone; 0: not at all."""
    optimizer = _optimizer(program)
    optimizer.global_clipnorm = optimizer.clipvalue = None
    optimizer.clipnorm = norm or None


def loss(program: Program, _: str, name: str) -> None:
    """The loss of this name."""
    recompiled(program, loss=name)


def from_logits(program: Program, _: str, on: bool) -> None:
    """The same cross-entropy for logits, or for probabilities."""
    loss = program.model.loss
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    if isinstance(loss, keras.losses.Loss) and "from_logits" in (config := loss.get_config()):
        return recompiled(program, loss=type(loss).from_config({**config, "from_logits": on}))
    known = {
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    }
    if (name := getattr(loss, "__name__", "")) not in known:
        raise NotApplicableError("the loss has no from_logits")
    return recompiled(program, loss=known[name](from_logits=on))


def metric(program: Program, _: str, name: str) -> None:
    """This metric in the place of all others."""
    recompiled(program, metrics=[name])


def trainable(program: Program, where: str, on: bool) -> None:
    """The layer, or every layer, is trained or not, and the model compiled anew, which Keras asks for."""
    chosen = [layer_at(program, where)] if where else leaf_layers(program.model)
    for layer in chosen:
        layer.trainable = on
    recompiled(program)
