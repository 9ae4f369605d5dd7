"""A held set of samples seen, evaluated in inference mode at epoch ends.

Keras' train loss is a running mean, in training mode, over weights that change meanwhile; its validation loss is none
of these. The gap between them is therefore no gap. Here some training samples (the first seen) and some validation
samples are kept in memory, and both are asked with the weights of one moment. They are never written to the run file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.model.outputs import by_output, places_of
from diagnose.callbacks.model.restoring import pristine
from diagnose.callbacks.model.structures import named_leaves
from diagnose.callbacks.observing.reading import Evaluation
from diagnose.callbacks.observing.tensorflow.reversible import Reversible

SAMPLES = 1024  # a share of 50 % is then told with a standard error of 1.6 %
BYTES = 1 << 26  # of samples kept in memory, for large inputs: 64 MB
ENTRIES = 1 << 24  # of what the model says of all samples of a set: 64 MB, and scores are taken in double precision


@dataclass
class HeldSet:
    """Batches of (x, y) kept for evaluation: dense tensors, nested as Keras gave them."""

    batches: list[tuple[Any, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    bytes: int = 0
    most: int = SAMPLES

    @property
    def samples(self) -> int:
        """Number of samples kept."""
        return sum(self.sizes)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return self.samples >= self.most or self.bytes >= BYTES

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

    @property
    def specs(self) -> tuple[Any, Any]:
        """Of x and y of any number of samples, each nested as Keras gave it; of a set that is not empty."""
        x, y = (tf.nest.map_structure(_any_size, part) for part in self.batches[0])
        return x, y

    def limit(self, most: int) -> None:
        """Keep so many samples at most, the first ones."""
        self.most = min(self.most, most)
        left, kept = self.most, []
        for batch, size in zip(self.batches, self.sizes, strict=True):
            if left > 0:
                rows = min(size, left)
                kept.append(
                    (tf.nest.map_structure(lambda leaf, rows=rows: leaf[:rows], batch) if rows < size else batch, rows)
                )
            left -= size
        self.batches, self.sizes = [batch for batch, _ in kept], [rows for _, rows in kept]

    def inputs(self) -> dict[str, list[np.ndarray]]:
        """The numeric inputs by name, as one observation names them, one array (samples, ...) a batch.

        Of a set that is not empty.
        """
        parts = [dict(named_leaves(x)) for x, _ in self.batches]
        return {
            name: [part[name].numpy() for part in parts]
            for name, leaf in parts[0].items()
            if isinstance(leaf, tf.Tensor) and (leaf.dtype.is_floating or leaf.dtype.is_integer)
        }


class Evaluator:
    """Asks the model for held sets in inference mode, undoing whatever that writes.

    specs: of a held set; all that is asked for must have its structure, and may be of any size and type.
    scored: whether the train step uses the model's `compute_loss`; the loss is NaN where it has one of its own.
    """

    def __init__(self, model: Any, specs: tuple[Any, Any], *, scored: bool = True) -> None:
        self._model, self._specs, self._scored = model, specs, scored
        self._structure: Any = None  # of the model's answer, known once it has been traced
        #: Places of the outputs, in their order; known once the model was asked.
        self.outputs: list[str] = []
        self._constant: tuple[str, Any] = ("", None)  # what was traced last for constants, and for which
        self._each = 1  # entries of the model's answer to one sample
        with pristine(model):
            self._ask = Reversible(self._predict_and_score, *self._specs)

    @property
    def most(self) -> int:
        """Samples of which the answers may be held at once; 0 where one alone is too much."""
        return min(SAMPLES, ENTRIES // self._each)

    def _predict_and_score(self, x: Any, y: Any) -> tuple[list[Any], Any]:
        predictions = self._model(x, training=False)
        self._structure = keras.tree.map_structure(lambda _: 0, predictions)
        self.outputs = places_of(self._model, predictions)
        sizes = [math.prod(size or 1 for size in leaf.shape[1:]) for leaf in keras.tree.flatten(predictions)]
        self._each = max(1, sum(sizes))
        loss = self._loss(x, y, predictions) if self._scored else tf.constant(float("nan"))
        return keras.tree.flatten(predictions), loss

    def _loss(self, x: Any, y: Any, predictions: Any) -> Any:
        loss = tf.cast(self._model.compute_loss(x=x, y=y, y_pred=predictions, sample_weight=None), tf.float32)
        if type(self._model).compute_loss is keras.Model.compute_loss:  # the user's own may add what it likes
            loss -= tf.add_n([tf.cast(penalty, tf.float32) for penalty in [0.0, *self._model.losses]])
        return tf.reshape(loss, [])

    def __call__(self, held: HeldSet) -> Evaluation:
        """Targets, predictions and loss of a set that is not empty."""
        targets: list[list[np.ndarray]] = []
        predictions: list[list[np.ndarray]] = []
        losses = []
        for batch in held.batches:
            x, y = self._as_expected(batch)
            answers, loss = self._ask(x, y)
            targets.append([leaf.numpy() for leaf in by_output(y, self.outputs)])
            predictions.append([_numpy(answer) for answer in answers])
            losses.append(float(loss))
        loss = float(np.average(losses, weights=held.sizes))
        return Evaluation(self.outputs, _joined(targets), _joined(predictions), loss)

    def _as_expected(self, batch: Any) -> Any:
        """A batch in the types of the first; validation data may come in others, and fit takes both."""
        return tf.nest.map_structure(
            lambda leaf, spec: leaf if leaf.dtype == spec.dtype else tf.cast(leaf, spec.dtype), batch, self._specs
        )

    def constant_loss(self, held: HeldSet, choices: Sequence[Sequence[np.ndarray]]) -> float:
        """The least mean loss over the held set among constant predictions; NaN where none has a finite one.

        choices: each a prediction for one sample by output, without the batch axis; the model must have been asked.
        """
        if not self._scored or not choices:
            return float("nan")

        def loss(x: Any, y: Any, choice: Any) -> Any:
            self._model._clear_losses()  # the penalties of the trace that called the model last belong to its graph
            samples = tf.shape(keras.tree.flatten(y)[0])[:1]
            constant = [tf.broadcast_to(value, tf.concat([samples, tf.shape(value)], axis=0)) for value in choice]
            return self._loss(x, y, keras.tree.pack_sequence_as(self._structure, constant))

        tensors = [[tf.constant(value) for value in choice] for choice in choices]
        specs = [tf.TensorSpec(value.shape, value.dtype) for value in tensors[0]]
        if self._constant[0] != str(specs):
            with pristine(self._model):
                self._constant = str(specs), Reversible(loss, *self._specs, specs)
        ask, means = self._constant[1], []
        for choice in tensors:
            losses = [float(ask(x, y, choice)) for x, y in held.batches]
            means.append(float(np.average(losses, weights=held.sizes)))
        finite = [mean for mean in means if np.isfinite(mean)]
        return min(finite, default=float("nan"))


def _any_size(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _numpy(tensor: Any) -> np.ndarray:
    return tf.cast(tensor, tf.float32).numpy() if tensor.dtype.is_floating else tensor.numpy()


def _joined(batches: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(columns) for columns in zip(*batches, strict=True)]
