"""A held set of samples seen, evaluated in inference mode at epoch ends.

Keras' train loss is a running mean, in training mode, over weights that change meanwhile; its validation loss is none
of these. The gap between them is therefore no gap. Here some training samples (the first seen) and some validation
samples are kept in memory, and both are asked with the weights of one moment. They are never written to the run file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.outputs_and_losses import by_output, places_of
from diagnose.callbacks.observing.tensorflow.reversible import Reversible
from diagnose.callbacks.observing.tensorflow.shadow_step import named_leaves
from diagnose.outcome.scores import constant_answers
from diagnose.outcome.task import Task

SAMPLES = 1024  # a share of 50 % is then told with a standard error of 1.6 %
BYTES = 1 << 26  # of samples kept in memory, for large inputs: 64 MB


@dataclass
class HeldSet:
    """Batches of (x, y) kept for evaluation: dense tensors, nested as Keras gave them."""

    batches: list[tuple[Any, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    bytes: int = 0

    @property
    def samples(self) -> int:
        """Number of samples kept."""
        return sum(self.sizes)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return self.samples >= SAMPLES or self.bytes >= BYTES

    def keep(self, batch: Any) -> None:
        """Keep (x, y) of a batch `(x, y, ...)` unless the set is full or there is no y."""
        if self.full or not isinstance(batch, tuple) or len(batch) < 2 or batch[1] is None:
            return
        leaves = [leaf for leaf in tf.nest.flatten(batch[:2]) if isinstance(leaf, tf.Tensor)]
        if not leaves or len(leaves) != len(tf.nest.flatten(batch[:2])):
            return
        self.batches.append(batch[:2])
        self.sizes.append(int(leaves[0].shape[0]))
        self.bytes += sum(int(np.prod(leaf.shape)) * leaf.dtype.size for leaf in leaves if leaf.dtype != tf.string)


class Evaluator:
    """Asks the model for held sets in inference mode, undoing whatever that writes.

    scored: whether the train step uses the model's `compute_loss`; the loss is NaN where it has one of its own.
    held: a set that is not empty; others must hold batches of the same structure, of any size and type.
    """

    def __init__(self, model: Any, held: HeldSet, *, scored: bool = True) -> None:
        self._model, self._scored = model, scored
        self._structure: Any = None  # of the model's answer, known once it has been traced
        #: Places of the outputs, in their order; known once the model was asked.
        self.outputs: list[str] = []
        self._specs = tuple(tf.nest.map_structure(_any_size, part) for part in held.batches[0])
        self._ask = Reversible(self._predict_and_score, *self._specs)

    def _predict_and_score(self, x: Any, y: Any) -> tuple[list[Any], Any]:
        predictions = self._model(x, training=False)
        self._structure = keras.tree.map_structure(lambda _: 0, predictions)
        self.outputs = places_of(self._model, predictions)
        loss = self._loss(x, y, predictions) if self._scored else tf.constant(float("nan"))
        return keras.tree.flatten(predictions), loss

    def _loss(self, x: Any, y: Any, predictions: Any) -> Any:
        loss = tf.cast(self._model.compute_loss(x=x, y=y, y_pred=predictions, sample_weight=None), tf.float32)
        if type(self._model).compute_loss is keras.Model.compute_loss:  # the user's own may add what it likes
            loss -= tf.add_n([tf.cast(penalty, tf.float32) for penalty in [0.0, *self._model.losses]])
        return tf.reshape(loss, [])

    def __call__(self, held: HeldSet) -> tuple[list[np.ndarray], list[np.ndarray], float]:
        """Targets and predictions by output, each (samples, ...), and the mean loss over the samples."""
        targets: list[list[np.ndarray]] = []
        predictions: list[list[np.ndarray]] = []
        losses = []
        for batch in held.batches:
            x, y = self._as_expected(batch)
            answers, loss = self._ask(x, y)
            targets.append([leaf.numpy() for leaf in by_output(y, self.outputs)])
            predictions.append([_numpy(answer) for answer in answers])
            losses.append(float(loss))
        return _joined(targets), _joined(predictions), float(np.average(losses, weights=held.sizes))

    def _as_expected(self, batch: Any) -> Any:
        """A batch in the types of the first; validation data may come in others, and fit takes both."""
        return tf.nest.map_structure(
            lambda leaf, spec: leaf if leaf.dtype == spec.dtype else tf.cast(leaf, spec.dtype), batch, self._specs
        )

    def constant_loss(
        self, held: HeldSet, tasks: list[Task], targets: list[np.ndarray], predictions: list[np.ndarray]
    ) -> float:
        """Loss of the best constant answer known, over the held set; NaN where none can be made.

        targets, predictions: of the held set, by output, as `__call__` gives them.
        """
        answers = [
            [answer[0] for answer in constant_answers(task, target, prediction.shape)]
            for task, target, prediction in zip(tasks, targets, predictions, strict=True)
        ]
        if not self._scored or not answers or not all(answers):
            return float("nan")

        def loss(x: Any, y: Any, answers: Any) -> Any:
            self._model._clear_losses()  # the penalties of the trace that called the model last belong to its graph
            samples = tf.shape(keras.tree.flatten(y)[0])[:1]
            constant = [tf.broadcast_to(answer, tf.concat([samples, tf.shape(answer)], axis=0)) for answer in answers]
            return self._loss(x, y, keras.tree.pack_sequence_as(self._structure, constant))

        choices = [[tf.constant(answer) for answer in choice] for choice in zip(*answers, strict=False)]
        ask = Reversible(loss, *self._specs, [tf.TensorSpec(answer.shape, answer.dtype) for answer in choices[0]])
        means = []
        for choice in choices:
            losses = [float(ask(x, y, choice)) for x, y in held.batches]
            means.append(float(np.average(losses, weights=held.sizes)))
        finite = [mean for mean in means if np.isfinite(mean)]
        return min(finite, default=float("nan"))


def inputs_of(held: HeldSet) -> list[tuple[str, np.ndarray]]:
    """The numeric inputs of a set that is not empty: name and all values, as one observation names them."""
    parts = [dict(named_leaves(x)) for x, _ in held.batches]
    return [
        (name, np.concatenate([part[name].numpy().astype(np.float64).reshape(-1) for part in parts]))
        for name, leaf in parts[0].items()
        if isinstance(leaf, tf.Tensor) and (leaf.dtype.is_floating or leaf.dtype.is_integer)
    ]


def row_numbers(held: HeldSet) -> set[str]:
    """Inputs of one integer a sample: they name the rows of a table, and have no size."""
    x = held.batches[0][0]
    return {
        name
        for name, leaf in named_leaves(x)
        if isinstance(leaf, tf.Tensor) and leaf.dtype.is_integer and int(np.prod(leaf.shape[1:])) == 1
    }


def sameness(held: HeldSet) -> dict[str, tuple[float, float]]:
    """How little the numeric inputs of a set that is not empty vary, by input: two shares, each in [0, 1].

    First of the features (last axis) that are the same in all samples, then of the samples that are the commonest one.
    """
    parts = [dict(named_leaves(x)) for x, _ in held.batches]
    found = {}
    for name, leaf in parts[0].items():
        if isinstance(leaf, tf.Tensor) and (leaf.dtype.is_floating or leaf.dtype.is_integer):
            batches = [part[name].numpy() for part in parts]
            rows = [batch.reshape(-1, batch.shape[-1] if batch.ndim > 1 else 1) for batch in batches]
            least = np.min([row.min(axis=0) for row in rows], axis=0)
            most = np.max([row.max(axis=0) for row in rows], axis=0)
            samples = Counter(sample.tobytes() for batch in batches for sample in batch)
            found[name] = float(np.mean(least == most)), max(samples.values()) / sum(samples.values())
    return found


def _any_size(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _numpy(tensor: Any) -> np.ndarray:
    return tf.cast(tensor, tf.float32).numpy() if tensor.dtype.is_floating else tensor.numpy()


def _joined(batches: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(columns) for columns in zip(*batches, strict=True)]
