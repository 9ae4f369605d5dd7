"""Saturated activation: most inputs of an activation fall where its slope is almost 0.

Sees: `activation.saturated_share`, the share of the pre-activations z at which the slope is under 1 % of the largest
(and under 0.1, where f flattens towards neither end); with `preactivation.std` and `preactivation.mean`, then and now.

Harm: where the slope is almost 0, hardly any gradient reaches the layers below, and they stop learning.

Fires: over CROWD of z are saturated, at 4 of the last 5 observations. Critical from CRITICAL on.

Rests: on gates, attention and output layers, which are meant to saturate; on one-sided flatness as in ReLU, which
dead-units reports; and where the training learns well (then it is a note).

Remedy: by what the inputs look like. Inputs of ordinary size: another activation, or the same with its inputs scaled
to where it bends. Inputs far too large from the start: scale the data or start from smaller weights. Inputs that grew:
a lower learning rate.

Refute: the share falls under half and the loss starts to move when the inputs of the activation are divided (or, where
the slope is almost 0 around z = 0, multiplied).

Source: Glorot and Bengio (2010), section 3; the share of 1/2 is where half a layer still learns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import normalized, rate_times, replaced, scaled, two_digits
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.evidence.slope import other_inputs
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent, portion, sentence, times

CROWD = 0.5  # arithmetic: half a layer still learns; measured: healthy runs of textbook activations stay at 0
CRITICAL = 0.9  # arithmetic: at most a tenth of the units passes any gradient
WIDE = 3.0  # arithmetic: z of this std puts a third of a layer past three, where tanh has 1 % of its slope
GREW = 2.0  # a guess: inputs that hardly grew are not what the learning rate made of them
SMALL = 0.3  # arithmetic: z of this std stays within [-1, 1] at 999 of 1000


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation by its share of saturated inputs."""
    run, layout = case.run, case.layout
    for where in run.places("activation.saturated_share"):
        if not layout.hidden(where):
            continue
        share = run.series("activation.saturated_share", where).finite()
        since = lasting(share, share.values > CROWD)
        if len(share) < 3:
            yield NotMeasured(where, too_few(share))
        elif since is None:
            yield Healthy(where)
        else:
            yield _finding(run, layout, where, since)
    if not run.places("activation.saturated_share"):
        yield NotMeasured("", "no activation was observed")


def _finding(run: Run, layout: Layout, where: str, since: int) -> Finding:
    share = run.series("activation.saturated_share", where).finite()
    spread = run.series("preactivation.std", where).finite()
    centre = run.series("preactivation.mean", where).finite()
    now, early = recent(share), float(share.values[0])
    first = float(spread.values[0]) if len(spread) else float("nan")
    last = recent(spread)
    evidence: dict[str, float | str] = {"saturated share": now, "at first": early}
    if len(spread):
        evidence |= {"std of z at first": first, "std of z now": last, "mean of z now": recent(centre)}
    size = math.hypot(first, float(centre.values[0])) if len(spread) and len(centre) else first
    grown = float(np.hypot(last, recent(centre) if len(centre) else 0.0)) / size if size > 0 else 1.0
    remedies: tuple[Remedy, ...]
    if early <= CROWD and not grown < GREW:
        blames: tuple[str, ...] = ("learning-rate", "initialization", "activation")
        grew = f", {percent(early)} at the start" if len(share) > 1 else ""
        remedies = (rate_times(run, 1 / min(grown, 100.0)), normalized(layout, where), replaced(run, layout, where))
    elif size > WIDE:
        blames = (
            ("preprocessing", "initialization", "activation")
            if _unscaled(run)
            else ("initialization", "preprocessing", "activation")
        )
        grew = f"; their rms is {times(size)} before any training (usual: 1)"
        smaller = remedy("scale-kernel", layout.layer(where) or where, two_digits(1 / size))
        ways = (scaled(layout, where, 1 / size), smaller, normalized(layout, where))
        remedies = (remedy("standardize-inputs"), *ways) if _unscaled(run) else ways
    elif size < SMALL:
        blames = ("activation", "initialization")
        grew = f", around z = 0: its inputs are tiny (rms {times(size)})"
        remedies = other_inputs(run, layout, where, size)
    else:
        blames = ("activation", "initialization")
        grew = f", though their rms is an ordinary {times(size)}" if size == size else ""
        remedies = other_inputs(run, layout, where, size)
    return Finding(
        where,
        f"{sentence(portion(now))} of the inputs of {site_name(layout, where)} fall where its slope is almost 0{grew}.",
        severity="critical" if now >= CRITICAL else "warning",
        blames=blames,
        since=since,
        evidence=evidence,
        remedies=remedies,
        refute="The share falls under 50 % and the loss moves once the inputs of the activation are rescaled.",
        confidence=0.8,
    )


def _unscaled(run: Run) -> bool:
    return any(
        abs(run.series(quantity, place).values[0]) > 10
        for quantity in ("input.mean", "input.std")
        for place in run.places(quantity)
    )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "dead-units",
        "blocked-gradient",
        "vanishing-gradient",
        "zero-gradient",
        "collapsed-representation",
        "constant-predictions",
        "fading-signal",
        "mismatched-initialization",
        "small-updates",
        "slow-progress",
    ),
    flow="forward",
    at_work="always",
)
