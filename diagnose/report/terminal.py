"""A diagnosis as text for the terminal: the verdict first, then each cause with what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from diagnose.report.words import (
    TONES,
    consequences,
    counted,
    listed,
    number,
    place,
    printable,
    reasons,
    share,
    title_of,
    title_of_outcome,
)
from diagnose.verdict import Finding

if TYPE_CHECKING:
    from diagnose.diagnosis import Diagnosis

WIDTH = 92
LABEL = 11  # columns for the words "change", "refuted if", ... in front of a paragraph

#: Gives a piece of text a tone ("bad", "warn", "good", "quiet", "strong"); the plain one leaves it as it is.
Style = Callable[[str, str], str]


def to_text(diagnosis: Diagnosis, *, width: int = WIDTH, style: Style = lambda text, tone: text) -> str:
    """The verdict in words. `width` in columns; `style` may colour what it is given, without changing its letters."""
    return "\n".join(_lines(diagnosis, max(width, 40), style)).rstrip()


def _lines(diagnosis: Diagnosis, width: int, style: Style) -> Iterator[str]:
    tone = "warn" if diagnosis.outcome == "learning" and diagnosis.causes else TONES[diagnosis.outcome]
    yield style(title_of_outcome(diagnosis.outcome), tone)
    yield from _paragraph(diagnosis.outcome_reason, width)
    yield ""
    yield from (style(line, "strong") for line in _paragraph(diagnosis.headline, width))
    follow = [*diagnosis.consequences_of, *[()] * len(diagnosis.causes)]
    for rank, (cause, explained) in enumerate(zip(diagnosis.causes, follow, strict=False), start=1):
        yield ""
        yield from _cause(rank, cause, explained, width, style)
    if not diagnosis.causes:
        yield ""
        yield "No cause for concern was found." if diagnosis.healthy else "No cause was found."
    if notes := [finding for finding in diagnosis.findings if finding.severity == "note"]:
        yield ""
        yield style(f"Worth knowing ({len(notes)})", "strong")
        for note in notes:
            yield from _item(f"{title_of(note.rule)}, {place(note.where)}: {note.message}", width)
    if diagnosis.not_measured:
        yield ""
        yield style(f"Not measured ({len(diagnosis.not_measured)})", "strong")
        for reason, rules, places in reasons(diagnosis.not_measured):
            at = f" at {listed(places)}" if places else ""
            yield from _item(f"{listed(rules, 6) or 'monitor'}{at}: {reason}", width)
    if diagnosis.run.notes:
        yield ""
        yield style(f"While observing ({len(diagnosis.run.notes)})", "strong")
        for text in diagnosis.run.notes:
            yield from _item(text, width)
    yield ""
    run = diagnosis.run
    steps = run.meta.get("steps_seen")
    if isinstance(steps, int) and run.observations:
        steps = max(steps, int(run.observed_steps[-1]) + 1)  # a killed training had no time to write its steps down
    seen = f" of {counted(steps, 'step')}" if isinstance(steps, int) else ""
    broke_off = run.meta.get("finished") == ""
    more = " The training was interrupted or killed, or still goes on." if broke_off else ""
    yield style(f"From {counted(run.observations, 'observation')}{seen}.{more}", "quiet")


def _cause(rank: int, cause: Finding, explained: tuple[Finding, ...], width: int, style: Style) -> Iterator[str]:
    since = "" if cause.since is None else f", since step {cause.since:,}"
    head = printable(f"{title_of(cause.rule)} in {place(cause.where)}")
    aside = f"{cause.severity}, {share(cause.confidence)} sure{since}"
    yield style(f"{rank:>2}  {head}", TONES[cause.severity])
    yield f"    {style(aside, 'quiet')}"
    yield from _paragraph(cause.message, width, indent=4)
    if cause.evidence:
        yield from _labelled(
            "measured", ", ".join(f"{name} {number(value)}" for name, value in cause.evidence.items()), width
        )
    for label, text in (("change", cause.remedy), ("refuted if", cause.refute)):
        if text:
            yield from _labelled(label, text, width)
    if cause.rivals:
        yield from _labelled("or else", ", ".join(title_of(rival).lower() for rival in cause.rivals), width)
    if explained:
        groups = consequences(explained)
        told = "; ".join(
            f"{title_of(rule).lower()} in {listed(place(f.where) for f in group)}" for rule, _, group in groups
        )
        yield from _labelled("leads to", told, width)


def _paragraph(text: str, width: int, indent: int = 0) -> list[str]:
    """Wrapped text. Line breaks in it stay, so that a remedy of several lines of code can be pasted."""
    margin = " " * indent
    lines: list[str] = []
    for line in printable(text).splitlines() or [""]:
        lead = margin + line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line.lstrip(), width, initial_indent=lead, subsequent_indent=lead, break_long_words=False
        ) or [""]
    return lines


def _labelled(label: str, text: str, width: int) -> Iterator[str]:
    lines = _paragraph(text, width - 4 - LABEL)
    for index, line in enumerate(lines):
        yield f"    {label if index == 0 else '':<{LABEL}}{line}".rstrip()


def _item(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text), width, initial_indent="  - ", subsequent_indent="    ", break_long_words=False
    )
