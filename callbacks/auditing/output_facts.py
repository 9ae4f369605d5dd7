"""What is known of one output: what it gives and can give, its labels, its loss and its metrics.

Loss and metrics are brought as functions on arrays to what asks them (`loss_nature`, `loss_optimum`, `metric_nature`):
with the targets of the batch, and with targets and predictions made for the purpose. An exception is an answer too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.batch_sample import FirstBatch
from diagnose.callbacks.auditing.borrowed_model import forward
from diagnose.callbacks.auditing.labels import (
    beyond,
    classes_outside,
    extremes,
    heeds_wild_labels,
    label_facts,
    weight_facts,
)
from diagnose.callbacks.auditing.loss_nature import (
    Evaluate,
    loss_nature,
    pairs_all_up,
    pairs_up_wrongly,
    reads_class_numbers,
    repeats_predictions,
    takes_exchanged,
    takes_negated,
)
from diagnose.callbacks.auditing.loss_optimum import (
    aim,
    asks_for_the_opposite,
    even_answer,
    heeds_targets,
    wants_one_answer,
    wants_positive,
)
from diagnose.callbacks.auditing.metric_nature import accuracies, metric_nature, minds_labels
from diagnose.callbacks.auditing.output_range import reach_facts
from diagnose.callbacks.auditing.outputs_and_losses import Part, one_line
from diagnose.callbacks.model.arrays import leaves, number
from diagnose.outcome.task import COARSE, is_distribution
from diagnose.run.audit import LabelFacts, LossFacts, MetricFacts, OutputFacts, PredictionFacts

ASKED = 100_000  # entries of crafted predictions for the targets of the batch


class OutputAudit:
    """One output of a borrowed model while its facts are gathered.

    drawn: predictions of all outputs under random weights, with the gain of these. batch: the samples looked at.
    """

    def __init__(self, model: Any, part: Part, drawn: list[tuple[float, list[np.ndarray]]], batch: FirstBatch) -> None:
        self.model, self.part, self.batch = model, part, batch
        self.tolerance = COARSE if "16" in str(part.predictions.dtype) else 1e-3
        self.predictions = np.asarray(part.predictions).astype(np.float32)
        self.targets = None if part.targets is None else np.asarray(part.targets)
        self.width = self.predictions.shape[-1] if self.predictions.ndim > 1 else 1
        self.few = max(2, ASKED * len(self.predictions) // max(1, self.predictions.size))
        self.reach = reach_facts([(gain, values[part.index]) for gain, values in drawn], self.tolerance)

    def facts(self, x: Any, y: Any, sample_weight: Any) -> OutputFacts:
        """All facts of this output but its name, its place and whether its samples are mixed.

        x, y, sample_weight: arrays in any structure, of all samples that were given.
        """
        labels, inputs = self._all_labels(y), [leaf[self.batch.rows] for leaf in leaves(x)]
        edges = extremes(labels)
        known = OutputFacts(
            shape=self.predictions.shape[1:],
            width=self.width,
            prediction=self._prediction(),
            reach=self.reach,
            labels=label_facts(labels, edges, self.predictions.shape, inputs, self.batch.rows),
            weights=weight_facts(sample_weight, self.targets, self.part.weights),
        )
        if self.targets is None or labels is None or not known.labels.given:
            return known
        at = None if self.part.loss is None else _on_arrays(self.part.loss, self.targets.dtype)
        found = replace(known.labels, unreachable=beyond(labels, self.reach))
        loss = None if at is None else self._loss(at, self.targets, known.prediction, found, edges)
        if at is not None and loss is not None and loss.targets == "ids":
            share, refused = classes_outside(at, edges, found.count, self.targets, self.predictions.shape)
            found = replace(found, outside=share, outside_refused=refused)
        plain_targets = self.targets.astype(np.float32) if self.targets.dtype.kind == "b" else self.targets
        metrics = tuple(self._metric(metric, targets) for metric, targets in self.part.metrics)
        return replace(
            known,
            labels=replace(found, class_numbers=found.alignment == "ids" and self._are_numbers_read(at, metrics)),
            loss=loss,
            accuracies=accuracies(plain_targets, self.predictions),
            metrics=metrics,
        )

    def _are_numbers_read(self, at: Evaluate | None, metrics: tuple[MetricFacts, ...]) -> bool | None:
        """Whether a metric or the loss reads the labels as class numbers; None where none could be asked."""
        if any("argmax" in metric.flavours for metric in metrics):
            return True
        if at is None or self.targets is None:
            return None
        return reads_class_numbers(at, self.targets.shape[1:], self.predictions.shape[1:])

    def _all_labels(self, y: Any) -> np.ndarray | None:
        """All labels given for this output, not only those of the samples looked at."""
        found = leaves(y)
        if self.targets is None or len(found) <= 1:
            return found[0] if found and self.targets is not None else None
        # A dict may hold them in another order than the outputs: the samples looked at tell which is which.
        alike = [leaf for leaf in found if leaf.shape[1:] == self.targets.shape[1:]]
        same = [leaf for leaf in alike if np.allclose(leaf[self.batch.rows], self.targets, equal_nan=True)]
        return same[0] if same else self.targets

    def _prediction(self) -> PredictionFacts:
        finite = np.isfinite(self.predictions)
        kept = self.predictions[finite]
        sums_to_1 = (
            is_distribution(np.moveaxis(self.predictions, axis, -1), self.tolerance)
            for axis in range(-1, self.predictions.ndim - 1)
        )
        axis = next((axis for axis, found in enumerate(sums_to_1, -1) if found), None)
        return PredictionFacts(
            min=float(kept.min()) if kept.size else None,
            max=float(kept.max()) if kept.size else None,
            finite=float(finite.mean()),
            unit_interval=bool(kept.size and kept.min() >= -1e-6 and kept.max() <= 1.0 + 1e-6),
            distribution=axis == -1,
            row_sum=number(self.predictions.sum(-1).mean()) if self.width > 1 else None,
            other_axis=None if axis == -1 else axis,
            always_one=bool(self.width == 1 and kept.size and (np.abs(self.predictions - 1.0) <= 1e-6).all()),
        )

    def _loss(
        self,
        at: Evaluate,
        targets: np.ndarray,
        prediction: PredictionFacts,
        labels: LabelFacts,
        edges: tuple[float, ...],
    ) -> LossFacts:
        """What the loss is and wants. at: the loss on arrays; targets: of the batch; edges: of all labels."""
        part, per_target, per_prediction = self.part, targets.shape[1:], self.predictions.shape[1:]
        nature = loss_nature(at, per_target, per_prediction)
        value, error = self._loss_value()
        free = at(targets, self.predictions)
        sure = prediction.distribution if nature.over == "classes" else prediction.unit_interval
        rescuable = nature.takes == "logits" and sure and math.isfinite(free)
        some, shape = targets[: self.few], self.predictions[: self.few].shape
        heeds, pairs_up = heeds_targets(at, some, shape), None
        if labels.alignment == "flat":
            pairs_up = pairs_up_wrongly(at, per_prediction)
        if pairs_up is None and labels.alignment in ("flat", "vectors") and math.prod(per_prediction) == 1:
            pairs_up = pairs_all_up(at, per_target, per_prediction)
        known = nature.takes not in ("unknown", "nothing")
        numeric = not known or nature.takes == "values"
        satisfiable = heeds and not known and not labels.one_hot
        return LossFacts(
            name=part.loss_name,
            weight=part.loss_weight,
            value=value,
            error=error,
            takes=nature.takes,
            over=nature.over,
            targets=nature.targets,
            reason=nature.reason,
            free=number(free),
            rescued=rescuable and _is_rescued(self.model, part, self.batch.x, free),
            silent=nature.over == "classes" and _is_silent(at, some, shape),
            pairs_up=pairs_up,
            opposite=labels.zero_one and asks_for_the_opposite(at, per_target, per_prediction),
            repeats=nature.targets == "repeated" or repeats_predictions(at, per_target, per_prediction),
            heeds_labels=heeds,
            heeds_wild_labels=nature.takes != "unknown" and heeds_wild_labels(at, edges, some, shape),
            aim=aim(at, some, per_prediction) if numeric and not (pairs_up or labels.zero_one) else "",
            cut=None if known or not labels.zero_one else self._cut(at, per_target),
            positive=numeric and wants_positive(at, per_target, per_prediction),
            one_answer=satisfiable and wants_one_answer(at, some, per_prediction, prediction.unit_interval),
            takes_negated=takes_negated(at, per_target, per_prediction),
            takes_exchanged=takes_exchanged(at, per_target, per_prediction) or None,
        )

    def _loss_value(self) -> tuple[float | None, str]:
        """The loss on the batch, with its sample weights; None where it gave no finite one. And what it raised."""
        part = self.part
        assert part.loss is not None
        try:
            return number(np.mean(part.loss(part.targets, part.predictions, part.weights))), ""
        except Exception as problem:
            return None, one_line(problem)

    def _cut(self, at: Evaluate, per_target: tuple[int, ...]) -> float | None:
        """What a distance is compared with; None for an output that is no distance."""
        lower, upper = self.reach.lower, self.reach.upper
        if upper is not None or lower is None or lower < -1e-6:
            return None
        most = max(10.0, 2 * float(np.nanmax(self.predictions)))
        return even_answer(at, per_target, self.predictions.shape[1:], most)

    def _metric(self, metric: Any, targets: Any) -> MetricFacts:
        """What a metric counts. It is asked some fifteen times, for `ASKED` entries at most but for once."""
        known = np.asarray(targets)

        def read(some: Any, given: Any) -> float:
            try:
                metric.reset_state()
                metric.update_state(some, given)
                return float(np.mean(metric.result()))
            except Exception:  # shapes or values that it does not take
                return math.nan

        def at(some: np.ndarray, given: np.ndarray) -> float:
            return read(tf.convert_to_tensor(some.astype(known.dtype)), tf.convert_to_tensor(given))

        some, shape = known[: self.few], self.predictions.shape[1:]
        value = number(read(targets, self.part.predictions))
        nature = metric_nature(at, some, shape)
        minds = known.size == self.predictions.size and minds_labels(at, some, shape)
        return replace(nature, name=metric.name, value=value, minds=minds)


def _on_arrays(loss: Callable[[Any, Any, Any], Any], kind: np.dtype[Any]) -> Evaluate:
    """The loss as a function on arrays, with targets of the kind that the batch has."""
    whole = kind if kind.kind == "f" else np.dtype(np.int64 if kind.itemsize == 8 else np.int32)

    def at(targets: np.ndarray, predictions: np.ndarray) -> float:
        wanted = whole if (targets == np.round(targets)).all() else np.dtype(np.float32)
        try:
            value = loss(tf.convert_to_tensor(targets.astype(wanted)), tf.convert_to_tensor(predictions), None)
            return float(np.mean(value))
        except Exception:  # class numbers out of range, shapes it does not take: an answer too
            return math.nan

    return at


def _is_silent(at: Evaluate, targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the loss of these very targets is 0 whatever is predicted."""
    draw = np.random.default_rng(2)
    values = []
    for _ in range(2):
        rows = draw.uniform(0.05, 0.95, shape).astype(np.float32)
        values.append(at(targets, rows / rows.sum(-1, keepdims=True) if len(shape) > 1 and shape[-1] > 1 else rows))
    return all(math.isfinite(value) and abs(value) <= 1e-6 for value in values)


def _is_rescued(model: Any, part: Part, x: Any, free: float) -> bool:
    """Whether Keras finds the logits behind the probabilities: the loss then differs from that of the bare numbers.

    In the compiled step it also finds them by the softmax operation itself, which only a graph shows.
    """
    loss = part.loss
    assert loss is not None

    def differs(predictions: Any) -> Any:
        predictions._keras_mask = None  # a mask makes a difference of its own
        return abs(loss(part.targets, predictions, None) - free) > 1e-4 * max(1e-3, abs(free))

    def traced(some: Any) -> Any:
        return differs(leaves(forward(model, some))[part.index])

    mask = getattr(part.predictions, "_keras_mask", None)
    try:
        if np.any(differs(part.predictions)):
            return True
        return not model.run_eagerly and bool(np.any(tf.function(traced, autograph=False)(x)))
    except Exception:  # not traceable: then it is trained as it was just run
        return False
    finally:
        part.predictions._keras_mask = mask
