"""Vanishing gradient: the first trained layers get almost none of the gradient that the last ones get.

Sees: `gradient.rms` of the first and the last trained kernel; `activation.gate_gain` between them shows whether the
activations or the weights reduce it.

Harm: the first layers stay as they were initialized, so the rest has to work with random features.

Fires: the gradient of the first kernel under RATIO of the last's, or both under NOTHING, at 4 of the last 5
observations. Critical under CRITICAL.

Rests: embeddings, of which only the rows met have a gradient; a single trained kernel; a training that has converged or
learns well (then it is a note).

Remedy: replace what reduces it: the activation that passes least (relu, gelu, or its inputs rescaled), else the
initialization; BatchNormalization or LayerNormalization, and skip connections in deep stacks.

Refute: the first layers' gradient, or the skill, does not rise when the activation or the initialization is changed.

Source: Glorot and Bengio (2010), section 4.2; the bounds were measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from diagnose.remedy import Remedy, advice
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import at_each, everywhere, initialized, normalized, normalized_everywhere
from diagnose.rules.evidence.gradients import ratio_of, whole_gradient
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.evidence.slope import works_alone
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent, portion, small, times

RATIO = 1e-3  # measured: healthy runs stay over 0.04, sick ones start at 6e-6; benchmarks/calibration.md
NOTHING = 1e-8  # arithmetic: under the resolution of float32 against weights of size 0.1
CRITICAL = 1e-5  # a guess: a hundred times worse than enough


def judge(case: Case) -> Iterator[Verdict]:
    """The first trained kernel against the last."""
    run, layout = case.run, case.layout
    names = case.kernels
    if len(names) < 2:
        seen = f"{counted(len(names), 'trained kernel')} seen; two are needed to compare"
        yield NotMeasured("", seen, applies=not names)
        return
    first, last = names[0], next((name for name in reversed(names) if layout.feeds(names[0], name)), names[-1])
    if first == last:
        last = names[-1]
    ratio, floor = ratio_of(run, first, last), whole_gradient(run, first)
    if len(ratio) < 3:
        yield NotMeasured(first, too_few(ratio))
        return
    top = whole_gradient(run, last)
    nothing = len(floor) == len(top) and lasting(floor, np.maximum(floor.values, top.values) < NOTHING) is not None
    since = lasting(ratio, ratio.values < RATIO)
    if since is None and not nothing:
        yield Healthy(first)
    elif since is None:
        yield _faint(run, first, last)
    else:
        yield _finding(run, layout, first, last, since, recent(ratio))


def _finding(run: Run, layout: Layout, first: str, last: str, since: int, ratio: float) -> Finding:
    gains = {
        where: recent(run.series("activation.gate_gain", where).finite())
        for where in run.places("activation.gate_gain")
        if layout.feeds(first, where) is not False and (layout.hidden(where) or layout.shares_out(where))
    }
    gains = {where: gain for where, gain in gains.items() if math.isfinite(gain)}
    product = math.prod(max(gain, 1e-30) for gain in gains.values())
    evidence: dict[str, float | str] = {
        "first over last": ratio,
        "gradient of the first": recent(run.series("gradient.rms", first).finite()),
    }
    by_activations = bool(gains) and product < ratio**0.5
    if gains:
        least = min(gains, key=lambda where: gains[where])
        evidence |= {"gain of all activations": product, "least gain": gains[least], "least gain at": least}
    if by_activations:
        even = gains[least] > 0.5 * product ** (1 / len(gains))
        who = (
            f"the {len(gains)} activations between them pass about {percent(product ** (1 / len(gains)))} each"
            if even and len(gains) > 1
            else f"the activations reduce it, most of all {site_name(layout, least)}, which passes "
            f"{portion(gains[least])} of it"
        )
        message = f"The gradient of `{first}` is only {small(ratio)} of that of `{last}`: {who}."
        blames: tuple[str, ...] = ("activation", "initialization", "layers")
        culprits = [*gains] if even else [least]
        what = "these activations" if len(culprits) > 1 else site_name(layout, least)
        remedies: tuple[Remedy, ...] = (
            at_each(
                f"Replace {what} by `relu`, which passes about 70 % of a gradient",
                (everywhere("replace-activation", "{f}", layout, place, "relu") for place in culprits),
            ),
            at_each(f"Put LayerNormalization in front of {what}", (normalized(layout, place) for place in culprits)),
        )
        if layout.shares_out(least):
            remedies = (works_alone(layout, least),)
    else:
        message = (
            f"The gradient of `{first}` is only {small(ratio)} of that of `{last}`; the weights between them reduce it."
        )
        blames = ("initialization", "layers", "activation")
        remedies = (
            initialized(run),
            normalized_everywhere(layout),
            advice("Add skip connections"),
        )
    return Finding(
        first,
        message,
        severity="critical" if ratio < CRITICAL else "warning",
        blames=blames,
        since=since,
        evidence=evidence,
        remedies=remedies,
        refute="The gradient of the first layers does not rise when that is changed.",
        confidence=0.8,
    )


def _faint(run: Run, first: str, last: str) -> Finding:
    size = recent(run.series("gradient.rms", last).finite())
    return Finding(
        first,
        f"The gradients of the first and the last kernel (`{first}`, `{last}`) "
        f"are both under {times(NOTHING)}: no weight changes.",
        severity="warning",
        blames=("loss", "activation", "initialization"),
        since=lasting_since(run, first),
        evidence={"gradient of the last": size},
        remedy="Look at the output activation and the loss first: the gradient vanishes at the output already.",
        refute="The loss falls at this very learning rate.",
        confidence=0.6,
    )


def lasting_since(run: Run, where: str) -> int | None:
    """First step from which on the gradient of this variable is as good as nothing."""
    series = whole_gradient(run, where)
    return lasting(series, series.values < NOTHING)


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("small-updates", "slow-progress", "constant-predictions", "collapsed-representation"),
    flow="backward",
)
