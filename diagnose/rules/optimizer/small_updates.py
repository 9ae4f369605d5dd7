"""Small updates: the optimizer hardly changes the weights.

Sees: `update.ratio`, rms of one update over rms of the kernel before it; the median over the kernels.

Harm: at a hundred-thousandth a step the weights need a hundred thousand steps to change.

Fires: a median under SMALL at 4 of the last 5 observations.

Rests: warm-ups and ends of schedules (one that is through before the middle of the training is the fault itself);
biases and other variables near 0; a training that learns well, such as careful fine-tuning (then it is a note).

Remedy: the learning rate times 10^(-3 - log10 of the ratio), at most a factor of 100, or up to a rate
of 1e-3; or Adam in place of plain SGD.

Refute: the loss does not fall faster at ten times the learning rate.

Source: Karpathy, CS231n notes, "Ratio of weights:updates": about a thousandth; the bound is a hundredth of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.evidence.updates import advised_rate, at_rest, lowered_early, stretched, typical_ratio
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import change

LOW = 1e-5  # a guess: a hundredth of Adam's default
ORDINARY = 0.03  # a guess: Adam's updates are 0.1 to 1 of the rate; a gradient of this rms is none that vanishes
STOPPED = 1e-3  # arithmetic: a thousandth of a usual update, 1e-3, is under SMALL
SMALL = 1e-5  # measured: healthy runs stay over 2e-4, sick ones are at 4e-6 or less; benchmarks/calibration.md


def judge(case: Case) -> Iterator[Verdict]:
    """The median update ratio of the kernels."""
    run = case.run
    ratio, lowered = typical_ratio(case), lowered_early(run)
    since = lasting(ratio, ratio.values < SMALL)
    if len(ratio) < 3:
        yield NotMeasured("", f"updates {too_few(ratio)}")
    elif lowered and (ratio.values[-1] < SMALL or lowered[1] < STOPPED * lowered[0]):  # updates of 0 are left out of it
        yield _lowered(*lowered)
    elif since is None:
        yield Healthy("")
    elif reason := at_rest(run):
        yield NotMeasured("", reason)
    else:
        now = recent(ratio)
        yield Finding(
            "",
            f"One step changes the weights {change(now)} (usual: 0.1 %).",
            severity="warning",
            blames=("learning-rate", "optimizer"),
            since=since,
            evidence={"update ratio": now, **_by_the_rate(case)},
            remedies=advised_rate(run, now),
            refute="The loss falls no faster at ten times the learning rate.",
            confidence=0.8,
        )


def can_follow(finding: Finding, cause: Finding) -> bool:
    """Nothing made the updates small where the rate is low by itself, and all else of ordinary size."""
    rate, share = (float(finding.evidence.get(name, math.nan)) for name in ("learning rate", "update over rate"))
    return not (share >= ORDINARY and rate <= LOW)


def _by_the_rate(case: Case) -> dict[str, float | str]:
    """The rate, and the rms of an update for each unit of it: about 1 where the optimizer divides by the gradient."""
    run = case.run
    rates = run.series("optimizer.learning_rate").finite().values
    if not len(rates) or not rates[-1] > 0 or not case.kernels:
        return {}
    sizes = [
        recent(run.series(what, name).finite()) for name in case.kernels for what in ("update.ratio", "weight.rms")
    ]
    update = float(np.median(np.array(sizes).reshape(-1, 2).prod(axis=1)))
    return {"learning rate": float(rates[-1]), "update over rate": update / float(rates[-1])}


def _lowered(first: float, last: float, step: int) -> Finding:
    return Finding(
        "",
        f"A schedule lowered the learning rate from {first:.3g} to under a hundredth of it by step {step}, and "
        f"to {last:.3g} at the end, while the loss was still falling.",
        severity="warning",
        blames=("learning-rate", "optimizer"),
        since=step,
        evidence={"first rate": first, "last rate": last},
        remedies=stretched(first),
        refute="The loss falls no faster with a constant learning rate.",
        confidence=0.8,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("slow-progress", "constant-predictions", "unfinished-training"),
    can_follow=can_follow,
)
