"""How the size of the signal changes from the first hidden activation to the last: one judgement in two directions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized, normalized_everywhere, replaced
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.run.layout import Layout
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, times

FACTOR = 100.0  # a guess: eight layers that are each off by 1.8
LEAST = 3  # a guess: from two activations on one can't see a trend


def hidden_sites(run: Run, layout: Layout) -> list[str]:
    """Hidden activations with a measured output, in the order of the calls."""
    return sorted((where for where in run.places("activation.std") if layout.hidden(where)), key=layout.position)


def size_of(run: Run, where: str) -> Series:
    """Root mean square of what comes out of the activation, at the steps where all of it was finite.

    Of what is not, mean and spread are those of the rest, often of nothing.
    """
    spread, centre = run.series("activation.std", where), run.series("activation.mean", where)
    if len(spread) == len(centre):
        spread = Series(spread.steps, np.hypot(spread.values, centre.values))
    broken = run.series("activation.nonfinite", where)
    whole = ~np.isin(spread.steps, broken.steps[~(broken.values <= 0)])
    return Series(spread.steps[whole], spread.values[whole]).finite()


def last_over_first(run: Run, names: list[str]) -> Series:
    """Size at the last hidden activation over that at the first, by step."""
    first, last = size_of(run, names[0]), size_of(run, names[-1])
    steps, one, other = np.intersect1d(first.steps, last.steps, return_indices=True)
    below, above = first.values[one], last.values[other]
    kept = below > 0
    return Series(steps[kept], above[kept] / below[kept])


def last_against_first(case: Case, *, grows: bool) -> Iterator[Verdict]:
    """The verdict on the size at the last hidden activation over that at the first.

    grows: whether a ratio over `FACTOR` is told, or one under 1 / `FACTOR`.
    """
    run = case.run
    names = hidden_sites(run, case.layout)
    if len(names) < LEAST:
        yield NotMeasured("", f"{counted(len(names), 'hidden activation')} seen; {LEAST} are needed", applies=not names)
        return
    ratio = last_over_first(run, names)
    if len(ratio) < 3:
        yield NotMeasured("", too_few(ratio))
        return
    since = lasting(ratio, ratio.values > FACTOR if grows else ratio.values < 1 / FACTOR)
    if since is None:
        yield Healthy("")
        return
    names = [name for name in names if len(size_of(run, name))]
    sizes = [max(recent(size_of(run, name)), 1e-30) for name in names]
    changes = [above / below for below, above in pairwise(sizes)]
    now, change = recent(ratio), (max if grows else min)(changes)
    worst = names[changes.index(change) + 1]
    yield Finding(
        worst,
        f"The signal {'grows' if grows else 'shrinks'} {_fold(now)} from `{names[0]}` to `{names[-1]}`, "
        f"most of all at `{worst}` ({_fold(change)}).",
        severity="warning",
        blames=("initialization", "activation", "layers"),
        since=since,
        evidence={"last over first": now, "largest change": change},
        remedies=(
            initialized(run),
            normalized_everywhere(case.layout),
            replaced(run, case.layout, worst),
        ),
        refute="The ratio comes near 1 with that initialization and the metrics are no better.",
        confidence=0.65,
    )


def _fold(ratio: float) -> str:
    """How many times larger or smaller, in words."""
    return "to nothing" if ratio < 1e-12 else f"{times(max(ratio, 1 / ratio))}-fold"
