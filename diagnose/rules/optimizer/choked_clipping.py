"""Choked clipping: clipping removes nearly all of the gradient.

Sees: `gradient.kept_share`, the norm of the gradients after the optimizer's clipping over that before it.

Harm: every step has the same tiny length, whatever the gradient is.

Fires: under KEPT of the gradient is kept, at 4 of the last 5 observations.

Rests: an optimizer that doesn't clip; a training that learns well (then it is a note). Adam divides the common factor
out again.

Remedy: a bound as large as the gradients usually are, as the message computes it.

Refute: the loss falls no faster without clipping.

Source: Pascanu, Mikolov and Bengio (2013), section 3.2: the bound should be a few times the usual norm.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import portion, times

KEPT = 0.01  # a guess: a hundredth is no longer a safeguard


def judge(case: Case) -> Iterator[Verdict]:
    """The share kept at the last observations."""
    run = case.run
    kept = run.series("gradient.kept_share").finite()
    since = lasting(kept, kept.values < KEPT)
    if len(kept) < 3:
        why = f"clipping {too_few(kept)}" if len(kept) else "the optimizer does not clip"
        yield NotMeasured("", why, applies=bool(len(kept)) or not run.places("gradient.rms"))
    elif since is None:
        yield Healthy("")
    else:
        now = recent(kept)
        yield Finding(
            "",
            f"Clipping leaves {portion(now)} of the gradient.",
            severity="warning",
            blames=("optimizer",),
            since=since,
            evidence={"kept share": now},
            remedies=(
                remedy(
                    "clipnorm",
                    value=0,
                    text="Leave out the clipping, or raise its bound (clipnorm, clipvalue, global_clipnorm) by a "
                    f"factor of {times(1 / max(now, 1e-12))}",
                ),
            ),
            refute="The loss falls no faster without clipping.",
            confidence=0.8,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("small-updates", "slow-progress", "unfinished-training"),
)
