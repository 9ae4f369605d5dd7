"""Tiny data: there are too few samples to trust the metrics.

Sees: the samples of an epoch, and the number of classes.

Harm: a good metric may be luck, and a bad one too.

Fires: under EACH samples for each class, or under ALL of them; always a note.

Rests: where the size of the data is not known.

Remedy: more data, augmentation, a model that is trained already, cross-validation.

Refute: cross-validation over ten splits gives the same metrics each time.

Source: arithmetic: with 10 test samples an accuracy of 0.8 may be anything from 0.5 to 0.95.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.samples import samples_of
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

EACH = 10  # a guess
ALL = 100  # a guess


def judge(case: Case) -> Iterator[Verdict]:
    """Samples of an epoch."""
    run = case.run
    samples, classes = samples_of(run), case.facts.task.classes or 1
    if samples is None:
        yield NotMeasured("", "the number of samples is not known")
    elif samples >= max(ALL, EACH * classes):
        yield Healthy("")
    else:
        yield Finding(
            "",
            f"An epoch has about {counted(samples, 'sample')}" + (f" for {classes} classes." if classes > 1 else "."),
            severity="note",
            blames=("data",),
            evidence={"samples": float(samples)},
            remedy="Use cross-validation to see how far the metrics can be trusted; "
            "augment, or start from a trained model.",
            refute="Ten random splits give the same metrics each time.",
            confidence=0.6,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(),
)
