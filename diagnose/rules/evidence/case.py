"""What a rule judges: a run with what every rule needs of it, prepared once."""

from __future__ import annotations

from dataclasses import dataclass

from diagnose.outcome.outcome import Outcome, outcome_of
from diagnose.outcome.skills import Skills, skills_of
from diagnose.run.layout import Layout
from diagnose.run.meta import Facts
from diagnose.run.run import Run


@dataclass(frozen=True, slots=True)
class Case:
    """A run; who lies on whose way in it; what the training achieved; and the skills that say so."""

    run: Run
    layout: Layout
    outcome: Outcome
    skills: Skills

    @classmethod
    def of(cls, run: Run) -> Case:
        """The case of a run."""
        skills = skills_of(run)
        return cls(run, Layout(run), outcome_of(run, skills), skills)

    @property
    def facts(self) -> Facts:
        """What is known of the run besides its measurements."""
        return self.run.facts
