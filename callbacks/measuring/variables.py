"""The variables of a model: how far one update moves them, how large they are, and whether they are all finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing.tensorflow.shadow_step import optimizers_of
from diagnose.callbacks.observing.tensorflow.taps import leaf_layers
from diagnose.run.run import Measurement

SAMPLE = 4096  # entries a variable: an rms of so many is right within 1.1 % (1 / sqrt(2 n)) for normal entries
MOST_ENTRIES = 1 << 22  # of a kernel whose spectral norm is asked for: 20 products with a larger one cost a second
EXACT_SIDE = 64  # a matrix with a side no longer than this is decomposed; a larger one is iterated
BLOCK = 4  # vectors iterated at once: the largest of them converges although the next singular value is close
CONVERGED = 1e-4  # relative change at which the iteration ends; 100 rounds at most
ROUNDS = 100


class Weights:
    """Reads the variables of a built model. Nothing is written."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.variables = [*model.trainable_variables, *otherwise_trained(model)[1]]
        self._paths = [variable.path for variable in self.variables]
        # Some biases have two axes: a GRU's, one by heads. Keras' own layers, and most others, call it `bias`.
        self._biases = {id(vars(layer).get("bias")) for layer in leaf_layers(model)}
        floats = [variable for variable in model.variables if "float" in str(variable.dtype)]
        positions = [_positions(tuple(variable.shape)) for variable in self.variables]
        self._ends = np.cumsum([len(each) for each in positions])[:-1]

        def sample() -> Any:
            flat = [tf.reshape(tf.convert_to_tensor(variable), [-1]) for variable in self.variables]
            picked = [tf.cast(tf.gather(f, p), tf.float32) for f, p in zip(flat, positions, strict=True)]
            return tf.concat(picked, axis=0) if picked else tf.zeros([0])

        def finite() -> Any:
            # A sum is finite unless an entry is not, or it overflows, which is as bad; it reads each entry once.
            sums = [tf.reduce_sum(tf.cast(tf.convert_to_tensor(variable), tf.float32)) for variable in floats]
            return tf.reduce_all(tf.math.is_finite(tf.stack(sums))) if sums else tf.constant(True)

        self._sample, self._finite = _compiled(sample), _compiled(finite)
        self._before: np.ndarray | None = None
        self._updates_before = 0
        self._directions: dict[str, np.ndarray] = {}

    def all_finite(self) -> bool:
        """Whether every entry of every variable is finite."""
        return bool(self._finite())

    def before(self) -> None:
        """Remember a sample of each variable, before the user's own step."""
        self._before, self._updates_before = self._sample().numpy(), updates_of(self._model)

    def after(self, step: int) -> list[Measurement]:
        """`update.ratio` of each variable that was not all zero, per optimizer update; none where none took place."""
        updates = updates_of(self._model) - self._updates_before
        if self._before is None or updates < 1:
            return []
        before, after = np.split(self._before, self._ends), np.split(self._sample().numpy(), self._ends)
        self._before = None
        found = []
        for path, old, new in zip(self._paths, before, after, strict=True):
            size = float(np.sqrt(np.mean(np.square(old, dtype=np.float64)))) if old.size else 0.0
            if size > 0:
                move = float(np.sqrt(np.mean(np.square(new.astype(np.float64) - old))))
                found.append(Measurement("update.ratio", path, step, move / size / updates))
        return found

    def kernels(self, step: int) -> list[Measurement]:
        """`weight.spectral_norm` and `weight.twin_share` of each kernel.

        A kernel has two axes or more and is no layer's bias. A convolution's is folded to (all axes but the last, last
        axis).
        """
        found = []
        for variable in self.variables:
            shape = tuple(variable.shape)
            if len(shape) >= 2 and math.prod(shape) <= MOST_ENTRIES and id(variable) not in self._biases:
                kernel = np.asarray(tf.convert_to_tensor(variable), np.float64).reshape(-1, shape[-1])
                norm, self._directions[variable.path] = spectral_norm(kernel, self._directions.get(variable.path))
                found.append(Measurement("weight.spectral_norm", variable.path, step, norm))
                if shape[-1] > 1:
                    twins = float(np.mean(np.all(kernel[:, 1:] == kernel[:, :1], axis=0)))
                    found.append(Measurement("weight.twin_share", variable.path, step, twins))
        return found


def spectral_norm(kernel: np.ndarray, start: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Largest singular value of a matrix (rows, columns), and directions (columns, block) to start from next time.

    Subspace iteration (Golub and Van Loan, Matrix Computations, section 8.2.4) until the value changes by less than
    `CONVERGED`. NaN where an entry is not finite.

    >>> spectral_norm(np.diag([3.0, 1.0]))[0]
    3.0
    """
    if not np.isfinite(kernel).all():
        return float("nan"), np.zeros((kernel.shape[1], 0))
    if min(kernel.shape) <= EXACT_SIDE:
        return float(np.linalg.norm(kernel, 2)), np.zeros((kernel.shape[1], 0))
    if start is None or start.shape != (kernel.shape[1], BLOCK):
        start = np.random.default_rng(0).standard_normal((kernel.shape[1], BLOCK))
    directions, norm = np.linalg.qr(start)[0], 0.0
    for _ in range(ROUNDS):
        image = kernel @ directions
        previous, norm = norm, float(np.linalg.norm(image, 2))
        directions = np.linalg.qr(kernel.T @ image)[0]
        if abs(norm - previous) <= CONVERGED * norm:
            break
    return norm, directions


def updates_of(model: Any) -> int:
    """Optimizer updates so far: of the model's optimizers, the one that has made most."""
    counts = [0]
    for optimizer in optimizers_of(model):
        if not hasattr(optimizer, "inner_optimizer"):
            counts.append(int(optimizer.iterations))
    return max(counts)


def otherwise_trained(model: Any) -> tuple[list[Any], list[Any]]:
    """Variables with which the step of this fit does otherwise than `trainable` says now: Keras heeds it at compile.

    First those that are trainable, and the optimizer was built without; then those of the model that it was built for,
    and that are not trainable any more (a step compiled anew leaves them alone, so whether they move is to be seen).
    Both empty while an optimizer is not built.
    """
    optimizers = [optimizer for optimizer in optimizers_of(model) if not hasattr(optimizer, "inner_optimizer")]
    if not optimizers or not all(optimizer.built for optimizer in optimizers):
        return [], []
    known = {id(variable) for optimizer in optimizers for variable in optimizer._trainable_variables}
    left_out = [variable for variable in model.trainable_variables if id(variable) not in known]
    return left_out, [variable for variable in model.variables if id(variable) in known and not variable.trainable]


def _compiled(read: Callable[[], Any]) -> Any:
    return tf.function(read, autograph=False).get_concrete_function()


def _positions(shape: tuple[int, ...]) -> np.ndarray:
    size, width = math.prod(shape), shape[-1] if shape else 1
    stride = max(1, -(-size // SAMPLE))
    while math.gcd(stride, width) > 1:  # a stride that shares a factor with the width sees some units only
        stride += 1
    return np.arange(0, size, stride, dtype=np.int32)
