"""Zero gradient: a trainable variable gets no gradient at all.

Sees: `gradient.rms`, and `gradient.missing` (the gradient is None: nothing connects the variable to the loss).

Harm: the variable never changes, whatever the learning rate.

Fires: None, or exactly 0, at 4 of the last 5 observations. Reported for the variables nearest to the loss, since the
layers below them get no gradient either. A note for what is no kernel (a bias under a softmax that ignores it).

Rests: what is frozen by design (it isn't trainable, so no gradient is computed); where gradients are NaN or infinite.

Remedy: look at what is between the variable and the loss: a rounding, casting or arg-max step, `stop_gradient`, an
activation that is flat for all inputs, an output the loss does not use.

Refute: two values of the variable give two losses, and the loss is smooth between them.

Source: arithmetic: a float32 sum of slopes is exactly 0 only where every slope is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.gradients import whole_gradient
from diagnose.rules.evidence.persistence import lasting
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import named


def judge(case: Case) -> Iterator[Verdict]:
    """All trainable variables, told by layer and nearest to the loss."""
    run, layout = case.run, case.layout
    names = dict.fromkeys([*run.places("gradient.rms"), *run.places("gradient.missing")])
    if not names:
        yield NotMeasured("", "no gradient was observed")
        return
    since, missing, looked = {}, set(), False
    for name in names:
        absent = run.series("gradient.missing", name).finite()
        size = whole_gradient(run, name)
        looked = looked or max(len(absent), len(size)) >= 3
        if (step := lasting(absent, absent.values == 1)) is not None:
            missing.add(name)
            since[name] = step
        elif (step := lasting(size, size.values == 0)) is not None:
            since[name] = step
    if not looked:
        yield NotMeasured("", "gradients seen at fewer than 3 observations")
    elif not since:
        yield Healthy("")
    else:
        yield from _findings(layout, since, missing, frozenset(case.kernels) | _large(run))


def _findings(layout: Layout, since: dict[str, int], missing: set[str], main: frozenset[str]) -> Iterator[Finding]:
    by_layer: dict[str, list[str]] = {}
    for name in since:
        by_layer.setdefault(layout.layer(name) or name.rpartition("/")[0], []).append(name)
    for layer, names in by_layer.items():
        if any(other != layer and layout.feeds(layer, other) for other in reversed(by_layer)):
            continue
        below = [other for other in by_layer if other != layer and layout.feeds(other, layer)]
        grave = any(name in main for name in names)
        absent = all(name in missing for name in names)
        has, it = ("has", "it") if len(names) == 1 else ("have", "them")
        how = f"no gradient (None): nothing connects {it} to the loss" if absent else "a gradient of exactly 0"
        others = "the layer" if len(below) == 1 else f"{len(below)} layers"
        cut = f" There is none in {others} below either." if below else ""
        where = next((name for name in names if name in main), names[0])
        yield Finding(
            where,
            f"{named(names)} {has} {how}.{cut}",
            severity="note" if not grave else "critical" if absent or below else "warning",
            blames=("activation", "layers", "loss"),
            since=min(since[name] for name in names),
            evidence={
                "gradient": "None" if absent else "0",
                "variables": float(sum(len(by_layer[other]) for other in [layer, *below])),
            },
            remedy="Look between this layer and the loss for rounding, casting, argmax or "
            "stop_gradient, or an output the loss ignores.",
            refute="Two values of the variable give two losses.",
            confidence=0.4 if not grave else 0.95 if absent else 0.8,  # None is no measurement: it can't be chance
        )


def can_follow(finding: Finding, cause: Finding) -> bool:
    """Whether this cause can take all of a gradient away.

    None is a matter of the graph: only a function that has no gradient to give cuts it, whatever its inputs are. And
    one unit that is not dead lets some of a gradient through, so an exact 0 needs a layer without any.
    """
    if finding.evidence.get("gradient") == "None":
        return cause.rule in ("gradientless-activation", "constant-activation")
    return cause.evidence.get("dead share", 1.0) == 1.0


def _large(run: Run) -> frozenset[str]:
    """Variables without a gradient count as kernels where they have a spectral norm."""
    if normed := run.places("weight.spectral_norm"):
        return frozenset(normed)
    return frozenset(
        name for name in run.places("gradient.missing") if np.any(run.series("weight.rms", name).values > 0)
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "small-updates",
        "constant-predictions",
        "slow-progress",
        "vanishing-gradient",
        "collapsed-representation",
    ),
    flow="connected",
    can_follow=can_follow,
)
