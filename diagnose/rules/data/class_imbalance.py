"""Class imbalance: one class is so common that always predicting it looks like success, or one has no weight.

Sees: the share of the commonest class among the labels seen, and how many of each class's held training samples are
predicted correctly; where classes were not counted, the skill, for which always predicting one class counts as 0. The
classes that weigh nothing in the first batch.

Harm: the loss is low and the accuracy high, while the rare classes are never predicted.

Fires: the commonest class has over COMMON of the labels, or TIMES the samples of a rare one, and of that one, of which
five samples or more were held, under FOUND are predicted correctly. Where classes were not counted: over COMMON of the
labels, and a skill on training samples of about 0. A class of any share, of which MANY samples
or more were held, that is never predicted, though the others are (by the outcome's `DECENT`) or it weighs
nothing. SEEN labels or more that are all of one class, under a loss that reads them as classes.

A weight under that of the commonest class makes a class as much rarer.

Rests: where the rare classes are found, whatever the accuracy; where the commonest is not found either; under
EARLY_UPDATES updates, or while the loss still falls or the mean recall of the classes still grows: the commonest class
is what every training learns first. Of many labels at once none is the commonest, and each has shares of its own. Where
a sample has many labels, one that is never predicted may be padding. Where later batches hold another class, the data
are only sorted; where the model compares its inputs, one label may be all there is: the first of a pair comes first.

Remedy: `class_weight={1: n0 / n1}` in fit, a focal loss, or more rare samples; report recall or F1, not accuracy. A
weight over 0 for each class that should be learned.

Refute: the recall of the rare classes on training samples is well over 0.

Source: keras-team/keras issues 2578, 10292 and 741; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.outcome import DECENT, EARLY_UPDATES
from diagnose.outcome.predictions import ClassPredictions, class_predictions
from diagnose.outcome.skills import Skills, balanced_skill, majority_share, rising, still_falling, updates_of
from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.audited_output import Output, outputs, takes
from diagnose.rules.evidence.case import Case
from diagnose.rules.rule import Rule
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

COMMON = 0.9  # a guess: nine in ten is the accuracy that people are content with
TIMES = 10  # a guess: one in ten is as rare as COMMON leaves to two classes
FOUND = 0.1  # a guess: one in ten is next to never
MANY = 10  # samples; arithmetic: of a class that is found one time in three, none of ten is an answer once in 60
NAMED = 3  # classes in a message
SEEN = 50  # labels; arithmetic: a class of a tenth of them is missing among 50 once in 200
HALF = 0.5  # arithmetic: the commonest class must be what the model answers, else it is not the shares that harm


def judge(case: Case) -> Iterator[Verdict]:
    """The labels' shares, the answers class by class, and the skill where those tell nothing; output by output."""
    run = case.run
    skills, updates = case.skills, updates_of(run)
    started = (updates is None or updates >= EARLY_UPDATES) and not still_falling(run)
    for where in case.facts.task.outputs or ("",):
        verdict = _judged(run, where, skills)
        early = not started or rising(run, run.series("skill.balanced", where).finite())
        if early and isinstance(verdict, Finding) and verdict.severity != "critical":
            verdict = NotMeasured(where, "too early: the commonest class is learned first, and the rest after it")
        yield verdict


def _judged(run: Run, where: str, skills: Skills) -> Verdict:
    share, of_output = majority_share(run, where), f" of output `{where}`" if where else ""
    if share is None:
        return NotMeasured(where, "the classes of the labels are not known")
    if _kind(run, where) == "multilabel":
        return NotMeasured(where, "a sample may have several labels, each with shares of its own")
    if share >= 1.0:
        return _all_alike(run, where)
    answers = class_predictions(run, "train", where)
    if answers is not None and answers.known.sum() > 1:
        never, idle = _never_answered(run, where, answers)
        if len(never):
            return _erased(where, answers, never, idle)
        weights = _weights(run, where, answers)
        rare = _forgotten(answers, weights)
        return Healthy(where) if rare is None else _finding(where, answers, rare, weights)
    if share <= COMMON:
        return Healthy(where)
    if where not in skills.train:
        return NotMeasured(where, "neither accuracy nor R squared was measured")
    if not skills.at_baseline(where) or balanced_skill(run, where) is not None:
        return Healthy(where)
    return Finding(
        where,
        f"{percent(share)} of the labels{of_output} are of one class, and the model is no better than always "
        "predicting it.",
        severity="warning",
        blames=("data", "loss", "metric"),
        evidence={"majority share": share, "skill": skills.train[where]},
        remedy=_remedy(where, share / (1 - share), None),
        remedies=_weighted(where),
        refute="The recall of the rare classes on training samples is well over 0.",
        confidence=0.6,
    )


