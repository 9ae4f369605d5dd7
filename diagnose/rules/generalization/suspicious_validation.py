"""Suspicious validation: validation samples are predicted much better than training samples.

Sees: `skill.train` and `skill.validation`, both in inference mode, so that dropout and running means do not explain it.

Harm: labels of training samples are wrong more often than those of validation, so that less is learned than could be;
or the validation metric is better than the model is: a leak, a tiny or an easy validation set.

Fires: validation over training by OVER of skill and beyond the noise of the held set, at each of the last two
evaluations. A note where the skill on validation samples is decent: the network has learned anyway.

Rests: within noise; before anything is learned; samples with weights, some of which may not count at all.

Remedy: look at training samples with their labels; then check that the split is drawn at random, and that validation
samples are no easier ones.

Refute: with another random split of both together the difference stays.

Source: Kapoor and Narayanan (2023), "Leakage and the reproducibility crisis"; the bound is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import subject, value
from diagnose.outcome.outcome import decent
from diagnose.outcome.references import weighted_outputs
from diagnose.outcome.skills import gap_noise
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.fair_gap import gap_of, outputs_of
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, sentence

OVER = 0.15  # a guess: as much as counts as overfitting the other way round


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by its gap, read the other way."""
    run = case.run
    outputs = outputs_of(run)
    if not outputs:
        yield NotMeasured("", "the metrics were not measured on both training and validation samples")
    weighted = weighted_outputs(run)
    for where in outputs:
        if where in weighted:
            yield NotMeasured(where, "its samples have weights, so that its unweighted metrics are not what is trained")
            continue
        train, validation, gap = gap_of(run, where)
        trained = gap.values[gap.steps > 0]
        if len(trained) < 2:
            seen = f"{counted(len(trained), 'evaluation')} of both after some training; 2 are needed"
            yield NotMeasured(where, seen)
            continue
        bound = max(OVER, gap_noise(run, float(train.values[-1]), float(validation.values[-1]), where))
        if not np.all(trained[-2:] < -bound) or validation.values[-1] < bound:
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"{sentence(subject(run, where))} is {value(run, validation.values[-1], where, 'validation')} on "
            f"validation samples and only {value(run, train.values[-1], where)} on training samples: their labels are "
            "wrong more often, or validation samples are easier.",
            severity="note" if validation.values[-1] >= decent(run, where) else "warning",
            blames=("labels", "data"),
            since=int(gap.steps[-2]),
            evidence={
                "skill on training samples": float(train.values[-1]),
                "skill on validation samples": float(validation.values[-1]),
            },
            remedy="Look at ten training samples with their labels just as fit gets them. If they are right, draw the "
            "split at random: validation samples may be easier ones, or copies.",
            refute="With another random split of training and validation samples together the difference stays.",
            confidence=0.6,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
    shows_harm=True,  # the gap is itself a figure of the outcome
)
