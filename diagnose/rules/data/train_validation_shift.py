"""Train-validation shift: validation samples are prepared differently from training samples.

Sees: mean and standard deviation of the inputs of both, the shares of their classes or the medians and widths of their
numbers, and the skill on validation samples if the predicted classes were renamed, or the numbers put on another scale.

Harm: the model is evaluated on other data than it was trained on; no regularization helps.

Fires: the validation inputs' mean is over MEANS standard deviations away or their spread STDS times other; or a class
shift over LABELS; or renaming the classes would gain RENAMED of skill or more; or the targets' medians are SEVERAL
widths apart (MEANS, where another scale brings the skill back), or their widths STDS times other.

Rests: within the noise of small sets (of numbers, under FEW samples); a validation skill that is as good as the
training skill.

Remedy: the same preprocessing for both (scale with the training data's mean), the same class order
(`class_names=...`), and a split drawn at random: `validation_split` takes the last part, unshuffled.

Refute: a model trained to tell training from validation inputs does no better than chance.

Source: keras-team/keras issues 8346, 4298 and 20946 (the split), 12689 and 13517 (the preprocessing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from diagnose.outcome.figures import one_of, subject, value
from diagnose.outcome.skills import in_other_units, last_finite
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent, times

MEANS = 1.0  # a guess: a training mean that is a standard deviation off is another scale
STDS = 3.0  # a guess
SEVERAL = 3.0  # a guess: what drifts with time or place stays within the spread there was
FEW = 20  # samples; arithmetic: two medians of so many differ by 0.4 widths by chance, the logs of two widths by 0.3
LABELS = 0.4  # a guess: 0.5 is what two sets without a class in common of four share
RENAMED = 0.3  # a guess
GAP = 0.1  # a guess: below it nothing is lost


def judge(case: Case) -> Iterator[Verdict]:
    """Inputs, then labels, each where the skill does not carry over."""
    run = case.run
    names = ("input.validation_std", "labels.shift", "skill.validation_renamed", "targets.shift")
    if not any(run.places(name) for name in names):
        yield NotMeasured("", "no validation data were observed beside the training data")
        return
    skills = case.skills
    lost = [where for where, skill in skills.train.items() if skill - skills.validation.get(where, skill) > GAP]
    if not lost:
        yield Healthy("")
        return
    found = [*_inputs(run), *_labels(run), *_targets(run, lost)]
    yield from found
    if not found:
        yield Healthy("")


def _inputs(run: Run) -> Iterator[Finding]:
    for where in run.places("input.validation_std"):
        columns = [
            run.series(f"input.{name}", where).finite().values
            for name in ("mean", "std", "validation_mean", "validation_std")
        ]
        if any(not len(column) for column in columns):
            continue
        mean, std, other_mean, other_std = (float(np.median(column)) for column in columns)
        size = max(std, 1e-12)
        ratio = max(other_std / size, size / max(other_std, 1e-12))
        if abs(other_mean - mean) > MEANS * size or ratio > STDS:
            yield _finding(
                where,
                f"Validation inputs{f' `{where}`' if where else ''} have mean {other_mean:.3g} and standard deviation "
                f"{other_std:.3g}, training inputs {mean:.3g} and {std:.3g}.",
                {
                    "training mean": mean,
                    "training std": std,
                    "validation mean": other_mean,
                    "validation std": other_std,
                },
                "preprocessing",
                f"Prepare both alike; the spreads differ by a factor of {times(ratio)}.",
            )


def _labels(run: Run) -> Iterator[Finding]:
    renumbered = set()  # other numbers of the same classes give other shares, too
    for where in run.places("skill.validation_renamed"):
        renamed, plain = (
            run.series("skill.validation_renamed", where).finite().values,
            run.series("skill.validation", where).finite().values,
        )
        # A constant answer below chance can always be renamed up to skill 0: the renamed one must be good by itself.
        if len(renamed) and len(plain) and renamed[-1] > RENAMED and renamed[-1] - plain[-1] > RENAMED:
            renumbered.add(where)
            yield _finding(
                where,
                f"With its classes renamed, the model would reach {one_of(run, renamed[-1], where, 'validation')} on "
                f"validation samples in place of {value(run, plain[-1], where, 'validation')}: "
                "the classes are numbered differently in validation.",
                {"skill with classes renamed": float(renamed[-1]), "skill": float(plain[-1])},
                "labels",
                "Give both sets the same class order (class_names=... in image_dataset_from_directory).",
            )
    for where in run.places("labels.shift"):
        shift = run.series("labels.shift", where).finite().values
        if len(shift) and shift[-1] > LABELS and where not in renumbered:
            yield _finding(
                where,
                f"Training and validation labels have different class shares: {percent(float(shift[-1]))} of them "
                "would have to change.",
                {"shift": float(shift[-1])},
                "data",
                "Draw the split at random: validation_split takes the last part of the arrays, unshuffled.",
            )


def _targets(run: Run, lost: Sequence[str]) -> Iterator[Finding]:
    task = run.facts.task
    if min(task.held_samples or 0, task.held_validation_samples or 0) < FEW:
        return
    for where in lost:
        apart, width = last_finite(run, "targets.shift", where), last_finite(run, "targets.spread", where)
        if apart is None or not width:
            continue
        rescaled, ratio = in_other_units(run, where), max(width, 1 / width)
        if apart <= (SEVERAL if rescaled is None else MEANS) and ratio <= STDS:
            continue
        told = (
            f"{apart:.2g} times the spread of the training targets away from them, and their spread is "
            f"{width:.2g} times that"
        )
        evidence: dict[str, float | str] = {"distance in spreads": apart, "spread over training spread": width}
        if rescaled is not None:
            told += f"; on another scale {subject(run, where)} on validation samples would be "
            told += value(run, rescaled, where, "validation")
            evidence["validation skill on another scale"] = rescaled
        yield _finding(
            where,
            f"Validation targets{f' of output `{where}`' if where else ''} are {told}.",
            evidence,
            "preprocessing",
            "Prepare the targets of both alike (scale validation with the training targets' mean and spread).",
            "Mean and standard deviation of the targets of both, as fit gets them, agree.",
        )


def _finding(
    where: str,
    message: str,
    evidence: dict[str, float | str],
    blame: str,
    remedy: str,
    refute: str = "A model trained to tell training from validation inputs does no better than chance.",
) -> Finding:
    return Finding(
        where,
        message,
        severity="critical",
        blames=(blame, "data") if blame != "data" else ("data", "preprocessing"),
        evidence=evidence,
        remedy=remedy,
        refute=refute,
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=("memorized-labels", "overfitting", "suspicious-validation"),
    shows_harm=True,  # it fires only where the skill does not carry over
)
