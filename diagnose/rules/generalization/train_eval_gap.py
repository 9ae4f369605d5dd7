"""Train-eval gap: the model is good in training mode and bad in inference mode, on samples it was trained on.

Sees: `batch.accuracy` (training mode) and `skill.train` (inference mode, held training samples) at the same time, and
the `momentum` of the layers that keep moving statistics.

Harm: `predict` and `evaluate` do not use what was trained: BatchNormalization uses moving statistics that do
not fit.

Fires: the skill in training mode is over the one in inference mode by GAP at the last evaluation, beyond its noise.
Critical where less than half of it is left. A note where moving statistics of an ordinary momentum have not had the
updates yet to forget what they began with; a layer with one that LATE updates don't wash out is named. Where no layer
keeps such statistics, a note before LATE updates. Never a note at a skill in inference mode of LITTLE or less.

Rests: dropout, which makes training mode the worse of the two; a task without classes.

Remedy: BatchNormalization: a lower `momentum` (0.9), larger batches, more steps; check that your own layers
pass `training` on.

Refute: `model(x, training=True)` and `model(x, training=False)` agree on a training batch.

Source: keras-team/keras issues 10214, 6014 and 10014: fit 87 %, evaluate 63 % on the same data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import subject, value
from diagnose.outcome.skills import gap_noise, majority_share
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

GAP = 0.25  # a guess: well over what ten batches of 32 can be off by chance
LEAST = 5  # batches
LATE = 1000  # arithmetic: Keras' momentum of 0.99 has forgotten what it began with after some hundred updates
LITTLE = 0.25  # a guess: under a quarter of what there is to win, that statistics lag is the harm itself
KEPT = 0.05  # a guess: a share of what moving statistics began with (mean 0, variance 1) that may be left


def judge(case: Case) -> Iterator[Verdict]:
    """Each output, training mode against inference mode."""
    run = case.run
    shares = {where: majority_share(run, where) for where in run.places("batch.accuracy")}
    told = {where: share for where, share in shares.items() if share is not None and share < 1}
    told = {where: share for where, share in told.items() if len(run.series("skill.train", where)) > 1}
    if not told:
        yield NotMeasured("", "accuracy was not measured in both training mode and inference mode")
        return
    for where, share in told.items():
        held, accuracy = run.series("skill.train", where).finite(), run.series("batch.accuracy", where).finite()
        near = accuracy.steps > (held.steps[-2] if len(held) > 1 else -1)
        batches = accuracy.values[near][-2 * LEAST :] if near.sum() >= LEAST else accuracy.values[-LEAST:]
        if not len(held) or len(batches) < LEAST:
            yield NotMeasured(where, f"{counted(len(batches), 'batch')} seen; {LEAST} are needed")
            continue
        training = (float(batches.mean()) - share) / (1 - share)
        inference = float(np.median(held.values[-2:])) if len(held) > 2 else float(held.values[-1])
        noise = 2 * float(batches.std()) / len(batches) ** 0.5 / (1 - share)
        if training - inference <= max(GAP, gap_noise(run, training, inference, where), noise):
            yield Healthy(where)
            continue
        updates = int(held.steps[-1]) + 1
        layers = run.facts.model.layers
        momenta = {layer.path: layer.momentum for layer in layers if layer.momentum}
        kept = {path: momentum**updates for path, momentum in momenta.items() if momentum**updates > KEPT}
        slow = {path: share for path, share in kept.items() if momenta[path] ** LATE > KEPT}
        early = not slow and inference > LITTLE and (bool(kept) if momenta else updates < LATE)
        place = max(slow, key=slow.__getitem__, default=where)
        yield Finding(
            place,
            f"On training samples {subject(run, where)} is {value(run, training, where)} in training mode and "
            f"{value(run, inference, where)} in inference mode."
            + (_behind(place, momenta[place], slow[place], updates) if slow else ""),
            severity="note" if early else "critical" if inference < training / 2 else "warning",
            blames=("layers", "batch-size"),
            since=int(held.steps[-1]),
            evidence={"skill in training mode": training, "skill in inference mode": inference},
            remedy=_remedy(updates, f"`{place}`" if slow else "BatchNormalization"),
            refute="model(x, training=True) and model(x, training=False) agree on a training batch.",
            confidence=0.9 if slow else 0.7,
        )


def _behind(place: str, momentum: float, share: float, updates: int) -> str:
    return (
        f" The moving statistics of `{place}` (momentum {momentum:g}) still hold {percent(share)} of their "
        "initial values, "
        f"after {counted(updates, 'update')}."
    )


def _remedy(updates: int, layer: str) -> str:
    momentum = 0.99 if 0.99 ** (updates / 2) < KEPT else 0.9  # washed out by the middle of the training
    return (
        f"Give {layer} momentum={momentum:g}, or train on with larger batches; pass `training` on in your own layers."
    )


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
    explains=("constant-predictions", "suspicious-validation", "noisy-gradient", "oscillating-loss", "slow-progress"),
    shows_harm=True,  # the gap is itself a figure of the outcome
)
