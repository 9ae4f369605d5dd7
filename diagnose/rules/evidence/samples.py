"""How many training samples there are."""

from __future__ import annotations

import numpy as np

from diagnose.run.run import Run


def samples_of(run: Run) -> int | None:
    """Training samples of an epoch, where steps and batch size are known.

    Its last batch is often shorter; where that was never observed it is counted as full.
    """
    steps, sizes = run.facts.fit.steps, run.series("batch.size").finite()
    if not steps or not len(sizes):
        return None
    size = float(np.median(sizes.values))
    last = sizes.values[sizes.steps % steps == steps - 1]
    return int((steps - 1) * size + (last[0] if len(last) else size))