def _all_alike(run: Run, where: str) -> Verdict:
    """What to say where all held training samples are of one class."""
    samples, audited = run.facts.task.held_samples or 0, _audited(run, where)
    if samples < SEEN:
        return NotMeasured(where, f"only {counted(samples, 'sample')} were looked at, all of one class")
    if audited is None or takes(audited) not in ("probabilities", "logits"):
        return NotMeasured(where, "all labels looked at are alike, and the loss is not known to read them as classes")
    shares, classes = (run.series(f"batch.majority_{what}", where).finite().values for what in ("share", "class"))
    answers = class_predictions(run, "train", where)
    held = answers.classes[answers.samples > 0] if answers is not None else np.empty(0)
    if (shares < 1.0).any() or len(np.unique([*held, *classes])) > 1:
        return Healthy(where)
    if run.facts.audit is not None and run.facts.audit.compares:
        return Healthy(where)  # which of two inputs comes first may be all there is to learn
    output, number = f" of output `{where}`" if where else "", f" ({held[0]})" if len(held) else ""
    return Finding(
        where,
        f"All labels{output} looked at are of one class{number}: there is nothing to learn.",
        severity="critical",
        blames=("labels", "data"),
        evidence={"majority share": 1.0, "held samples": float(samples)},
        remedy="Look at how the labels are made; the training data need at least two classes.",
        refute="np.unique(y) of what fit gets holds more than one value.",
        confidence=0.9,
    )


def _audited(run: Run, where: str) -> Output | None:
    """The audited output of this place; None where it is not known."""
    found = outputs(run)
    if len(found) == 1:
        return found[0]
    return next((output for output in found if output.name == where), None)


def _never_answered(run: Run, where: str, answers: ClassPredictions) -> tuple[np.ndarray, list[int]]:
    """Places of the classes that are no answer at all, for no reason of their share; and the classes that weigh 0."""
    audited = _audited(run, where)
    idle = list(audited.weights.idle_classes) if audited is not None else []
    none = np.empty(0, np.int64)
    if answers.samples.sum() > (run.facts.task.held_samples or 0):
        return none, idle
    never = (answers.samples >= MANY) & (answers.predicted == 0)
    others = answers.known & ~never
    weightless = np.flatnonzero(never & np.isin(answers.classes, idle))
    if len(weightless):
        return weightless, idle
    rare = answers.samples * TIMES <= answers.samples.max()
    found = others.sum() > 1 and answers.recall[others].mean() >= DECENT
    return (np.flatnonzero(never & ~rare) if found else none), idle


def _erased(where: str, answers: ClassPredictions, never: np.ndarray, idle: list[int]) -> Finding:
    classes, samples = answers.classes[never], int(answers.samples[never].sum())
    numbers = " and ".join(map(str, classes)) if len(classes) <= NAMED else f"{classes[0]} and {len(classes) - 1} more"
    named, are, them = f"class {numbers}", "is", "it"
    if len(classes) > 1:
        named, are, them = f"classes {numbers}", "are", "them"
    others = answers.known & (answers.predicted > 0)
    weightless = bool(np.isin(classes, idle).all())
    why = f": in the first batch no sample of {them} has a weight other than 0" if weightless else ""
    over = f"Give {named} a weight over 0 (`class_weight`, `sample_weight` in fit)."
    look = f"Look at what {named} {'weigh' if len(classes) > 1 else 'weighs'} in fit (`class_weight`, `sample_weight`)"
    return Finding(
        where,
        f"{named.capitalize()}{f' of output `{where}`' if where else ''} {are} never predicted, though {samples} "
        f"training samples looked at are of {them}{why}.",
        severity="critical" if weightless else "warning",
        blames=("data", "labels", "loss"),
        evidence={
            "samples never predicted": float(samples),
            "mean recall of the others": float(answers.recall[others].mean()) if others.any() else 0.0,
        },
        remedy=over
        if weightless
        else f"{look}, how labels become class numbers, and whether that unit can ever be the largest.",
        refute=f"The model predicts {named} for some training sample.",
        confidence=0.9 if weightless else 0.7,
    )


