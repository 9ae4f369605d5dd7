"""What a skill is in the numbers that a user knows: accuracy, R squared, the loss; beside what a constant gives.

Skill is one scale for all tasks: 0 is what the best constant prediction has, 1 is perfect. Rules compare skills;
sentences tell what they stand for.
"""

from __future__ import annotations

from typing import Literal

from diagnose.outcome.skills import Skills, data_losses, majority_share
from diagnose.run.run import Run
from diagnose.wording import aside, percent

Side = Literal["train", "validation"]
Measure = Literal["accuracy", "R squared", "loss", "skill"]

SCALE = "0 = always guessing, 1 = perfect"  # stands beside "skill" wherever a user reads it

ON = {"train": "training samples", "validation": "validation samples"}


def measure(run: Run, where: str = "") -> Measure:
    """Which number stands for the skill of the output at `where`, or of the whole model."""
    task = run.facts.task.of(where)
    if task.kind == "regression" and not task.by_loss:
        return "R squared"
    if task.kind in ("categorical", "binary") and majority_share(run, where) is not None:
        return "accuracy"
    alone = len(run.facts.task.outputs) <= 1  # of several, the loss is that of all together
    return "loss" if task.by_loss and alone and data_losses(run)[1] is not None else "skill"


def subject(run: Run, where: str = "") -> str:
    """The number's name, to begin a sentence with that tells what it is.

    >>> subject(Run({"task": {"kind": "regression"}})), subject(Run())
    ('R squared', 'the skill (0 = always guessing, 1 = perfect)')
    """
    known = measure(run, where)
    name = known if known == "R squared" else f"the {known}"
    return name + (f" of output `{where}`" if where else "") + (aside(SCALE) if known == "skill" else "")


def value(run: Run, skill: float, where: str = "", side: Side = "train") -> str:
    """What a skill on samples of this side is, without the number's name.

    >>> value(Run({"task": {"kind": "categorical", "majority_share": 0.5}}), 0.9)
    '95 %'
    >>> value(Run({"task": {"kind": "regression"}}), 0.9)
    '0.90'
    """
    match measure(run, where):
        case "accuracy":
            share = _commonest(run, where, side)
            return percent(min(max(share + skill * (1.0 - share), 0.0), 1.0))
        case "loss":
            return f"{(data_losses(run)[1] or 0.0) * (1.0 - skill):.3g}"
        case _:
            return f"{skill:.2f}"


def one_of(run: Run, skill: float, where: str = "", side: Side = "train") -> str:
    """The number with its name, as what is reached.

    >>> one_of(Run({"task": {"kind": "categorical", "majority_share": 0.5}}), 0.9)
    'an accuracy of 95 %'
    """
    known = measure(run, where)
    article = "an" if known in ("accuracy", "R squared") else "a"
    output = f" of output `{where}`" if where else ""
    scale = aside(SCALE) if known == "skill" else ""
    return f"{article} {known}{output} of {value(run, skill, where, side)}{scale}"


def baseline(run: Run, where: str = "", side: Side = "train") -> str:
    """What the best constant prediction reaches, as a clause for brackets; "" of a skill, whose scale says it.

    >>> baseline(Run({"task": {"kind": "categorical", "majority_share": 0.5}}))
    'always predicting the commonest class: 50 %'
    """
    match measure(run, where):
        case "accuracy":
            return f"always predicting the commonest class: {value(run, 0.0, where, side)}"
        case "R squared":
            return "always predicting the mean: 0"
        case "loss":
            return f"the best constant prediction: {value(run, 0.0, where, side)}"
        case _:
            return ""


def reached(run: Run, skills: Skills, where: str = "") -> str:
    """What the training reached on both sides, as a clause; the baseline beside it.

    >>> run = Run({"task": {"kind": "regression"}})
    >>> reached(run, Skills({"": 0.9}, {"": 0.5}))
    'R squared is 0.90 on training samples (always predicting the mean: 0) and 0.50 on validation samples'
    """
    side: Side = "train" if where in skills.train else "validation"
    told = f"{subject(run, where)} is {value(run, skills.known[where], where, side)} on {ON[side]}"
    told += aside(baseline(run, where, side))
    if side == "train" and where in skills.validation:
        told += f" and {value(run, skills.validation[where], where, 'validation')} on {ON['validation']}"
    return told


def _commonest(run: Run, where: str, side: Side) -> float:
    """Share of the commonest class on this side: of the samples held there, or else of the labels seen."""
    for counts in reversed(run.arrays(f"classes.{side}", where).values()):
        if counts.ndim == 2 and len(counts) > 1 and counts[1].sum() > 0:
            return float(counts[1].max() / counts[1].sum())
        break
    return majority_share(run, where) or 0.0
