"""Heavy dropout: so many units are dropped that little of the signal is left.

Sees: the rates of the dropout layers, and the skill in training mode: from the batches' accuracy, or else from their
loss, both against the best constant prediction.

Harm: what is left of the signal changes with every batch, so the gradient is mostly noise.

Fires: a rate over RATE, or over NARROW_RATE in front of a layer of NARROW units or fewer, and the skill in training
mode stays under LOW.

Rests: wide layers with the usual 0.5; a good skill (then it is a note).

Remedy: a rate of 0.5 or less; 0.1 to 0.3 in front of the output.

Refute: the metrics are no better with half the rate.

Source: Srivastava et al. (2014), section 7.3: rates up to 0.6 work, beyond it the error rises; the bounds are
guesses beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import SCALE
from diagnose.outcome.skills import data_losses, majority_share
from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

RATE = 0.8  # a guess: four units in five are gone
NARROW_RATE = 0.5  # a guess: the usual rate, meant for wide layers
NARROW = 16  # a guess: half of sixteen units leaves eight
LOW = 0.5  # a guess: half of what can be won


def judge(case: Case) -> Iterator[Verdict]:
    """Each layer that has a rate."""
    run = case.run
    layers = case.facts.model.layers
    dropping = [(index, layer, layer.rate) for index, layer in enumerate(layers) if layer.rate]
    if not dropping:
        yield NotMeasured("", "no layer has a dropout rate", applies=not layers)
        return
    skills = []
    for where in run.places("batch.accuracy"):
        share, accuracy = majority_share(run, where), run.series("batch.accuracy", where).finite().values[-5:]
        if share is not None and share < 1 and len(accuracy):
            skills.append((float(np.mean(accuracy)) - share) / (1 - share))
    loss, constant = run.series("batch.loss").finite().values[-5:], data_losses(run)[1]
    if not skills and len(loss) and constant is not None and constant > 0:
        skills.append(1 - float(np.mean(loss)) / constant)
    if not skills:
        yield NotMeasured(
            "", "neither accuracy nor loss in training mode could be compared with the best constant prediction"
        )
        return
    skill = min(skills)
    for index, layer, rate in dropping:
        before = [other.units for other in layers[:index] if other.units]
        narrow = bool(before) and before[-1] <= NARROW
        bound = NARROW_RATE if narrow else RATE
        if rate <= bound or skill >= LOW:
            yield Healthy(layer.path)
            continue
        of = f" of {counted(before[-1], 'unit')}" if before else ""
        yield Finding(
            layer.path,
            f"`{layer.path}` drops {percent(rate)}{of}, and the skill in training mode is only {skill:.2f} ({SCALE}).",
            severity="warning",
            blames=("layers", "regularization"),
            evidence={"rate": rate, "skill in training mode": skill},
            remedies=(
                remedy(
                    "dropout",
                    layer.path,
                    0.2,
                    text=f"Set the rate of `{layer.path}` to 0.2 (0.5 or less; 0.1 to 0.3 before a narrow layer)",
                ),
            ),
            refute="The metrics are no better with half the rate.",
            confidence=0.8,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
    explains=("slow-progress", "noisy-gradient", "constant-predictions"),
)
