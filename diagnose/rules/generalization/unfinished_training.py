"""Unfinished training: the loss was still falling when the training ended, and the skill is low.

Sees: the training loss of the last epochs, of fewer than three epochs that of the batches; the skill on training
samples; how many updates were made.

Harm: none: the model may be good after more epochs.

Fires: the loss falls by over FALL of its value an epoch over the last epochs, and the skill is under LITTLE or clearly
under what a simple model reaches; a note from there to a decent one, unless a callback stopped it before half of its
epochs while the validation loss was at its best.

Rests: a good skill; a loss that has settled. A note, too, where one class is so common that only the loss is
informative, or where the loss is under WON of that of the best constant prediction.

Remedy: more epochs, as many as the present pace needs. Where an epoch has only a few large batches, smaller
ones, which make more updates of the same samples. Of one that was stopped, `monitor`, `mode` and `patience` of the
callback that did it.

Refute: the metrics do not improve over as many epochs again.

Source: arithmetic: at one percent an epoch seventy more epochs halve the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import one_of
from diagnose.outcome.outcome import EARLY_UPDATES, Outcome, decent
from diagnose.outcome.skills import LOPSIDED, last_finite, majority_share, still_falling, updates_of
from diagnose.remedy import Remedy, advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.losses import epoch_losses
from diagnose.rules.evidence.updates import far_targets
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

USUAL_BATCH = 32  # Keras' default
FEW_BATCHES = 10  # a guess: with fewer in an epoch, the batch is about as large as the data
FALL = 0.01  # a guess: see Source
LITTLE = 0.25  # a guess: a quarter of what there is to win; above it a short training is on its way
WON = 0.8  # a guess: a fifth of a constant answer's loss
LEAST = 3


def judge(case: Case) -> Iterator[Verdict]:
    """The last losses and the skill."""
    run = case.run
    losses, outcome = epoch_losses(run), case.outcome
    short = outcome.name == "falling-short"
    if outcome.train is None:
        yield NotMeasured("", "neither accuracy nor R squared was measured")
        return
    brief = len(losses) < LEAST or _is_brief(run)
    if brief and outcome.name in ("falling-short", "not-learning"):
        yield _brief(run, outcome.train)
        return
    if len(losses) < LEAST:
        yield NotMeasured("", f"{counted(len(losses), 'epoch')} with a finite loss seen; {LEAST} are needed")
        return
    back = max(len(losses) // 4, 1)
    before, last = float(losses.values[-1 - back]), float(losses.values[-1])
    pace = (before - last) / back / max(abs(before), 1e-12)
    if (
        (outcome.train >= decent(run) and not short)
        or pace <= FALL
        or not (still_falling(run) or len(run.series("batch.loss")) < 9)
    ):
        yield Healthy("")
        return
    planned = case.facts.fit.epochs
    seen = counted(len(losses), "epoch") + (f" of {planned}" if planned and planned > len(losses) else "")
    little = (
        (outcome.train < LITTLE or short) and not _hidden_by_one_class(run, outcome) and not _shows_in_the_loss(run)
    )
    stopped = planned is not None and len(losses) < planned / 2 and _stopped_at_its_best(run)
    yield Finding(
        "",
        f"The loss was still falling by {percent(pace)} an epoch when the training ended after {seen}"
        + (" with the validation loss at its best" if stopped else "")
        + f", at {one_of(run, outcome.train)}.",
        severity="warning" if stopped or little or short else "note",
        blames=("epochs", "learning-rate"),
        evidence={"fall an epoch": pace, "skill": outcome.train},
        remedies=(advice("Look at `monitor`, `mode` and `patience` of the callback that stopped it, and train on"),)
        if stopped
        else (*far_targets(run), _longer(run, 2), rate_times(run, 3)),
        refute="The metrics do not improve over as many epochs again.",
        confidence=0.6,
    )


def _longer(run: Run, factor: int) -> Remedy:
    """So many times as many epochs as were planned, or made."""
    epochs = run.facts.fit.epochs or max(len(run.history.get("loss", ())), 1)
    return remedy("epochs", value=factor * epochs, text=f"Train for {factor * epochs} epochs (now {epochs})")


def _is_brief(run: Run) -> bool:
    updates = updates_of(run)
    return updates is not None and updates < EARLY_UPDATES


def _brief(run: Run, skill: float) -> Verdict:
    """Of a training of few updates that falls short: its loss is no measure of a pace, but whether it fell is."""
    losses, updates = run.series("batch.loss").finite().values, updates_of(run)
    third = max(len(losses) // 3, 1)
    if len(losses) < LEAST or not losses[-third:].mean() < losses[:third].mean():
        return Healthy("")
    steps, epochs = run.facts.fit.steps, max(len(run.history.get("loss", ())), 1)
    rows = run.series("batch.size").finite().values
    size = int(np.median(rows)) if len(rows) else 0
    large = size >= 2 * USUAL_BATCH and steps is not None and steps < FEW_BATCHES
    made = counted(updates if updates is not None else len(losses), "update")
    of = f" of {size:,} samples" if large else ""
    return Finding(
        "",
        f"The whole training was {made}{of}, in {counted(epochs, 'epoch')}, and the loss was still falling when it "
        f"ended: from {losses[:third].mean():.3g} to {losses[-third:].mean():.3g}.",
        severity="warning",
        blames=("batch-size", "epochs") if large else ("epochs", "learning-rate"),
        evidence={"updates": float(updates or len(losses)), "samples in a batch": float(size), "skill": skill},
        remedies=(
            remedy(
                "batch-size",
                value=USUAL_BATCH,
                text=f"Set batch_size={USUAL_BATCH}: {size // USUAL_BATCH} times as many updates in an epoch",
            ),
        )
        if large
        else (*far_targets(run), _longer(run, 10)),
        refute="The metrics do not improve with ten times as many updates.",
        confidence=0.7,
    )


def _hidden_by_one_class(run: Run, outcome: Outcome) -> bool:
    """Whether the loss says that something is learned, while so common a class leaves no skill to be seen."""
    shares = [majority_share(run, where) or 0.0 for where in run.places("skill.train")]
    return outcome.name == "learning" and max(shares, default=0.0) >= LOPSIDED


def _shows_in_the_loss(run: Run) -> bool:
    """Whether the loss has won what the skill does not show: of many words to choose from few can be guessed right."""
    loss, constant = last_finite(run, "loss.train", ""), last_finite(run, "loss.constant", "")
    return loss is not None and constant is not None and 0 < loss < WON * constant


def _stopped_at_its_best(run: Run) -> bool:
    """Whether a callback ended the fit in an epoch whose validation loss is the least of all."""
    losses = run.history.get("val_loss") or [0.0]
    return run.facts.finished == "completed" and len(losses) >= LEAST and losses[-1] == min(losses)


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
    last_resort=True,  # "and nothing else is wrong": whatever else is found explains it
    shows_harm=True,  # little skill after all epochs is itself the harm
)
