"""Changing labels: a sample that comes back in a later epoch has another label.

Sees: `batch.seen_again` and `batch.relabelled`, samples compared by a hash of their inputs.

Harm: what is learned of a sample in one epoch is contradicted in the next: nothing can be learned but the shares of the
classes.

Fires: of LEAST samples or more that were met in an earlier epoch over SHARE came with another label.

Rests: samples that have several labels within one epoch (rows of a table that are alike); augmented samples, which are
others each time.

Remedy: draw input and label together: zip them first, then shuffle. Two maps of one shuffled dataset are two drawings.

Refute: two passes over the data give each sample the same label.

Source: the documentation of `tf.data.Dataset.shuffle`: each iterator draws a new order
(`reshuffle_each_iteration`); the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.samples import relabelled
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

LEAST = 20  # a guess: of as many a third is no slip
SHARE = 0.3  # a guess; labels of two classes that are drawn by chance change in half of the cases


def judge(case: Case) -> Iterator[Verdict]:
    """All samples that came back."""
    known, share, since = relabelled(case.run, "batch.seen_again", "batch.relabelled")
    if known < LEAST:
        yield NotMeasured("", f"{known:.0f} of the samples observed came back in a later epoch; {LEAST} are needed")
        return
    if share <= SHARE:
        yield Healthy("")
        return
    yield Finding(
        "",
        f"Of {known:.0f} samples that came back in a later epoch, {percent(share)} had another label.",
        severity="critical",
        blames=("data", "labels", "preprocessing"),
        since=since,
        evidence={"samples that came back": known, "share with another label": share},
        remedy="Zip inputs and labels before any shuffle: `tf.data.Dataset.zip((x, y)).shuffle(n)`, or shuffle both by "
        "one permutation.",
        refute="Two passes over the data give each sample the same label.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "plateau",
        "constant-predictions",
        "memorized-labels",
        "noisy-gradient",
        "slow-progress",
        "small-updates",
        "unfinished-training",
        "oscillating-loss",
        "vanishing-gradient",
        "dead-units",
    ),
)
