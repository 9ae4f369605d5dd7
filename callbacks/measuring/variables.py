"""The variables of a model: how far one update moves them, how large they are, and whether they are all finite."""

from __future__ import annotations

import numpy as np

from diagnose.callbacks.observing.protocols import VariableReads
from diagnose.run.run import Measurement

MOST_ENTRIES = 1 << 22  # of a kernel whose spectral norm is asked for: 20 products with a larger one cost a second
EXACT_SIDE = 64  # a matrix with a side no longer than this is decomposed; a larger one is iterated
BLOCK = 4  # vectors iterated at once: the largest of them converges although the next singular value is close
CONVERGED = 1e-4  # relative change at which the iteration ends; 100 rounds at most
ROUNDS = 100


class Weights:
    """Measures the variables of one model, and remembers what spans two steps or more."""

    def __init__(self, reads: VariableReads) -> None:
        self._reads = reads
        self._before: list[np.ndarray] | None = None
        self._updates_before = 0
        self._directions: dict[str, np.ndarray] = {}

    def all_finite(self) -> bool:
        """Whether every entry of every variable is finite."""
        return self._reads.all_finite()

    def before(self) -> None:
        """Remember a sample of each variable, before the user's own step."""
        self._before, self._updates_before = self._reads.sample(), self._reads.updates()

    def after(self, step: int) -> list[Measurement]:
        """`update.ratio` of each variable that was not all zero, per optimizer update; none where none took place."""
        updates = self._reads.updates() - self._updates_before
        if self._before is None or updates < 1:
            return []
        before, after = self._before, self._reads.sample()
        self._before = None
        found = []
        for path, old, new in zip(self._reads.paths, before, after, strict=True):
            size = float(np.sqrt(np.mean(np.square(old, dtype=np.float64)))) if old.size else 0.0
            if size > 0:
                move = float(np.sqrt(np.mean(np.square(new.astype(np.float64) - old))))
                found.append(Measurement("update.ratio", path, step, move / size / updates))
        return found

    def kernels(self, step: int) -> list[Measurement]:
        """`weight.spectral_norm` and `weight.twin_share` of each kernel of at most `MOST_ENTRIES` entries."""
        found = []
        for path, kernel in self._reads.kernels(MOST_ENTRIES):
            norm, self._directions[path] = spectral_norm(kernel, self._directions.get(path))
            found.append(Measurement("weight.spectral_norm", path, step, norm))
            if kernel.shape[1] > 1:
                twins = float(np.mean(np.all(kernel[:, 1:] == kernel[:, :1], axis=0)))
                found.append(Measurement("weight.twin_share", path, step, twins))
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
