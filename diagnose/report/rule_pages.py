"""The rules in a terminal: all of them in a list, and the manual page of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diagnose.outcome.figures import SCALE
from diagnose.rules.rule import PARTS, STORY_PARTS, Rule


def list_rules(console: Console, known: Sequence[Rule]) -> None:
    """All rules in a line each, part by part."""
    for part, title in PARTS.items():
        members = [rule for rule in known if rule.part == part]
        if not members:
            continue
        console.print(Text(f"\n{title}", style="bold"))
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, min_width=30)
        table.add_column()
        for rule in members:
            table.add_row(Text(f"  {rule.name}", style="cyan"), Text(_sentence(rule)))
        console.print(table)
    console.print(Text(f"\n{len(known)} rules. The page of one: keras-diagnose rules NAME", style="dim"))


def _sentence(rule: Rule) -> str:
    """What stands after the title's colon."""
    return rule.title.split(": ", 1)[-1]


def show_rule(console: Console, rule: Rule) -> None:
    """The manual page of one rule."""
    console.print(Text(rule.name, style="bold cyan"), Text(f"  {PARTS[rule.part]}", style="dim"), sep="")
    console.print(Text(rule.title))
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for part, text in _paragraphs(rule.story, STORY_PARTS):
        table.add_row(Text(part, style="bold"), Text(_with_values(text, rule)))
    if rule.explains:
        table.add_row(Text("Explains", style="bold"), Text(", ".join(rule.explains)))
    if re.search(r"\bskill\b", rule.story):
        table.add_row(Text("Skill", style="bold"), Text(f"accuracy or R squared on one scale: {SCALE}"))
    console.print(table)


def _with_values(text: str, rule: Rule) -> str:
    """The text with the value behind each threshold of the rule's module that it names: CROWD becomes CROWD (0.5)."""

    thresholds = rule.thresholds

    def with_value(name: re.Match[str]) -> str:
        value = thresholds.get(name[0])
        return name[0] if value is None else f"{name[0]} ({value:g})"

    return re.sub(r"\b[A-Z][A-Z0-9_]+\b", with_value, text)


def _paragraphs(story: str, parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each part of a rule's story with its text as one paragraph; a line that starts no part goes on with the last."""
    name, lines = "", list[str]()
    for line in story.split("\n\n", 1)[-1].splitlines():
        start, colon, rest = line.partition(": ")
        if colon and start in parts:
            if name:
                yield name, " ".join(" ".join(lines).split())
            name, lines = start, [rest]
        else:
            lines.append(line)
    if name:
        yield name, " ".join(" ".join(lines).split())