def _kind(run: Run, where: str) -> str:
    """What the labels of an output are."""
    return run.facts.task.of(where).kind


def _weights(run: Run, where: str, answers: ClassPredictions) -> np.ndarray:
    """What a sample of each class weighs beside one of the commonest, at most 1: weights may make a rare one rarer."""
    audited = _audited(run, where)
    known = audited.weights.by_class if audited is not None else {}
    common = known.get(str(answers.classes[int(answers.samples.argmax())])) or 0.0
    if common <= 0:
        return np.ones(len(answers.classes))
    each = [known.get(str(number)) for number in answers.classes]
    return np.array([1.0 if weight is None else min(1.0, weight / common) for weight in each])


def _forgotten(answers: ClassPredictions, weights: np.ndarray) -> int | None:
    """Place of the commonest class that is hardly found for its rareness; None without one."""
    common, counts = int(answers.samples.argmax()), answers.samples * weights
    rare = counts * TIMES <= counts[common]
    if counts[common] > COMMON * counts.sum():
        rare = answers.samples < answers.samples[common]
    lost = np.flatnonzero(rare & answers.known & (answers.recall < FOUND))
    if not len(lost) or answers.recall[common] < HALF:
        return None
    return int(lost[answers.samples[lost].argmax()])


def _finding(where: str, answers: ClassPredictions, rare: int, weights: np.ndarray) -> Finding:
    common, of_output = int(answers.samples.argmax()), f" of output `{where}`" if where else ""
    share, samples, right = answers.samples[common] / answers.samples.sum(), answers.samples[rare], answers.right[rare]
    return Finding(
        where,
        f"{percent(share)} of the labels{of_output} are of class {answers.classes[common]}, and of the {samples} "
        f"training samples of class {answers.classes[rare]} looked at {right or 'none'} "
        f"{'are' if right > 1 else 'is'} predicted correctly"
        + (f"; each weighs {weights[rare]:.2g} times as much as one of the commonest." if weights[rare] < 1 else "."),
        severity="critical" if weights[rare] < 1 else "warning",
        blames=("data", "loss", "metric"),
        evidence={
            "share of the commonest class": float(share),
            f"recall of class {answers.classes[rare]}": float(answers.recall[rare]),
            f"recall of class {answers.classes[common]}": float(answers.recall[common]),
        },
        remedy=_remedy(where, float(answers.samples[common] / samples), int(answers.classes[rare])),
        remedies=_weighted(where),
        refute="The recall of the rare classes on training samples is well over 0.",
        confidence=0.8 if weights[rare] < 1 else 0.65,
    )


def _remedy(where: str, weight: float, rare: int | None) -> str:
    how = f"`class_weight={{{rare}: {weight:.0f}}}`" if rare is not None else "`class_weight`"
    how = "`sample_weight`" if where else how  # Keras takes class weights for a single output only
    named = "the rare class" if rare is None else f"class {rare}"
    return f"Multiply the weight of {named} by {weight:.0f} ({how} in fit), and judge by recall or F1, not by accuracy."


def _weighted(where: str) -> tuple[Remedy, ...]:
    """Class weights, which Keras takes for a single output only."""
    return (remedy("class-weight", automatic=not where),)


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=("constant-predictions", "unfinished-training"),
    shows_harm=True,  # that a class is never found is the harm, however low the loss and high the accuracy
)
