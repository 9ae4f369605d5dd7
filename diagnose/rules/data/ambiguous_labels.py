"""Ambiguous labels: equal samples have different labels within one epoch.

Sees: `batch.repeated` and `batch.contradicted`, samples compared by a hash of their inputs.

Harm: of two labels for one sample at most one can be predicted, and the network learns their shares at best.

Fires: of LEAST samples or more that occurred before in the same epoch over SHARE had another label then.

Rests: samples that repeat with their label; data in which few repeat.

Remedy: look for what was joined twice: a table merged with itself, copies with another label, a feature that was
rounded or dropped.

Refute: rows that are equal in x are equal in y.

Source: arithmetic: where a sample has two labels equally often, half of its predictions are wrong; the bounds are
guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.samples import relabelled
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

LEAST = 20  # a guess: of as many a third is no slip
SHARE = 0.3  # a guess: labels of which a third is contradicted leave a sixth of all answers wrong


def judge(case: Case) -> Iterator[Verdict]:
    """All samples that were met again in their epoch."""
    again, share, since = relabelled(case.run, "batch.repeated", "batch.contradicted")
    if again < LEAST:
        yield NotMeasured("", f"{again:.0f} of the samples observed repeat within an epoch; {LEAST} are needed")
        return
    if share <= SHARE:
        yield Healthy("")
        return
    yield Finding(
        "",
        f"Of {again:.0f} samples that occurred before in the same epoch, {percent(share)} had another label then.",
        severity="warning",
        blames=("labels", "data", "preprocessing"),
        since=since,
        evidence={"samples met again": again, "share with another label": share},
        remedy="Look for copies with another label: a table merged twice, augmented copies, a feature that was rounded "
        "or dropped.",
        refute="Rows that are equal in x are equal in y.",
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "changing-labels",
        "plateau",
        "overfitting",
        "unfinished-training",
        "slow-progress",
        "noisy-gradient",
        "memorized-labels",
    ),
)
