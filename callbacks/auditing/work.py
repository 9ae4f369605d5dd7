"""What asking a model costs, told by counting: how many samples may follow must not depend on what else a machine does.

A pass over a model multiplies each entry of each kernel once for each place where the kernel is applied (a dense layer
has one place a sample, a convolution one a pixel, a recurrent layer one a step), and calls each of its layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras

CALL = 1_000_000  # multiplications that take about as long as one call of a layer outside a graph, 0.1 to 0.3 ms
#: Multiplications of one pass, and of all passes under random weights: one core makes some 10**10 a second.
PASS = 2 * 10**9
DRAWS = 4 * 10**9
#: Entries of all weights of a model of which a second set may be drawn: 128 MB.
DRAWN = 1 << 25
#: Entries of what a model says of one sample, over all outputs, which the audit still looks at: 32 MB, and it makes up
#: as many for two samples in double precision.
ANSWER = 1 << 23


#: Multiplications, calls counted as such, that a forward pass over a batch may take for a model to be observed densely.
#: Measured (`benchmarks/cost_at_size.py`): fifty dense layers, at half of that, are observed in a tenth of a second, so
#: that the first twenty observations take the two seconds that the contract allows them.
LIGHT = 3 * 10**8


class TooLargeError(ValueError):
    """What a model says of one sample is more than the audit may hold."""


def multiplications(heard: Iterable[Sequence[Any]]) -> int:
    """Multiplications for one sample.

    heard: of each call of a layer with kernels, the layer, what it was given, and what it gave: tensors, samples first.
    """
    return sum(_kernel_entries(layer) * _places(given, gave) for layer, given, gave in heard)


def is_heavy(model: keras.Model, rows: int | None, sites: int, sample: int | None) -> bool:
    """Whether an observation of a batch takes long: told by counts, so that it is the same wherever it is asked.

    rows: of the batch, None where they are not known. sites: how many activations are watched. sample: multiplications
    of a pass over one sample; None where they were not counted: then each kernel is applied once.
    """
    if sample is None:
        sample = sum(math.prod(variable.shape) for variable in model.trainable_variables if len(variable.shape) > 1)
    return sample * (rows or 1) + CALL * (sites + len(model.variables)) > LIGHT


def _kernel_entries(layer: Any) -> int:
    if isinstance(layer, keras.layers.Embedding):  # its rows are read, not multiplied
        return 0
    return sum(math.prod(variable.shape) for variable in layer.trainable_variables if len(variable.shape) > 1)


def _places(given: Any, gave: Any) -> int:
    """How often a kernel is applied for one sample: at each place that comes out, or of what has none, that goes in."""
    shapes = [tuple(tensor.shape) for tensor in (given, gave) if hasattr(tensor, "shape")]
    if not shapes:
        return 1
    inner = shapes[-1] if len(shapes[-1]) == len(shapes[0]) else shapes[0]
    return math.prod(size or 1 for size in inner[1:-1])
