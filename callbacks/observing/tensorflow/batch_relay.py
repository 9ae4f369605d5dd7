"""Hands batches that were taken from the user's iterator on to the user's own compiled step.

The step was traced for an iterator of a certain element spec. The relay is another iterator of the very same type, so
the same compiled function runs, without retracing. It reads from a queue: making a data set for each batch would cost
milliseconds each time.

A short last group of `steps_per_execution` must end, else the step would wait for ever. Each element carries a flag;
an element whose flag is false ends the iterator, and the next group gets a fresh one.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.data.util import structure


class Relay:
    """An iterator of the given element spec over batches that are handed in.

    Raises TypeError where the element spec can't be rebuilt (a distributed iterator, a variant).
    """

    def __init__(self, element_spec: Any, capacity: int) -> None:
        self.element_spec = element_spec
        types, shapes = structure.get_flat_tensor_types(element_spec), structure.get_flat_tensor_shapes(element_spec)
        self._queue = tf.queue.FIFOQueue(capacity + 1, [tf.bool, *types])  # one more, which ends a short group

        def element(_: tf.Tensor) -> tuple[tf.Tensor, Any]:
            flag, *values = self._queue.dequeue()
            flag.set_shape([])
            for value, shape in zip(values, shapes, strict=True):
                value.set_shape(shape)
            return flag, structure.from_tensor_list(element_spec, values)

        options = tf.data.Options()
        options.autotune.enabled = False  # no thread of its own may wait on the queue
        options.experimental_optimization.apply_default_optimizations = False
        self._dataset = (
            tf.data.Dataset.from_tensors(0)
            .repeat()
            .map(element)
            .take_while(lambda flag, _: flag)
            .map(lambda _, batch: batch)
            .with_options(options)
        )
        if self._dataset.element_spec != element_spec:
            raise TypeError(f"batches of the type {element_spec} can't be observed")
        self._iterator: Any = None

    @property
    def empty(self) -> bool:
        """Whether no batch waits in it; one does where a fit broke off before its step took it."""
        return int(self._queue.size()) == 0

    def iterator_over(self, batches: list[Any], *, ends: bool) -> Any:
        """A `tf.data` iterator that gives these batches; after them it ends if `ends`, else it waits for more."""
        if self._iterator is None:
            self._iterator = iter(self._dataset)
        iterator = self._iterator
        for batch in batches:
            self._queue.enqueue([True, *structure.to_tensor_list(self.element_spec, batch)])
        if ends:
            self._queue.enqueue([False, *structure.to_tensor_list(self.element_spec, batches[-1])])
            self._iterator = None  # an iterator that has ended stays so
        return iterator
