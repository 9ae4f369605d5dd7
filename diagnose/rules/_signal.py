"""How the size of the signal changes from the first hidden activation to the last."""

from __future__ import annotations

import numpy as np

from diagnose.layout import Layout
from diagnose.run import Run, Series

FACTOR = 100.0  # a guess: eight layers that are each off by 1.8
LEAST = 3  # a guess: from two activations on one can't see a trend


def hidden_sites(run: Run, layout: Layout) -> list[str]:
    """Hidden activations with a measured output, in the order of the calls."""
    return sorted((where for where in run.places("activation.std") if layout.hidden(where)), key=layout.position)


def size_of(run: Run, where: str) -> Series:
    """Root mean square of what comes out of the activation, by step."""
    spread, centre = run.series("activation.std", where), run.series("activation.mean", where)
    if len(spread) != len(centre):
        return spread.finite()
    return Series(spread.steps, np.hypot(spread.values, centre.values)).finite()


def last_over_first(run: Run, names: list[str]) -> Series:
    """Size at the last hidden activation over that at the first, by step."""
    first, last = size_of(run, names[0]), size_of(run, names[-1])
    steps, one, other = np.intersect1d(first.steps, last.steps, return_indices=True)
    below, above = first.values[one], last.values[other]
    kept = below > 0
    return Series(steps[kept], above[kept] / below[kept])
