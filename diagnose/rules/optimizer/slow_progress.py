"""Slow progress: the loss hardly falls from epoch to epoch, and the updates are small.

Sees: the training loss of the first epochs, and the median `update.ratio` of the kernels.

Harm: at this pace the training takes many times the epochs it needs.

Fires: the loss falls by under GAIN of its value in the median of the first EPOCHS epochs, or is no better than that of
the best constant prediction at the end; and the updates are under SMALL. Where the network falls short of what simple
models reach, a loss that falls in each of the last epochs, and updates under SLOW, are enough. A note where no skill
was measured.

Rests: a loss that is low already (fine-tuning); updates of ordinary size, where the learning rate is not the cause.

Remedy: the learning rate that brings the updates to a thousandth.

Refute: the loss falls no faster at ten times the learning rate.

Source: a guess: at one percent an epoch a loss needs seventy epochs to halve.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.skills import last_finite
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.losses import epoch_losses
from diagnose.rules.evidence.updates import advised_rate, typical_ratio
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import change, counted, percent

GAIN = 0.01  # a guess: see Source
EPOCHS = 3  # a guess: the first epochs gain most
NO_BETTER = 0.98  # a guess: a fiftieth under the loss of a constant answer is next to nothing
SMALL = 1e-4  # a guess: a tenth of the usual update
SLOW = 5e-4  # a guess: half of the usual update


def judge(case: Case) -> Iterator[Verdict]:
    """The first epochs' gain and the size of the updates."""
    run = case.run
    losses, ratio = epoch_losses(run), typical_ratio(case)
    if len(losses) <= EPOCHS or len(ratio) < 3:
        seen = f"{counted(len(losses), 'epoch')} with a finite loss and {counted(len(ratio), 'update')} seen"
        yield NotMeasured("", f"{seen}; {EPOCHS + 1} and 3 are needed")
        return
    early = losses.values[: EPOCHS + 1]
    gain = float(np.median(-np.diff(early) / np.maximum(np.abs(early[:-1]), 1e-12)))
    size = float(np.median(ratio.values))
    skill = case.outcome.train
    constant = last_finite(run, "loss.constant")
    no_better = constant is not None and float(losses.values[-1]) >= NO_BETTER * constant
    crawls = (gain < GAIN or no_better) and size < SMALL
    late = -np.diff(losses.values[-1 - EPOCHS :])
    steady = case.outcome.name == "falling-short" and size < SLOW and bool((late > 0).all())
    if not (crawls or steady) or (skill is not None and skill > 0.5):
        yield Healthy("")
        return
    told, pace = "at first", gain
    if not crawls:
        told, pace = "still", float(np.median(late / np.maximum(np.abs(losses.values[-1 - EPOCHS : -1]), 1e-12)))
    yield Finding(
        "",
        f"The loss fell by {percent(pace)} an epoch {told}, to {losses.values[-1]:.3g}, "
        f"and one step changes the weights {change(size)} (usual: 0.1 %).",
        severity="note" if skill is None else "warning",
        blames=("learning-rate", "optimizer"),
        since=int(ratio.steps[0]),
        evidence={"fall an epoch": pace, "update ratio": size},
        remedies=advised_rate(run, size),
        refute="The loss falls no faster at ten times the learning rate.",
        confidence=0.6,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("unfinished-training", "constant-predictions"),
    shows_harm=True,  # a loss that hardly falls, without skill, is itself the harm
)
