"""Which inputs an activation met in a training, beside what its function would do for others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from diagnose.activation.facts import Gap
from diagnose.run.run import Run

FAR = 2.0  # a guess: steps that were not observed come no farther than twice as far as those that were


def met(run: Run, places: Sequence[str]) -> tuple[float, float] | None:
    """The lowest and the highest pre-activation at these places; None where what was met is not known.

    After a break only what came before counts, and that is known only if no step between was left unobserved, and if
    it was no value of the function itself that broke.
    """
    lows, highs = [], []
    for where in places:
        low, high = (run.series(f"preactivation.{name}", where) for name in ("min", "max"))
        if not len(low):
            return None
        entering, leaving = (run.series(f"{side}.nonfinite", where) for side in ("preactivation", "activation"))
        broken = np.flatnonzero((entering.values > 0) | (leaving.values > 0))
        last = len(low)
        if len(broken):
            last = int(broken[0])
            if last == 0 or entering.values[last] == 0 or low.steps[last] != low.steps[last - 1] + 1:
                return None
        lows.append(low.values[:last].min())
        highs.append(high.values[:last].max())
    return (float(min(lows)), float(max(highs))) if lows else None


def reaches(gaps: Iterable[Gap], low: float, high: float) -> bool:
    """Whether inputs from `low` to `high` come near one of the gaps: to its side of 0, and to half its distance."""
    largest = max(abs(low), abs(high))
    return any(
        abs(gap.nearest) <= FAR * largest and not (gap.high < 0 <= low) and not (gap.low > 0 >= high) for gap in gaps
    )
