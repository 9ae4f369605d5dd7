"""Mismatched initialization: before any training, the inputs of the activations are far too large or far too small.

Sees: `preactivation.std` of the hidden activations at the first observation; `weight.rms` of the kernels up to there.

Harm: far too large, the activations start saturated; far too small, they act as straight lines and the signal
vanishes with depth.

Fires: at half of the hidden activations or more, the first std of z is over OFF or under 1 / OFF, and the kernels up to
the first of them make at least SHARE of that.

Rests: one odd layer; kernels of ordinary scale under small embeddings, unscaled data, or a function that grows with its
inputs; a layer whose z is the same for all inputs, which says nothing of its scale (a gain that starts
at 0, a dead layer below); a first observation after step EARLIEST; a training that learns well (then it is a note).

Remedy: he_normal for relu-like activations, glorot_uniform for tanh-like ones, lecun_normal for selu; for a sine,
uniform weights within sqrt(6 / n).

Refute: with that initialization the first losses are no better.

Source: Glorot and Bengio (2010); He et al. (2015); Sitzmann et al. (2020), section 3.2; the factor is a
guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.remedy import Remedy, remedy, together
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import initialized, two_digits
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import times

OFF = 10.0  # measured: healthy runs begin between 0.15 and 4, zero gains aside; benchmarks/calibration.md
EARLIEST = 0  # later the updates have had their share
SHARE = 0.5  # arithmetic: the larger part of what it is off
CONSTANT = 1e-6  # arithmetic: a few roundings of float32


def judge(case: Case) -> Iterator[Verdict]:
    """The first observation's spread of z at all hidden activations."""
    run, layout = case.run, case.layout
    first = {}
    for where in sorted(
        (where for where in run.places("preactivation.std") if layout.hidden(where)), key=layout.position
    ):
        spread = run.series("preactivation.std", where).finite()
        if len(spread) and spread.steps[0] <= EARLIEST and not _constant(run, where):
            first[where] = float(spread.values[0])
    if not first:
        yield NotMeasured("", "no hidden activation whose inputs vary was observed at step 0")
        return
    large = [where for where, size in first.items() if size > OFF]
    small = [where for where, size in first.items() if size < 1 / OFF]
    for odd, what in ((large, "large"), (small, "small")):
        if 2 * len(odd) >= len(first) and _by_kernels(case, odd[0], first[odd[0]]):
            yield _finding(run, layout, odd, first, what)
            return
    yield Healthy("")


def _by_kernels(case: Case, where: str, size: float) -> bool:
    """Whether the initial kernels up to there make at least half of what the size is off, on a scale of factors.

    A kernel makes sqrt(fan_in) times its rms of a signal of 1 (He et al., 2015, equation 10). What else is off comes
    from elsewhere: from embeddings, which are small at first, from the data, or from a function that grows with its
    inputs. Where no kernel is known, it is believed.
    """
    fans = {layer.path: layer.fan_in for layer in case.facts.model.layers}
    gains: dict[str, float] = {}
    for name in case.kernels:
        layer = case.layout.layer(name)
        start = case.run.series("weight.rms", name).finite()
        if layer in gains or layer is None or not case.layout.feeds(layer, where) or not len(start):
            continue
        if (fan_in := fans.get(layer)) and start.values[0] > 0:
            gains[layer] = math.log(start.values[0] * math.sqrt(fan_in))
    return not gains or sum(gains.values()) / math.log(max(size, 1e-12)) >= SHARE


def can_follow(finding: Finding, cause: Finding) -> bool:
    """What is flat makes no signal grow."""
    return cause.rule != "flat-activation" or float(finding.evidence.get("std of z at first", 0.0)) < 1.0


def _finding(run: Run, layout: Layout, odd: list[str], first: dict[str, float], what: str) -> Finding:
    where = odd[0]
    size = first[where]
    factor = size if what == "large" else 1 / max(size, 1e-12)
    return Finding(
        where,
        f"Before any training the inputs of `{where}` have a standard deviation "
        f"of {size:.2g}, {times(factor)} times too {what}"
        + (f" (so at {len(odd)} of {len(first)} hidden activations)." if len(first) > 1 else "."),
        severity="warning",
        blames=("initialization", "preprocessing"),
        since=0,
        evidence={"std of z at first": size, "activations": float(len(odd))},
        remedies=(initialized(run), _scaled(layout, odd, 1 / size)),
        refute="With that initialization the first losses are no better.",
        confidence=0.65,
    )


def _scaled(layout: Layout, odd: list[str], factor: float) -> Remedy:
    """The initial kernels of the odd layers scaled, each by what the first one is off: the others build on it."""
    layers = dict.fromkeys(layer for place in odd if (layer := layout.layer(place)))
    return together(remedy("scale-kernel", layer, two_digits(factor)) for layer in layers or ("",))


def _constant(run: Run, where: str) -> bool:
    """Whether z was the same for all inputs and units at first, but for rounding."""
    mean, spread = (run.series(f"preactivation.{of}", where).finite().values[:1] for of in ("mean", "std"))
    return bool(len(spread) and spread[0] <= CONSTANT * (abs(mean[0]) if len(mean) else 0.0))


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
    explains=(
        "saturated-activation",
        "folded-activation",
        "dead-units",
        "blocked-gradient",
        "growing-signal",
        "fading-signal",
        "vanishing-gradient",
        "exploding-gradient",
        "collapsed-representation",
        "constant-predictions",
        "thin-headroom",
        "diverging-loss",
        "slow-progress",
        "small-updates",
        "non-finite-activation",
        "non-finite-weights",
        "non-finite-loss",
    ),
    flow="after",
    can_follow=can_follow,
)
