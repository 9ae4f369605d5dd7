"""Which variables are trained kernels, and how their gradients compare.

A kernel is a variable with a spectral norm: at least two axes, and large enough to mix its inputs. Where no spectral
norm was measured, the largest weight of each layer stands in for it (a bias or a gain starts at 0 or 1 and is not).
Embeddings are left out: only the rows met in a batch have a gradient.
"""

from __future__ import annotations

import numpy as np

from diagnose.run.layout import Layout
from diagnose.run.run import Run, Series


def kernels(run: Run, layout: Layout) -> tuple[str, ...]:
    """Trained kernels in the order of the calls; a rule finds them in its `Case`."""
    trained = dict.fromkeys(run.places("gradient.rms"))
    known = [name for name in run.places("weight.spectral_norm") if name in trained]
    if not known:
        known = [name for name in trained if _varies(run, name)]
    lookups = _lookups(run)
    kept = (name for name in known if layout.layer(name) not in lookups)
    return tuple(sorted(kept, key=lambda name: layout.position(name)[0]))


def whole_gradient(run: Run, name: str) -> Series:
    """Root mean square of a variable's gradient, at the steps where every entry of it was finite."""
    size, broken = run.series("gradient.rms", name), run.series("gradient.nonfinite", name)
    if len(size) == len(broken):
        size = Series(size.steps[broken.values == 0], size.values[broken.values == 0])
    return size.finite()


def ratio_of(run: Run, first: str, last: str) -> Series:
    """Gradient of the first over that of the last, at the steps where both were measured and the last is not 0."""
    one, other = whole_gradient(run, first), whole_gradient(run, last)
    steps, at_one, at_other = np.intersect1d(one.steps, other.steps, return_indices=True)
    below, above = one.values[at_one], other.values[at_other]
    kept = np.isfinite(below) & np.isfinite(above) & (above > 0)
    return Series(steps[kept], below[kept] / above[kept])


def total_gradient(run: Run) -> Series:
    """Root mean square of the gradients of all variables, by step; every variable counts the same."""
    columns = [run.series("gradient.rms", name).finite() for name in run.places("gradient.rms")]
    if not columns:
        return run.series("gradient.rms")
    steps = np.concatenate([column.steps for column in columns])
    squares = np.concatenate([column.values**2 for column in columns])
    known, index = np.unique(steps, return_inverse=True)
    return Series(known, np.sqrt(np.bincount(index, squares) / np.bincount(index)))


def _varies(run: Run, name: str) -> bool:
    start = run.series("weight.rms", name).finite()
    return not len(start) or start.values[0] not in (0.0, 1.0)


def _lookups(run: Run) -> set[str]:
    """Layers whose trained table is looked up by integers."""
    return {layer.path for layer in run.facts.model.layers if "Embedding" in layer.class_name}
