"""Symmetric initialization: the units of a layer start with equal weights and stay equal.

Sees: `weight.twin_share`, the share of a kernel's columns that equal its first.

Harm: equal units get equal gradients: a layer of 64 of them can compute no more than one.

Fires: over SHARE of the columns are equal at 4 of the last 5 observations, and the kernel moves.

Rests: output layers that start at zero and differ after the first step; kernels of one column.

Remedy: a random initializer (`glorot_uniform`, `he_normal`) in place of zeros, ones or a constant.

Refute: two units of the layer give different outputs.

Source: Goodfellow, Bengio and Courville (2016), section 8.4: the initialization must break symmetry.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized
from diagnose.rules.evidence.persistence import lasting, recent
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

ENOUGH = 2  # arithmetic: what updates have left equal once gets equal gradients at every step
SHARE = 0.5  # a guess: half of a layer made of one unit is no accident


def judge(case: Case) -> Iterator[Verdict]:
    """Each kernel by its equal columns."""
    run = case.run
    places = run.places("weight.twin_share")
    if not places:
        yield NotMeasured("", "columns of kernels were not compared")
    for where in places:
        share = run.series("weight.twin_share", where).finite()
        equal = share.values > SHARE
        since = lasting(share, equal)
        if len(share) == ENOUGH and equal.all():
            since = int(share.steps[0])
        if len(share) < ENOUGH:
            yield NotMeasured(where, f"seen at {counted(len(share), 'observation')}; {ENOUGH} are needed")
        elif since is None:
            yield Healthy(where)
        else:
            yield Finding(
                where,
                f"{percent(recent(share))} of the units of `{where}` have the "
                "same incoming weights and learn the same.",
                severity="critical" if recent(share) > 0.95 else "warning",
                blames=("initialization",),
                since=since,
                evidence={"equal units": recent(share)},
                remedies=(initialized(run, case.layout.layer(where) or ""), initialized(run)),
                refute="Two units of the layer give different outputs.",
                confidence=0.9,
            )


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
    explains=(
        "zero-gradient",
        "dead-units",
        "collapsed-representation",
        "constant-predictions",
        "slow-progress",
        "vanishing-gradient",
    ),
)
