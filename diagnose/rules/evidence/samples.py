"""How many training samples there are, and how many of those that were met again had another label."""

from __future__ import annotations

import numpy as np

from diagnose.run.run import Run


def relabelled(run: Run, met: str, differ: str) -> tuple[float, float, int]:
    """Samples that were met again, the share of them with another label, and the first step that shows one.

    met, differ: the quantities that count them. Share and step are 0 where there is none.
    """
    again, other = run.series(met), run.series(differ)
    known, changed = float(again.values.sum()), float(other.values.sum())
    return (known, changed / known, int(other.steps[other.values > 0][0])) if changed else (known, 0.0, 0)


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
