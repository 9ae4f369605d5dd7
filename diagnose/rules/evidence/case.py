"""What a rule judges: a run with what every rule needs of it, prepared once."""

from __future__ import annotations

from dataclasses import dataclass

from diagnose.outcome.outcome import Outcome, outcome_of
from diagnose.outcome.skills import Skills, skills_of
from diagnose.rules.evidence.gradients import kernels
from diagnose.run.layout import Layout
from diagnose.run.meta import Facts
from diagnose.run.run import Run


@dataclass(frozen=True, slots=True)
class Case:
    """A run; who lies on whose way in it; what the training achieved; the skills that say so; its trained kernels."""

    run: Run
    layout: Layout
    outcome: Outcome
    skills: Skills
    kernels: tuple[str, ...]

    @classmethod
    def of(cls, run: Run) -> Case:
        """The case of a run, as far as it was planned: what the clock allowed beyond it decides nothing."""
        run = run.as_planned()
        skills = skills_of(run)
        layout = Layout(run)
        return cls(run, layout, outcome_of(run, skills), skills, kernels(run, layout))

    @property
    def facts(self) -> Facts:
        """What is known of the run besides its measurements."""
        return self.run.facts
