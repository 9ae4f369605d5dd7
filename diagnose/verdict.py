"""What a rule says of what was seen: it found something, it found nothing, or it could not look.

"Looked and found nothing" and "could not look" are different answers, so they are different types. A rule yields any
number of them, at most one for each place. It leaves `rule` empty: `rules.rule.Rule.verdicts` stamps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from diagnose.remedy import Remedy, advice, sentence_of

Severity = Literal["critical", "warning", "note"]

#: From the gravest down; the order in which findings are shown.
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")

#: All that a finding can blame, as the field names it.
BLAMES = frozenset(
    {
        "activation",
        "loss",
        "metric",
        "labels",
        "preprocessing",
        "data",
        "learning-rate",
        "optimizer",
        "epochs",
        "batch-size",
        "initialization",
        "layers",
        "regularization",
        "reporting",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong, or worth knowing, at one place.

    where: Keras path of the layer or variable; "" means the whole model.
    message: one or two sentences with the number and the place, for a user in trouble.
    severity: as the rule sees it; the diagnosis may lower it to "note" where no harm shows in the outcome.
    blames: what to change, the main one first; each one of `BLAMES`.
    since: the first observed step that shows it; None where steps have no meaning (a profile, a configuration).
    evidence: the numbers behind the message, by name, in the units of `quantities.QUANTITIES`.
    remedy: what to change, in words; made from `remedies` where it is not given.
    remedies: what to change, as data, the best first; one piece of advice where only `remedy` is given.
    refute: what would prove the finding wrong.
    confidence: in [0, 1], how often a finding with such evidence is right.
    explains: names of the rules whose findings this one explains; the diagnosis fills it in.
    rivals: names of other causes that fit the same evidence as well.
    rule: name of the rule; its declaration fills it in.

    Raises ValueError for an unknown severity or blame, and for a confidence outside [0, 1].
    """

    where: str
    message: str
    severity: Severity = "warning"
    blames: tuple[str, ...] = ()
    since: int | None = None
    evidence: dict[str, float | str] = field(default_factory=dict)
    remedy: str = ""
    refute: str = ""
    confidence: float = 0.5
    explains: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    rule: str = ""
    remedies: tuple[Remedy, ...] = ()

    def __post_init__(self) -> None:
        if not self.remedy:
            object.__setattr__(self, "remedy", sentence_of(self.remedies))
        elif not self.remedies:
            object.__setattr__(self, "remedies", (advice(self.remedy),))
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity is {self.severity!r}; it must be one of {', '.join(SEVERITIES)}.")
        if unknown := [blame for blame in self.blames if blame not in BLAMES]:
            raise ValueError(f"blames holds {unknown[0]!r}; each must be one of {', '.join(sorted(BLAMES))}.")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence is {self.confidence}; it must lie in [0, 1].")


@dataclass(frozen=True, slots=True)
class Healthy:
    """The rule looked at this place and found nothing."""

    where: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """The rule could not look at this place; `reason` says why, in words a user understands.

    applies: False where there was nothing to look at (the optimizer does not clip), so that nothing was missed.
    """

    where: str
    reason: str
    rule: str = ""
    applies: bool = True


Verdict = Finding | Healthy | NotMeasured
