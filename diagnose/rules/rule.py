"""What a rule declares: one frozen value in each rule's module, so that a misspelt trait is an error at import.

A rule is a module: its docstring is the manual page, its thresholds are constants with their sources, `judge` says what
it makes of a run or a function, and `RULE = Rule(__name__, __doc__, ...)` at its end says the rest. Nothing else looks
into the module.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from diagnose.activation.function_profile import FunctionProfile
from diagnose.verdict import Finding, NotMeasured, Verdict

#: Paragraphs that each rule's docstring must have.
STORY_PARTS = ("Sees", "Harm", "Fires", "Rests", "Remedy", "Refute", "Source")

#: The parts of the catalogue, a folder each. The order is that of ties between causes: the earlier part comes first.
PARTS = {
    "reporting": "What is reported is not what happened",
    "configuration": "Loss, metric, labels and output layer",
    "function": "The activation function on its own",
    "numbers": "Numbers that break",
    "data": "Data",
    "initialization": "Architecture and initialization",
    "activation": "The activation at work",
    "optimizer": "Gradients, updates, optimizer",
    "generalization": "Generalization",
}

#: Parts whose findings are faults only where harm shows in the outcome.
HARM_MUST_SHOW = frozenset({"function", "activation", "optimizer", "data", "generalization", "initialization"})

Subject = Literal["run", "profile"]
Flow = Literal["", "backward", "forward", "connected", "after", "here"]
AtWork = Literal["never", "always", "in loops"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue.

    module, page: `__name__` and `__doc__` of the module that declares it.
    part: key of `PARTS`, and the folder the module lies in.
    judge: gives the verdicts on its subject, each without the rule's name.
    subject: what `judge` takes: a `Case` ("run") or an `ActivationProfile` ("profile").

    How its findings are linked with others (`diagnosis.explanation`):

    explains: names of the rules whose findings this one can explain.
    flow: from where a cause of its findings comes: "backward", from between it and the loss; "forward", from between
        the input and it; "connected", from either; "after", from further up than itself; "here", from the same layer
        (or from further up, if the cause is no activation); "" from anywhere.
    phase: its turn within a step, where two things are seen at the same one; None where it has none.
    can_follow: whether its finding can have come from a finding of another rule that names it in `explains`, beyond
        time and place; takes the finding and the cause. None: always.
    last_resort: whatever else is found explains it, so it comes last.
    tells_ruled_out: as a cause it says which rules looked and found nothing.

    How grave its findings are, given what the training achieved (`diagnosis.severity`):

    shows_harm: its evidence is itself a part of the outcome (a gap to validation), so no other harm need show.
    harms_later: it harms when the training is long over (saving, another dtype); always a note.
    only_unusual: a warning of it is a note where the network learned well and reached what simple models reach: then it
        is unusual, and harmless. For parts whose findings stand by themselves otherwise.

    How a finding about a function on its own stands beside what that function did in the training:

    met: whether inputs from a lowest to a highest come to what it finds in a profile; where those of the training do
        not, it is a note. None: it does not depend on that.
    anywhere: the function is at fault whatever inputs it meets, so no measurement of its effect takes that back.
    own_remedy: only the remedy of the function itself helps, not that of its effect.
    at_work: whether its finding is what the function of that place did in the training: "always" (its slope at work),
        "in loops" (it broke in a recurrent layer), "never". Such a finding stands before the function's own.

    Raises ValueError for an unknown part, subject, flow or `at_work`, and for a page without all of `STORY_PARTS`.
    """

    module: str
    page: str | None
    _: KW_ONLY
    part: str
    judge: Callable[[Any], Iterable[Verdict]]
    subject: Subject = "run"
    explains: tuple[str, ...] = ()
    flow: Flow = ""
    phase: int | None = None
    can_follow: Callable[[Finding, Finding], bool] | None = None
    last_resort: bool = False
    tells_ruled_out: bool = False
    shows_harm: bool = False
    harms_later: bool = False
    only_unusual: bool = False
    met: Callable[[FunctionProfile, float, float], bool] | None = None
    anywhere: bool = False
    own_remedy: bool = False
    at_work: AtWork = "never"

    def __post_init__(self) -> None:
        for name, known in (
            ("part", tuple(PARTS)),
            ("subject", get_args(Subject)),
            ("flow", get_args(Flow)),
            ("at_work", get_args(AtWork)),
        ):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{self.name}: {name} is {value!r}; it must be one of {', '.join(map(repr, known))}.")
        if missing := [part for part in STORY_PARTS if f"\n{part}: " not in self.story]:
            raise ValueError(
                f"{self.name}: its page has no paragraph {missing[0]!r}; it needs {', '.join(STORY_PARTS)}."
            )

    @property
    def name(self) -> str:
        """What users read: the module's name with hyphens."""
        return self.module.rpartition(".")[2].replace("_", "-")

    @property
    def story(self) -> str:
        """The manual page, as plain text."""
        return inspect.cleandoc(self.page or "")

    @property
    def title(self) -> str:
        """First line of the story: "Title: one sentence."."""
        return self.story.split("\n\n", 1)[0].replace("\n", " ")

    @property
    def thresholds(self) -> dict[str, float]:
        """The numbers that its module names in capitals, by name, for whoever shows the page."""
        named = vars(sys.modules[self.module])
        return {
            name: value
            for name, value in named.items()
            if name.isupper() and isinstance(value, int | float) and not isinstance(value, bool)
        }

    def verdicts(self, subject: Any) -> list[Verdict]:
        """The rule's verdicts on a subject, each with the rule's name. A rule that fails becomes NotMeasured."""
        found: list[Verdict] = []
        try:
            with np.errstate(all="ignore"):  # a sick run holds NaN and infinity, which compare as they should
                for verdict in self.judge(subject):
                    found.append(replace(verdict, rule=self.name))
        except Exception as error:  # one broken rule must not cost the user the other verdicts
            found.append(NotMeasured("", f"the rule itself failed: {type(error).__name__}: {error}", rule=self.name))
        return found
