"""The verdicts on mutants, counted, as a page of Markdown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from mutation_harm import Difference

from diagnose import Diagnosis


@dataclass(frozen=True)
class Judged:
    """One watched training of a mutant, or of a program (`operator` is "unchanged"), with its verdict.

    kinds: as in `mutation.Operator`. skills: of all its bare trainings, on held-out samples.
    """

    program: str
    operator: str
    kinds: frozenset[str]
    skills: tuple[float, ...]
    difference: Difference
    diagnosis: Diagnosis

    @property
    def group(self) -> str:
        """The program itself, or how the mutant compares with it."""
        return "unchanged" if self.operator == "unchanged" else self.difference.harm

    @property
    def seen(self) -> bool:
        """The outcome is another than that of a training that went well."""
        return self.diagnosis.outcome != "learning"

    @property
    def named(self) -> bool:
        """There is a cause: a finding of severity warning or critical that nothing else explains."""
        return bool(self.diagnosis.causes)

    @property
    def right(self) -> bool:
        """The first cause is called, or blames, what was changed."""
        return any({first.rule, *first.blames} & self.kinds for first in self.diagnosis.causes[:1])

    @property
    def strictly_right(self) -> bool:
        """The same of its name and the first that it blames."""
        return any({first.rule, *first.blames[:1]} & self.kinds for first in self.diagnosis.causes[:1])


def told(judged: Judged) -> str:
    """One mutant in a line, with the skill of its middling seed."""
    diagnosis = judged.diagnosis
    causes = ", ".join(f"{cause.rule} ({'/'.join(cause.blames)})" for cause in diagnosis.causes[:3]) or "no cause"
    mark = "right" if judged.right else "-"
    return (
        f"{judged.group:12} {mark:5} {judged.program}, {judged.operator}: skill {np.median(judged.skills):.2f}, lost "
        f"{judged.difference.lost:.0%}, {diagnosis.outcome}, {causes}"
    )


def share(some: int, all_: int) -> str:
    return f"{some} of {all_} ({some / all_:.0%})" if all_ else "none"


GROUPS = {
    "harmful": "surely worse, by a tenth of the skill or more",
    "smaller loss": "surely worse, by less than a tenth",
    "unsure": "a tenth worse on average, not surely",
    "harmless": "harmless",
    "unchanged": "the programs themselves",
}


def page(results: list[Judged], refused: list[str], seeds: int) -> str:
    """The figures as Markdown."""
    of = {name: [each for each in results if each.group == name] for name in GROUPS}
    harmful = of["harmful"]
    answers = {
        'outcome other than "learning"': [each.seen for each in harmful],
        "a cause is named": [each.named for each in harmful],
        "one of the two: not called well": [each.seen or each.named for each in harmful],
        "first cause is of the right kind": [each.right for each in harmful],
        "the same, by its name or what it blames most": [each.strictly_right for each in harmful],
    }
    programs = len({each.program for each in results if each.group != "unchanged"})
    lines = [
        "# How much of what harms a training is told? Mutants",
        "",
        f"Measured by `benchmarks/mutants.py`: {len(results) - len(of['unchanged'])} watched mutants of {programs} "
        "healthy programs. Harmful is what loses a tenth of its program's skill on held-out samples, or more, by a "
        f"paired t-test over {seeds} seeds (p < 0.05) with Cohen's d of 0.5 or more.",
        "",
        "| harmful mutants | answer |",
        "|---|---|",
        *(f"| {question} | {share(sum(yes), len(harmful))} |" for question, yes in answers.items()),
        "",
        "| others | with a cause (warning or critical) | outcome other than learning |",
        "|---|---|---|",
    ]
    for name, mine in of.items():
        if name != "harmful":
            warned = share(sum(each.named for each in mine), len(mine))
            lines.append(f"| {GROUPS[name]} | {warned} | {sum(each.seen for each in mine)} |")
    outcomes = Counter(each.diagnosis.outcome for each in harmful).most_common()
    counted = ", ".join(f"{name} {count}" for name, count in outcomes) or "none"
    lines += ["", f"Outcomes of harmful mutants: {counted}."]
    lines += _table("operator", [(each.operator, each) for each in harmful])
    lines += _table("program", [(each.program, each) for each in harmful])
    sections = {
        "Harmful, and called well": [each for each in harmful if not each.seen and not each.named],
        "Harmful, seen, and no cause named": [each for each in harmful if each.seen and not each.named],
        "Harmful, and the first cause is of another kind": [each for each in harmful if each.named and not each.right],
        "Harmless, with a cause": [each for each in of["harmless"] if each.named],
        "Programs themselves, with a cause": [each for each in of["unchanged"] if each.named],
    }
    for title, rows in sections.items():
        lines += ["", f"## {title}", "", *([f"- {' '.join(told(each).split())}" for each in rows] or ["none"])]
    lines += ["", "## Mutants that Keras refuses to train", "", *([f"- {each}" for each in refused] or ["none"])]
    return "\n".join([*lines, ""])


def _table(title: str, rows: list[tuple[str, Judged]]) -> list[str]:
    """Harmful mutants by what they have in common."""
    lines = ["", f"| {title} | harmful | not called well | cause named | right kind first |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(key for key, _ in rows):
        mine = [each for key, each in rows if key == name]
        counts = len(mine), sum(e.seen or e.named for e in mine), sum(e.named for e in mine), sum(e.right for e in mine)
        lines.append(f"| {name} | {' | '.join(str(count) for count in counts)} |")
    return lines
