"""Repeated batch: the same few batches come again and again.

Sees: `batch.fingerprint`, a hash of each observed batch's inputs, and the number of batches in an epoch.

Harm: the model memorizes these samples and sees no others.

Fires: LEAST or more batches were observed within an epoch and fewer than SHARE of them differ. A note where the
validation metrics are good anyway.

Rests: a new epoch, which repeats the batches; data of a few batches.

Remedy: look at the generator: an index reset inside the loop, a buffer used twice, `next(iter(dataset))` in every
step.

Refute: ten successive batches differ.

Source: keras-team/keras issue 3985: an index reset inside the loop; loss 0.001, validation accuracy 0.45.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.outcome import decent
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

LEAST = 8  # a guess: eight equal hands of cards are no chance
SHARE = 0.5  # a guess: half of the batches seen twice within one epoch is no shuffling


def judge(case: Case) -> Iterator[Verdict]:
    """Fingerprints within the epoch that has most of them."""
    run = case.run
    prints, steps = run.series("batch.fingerprint").finite(), case.facts.fit.steps
    if not len(prints):
        yield NotMeasured("", "batches were not compared")
        return
    epoch = prints.steps // steps if steps else np.zeros(len(prints), np.int64)
    most = np.bincount(epoch).argmax()
    seen = prints.values[epoch == most]
    if len(seen) < LEAST:
        yield NotMeasured("", f"{counted(len(seen), 'batch')} of one epoch seen; {LEAST} are needed")
        return
    distinct = len(np.unique(seen))
    if distinct >= SHARE * len(seen):
        yield Healthy("")
        return
    verb = "is" if distinct == 1 else "are"
    validation = case.outcome.validation
    harmless = validation is not None and validation >= decent(case.run)
    yield Finding(
        "",
        f"Of {counted(len(seen), 'batch')} observed within one epoch only {distinct} {verb} distinct.",
        severity="note" if harmless else "critical" if distinct == 1 else "warning",
        blames=("data",),
        since=int(prints.steps[epoch == most][0]),
        evidence={"batches": float(len(seen)), "distinct": float(distinct)},
        remedy="Look at the generator: an index reset inside the loop, or a buffer used twice.",
        refute="Ten successive batches differ.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=("memorized-labels", "overfitting", "class-imbalance", "constant-predictions"),
    shows_harm=True,  # what was learned of other samples is not seen on these
)
