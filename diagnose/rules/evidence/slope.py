"""Where an activation has its slope, against where its inputs lie: in which direction the inputs would have to go."""

from __future__ import annotations

import numpy as np

from diagnose.remedy import Remedy
from diagnose.rules.evidence.change import alike, everywhere, normalized, replaced, scaled
from diagnose.run.layout import Layout
from diagnose.run.run import Run

BESIDE = 2.0  # a guess: inputs of half or twice the size that has slope are not missing it by their size
SLOPED = 0.1  # of the largest slope on the working range: arithmetic, ten times what counts as flat


def curves(run: Run, where: str) -> dict[int, np.ndarray]:
    """The curves taken there by step, each z, f(z) and f'(z) as rows: (3, points); a file may hold other shapes."""
    known = run.arrays("activation.curve", where)
    return {step: curve for step, curve in known.items() if curve.ndim == 2 and len(curve) == 3 and curve.shape[1]}


def size_of_slope(run: Run, where: str) -> float | None:
    """Median |z| of where the function has slope, on the working range last seen; 0 where it has none.

    None where no curve was taken.
    """
    known = curves(run, where)
    if not known:
        return None
    z, _, slope = known[max(known)]
    steep = np.abs(np.where(np.isfinite(slope), slope, 0.0))
    return float(np.median(np.abs(z[steep >= SLOPED * steep.max()]))) if steep.max() > 0 else 0.0


def works_alone(layout: Layout, where: str) -> Remedy:
    """The remedy for an activation that divides a fixed total among its units, and so the gradient, too."""
    return everywhere(
        "replace-activation",
        "Replace {f} by `relu`, which works on each unit alone; what divides a fixed total belongs at the output",
        layout,
        where,
        "relu",
    )


def other_inputs(run: Run, layout: Layout, where: str, size: float) -> tuple[Remedy, ...]:
    """The remedies for inputs of this size (rms) at a flat place: those that would meet slope, if any would."""
    wanted, another, normal = size_of_slope(run, where), replaced(run, layout, where), normalized(layout, where)
    if wanted is None or not size > 0:
        return another, normal
    if wanted == 0.0 or size / BESIDE < wanted < size * BESIDE:
        return another, normal
    return another, scaled(layout, where, _factor(run, layout, where, wanted, size)), normal


def _factor(run: Run, layout: Layout, where: str, wanted: float, size: float) -> float:
    """What brings the inputs to this size: at the first of the places with this function, which the others follow.

    What a flat activation shrinks is small in front of the next one, too: mended at the first, the others need less.
    """
    places = alike(layout, where)
    first = min(places, key=layout.position, default=where)
    if first != where and len(spread := run.series("preactivation.std", first).finite()):
        size = float(spread.values[0])
    return wanted / max(size, 1e-6)
