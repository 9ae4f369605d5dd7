"""What the held samples show with the weights of one moment: skill, loss, answers, and how alike the two sets are."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diagnose.callbacks.measuring.held_samples import Evaluator, HeldSet, inputs_of, row_numbers, sameness
from diagnose.callbacks.measuring.observations import Array
from diagnose.outcome.scores import (
    balanced_skill,
    class_counts,
    label_shift,
    majority_share,
    relative_spread,
    renamed_skill,
    rescaled_skill,
    residual_counts,
    skill,
    target_shift,
)
from diagnose.outcome.task import Task, Wanted, task_of
from diagnose.run.run import Measurement


@dataclass
class Scored:
    """What one evaluation gave: measurements; arrays of the answers; what each output is asked for, by its name."""

    measurements: list[Measurement] = field(default_factory=list)
    answers: list[Array] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class _Side:
    """One held set: what was asked of the outputs, and what they said; each by the name of the output."""

    targets: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    tasks: dict[str, Task]
    loss: float


def scored(
    evaluator: Evaluator,
    train: HeldSet,
    validation: HeldSet,
    wanted_of: Callable[[int], list[Wanted]],
    known: Container[str],
    step: int,
) -> Scored | None:
    """Ask the model for both sets; None where targets and outputs are no pairs.

    train: not empty; validation: may be empty. wanted_of: by the number of outputs, what is wanted of each.
    known: quantities that are measured once, and were; the rest is measured anew.
    """
    found = Scored()
    sides: dict[str, _Side] = {}
    for name, held in (("train", train), ("validation", validation)):
        if held.samples:
            side = _asked(evaluator, held, wanted_of)
            if side is None:
                return None
            sides[name] = side
            found.measurements.append(Measurement(f"loss.{name}", "", step, side.loss))
            for output, task in side.tasks.items():
                target, prediction = side.targets[output], side.predictions[output]
                told = skill(task, target, prediction) if task.kind != "unknown" else float("nan")
                found.measurements.append(Measurement(f"skill.{name}", output, step, told))
                found.answers.append((f"classes.{name}", output, step, class_counts(task, target, prediction)))
                found.answers.append((f"residuals.{name}", output, step, residual_counts(task, target, prediction)))
    seen = sides["train"]
    found.measurements += _of_training(seen, step)
    if "validation" in sides:
        found.measurements += _of_validation(seen, sides["validation"], known, step)
        if "input.validation_mean" not in known:
            numbers = row_numbers(validation)
            for name, values in inputs_of(validation):
                if name in numbers:
                    continue
                found.measurements.append(Measurement("input.validation_mean", name, step, float(values.mean())))
                found.measurements.append(Measurement("input.validation_std", name, step, float(values.std())))
    if "input.same_share" not in known:
        for name, (constant, same) in sameness(train).items():
            found.measurements.append(Measurement("input.constant_share", name, step, constant))
            found.measurements.append(Measurement("input.same_share", name, step, same))
    if "loss.constant" not in known:
        order = evaluator.outputs
        constant = evaluator.constant_loss(
            train,
            [seen.tasks[name] for name in order],
            [seen.targets[name] for name in order],
            [seen.predictions[name] for name in order],
        )
        found.measurements.append(Measurement("loss.constant", "", step, constant))
    found.outputs = {name: _described(task, seen.targets[name]) for name, task in seen.tasks.items()}
    return found


def _asked(evaluator: Evaluator, held: HeldSet, wanted_of: Callable[[int], list[Wanted]]) -> _Side | None:
    targets, predictions, loss = evaluator(held)
    names = evaluator.outputs
    if len(targets) != len(predictions):
        return None
    pairs = zip(targets, predictions, wanted_of(len(names)), strict=True)
    tasks = [task_of(target, prediction, wanted) for target, prediction, wanted in pairs]
    return _Side(
        dict(zip(names, targets, strict=True)),
        dict(zip(names, predictions, strict=True)),
        dict(zip(names, tasks, strict=True)),
        loss,
    )


def _of_training(seen: _Side, step: int) -> list[Measurement]:
    found = []
    for name, task in seen.tasks.items():
        balanced = balanced_skill(task, seen.targets[name], seen.predictions[name])
        found.append(Measurement("skill.balanced", name, step, balanced))
        found.append(Measurement("prediction.spread", name, step, relative_spread(seen.predictions[name])))
    return found


def _of_validation(seen: _Side, unseen: _Side, known: Container[str], step: int) -> list[Measurement]:
    """Skill under another naming or scale of the answers, and how the targets differ from those of training."""
    found = []
    for name, task in unseen.tasks.items():
        target, prediction, trained = unseen.targets[name], unseen.predictions[name], seen.targets[name]
        found.append(Measurement("skill.validation_renamed", name, step, renamed_skill(task, target, prediction)))
        found.append(Measurement("skill.validation_rescaled", name, step, rescaled_skill(task, target, prediction)))
        found.append(Measurement("labels.shift", name, step, label_shift(task, trained, target)))
        if "targets.shift" not in known:
            shift, spread = target_shift(task, trained, target)
            found.append(Measurement("targets.shift", name, step, shift))
            found.append(Measurement("targets.spread", name, step, spread))
    return found


def _described(task: Task, targets: np.ndarray) -> dict[str, Any]:
    """What an output is asked for, as `run.meta["task"]["outputs"]` keeps it."""
    numbers = targets.dtype.kind in "buif"
    return {
        "kind": task.kind,
        "classes": task.classes,
        "reason": task.reason,
        "majority_share": majority_share(task, targets),
        "target_mean": float(np.mean(targets)) if numbers else None,
        "target_variance": float(np.var(targets)) if numbers else None,
    }
