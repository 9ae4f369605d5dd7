"""Class imbalance: one class is so common that always answering it looks like success.

Sees: the share of the commonest class among the labels seen, and how many of each class's held training samples are
answered right; where classes were not counted, the skill, which that share does not flatter.

Harm: the loss is low and the accuracy high, while the rare classes are never found.

Fires: the commonest class has over COMMON of the labels, or TIMES the samples of a rare one, and of that one, of which
five samples or more were held, under FOUND are answered right. Where classes were not counted: over COMMON of the
labels, and a skill on training samples of answering the commonest always.

Rests: where the rare classes are found, whatever the accuracy; where the commonest is not found either; under
EARLY_UPDATES updates, or while the loss still falls or the mean recall of the classes still grows: the common answer is
what every training learns first. Of many labels at once none is the commonest, and each has shares of its own.

Remedy: `class_weight={1: n0 / n1}` in fit, a focal loss, or more rare samples; report recall or F1, not accuracy.

Refute: the recall of the rare classes on training samples is well over 0.

Source: keras-team/keras issues 2578, 10292 and 741; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.answers import ClassAnswers, class_answers
from diagnose.outcome import (
    EARLY_UPDATES,
    Skills,
    balanced_skill,
    majority_share,
    rising,
    skills_of,
    still_falling,
    updates_of,
)
from diagnose.rules._wording import percent
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "data"
SHOWS_HARM = True  # that a class is never found is the harm, however low the loss and high the accuracy
EXPLAINS = ("constant-predictions",)

COMMON = 0.9  # a guess: nine in ten is the accuracy that people are content with
TIMES = 10  # a guess: one in ten is as rare as COMMON leaves to two classes
FOUND = 0.1  # a guess: one in ten is next to never
HALF = 0.5  # arithmetic: the commonest class must be what the model answers, else it is not the shares that harm


def judge(run: Run) -> Iterator[Verdict]:
    """The labels' shares, the answers class by class, and the skill where those tell nothing; output by output."""
    skills, updates = skills_of(run), updates_of(run)
    started = (updates is None or updates >= EARLY_UPDATES) and not still_falling(run)
    for where in run.meta.get("task", {}).get("outputs") or ("",):
        verdict = _judged(run, where, skills)
        early = not started or rising(run, run.series("skill.balanced", where).finite())
        if early and isinstance(verdict, Finding) and verdict.severity != "critical":
            verdict = NotMeasured(where, "too early: the common answer is learned first, and the rest after it")
        yield verdict


def _judged(run: Run, where: str, skills: Skills) -> Verdict:
    share, of_output = majority_share(run, where), f" of output `{where}`" if where else ""
    if share is None:
        return NotMeasured(where, "the classes of the labels are not known")
    if share >= 1.0 and where in skills.train:
        return Finding(
            where,
            f"All labels{of_output} seen are of one class: there is nothing to tell apart.",
            severity="critical",
            blames=("labels", "data"),
            evidence={"majority share": share},
            remedy="Look at how the labels are made; the training data need at least two classes.",
            refute="np.unique(y) of what fit gets holds more than one value.",
            confidence=0.9,
        )
    if _kind(run, where) == "multilabel":
        return NotMeasured(where, "several labels may hold at once, each with shares of its own")
    answers = class_answers(run, "train", where)
    if answers is not None and answers.known.sum() > 1:
        rare = _forgotten(answers)
        return Healthy(where) if rare is None else _finding(where, answers, rare)
    if share <= COMMON:
        return Healthy(where)
    if where not in skills.train:
        return NotMeasured(where, "no skill was measured")
    if not skills.at_baseline(where) or balanced_skill(run, where) is not None:
        return Healthy(where)
    return Finding(
        where,
        f"{percent(share)} of the labels{of_output} are of one class, and the model does no better than always "
        "answering it.",
        severity="warning",
        blames=("data", "loss", "metric"),
        evidence={"majority share": share, "skill": skills.train[where]},
        remedy=_remedy(where, share / (1 - share), None),
        refute="The recall of the rare classes on training samples is well over 0.",
        confidence=0.6,
    )


def _kind(run: Run, where: str) -> str:
    """What the labels of an output are."""
    task = run.meta.get("task", {})
    return str(task.get("outputs", {}).get(where, task).get("kind", ""))


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
    common, of_output = int(answers.samples.argmax()), f" of output `{where}`" if where else ""
    share, samples, right = answers.samples[common] / answers.samples.sum(), answers.samples[rare], answers.right[rare]
    return Finding(
        where,
        f"{percent(share)} of the labels{of_output} are of class {answers.classes[common]}, and of the {samples} "
        f"training samples of class {answers.classes[rare]} looked at {right or 'none'} "
        f"{'are' if right > 1 else 'is'} answered right.",
        severity="warning",
        blames=("data", "loss", "metric"),
        evidence={
            "share of the commonest class": float(share),
            f"recall of class {answers.classes[rare]}": float(answers.recall[rare]),
            f"recall of class {answers.classes[common]}": float(answers.recall[common]),
        },
        remedy=_remedy(where, float(answers.samples[common] / samples), int(answers.classes[rare])),
        refute="The recall of the rare classes on training samples is well over 0.",
        confidence=0.65,
    )


def _remedy(where: str, weight: float, rare: int | None) -> str:
    how = f"`class_weight={{{rare}: {weight:.0f}}}`" if rare is not None else "`class_weight`"
    how = "`sample_weight`" if where else how  # Keras takes class weights for a single output only
    named = "the rare class" if rare is None else f"class {rare}"
    return f"Weigh {named} {weight:.0f} times ({how} in fit), and judge by recall or F1, not by accuracy."
