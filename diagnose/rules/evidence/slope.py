"""Where an activation has its slope, against where its inputs lie: in which direction the inputs would have to go."""

from __future__ import annotations

import numpy as np

from diagnose.run.run import Run
from diagnose.wording import times

WORKS_ALONE = (
    "Replace the activation by one that works on each unit alone (relu, gelu): one that divides a fixed total "
    "among its units divides the gradient too, and belongs at the output."
)
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


def other_inputs(run: Run, where: str, size: float) -> str:
    """The remedy for inputs of this size (rms) at a flat place: those that would meet slope, if any would."""
    wanted = size_of_slope(run, where)
    if wanted is None:
        return "Replace the activation, or rescale its inputs (try x * 2 and x / 2)."
    if wanted == 0.0:
        return "Replace the activation: its slope is almost 0 everywhere near its inputs."
    if size / BESIDE < wanted < size * BESIDE:
        return "Replace the activation, or shift its inputs (BatchNormalization)."
    if wanted > size:
        up = times(wanted / max(size, 1e-6))
        return f"Replace the activation, or multiply its inputs by {up}: its slope is almost 0 around z = 0."
    return f"Replace the activation, or divide its inputs by {times(size / wanted)}."
