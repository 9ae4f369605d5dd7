"""Overtraining: most of the epochs brought no gain.

Sees: `skill.validation` and `loss.validation` at epoch ends.

Harm: time; and where the metrics fall, the last weights are worse than those of the best epoch.

Fires: no gain over the last AFTER of the evaluations, with LEAST or more of them; always a note.

Rests: short runs.

Remedy: `EarlyStopping(patience=..., restore_best_weights=True)`.

Refute: the metrics improve again with more epochs, as after a drop of the learning rate.

Source: Prechelt (1998), "Early stopping, but when?"; the third is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import subject, value
from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

AFTER = 1 / 3  # a guess: half as long again as the useful part
LEAST = 9  # arithmetic: three evaluations after the best
GAIN = 0.005  # a guess: half a percent of skill is no gain


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by its validation skill."""
    run = case.run
    places = run.places("skill.validation")
    if not places:
        yield NotMeasured("", "the metrics on validation samples were not measured")
    for where in places:
        skill = run.series("skill.validation", where).finite()
        if len(skill) < LEAST:
            yield NotMeasured(where, f"{counted(len(skill), 'evaluation')}; {LEAST} are needed")
            continue
        best = int(np.argmax(skill.values >= skill.values.max() - GAIN))
        idle = len(skill) - 1 - best
        if idle <= AFTER * len(skill):
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"On validation samples {subject(run, where)} reached "
            f"{value(run, skill.values[best], where, 'validation')} at evaluation {best + 1} of {len(skill)} and "
            "gained nothing after it.",
            severity="note",
            blames=("epochs",),
            since=int(skill.steps[best]),
            evidence={"best evaluation": float(best + 1), "evaluations": float(len(skill))},
            remedies=(remedy("early-stopping", value=max(idle // 3, 2)),),
            refute="It improves again with more epochs.",
            confidence=0.7,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
)
