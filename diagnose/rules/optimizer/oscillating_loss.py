"""Oscillating loss: the loss swings up and down from epoch to epoch instead of falling.

Sees: the training loss by epoch (on the held set where that was measured).

Harm: each step goes too far, past the minimum, so the loss does not get lower.

Fires: the lag-1 autocorrelation of the loss's differences is under SWING over LEAST epochs or more, and the swings are
over AMPLITUDE of the loss.

Rests: mini-batch noise, which gives -0.5 by itself; a training that learns well (then it is a note).

Remedy: a third of the learning rate, or a larger batch.

Refute: the swings stay as large at a tenth of the learning rate.

Source: arithmetic: independent noise around a level has an autocorrelation of differences of -0.5, a strict zigzag -1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import larger_batch, rate_times
from diagnose.rules.evidence.losses import epoch_losses
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

SWING = -0.5  # arithmetic: see Source
ZIGZAG = -0.8  # measured on independent noise: fewer than one series of twenty epochs in a hundred
AMPLITUDE = 0.2  # a guess: a fifth of the loss
LEAST = 6  # a guess: five differences are the least that show a rhythm
RECENT = 20  # a guess: older swings have ended


def judge(case: Case) -> Iterator[Verdict]:
    """The last epochs' losses."""
    run = case.run
    losses = epoch_losses(run).last(RECENT)
    if len(losses) < LEAST:
        yield NotMeasured(
            "", f"{counted(len(losses), 'epoch')} with a finite loss seen; {LEAST} are needed to see a rhythm"
        )
        return
    moves = np.diff(losses.values)
    centred = moves - moves.mean()
    power = float((centred**2).sum())
    swing = float((centred[1:] * centred[:-1]).sum()) / power if power > 0 else 0.0
    amplitude = float(np.median(np.abs(centred))) / max(float(np.abs(np.median(losses.values))), 1e-12)
    if swing > SWING or amplitude <= AMPLITUDE:
        yield Healthy("")
        return
    yield Finding(
        "",
        f"The loss swings by {percent(amplitude)} of its value from one epoch to the next instead of falling.",
        severity="warning",
        blames=("learning-rate", "batch-size"),
        since=int(losses.steps[0]),
        evidence={"autocorrelation of differences": swing, "swing over loss": amplitude},
        remedies=(rate_times(run, 1 / 3), *larger_batch(run, 2)),
        refute="The swings stay as large at a tenth of the learning rate.",
        confidence=0.75 if swing < ZIGZAG else 0.55,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("slow-progress",),
)
