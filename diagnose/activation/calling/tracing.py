"""The function as a graph: what it would be in a compiled training, found without running it.

One trace tells which variables f captures, whether it draws random numbers or prints, which constants it holds (a
place where something happens is often one of them), and how large its largest intermediate tensor is, before any
memory is taken for it. A function that can't be traced can't be trained by a compiled `fit` either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Largest number of scalar constants taken out of a graph.
MOST_CONSTANTS = 256


@dataclass(frozen=True, slots=True)
class Trace:
    """A graph of f for a batch of unknown size.

    operations: types of the graph's operations, in order, those of inner functions after them.
    constants: scalar floats in it. variables: the `tf.Variable`s it reads. sizes: (product of the known axes, number of
    unknown ones) of its tensors. places: numbers in one sample of the input.
    """

    operations: tuple[str, ...]
    constants: tuple[float, ...]
    variables: tuple[Any, ...]
    sizes: tuple[tuple[int, int], ...]
    places: int

    def largest(self, batch: int) -> float:
        """Elements of the largest intermediate tensor for this batch size; tensors of unknown rank are left out."""
        # Two unknown axes may each be a flattened batch: the outer product of all entries.
        flat = float(batch * self.places)
        return max(
            (fixed * (flat**unknown if unknown > 1 else float(batch) ** unknown) for fixed, unknown in self.sizes),
            default=0.0,
        )

    @property
    def random(self) -> bool:
        """Some operation draws random numbers."""
        return any("Random" in name or name in ("Multinomial", "TruncatedNormal") for name in self.operations)

    @property
    def prints(self) -> bool:
        """Some operation writes to a standard stream (`tf.print`)."""
        return any(name in ("PrintV2", "Print") for name in self.operations)


def trace(f: Callable[[Any], Any], shape: tuple[int, ...], dtype: str) -> Trace:
    """The graph of f for inputs of (any batch, *shape). Raises what f raises."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, *shape], dtype)
    # Not through AutoGraph: Keras calls an activation from its own code, which AutoGraph leaves as it is.
    graph = tf.function(lambda z: f(z), autograph=False).get_concrete_function(spec).graph
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    sizes = {
        (
            int(np.prod([size for size in output.shape if size is not None], dtype=float)),
            output.shape.as_list().count(None),
        )
        for operation in graph.get_operations()
        for output in operation.outputs
        if output.shape.rank is not None
    }
    return Trace(
        operations=tuple(node.op for node in nodes),
        constants=_constants(nodes),
        variables=tuple(graph.variables),
        sizes=tuple(sorted(sizes)),
        places=int(np.prod(shape, dtype=int)),
    )


def _constants(nodes: list[Any]) -> tuple[float, ...]:
    import tensorflow as tf

    found: dict[float, None] = {}
    for node in nodes:
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        if tensor.dtype not in (1, 2, 14, 19) or tensor.ByteSize() > 4096:  # float, double, bfloat16, half; small ones
            continue
        for value in np.ravel(tf.make_ndarray(tensor)).astype(np.float64):
            if np.isfinite(value) and len(found) < MOST_CONSTANTS:
                found[float(value)] = None
    return tuple(found)
