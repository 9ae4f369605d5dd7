"""Leaked validation: samples that the validation uses were trained on.

Sees: `validation.trained_on` and `validation.samples`, held validation samples compared by a hash of their inputs;
`batch.repeated_share`, how often a sample repeats within one epoch of the training by itself.

Harm: the validation metrics measure how well the training samples are learned, not how well the model does on others.

Fires: LEAST of the held validation samples or more, and over SHARE of them, occurred in training, and over TIMES the
share that repeats within the training.

Rests: samples of few different values (rows of small tables, short texts), which repeat within the training as well.

Remedy: split once, before any shuffle, or with `reshuffle_each_iteration=False`; take copies out before splitting.

Refute: no row of the validation inputs is among those of the training inputs.

Source: the documentation of `tf.data.Dataset.shuffle`: `take` and `skip` behind a shuffle make a new split in each
epoch; Kapoor and Narayanan (2023), "Leakage and the reproducibility crisis"; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.outcome.skills import last_finite
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

LEAST = 10  # a guess: fewer copies change no figure
SHARE = 0.1  # a guess: a tenth of the figure is the training's own
TIMES = 5.0  # a guess: what is not due to samples that repeat anyway


def judge(case: Case) -> Iterator[Verdict]:
    """The held validation samples, by what was met in training."""
    names = ("validation.trained_on", "validation.samples", "batch.repeated_share")
    known, held, repeated = (last_finite(case.run, name) for name in names)
    if known is None or not held or repeated is None:
        yield NotMeasured("", "validation samples were not compared with those of the training")
        return
    share = known / held
    if known < LEAST or share <= max(SHARE, TIMES * repeated):
        yield Healthy("")
        return
    yield Finding(
        "",
        f"Of {held:.0f} validation samples, {known:.0f} ({percent(share)}) were also trained on.",
        severity="warning",
        blames=("data",),
        evidence={"validation samples": held, "trained on": known, "share that repeats in training": repeated},
        remedy="Split once and for all: shuffle with reshuffle_each_iteration=False (or not at all) before take and "
        "skip, and drop copies before the split.",
        refute="No row of the validation inputs is among those of the training inputs.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    shows_harm=True,  # a validation that says nothing of others is itself the harm
)
