"""What simple models reach beside the network, on the same held samples: what was reachable at least."""

from __future__ import annotations

from dataclasses import dataclass

from diagnose.outcome.skills import Skills, gap_noise, in_other_units, last_finite
from diagnose.run.meta import ReferenceFacts, reference_place
from diagnose.run.run import Run

SHORT = 0.1  # a guess: of what the best simple model reaches; less is no reason to send anyone searching


@dataclass(frozen=True, slots=True)
class Reference:
    """The best simple model of one output.

    model: its name. skill: what it reaches, own: what the network does, both on the same samples. validation: whether
    these are validation samples; else the simple model was cross-validated on training samples. margin: by how much
    the one must be above the other to be clearly so.
    """

    output: str
    model: str
    skill: float
    own: float
    validation: bool
    margin: float

    @property
    def short(self) -> float:
        """By how much the network is clearly under it; 0 where it is not."""
        gap = self.skill - self.own
        return gap if gap > self.margin else 0.0


def best_reference(run: Run, output: str) -> tuple[str, float] | None:
    """Name and skill of the best simple model of an output; None where none was asked, or could be scored."""
    asked = run.facts.references.get(output, ReferenceFacts())
    reached = {
        model: value
        for model in asked.models
        if (value := last_finite(run, "skill.reference", reference_place(output, model))) is not None
    }
    return max(reached.items(), key=lambda item: item[1], default=None)


def weighted_outputs(run: Run) -> set[str]:
    """Names of the outputs whose samples have weights: their plain skill is not what is asked for."""
    return {output.name for output in (run.facts.audit.outputs if run.facts.audit else ()) if output.weights.given}


def nothing_carries_over(run: Run, skills: Skills, output: str) -> bool:
    """Whether neither the network nor a simple model knows more of validation samples than a constant answer."""
    validation, best = skills.validation.get(output), best_reference(run, output)
    asked = run.facts.references.get(output, ReferenceFacts())
    if validation is None or best is None or asked.on != "validation":
        return False
    return max(validation, best[1]) <= skills.band(output) < skills.train.get(output, 0.0)


def references_of(run: Run, skills: Skills) -> list[Reference]:
    """The best simple model of each output, those first under which the network falls the most.

    Of outputs that no simple model was asked for, or whose samples have weights, there is none: what a weighted loss
    wants is not the plain skill.
    """
    weighted, found = weighted_outputs(run), []
    for output, asked in run.facts.references.items():
        best = best_reference(run, output)
        known = skills.validation if asked.on == "validation" else skills.train
        if best is None or output not in known or output in weighted or in_other_units(run, output) is not None:
            continue
        (model, skill), own = best, known[output]
        noise = gap_noise(run, skill, own, output, samples=asked.samples)
        margin = max(SHORT * abs(skill), noise)
        found.append(Reference(output, model, skill, own, asked.on == "validation", margin))
    return sorted(found, key=lambda each: each.own - each.skill)
