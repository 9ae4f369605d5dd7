"""A held set of samples seen, evaluated in inference mode at epoch ends.

Keras' train loss is a running mean, in training mode, over weights that change meanwhile; its validation loss is none
of these. The gap between them is therefore no gap. Here some training samples (of the first epoch) and some validation
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
FEW_BATCHES = 8  # and fewer are not dropped: samples of each are, so that those of many steps stay
BYTES = 1 << 26  # of samples kept in memory, for large inputs: 64 MB
ENTRIES = 1 << 24  # of what the model says of all samples of a set: 64 MB, and scores are taken in double precision


@dataclass
class HeldSet:
    """Batches of (x, y) kept for evaluation: dense tensors, nested as Keras gave them.

    They are spread evenly over all batches that come, whose number nobody knows before: where the set outgrows its
    bounds, each second batch goes, and from then on only each second is taken; of few large batches each second sample.
    Data may be ordered by class, and its first samples would say little of the others.
    """

    batches: list[tuple[Any, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    most: int = SAMPLES
    _positions: list[int] = field(default_factory=list)
    _batch_stride: int = 1
    _sample_stride: int = 1

    @property
    def samples(self) -> int:
        """Number of samples kept."""
        return sum(self.sizes)

    def wants(self, position: int) -> bool:
        """Whether the batch of this number, from 0 on, is to be kept."""
        return position % self._batch_stride == 0

    def keep(self, batch: Any, position: int) -> None:
        """Keep (x, y) of a batch `(x, y, ...)` of this number, unless it is not wanted or there is no y."""
        if not self.wants(position) or not isinstance(batch, tuple) or len(batch) < 2 or batch[1] is None:
            return
        leaves = [leaf for leaf in tf.nest.flatten(batch[:2]) if isinstance(leaf, tf.Tensor)]
        if not leaves or len(leaves) != len(tf.nest.flatten(batch[:2])):
            return
        self._add(_each(batch[:2], self._sample_stride), position)
        self.limit(self.most)

    def limit(self, most: int) -> None:
        """Keep so many samples at most."""
        self.most = min(self.most, most)
        while self.samples > self.most or (_bytes(self.batches) > BYTES and self.samples > 1):
            kept = list(zip(self.batches, self._positions, strict=True))
            self.batches, self.sizes, self._positions = [], [], []
            if len(kept) > FEW_BATCHES or all(_rows(batch) < 2 for batch, _ in kept):
                self._batch_stride *= 2
                kept = [(batch, position) for batch, position in kept if self.wants(position)]
            else:
                self._sample_stride *= 2
                kept = [(_each(batch, 2), position) for batch, position in kept]
            for batch, position in kept:
                self._add(batch, position)

    def _add(self, batch: tuple[Any, Any], position: int) -> None:
        self.batches.append(batch)
        self.sizes.append(_rows(batch))
        self._positions.append(position)

    @property
    def specs(self) -> tuple[Any, Any]:
        """Of x and y of any number of samples, each nested as Keras gave it; of a set that is not empty."""
        x, y = (tf.nest.map_structure(_any_size, part) for part in self.batches[0])
        return x, y

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
        self._given: tuple[str, Any] = ("", None)  # what was traced last for given predictions, and for which
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

    def loss_of(self, held: HeldSet, predictions: Sequence[np.ndarray]) -> float:
        """Mean loss over the held set if these were the predictions; NaN where the train step has a loss of its own.

        predictions: by output, (samples, ...); the model must have been asked.
        """
        if not self._scored:
            return float("nan")

        def loss(x: Any, y: Any, predicted: Any) -> Any:
            self._model._clear_losses()  # the penalties of the trace that called the model last belong to its graph
            return self._loss(x, y, keras.tree.pack_sequence_as(self._structure, predicted))

        specs = [tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in predictions]
        if self._given[0] != str(specs):
            with pristine(self._model):
                self._given = str(specs), Reversible(loss, *self._specs, specs)
        losses, start = [], 0
        for batch, size in zip(held.batches, held.sizes, strict=True):
            x, y = self._as_expected(batch)
            losses.append(
                float(self._given[1](x, y, [tf.constant(each[start : start + size]) for each in predictions]))
            )
            start += size
        return float(np.average(losses, weights=held.sizes))


def _rows(batch: tuple[Any, Any]) -> int:
    return int(tf.nest.flatten(batch)[0].shape[0])


def _each(batch: tuple[Any, Any], stride: int) -> tuple[Any, Any]:
    """A batch of which every `stride`-th sample is left."""
    thinned: tuple[Any, Any] = tf.nest.map_structure(lambda leaf: leaf[::stride], batch) if stride > 1 else batch
    return thinned


def _bytes(batches: list[tuple[Any, Any]]) -> int:
    leaves = [leaf for leaf in tf.nest.flatten(batches) if leaf.dtype != tf.string]
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.size for leaf in leaves)


def _any_size(tensor: Any) -> Any:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _numpy(tensor: Any) -> np.ndarray:
    return tf.cast(tensor, tf.float32).numpy() if tensor.dtype.is_floating else tensor.numpy()


def _joined(batches: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(columns) for columns in zip(*batches, strict=True)]
