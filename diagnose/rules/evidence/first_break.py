"""When and where a number broke first.

Weights are looked at before a step's update, inputs before the forward pass, the loss after it, gradients last: of two
things broken at the same observed step the earlier in this order broke the other (`phase` of the rules of part D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diagnose.run.layout import Layout
from diagnose.run.run import Run


@dataclass(frozen=True, slots=True)
class Break:
    """The first broken value of a quantity.

    where: the place, of several at the same step the first in the order of the calls (the last, where `backward`).
    step, count: first observed step that shows it, and the non-finite entries there.
    last_good: last observed step at which every place of it was whole; None where the first one was broken already.
    places: how many places were broken at that step.
    """

    where: str
    step: int
    count: float
    last_good: int | None
    places: int


def first_break(
    run: Run,
    layout: Layout,
    quantity: str,
    *,
    among: Callable[[str], bool] = lambda where: True,
    backward: bool = False,
) -> Break | None:
    """The first break of this quantity over the places that `among` lets through; None where all was whole."""
    firsts: dict[str, tuple[int, float]] = {}
    steps: list[np.ndarray] = []
    for where in run.places(quantity):
        if not among(where):
            continue
        series = run.series(quantity, where)
        steps.append(series.steps)
        broken = np.flatnonzero(~(series.values <= 0))
        if len(broken):
            firsts[where] = (int(series.steps[broken[0]]), float(series.values[broken[0]]))
    if not firsts:
        return None
    step = min(at for at, _ in firsts.values())
    there = sorted((where for where, (at, _) in firsts.items() if at == step), key=layout.position)
    where = there[-1] if backward else there[0]
    known = np.unique(np.concatenate(steps))
    before = known[known < step]
    return Break(where, step, firsts[where][1], int(before[-1]) if len(before) else None, len(there))


def when(found: Break) -> str:
    """The steps in words.

    >>> when(Break("dense", 40, 1.0, 30, 1)), when(Break("dense", 0, 1.0, None, 1))
    ('at step 40 (step 30 was still finite)', 'from the first observed step on, step 0')
    """
    if found.last_good is None:
        return f"from the first observed step on, step {found.step}"
    return f"at step {found.step} (step {found.last_good} was still finite)"


def evidence_of(found: Break) -> dict[str, float | str]:
    """The numbers behind the message."""
    numbers: dict[str, float | str] = {"first bad step": float(found.step), "entries": found.count}
    if found.last_good is not None:
        numbers["last good step"] = float(found.last_good)
    return numbers


def untrained(run: Run, step: int | None) -> bool:
    """Whether no update of the optimizer came before this step: then no rate can be to blame."""
    updates = run.series("optimizer.updates")
    there = updates.values[updates.steps == step]
    return bool(there[0] == 0) if len(there) else step == 0


def possible(run: Run, step: int | None, *blames: str, since: int | None = None) -> tuple[str, ...]:
    """Those of the blames that can have broken a number at this step.

    A rate can't before any update, and the data's preparation can't where the inputs were finite: of all batches from
    `since` on (left out: of this one).
    """
    ruled_out = {"learning-rate"} if untrained(run, step) else set()
    if step is not None and _fed_finite(run, step if since is None else since, step):
        ruled_out.add("preprocessing")
    return tuple(blame for blame in blames if blame not in ruled_out)


def _fed_finite(run: Run, first: int, last: int) -> bool:
    """Whether the inputs of all these batches were seen, and were finite."""
    seen = [run.series("input.nonfinite", where) for where in run.places("input.nonfinite")]
    there = [series.values[(series.steps >= first) & (series.steps <= last)] for series in seen]
    return bool(seen) and all(len(values) == last - first + 1 and not np.any(values > 0) for values in there)


def looped(run: Run, where: str) -> list[str]:
    """Names of the functions that the recurrent layer at this site runs in its loop; the user's own come first."""
    inside = run.facts.inside
    found = [name for name, places in inside.items() if where.partition("@")[0] in places]
    return sorted(found, key=lambda name: name not in run.facts.profiles)


def suspects(run: Run, layout: Layout, step: int) -> str:
    """What stood nearest to its limits before `step`, as a clause; "" where nothing stands out."""
    largest, place = 0.0, ""
    for quantity in ("preactivation.max", "preactivation.min", "activation.max", "activation.min"):
        for where in run.places(quantity):
            series = run.series(quantity, where).finite()
            before = np.abs(series.values[series.steps <= step])
            if len(before) and before[-1] > largest:
                largest, place = float(before[-1]), where
    if largest < 50:  # arithmetic: exp overflows float32 at 88.7 and float16 at 11; below 50 nothing does in float32
        return ""
    return f" The largest number seen before is {largest:.3g}, at `{place}`."
