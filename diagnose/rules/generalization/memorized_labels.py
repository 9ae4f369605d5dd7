"""Memorized labels: the training samples are learned, and nothing that holds for others.

Sees: `skill.train` and `skill.validation`, both in inference mode with the weights of that moment; what simple models
reach on the same samples.

Harm: these labels do not depend on these inputs, or validation is prepared differently: either way the model is
useless outside its training samples.

Fires: a skill over half of all there is (the outcome's `MEMORIZED_LEAST`) on training samples, or any that is no chance
where simple models are no better on validation samples than a constant prediction either, while that on validation
samples is at the baseline, and never was above it by more than EVER.

Rests: validation that was good once and was lost, and simple models that reach more than EVER beyond the baseline (both
are overfitting: the labels do depend on the inputs); numbers that are right except for a scale, which is another
preprocessing; small data, which the message says.

Remedy: look at ten samples with their labels as `fit` gets them: shuffled labels, x and y shifted against each other,
another preprocessing or class order in validation. With under SMALL samples, more data come first.

Refute: a simple model (logistic regression, a decision tree) trained on the same arrays does generalize.

Source: Zhang et al. (2017), "Understanding deep learning requires rethinking generalization": random labels are
memorized as readily as true ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.figures import baseline, measure, subject, value
from diagnose.outcome.outcome import MEMORIZED_LEAST
from diagnose.outcome.references import best_reference, nothing_carries_over
from diagnose.outcome.skills import in_other_units, majority_share, noise_band
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.fair_gap import gap_of, outputs_of
from diagnose.rules.evidence.samples import samples_of
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import aside, counted

EVER = 0.1  # a guess: a tenth of all skill would be a trace of sense in the labels
BY_HEART = 0.9  # arithmetic: at most a tenth of what can be won is not
SMALL = 500  # a guess: below it, small data explain a lot


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by its skills."""
    run = case.run
    outputs = outputs_of(run)
    if not outputs:
        yield NotMeasured("", "the metrics were not measured on both training and validation samples")
        return
    skills = case.skills
    for where in outputs:
        train, validation, gap = gap_of(run, where)
        if not len(gap):
            yield NotMeasured(where, "not evaluated on both")
            continue
        ever = float(validation.values.max())
        count = case.facts.task.held_validation_samples
        band = skills.band(where)
        if count:
            band = max(band, noise_band(majority_share(run, where), int(count)))
        best, nothing = best_reference(run, where), nothing_carries_over(run, skills, where)
        sense = best is not None and best[1] > band + EVER
        if (train.values[-1] <= MEMORIZED_LEAST and not nothing) or validation.values[-1] > band or ever > band + EVER:
            yield Healthy(where)
            continue
        if sense and case.facts.references[where].on == "validation":
            yield Healthy(where)
            continue
        if in_other_units(run, where) is not None:
            yield Healthy(where)
            continue
        samples = samples_of(run)
        few = (
            f" With about {counted(samples, 'training sample')}, too few data explain it as well."
            if samples and samples < SMALL
            else ""
        )
        apart = np.flatnonzero(gap.values > EVER)
        yield Finding(
            where,
            f"{_known(run, float(train.values[-1]), where)}; on validation samples {subject(run, where)} is "
            f"{value(run, validation.values[-1], where, 'validation')}{aside(baseline(run, where, 'validation'))}, "
            f"and was never over {value(run, ever, where, 'validation')}"
            f"{_and_others(run, where, best) if nothing else ''}.{few}",
            severity="critical",
            blames=("data", "labels", "preprocessing") if few else ("labels", "data", "preprocessing"),
            since=int(gap.steps[apart[0]]),
            evidence={
                "skill on training samples": float(train.values[-1]),
                "skill on validation samples": float(validation.values[-1]),
                "best validation": ever,
            },
            remedy="Look at ten samples with their labels just as fit gets them: shuffled labels, "
            "x and y shifted, other preprocessing in validation.",
            refute="A simple model (logistic regression, decision tree) on the same arrays generalizes.",
            confidence=0.6 if few else 0.8,
        )


def _known(run: Run, skill: float, where: str) -> str:
    how = "are memorized" if skill >= BY_HEART else "are predicted better than by chance"
    return f"The training samples {how} ({measure(run, where)} {value(run, skill, where)})"


def _and_others(run: Run, where: str, best: tuple[str, float] | None) -> str:
    return f"; simple models are no better ({best[0]}: {value(run, best[1], where, 'validation')})" if best else ""


RULE = Rule(
    __name__,
    __doc__,
    part="generalization",
    judge=judge,
    explains=("overfitting", "overtraining"),
    shows_harm=True,  # the gap is itself a figure of the outcome
)
