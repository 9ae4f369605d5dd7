"""Class imbalance: one class is so common that always answering it looks like success.

Sees: the share of the commonest class among the labels seen, and how many of each class's held training samples are
answered right; where classes were not counted, the skill, which that share does not flatter.

Harm: the loss is low and the accuracy high, while the rare classes are never found.

Fires: the commonest class has over COMMON of the labels, or TIMES the samples of a rare one, and of that one, of which
five samples or more were held, under FOUND are answered right. Where classes were not counted: over COMMON of the
labels, and a skill on training samples of answering the commonest always.

Rests: where the rare classes are found, whatever the accuracy; where the commonest is not found either.

Remedy: `class_weight={0: 1.0, 1: n0 / n1}` in fit, a focal loss, or more rare samples; report recall or F1, not
accuracy.

Refute: the recall of the rare classes on training samples is well over 0.

Source: keras-team/keras issues 2578, 10292 and 741; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.answers import ClassAnswers, class_answers, outputs_with
from diagnose.outcome import majority_share, skills_of
from diagnose.rules._wording import percent
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "data"
EXPLAINS = ("constant-predictions",)

COMMON = 0.9  # a guess: nine in ten is the accuracy that people are content with
TIMES = 10  # a guess: one in ten is as rare as COMMON leaves to two classes
FOUND = 0.1  # a guess: one in ten is next to never
HALF = 0.5  # arithmetic: the commonest class must be what the model answers, else it is not the shares that harm


def judge(run: Run) -> Iterator[Verdict]:
    """The labels' shares, the answers class by class, and the skill where those tell nothing."""
    share, skills = majority_share(run), skills_of(run)
    if share is None:
        yield NotMeasured("", "the classes of the labels are not known")
        return
    if share >= 1.0 and skills.train:
        yield Finding(
            "",
            "All labels seen are of one class: there is nothing to tell apart.",
            severity="critical",
            blames=("labels", "data"),
            evidence={"majority share": share},
            remedy="Look at how the labels are made; the training data need at least two classes.",
            refute="np.unique(y) of what fit gets holds more than one value.",
            confidence=0.9,
        )
        return
    by_class = [*_by_class(run)]
    if by_class:
        yield from by_class
        return
    if share <= COMMON:
        yield Healthy("")
    elif not skills.train:
        yield NotMeasured("", "no skill was measured")
    elif not all(skills.at_baseline(skill) for skill in skills.train.values()):
        yield Healthy("")
    else:
        yield Finding(
            "",
            f"{percent(share)} of the labels are of one class, and the model does no better than always answering it.",
            severity="warning",
            blames=("data", "loss", "metric"),
            evidence={"majority share": share, "skill": min(skills.train.values())},
            remedy=_remedy(share / (1 - share)),
            refute="The recall of the rare classes on training samples is well over 0.",
            confidence=0.6,
        )


def _by_class(run: Run) -> Iterator[Verdict]:
    """A verdict on each output of which two classes or more have samples enough; on none of many labels at once."""
    tasks = run.meta.get("task", {}).get("outputs", {})
    for where in outputs_with(run, "classes"):
        answers = class_answers(run, "train", where)
        if answers is not None and answers.known.sum() > 1 and tasks.get(where, {}).get("kind") != "multilabel":
            rare = _forgotten(answers)
            yield Healthy(where) if rare is None else _finding(where, answers, rare)


def _forgotten(answers: ClassAnswers) -> int | None:
    """Place of the commonest class that is hardly found for its rareness; None without one."""
    common = int(answers.samples.argmax())
    rare = answers.samples * TIMES <= answers.samples[common]
    if answers.samples[common] > COMMON * answers.samples.sum():
        rare = answers.samples < answers.samples[common]
    lost = np.flatnonzero(rare & answers.known & (answers.recall < FOUND))
    if not len(lost) or answers.recall[common] < HALF:
        return None
    return int(lost[answers.samples[lost].argmax()])


def _finding(where: str, answers: ClassAnswers, rare: int) -> Finding:
    common = int(answers.samples.argmax())
    share, samples, right = answers.samples[common] / answers.samples.sum(), answers.samples[rare], answers.right[rare]
    return Finding(
        where,
        f"{percent(share)} of the labels are of class {answers.classes[common]}, and of the {samples} training samples "
        f"of class {answers.classes[rare]} looked at {right or 'none'} {'are' if right > 1 else 'is'} answered right.",
        severity="warning",
        blames=("data", "loss", "metric"),
        evidence={
            "share of the commonest class": float(share),
            f"recall of class {answers.classes[rare]}": float(answers.recall[rare]),
            f"recall of class {answers.classes[common]}": float(answers.recall[common]),
        },
        remedy=_remedy(float(answers.samples[common] / samples)),
        refute="The recall of the rare classes on training samples is well over 0.",
        confidence=0.65,
    )


def _remedy(weight: float) -> str:
    return f"Weigh the rare class {weight:.0f} times (class_weight in fit), and judge by recall or F1, not by accuracy."
