"""Non-finite weights: weights of the model are NaN or infinite.

Sees: `weight.nonfinite` by variable, looked at before each observed step, and `weight.finite`, one small check of all
variables after every step.

Harm: a NaN weight stays NaN; all predictions from here on are useless, even where the loss looks fine.

Fires: at the first non-finite entry; the place is the first broken variable in the order of the calls.

Rests: never.

Remedy: load the last finite weights; then remove what broke them (reported here where it was seen), lower the learning
rate by 10 and clip (`clipnorm=1.0`).

Refute: `all(np.isfinite(w).all() for w in model.get_weights())` is True.

Source: arithmetic: NaN plus anything is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.first_break import Break, evidence_of, first_break, possible, suspects, untrained, when
from diagnose.rules.rule import Rule
from diagnose.run.run import Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted


def judge(case: Case) -> Iterator[Verdict]:
    """All variables."""
    run, layout = case.run, case.layout
    checks = run.series("weight.finite")
    if not run.places("weight.nonfinite") and not len(checks):
        yield NotMeasured("", "no weight was observed")
        return
    found = _narrowed(first_break(run, layout, "weight.nonfinite"), checks)
    if found is None:
        yield Healthy("")
        return
    blames = possible(run, found.step, "activation", "learning-rate", "preprocessing", "loss", since=0)
    if untrained(run, found.step):
        blames = ("initialization",)
    others = f" and {counted(found.places - 1, 'more variable')} hold" if found.places > 1 else " holds"
    what = f"`{found.where}`{others}"
    yield Finding(
        found.where,
        f"{what if found.where else 'A variable holds'} NaN or infinity "
        f"{when(found)}.{suspects(run, layout, found.step)}",
        severity="critical",
        blames=blames,
        since=found.step,
        evidence=evidence_of(found) | {"variables": float(found.places)},
        remedy="Give the layers finite weights to start from: no update was made before."
        if untrained(run, found.step)
        else "Load the last finite weights, lower the learning rate by 10, clip (clipnorm=1.0), "
        f"and check {'' if 'preprocessing' not in blames else 'data and '}custom functions for NaN.",
        remedies=() if untrained(run, found.step) else (rate_times(run, 0.1), remedy("clipnorm", value=1.0)),
        refute="all(np.isfinite(w).all() for w in model.get_weights()) is True.",
        confidence=0.7,
    )


def _narrowed(found: Break | None, checks: Series) -> Break | None:
    """The break, its steps narrowed by the check after every step: bad after step n means bad before step n + 1."""
    bad, good = checks.steps[checks.values == 0], checks.steps[checks.values == 1]
    if not len(bad):
        return found
    tripped = int(bad[0]) + 1
    step = tripped if found is None else min(found.step, tripped)
    before = [int(known) for known in good if known < step]
    if found is not None and found.last_good is not None:
        before.append(found.last_good)
    where, count, places = (found.where, found.count, found.places) if found is not None else ("", 1.0, 1)
    return Break(where, step, count, max(before) if before else None, places)


RULE = Rule(
    __name__,
    __doc__,
    part="numbers",
    judge=judge,
    explains=(
        "non-finite-activation",
        "non-finite-loss",
        "non-finite-gradient",
        "hidden-nan",
        "constant-predictions",
        "dead-units",
        "zero-gradient",
    ),
    phase=0,
)
