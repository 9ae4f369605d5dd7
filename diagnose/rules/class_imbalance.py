"""Class imbalance: one class is so common that always answering it looks like success.

Sees: the share of the commonest class among the labels seen, and the skill, which that share does not flatter.

Harm: the loss is low and the accuracy high, while the rare classes are never found.

Fires: the commonest class has over COMMON of the labels and the skill on training samples is that of answering it
always.

Rests: a skill above that: the rare classes are being found.

Remedy: `class_weight={0: 1.0, 1: n0 / n1}` in fit, a focal loss, or more rare samples; report recall or F1, not
accuracy.

Refute: the recall of the rare classes on training samples is well over 0.

Source: keras-team/keras issues 2578, 10292 and 741; the bound is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.outcome import majority_share, skills_of
from diagnose.rules._wording import percent
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "data"
EXPLAINS = ("constant-predictions",)

COMMON = 0.9  # a guess: nine in ten is the accuracy that people are content with


def judge(run: Run) -> Iterator[Verdict]:
    """The labels' shares and the skill."""
    share, skills = majority_share(run), skills_of(run)
    if share is None:
        yield NotMeasured("", "the classes of the labels are not known")
    elif share <= COMMON:
        yield Healthy("")
    elif not skills.train:
        yield NotMeasured("", "no skill was measured")
    elif share >= 1.0:
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
    elif not all(skills.at_baseline(skill) for skill in skills.train.values()):
        yield Healthy("")
    else:
        weight = share / (1 - share)
        yield Finding(
            "",
            f"{percent(share)} of the labels are of one class, and the model does no better than always answering it.",
            severity="warning",
            blames=("data", "loss", "metric"),
            evidence={"majority share": share, "skill": min(skills.train.values())},
            remedy=f"Weigh the rare class {weight:.0f} times (class_weight in fit), and "
            "judge by recall or F1 instead of accuracy.",
            refute="The recall of the rare classes on training samples is well over 0.",
            confidence=0.6,
        )
