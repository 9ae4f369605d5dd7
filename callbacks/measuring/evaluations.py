"""What the held samples show with the weights of one moment: skill, loss, answers, and how alike the two sets are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from diagnose.callbacks.measuring.held_inputs import mean_and_std, row_numbers, sameness
from diagnose.callbacks.measuring.loss_skill import LossScale, loss_scale
from diagnose.callbacks.measuring.observations import Array
from diagnose.callbacks.measuring.reference_models import HeldArrays, reference_skills
from diagnose.callbacks.observing.protocols import Evaluator, HeldSamples
from diagnose.outcome.scores import (
    balanced_skill,
    class_counts,
    constant_answers,
    label_shift,
    line_fitted,
    majority_share,
    relative_spread,
    renamed_skill,
    rescaled_skill,
    residual_counts,
    skill,
    target_shift,
)
from diagnose.outcome.task import Task, Wanted, task_of
from diagnose.run.meta import OutputTask, ReferenceFacts, TaskFacts, reference_place
from diagnose.run.run import Measurement

#: By held set, how many samples its scale was asked for, and that scale.
Scales = dict[str, tuple[int, LossScale | None]]

Held = TypeVar("Held", bound=HeldSamples)


@dataclass
class Scored:
    """What one evaluation gave: measurements; arrays of the answers; what the outputs are asked for.

    sides: targets and predictions of "train" and, where some are held, "validation" samples.
    """

    measurements: list[Measurement] = field(default_factory=list)
    answers: list[Array] = field(default_factory=list)
    task: TaskFacts = field(default_factory=TaskFacts)
    sides: dict[str, Side] = field(default_factory=dict)


@dataclass
class Side:
    """One held set: what was asked of the outputs, and what they said; each by the name of the output.

    outputs: these names, in the order of the outputs. scale: of a regression's loss that is no squared error.
    """

    outputs: list[str]
    targets: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    tasks: dict[str, Task]
    loss: float
    loss_of: Callable[[Sequence[np.ndarray]], float]
    scale: LossScale | None = None

    def score(self, output: str, predictions: np.ndarray) -> float:
        """Skill of predictions for these samples, (samples, ...); NaN for an unknown task."""
        task = self.tasks[output]
        if self.scale is not None:
            alike = np.asarray(predictions, np.float32).reshape(self.predictions[output].shape)
            return self.scale.skill(self.loss_of([alike]))
        if task.kind == "unknown":
            return float("nan")
        return skill(task, self.targets[output], predictions)


def beside_references(
    sides: Mapping[str, Side], train: HeldSamples, validation: HeldSamples, step: int
) -> tuple[dict[str, ReferenceFacts], list[Measurement]]:
    """What simple models reach on the held samples, by output. sides: of an evaluation of these very samples."""
    facts, measurements = {}, []
    inputs = {name: held.inputs() for name, held in (("train", train), ("validation", validation)) if name in sides}
    for output, task in sides["train"].tasks.items():
        held = {
            name: HeldArrays(inputs[name], side.targets[output], functools.partial(side.score, output))
            for name, side in sides.items()
        }
        told = reference_skills(task, held["train"], held.get("validation"))
        facts[output] = ReferenceFacts(
            models=tuple(told.skills),
            on=told.on if told.skills else "",
            learned_from=told.learned_from,
            samples=told.samples,
            reason=told.reason,
        )
        for model, reached in told.skills.items():
            measurements.append(Measurement("skill.reference", reference_place(output, model), step, reached))
    return facts, measurements


def scored(
    evaluator: Evaluator[Held],
    train: Held,
    validation: Held,
    wanted_of: Callable[[int], list[Wanted]],
    known: Container[str],
    step: int,
    scales: Scales,
) -> Scored | None:
    """Ask the model for both sets; None where targets and outputs are no pairs.

    train: not empty; validation: may be empty. wanted_of: by the number of outputs, what is wanted of each.
    known: quantities that are measured once, and were; the rest is measured anew. scales: those of earlier
    evaluations; those of this one are added.
    """
    found = Scored()
    sides = found.sides
    for name, held in (("train", train), ("validation", validation)):
        if held.samples:
            side = _asked(evaluator, held, wanted_of)
            if side is None:
                return None
            sides[name] = side
            side.scale = _scale(scales, name, held.samples, side)
            found.measurements.append(Measurement(f"loss.{name}", "", step, side.loss))
            for output, task in side.tasks.items():
                target, prediction = side.targets[output], side.predictions[output]
                told = side.score(output, prediction) if side.scale is None else side.scale.skill(side.loss)
                found.measurements.append(Measurement(f"skill.{name}", output, step, told))
                found.answers.append((f"classes.{name}", output, step, class_counts(task, target, prediction)))
                found.answers.append((f"residuals.{name}", output, step, residual_counts(task, target, prediction)))
    seen = sides["train"]
    found.measurements += _of_training(seen, step)
    if "validation" in sides:
        found.measurements += _of_validation(seen, sides["validation"], known, step)
        if "input.validation_mean" not in known:
            inputs = validation.inputs()
            numbers = row_numbers(inputs)
            for name, batches in inputs.items():
                if name in numbers:
                    continue
                mean, std = mean_and_std(batches)
                found.measurements.append(Measurement("input.validation_mean", name, step, mean))
                found.measurements.append(Measurement("input.validation_std", name, step, std))
    if "input.same_share" not in known:
        for name, (constant, same) in sameness(train.inputs()).items():
            found.measurements.append(Measurement("input.constant_share", name, step, constant))
            found.measurements.append(Measurement("input.same_share", name, step, same))
    if "loss.constant" not in known:
        constant = seen.scale.constant if seen.scale else _constant_loss(seen)
        found.measurements.append(Measurement("loss.constant", "", step, constant))
    found.task = _described(seen, train.samples, validation.samples)
    return found


def _asked(evaluator: Evaluator[Held], held: Held, wanted_of: Callable[[int], list[Wanted]]) -> Side | None:
    found = evaluator(held)
    names = found.outputs
    if len(found.targets) != len(found.predictions):
        return None
    pairs = zip(found.targets, found.predictions, wanted_of(len(names)), strict=True)
    tasks = [task_of(target, prediction, wanted) for target, prediction, wanted in pairs]
    return Side(
        names,
        dict(zip(names, found.targets, strict=True)),
        dict(zip(names, found.predictions, strict=True)),
        dict(zip(names, tasks, strict=True)),
        found.loss,
        functools.partial(evaluator.loss_of, held),
    )


def _scale(scales: Scales, name: str, samples: int, side: Side) -> LossScale | None:
    """The scale of a held set: asked once for as many samples as there are, since that takes a dozen losses."""
    first, *others = side.outputs
    if others or side.tasks[first].kind != "regression" or not np.isfinite(side.loss):
        return None
    if scales.get(name, (0, None))[0] != samples:
        target, prediction = side.targets[first], side.predictions[first]
        scales[name] = samples, loss_scale(lambda each: side.loss_of([each]), target, prediction.shape)
    return scales[name][1]


def _constant_loss(seen: Side) -> float:
    """Loss of the best constant answer known, over the held set; NaN where none can be made."""
    answers = [
        constant_answers(seen.tasks[name], seen.targets[name], seen.predictions[name].shape) for name in seen.outputs
    ]
    if not answers or not all(answers):
        return float("nan")
    losses = [seen.loss_of([np.ascontiguousarray(each) for each in choice]) for choice in zip(*answers, strict=False)]
    return min((loss for loss in losses if np.isfinite(loss)), default=float("nan"))


def _of_training(seen: Side, step: int) -> list[Measurement]:
    found = []
    for name, task in seen.tasks.items():
        balanced = balanced_skill(task, seen.targets[name], seen.predictions[name])
        found.append(Measurement("skill.balanced", name, step, balanced))
        found.append(Measurement("prediction.spread", name, step, relative_spread(seen.predictions[name])))
    return found


def _of_validation(seen: Side, unseen: Side, known: Container[str], step: int) -> list[Measurement]:
    """Skill under another naming or scale of the answers, and how the targets differ from those of training."""
    found = []
    for name, task in unseen.tasks.items():
        target, prediction, trained = unseen.targets[name], unseen.predictions[name], seen.targets[name]
        found.append(Measurement("skill.validation_renamed", name, step, renamed_skill(task, target, prediction)))
        rescaled = rescaled_skill(task, target, prediction)
        if unseen.scale is not None and np.isfinite(rescaled):
            rescaled = unseen.score(name, line_fitted(target, prediction))
        found.append(Measurement("skill.validation_rescaled", name, step, rescaled))
        found.append(Measurement("labels.shift", name, step, label_shift(task, trained, target)))
        if "targets.shift" not in known:
            shift, spread = target_shift(task, trained, target)
            found.append(Measurement("targets.shift", name, step, shift))
            found.append(Measurement("targets.spread", name, step, spread))
    return found


def _described(seen: Side, held: int, held_validation: int) -> TaskFacts:
    """What the outputs are asked for; held, held_validation: numbers of samples."""
    outputs = {
        name: _output_task(task, seen.targets[name], by_loss=True if seen.scale else None)
        for name, task in seen.tasks.items()
    }
    first = next(iter(outputs.values()))
    return TaskFacts(
        kind=first.kind,
        classes=first.classes,
        reason=first.reason,
        majority_share=first.majority_share,
        target_mean=first.target_mean,
        target_variance=first.target_variance,
        by_loss=first.by_loss,
        outputs=outputs,
        held_samples=held,
        held_validation_samples=held_validation,
    )


def _output_task(task: Task, targets: np.ndarray, *, by_loss: bool | None) -> OutputTask:
    numbers = targets.dtype.kind in "buif"
    return OutputTask(
        kind=task.kind,
        classes=task.classes,
        reason=task.reason,
        majority_share=majority_share(task, targets),
        target_mean=float(np.mean(targets)) if numbers else None,
        target_variance=float(np.var(targets)) if numbers else None,
        by_loss=by_loss,
    )
