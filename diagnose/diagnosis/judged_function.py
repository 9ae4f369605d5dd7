"""What the rules say of one activation function: the facts of its profile, and the findings on top of them."""

from __future__ import annotations

from dataclasses import dataclass

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.catalogue import ALL_RULES
from diagnose.verdict import SEVERITIES, Finding, NotMeasured, Verdict


@dataclass(frozen=True)
class JudgedFunction(FunctionProfile):
    """A profile with what the rules of the part "function" say of it. The fields are those of `FunctionProfile`."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each rule of the part "function" says."""
        return tuple(verdict for rule in ALL_RULES if rule.subject == "profile" for verdict in rule.verdicts(self))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the function, or worth knowing; the gravest first."""
        found = [verdict for verdict in self.verdicts if isinstance(verdict, Finding)]
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))

    @property
    def not_measured(self) -> tuple[NotMeasured, ...]:
        """What the rules could not look at, and why."""
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, NotMeasured))

    @property
    def sound(self) -> bool:
        """No finding above a note."""
        return all(finding.severity == "note" for finding in self.findings)
