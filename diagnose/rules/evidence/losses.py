"""The training loss over time, from the best source there is, without the noise of single batches.

On the held set in inference mode where that was measured at every epoch; else as Keras logged it by epoch (a running
mean in training mode); else the batches observed, averaged in ten groups.
"""

from __future__ import annotations

import numpy as np

from diagnose.run.run import EMPTY, Run, Series

GROUPS = 10


def epoch_losses(run: Run) -> Series:
    """Loss at epoch ends, or of ten stretches of the run; empty where too little was seen.

    >>> run = Run()
    >>> run.history["loss"] = [2.0, 1.0, 0.5]
    >>> epoch_losses(run).values
    array([2. , 1. , 0.5])
    """
    held = run.series("loss.train").finite()
    logged = np.array(run.history.get("loss", ()), float)
    if len(held) >= max(3, len(logged)):
        return held
    if len(logged) >= 3:
        ends = run.series("loss.train").steps
        last = run.facts.steps_seen or int(ends[-1] if len(ends) else len(logged))
        steps = np.linspace(last / len(logged), last, len(logged)).astype(np.int64)
        return Series(steps, logged).finite()
    batches = run.series("batch.loss").finite()
    if len(batches) < 3 * GROUPS:
        return EMPTY
    groups = np.array_split(np.arange(len(batches)), GROUPS)
    return Series(
        batches.steps[[group[-1] for group in groups]], np.array([batches.values[group].mean() for group in groups])
    )
