"""Plateau: the training does not learn, and no other rule says why.

Sees: the skill on training samples and the training loss, over the run (by epoch, where it was of enough epochs).

Harm: the epochs bring no gain.

Fires: the outcome is not-learning or hollow-loss, and the loss fell by less than FLAT of its value over the last third
of the run. The diagnosis puts it under any other cause, and adds what was ruled out where there is none.

Rests: where any other finding explains it; a run too short to tell; losses that scatter by more than they fell.

Remedy: train on 10 samples until all are predicted correctly. If that fails, the fault is in the model or the loss; if
it succeeds, in the data or in too small a model.

Refute: the metrics improve with another seed or after more epochs.

Source: Karpathy (2019), "A recipe for training neural networks": overfit one batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.outcome import EARLY_UPDATES
from diagnose.outcome.skills import updates_of
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.losses import epoch_losses
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

FLAT = 0.05  # a guess: a twentieth of the loss in a third of the run is a crawl
ERRORS = 2.0  # arithmetic: a difference of two means beyond two standard errors is chance one time in twenty
LEAST = 9  # arithmetic: three observations a third


def judge(case: Case) -> Iterator[Verdict]:
    """The outcome, and the last third of the loss."""
    run = case.run
    losses, batches = epoch_losses(run), run.series("batch.loss").finite()
    losses = losses if len(losses) >= LEAST else batches  # single batches scatter
    outcome = case.outcome
    if len(losses) < LEAST:
        yield NotMeasured("", f"the loss was seen at {counted(len(losses), 'observation')}; {LEAST} are needed")
        return
    if outcome.name not in ("not-learning", "hollow-loss"):
        yield Healthy("")
        return
    updates = updates_of(run)
    if updates is not None and updates < EARLY_UPDATES:
        yield NotMeasured(
            "", f"made {counted(updates, 'update')}; {EARLY_UPDATES} are needed before a plateau means anything"
        )
        return
    span = losses.steps[-1] - losses.steps[0]
    late = losses.steps >= losses.steps[0] + 2 * span / 3
    if late.sum() < 3:
        late = np.arange(len(losses)) >= 2 * len(losses) // 3
    values = losses.values[late]
    half = max(len(values) // 2, 1)
    size = max(abs(float(values[:half].mean())), 1e-12)
    change = float(values[:half].mean() - values[-half:].mean()) / size
    noise = ERRORS * float(values.std()) * (2 / half) ** 0.5 / size
    if change > FLAT:
        yield (
            Healthy("") if change > noise else NotMeasured("", "the losses of single batches vary too much to decide")
        )
        return
    yield Finding(
        "",
        f"Nothing is learned and the loss {'stays the same: it fell' if change >= 0 else 'does not fall: it rose'} by "
        f"{percent(abs(change))} over the last third of "
        "the run.",
        severity="warning",
        blames=("layers", "data", "learning-rate"),
        since=int(losses.steps[late][0]),
        evidence={"fall over the last third": change},
        remedy="Train on 10 samples until all are predicted correctly: if that fails, "
        "look at model and loss, else at the data.",
        refute="The metrics improve with another seed or after more epochs.",
        confidence=0.3,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    last_resort=True,  # whatever else is found explains it
    tells_ruled_out=True,
)
