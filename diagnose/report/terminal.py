"""A diagnosis as text for the terminal: the verdict first, then each cause with what to do about it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator

from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.figures import SCALE
from diagnose.report.presentation import (
    TONES,
    by_itself,
    checks,
    code_of,
    consequences,
    inside,
    no_cause,
    reasons,
    title_of,
    title_of_outcome,
    titled,
    verdict,
)
from diagnose.run.run import Run
from diagnose.verdict import Finding
from diagnose.wording import counted, listed, number, one_line, percent, printable

WIDTH = 92
LABEL = 11  # columns for the words "change", "refuted if", ... in front of a paragraph

#: Gives a piece of text a tone ("bad", "warn", "good", "quiet", "strong"); the plain one leaves it as it is.
Style = Callable[[str, str], str]


def to_text(diagnosis: DiagnosisRecord, *, width: int = WIDTH, style: Style = lambda text, tone: text) -> str:
    """The verdict in words. `width` in columns; `style` may colour what it is given, without changing its letters."""
    lines = [*_lines(diagnosis, max(width, 40), style)]
    plain = " ".join(" ".join(lines).split())
    if re.search(r"\bskill\b", plain, re.IGNORECASE) and SCALE not in plain:
        lines.append(style(f"Skill: {SCALE}.", "quiet"))
    return "\n".join(lines).rstrip()


def _lines(diagnosis: DiagnosisRecord, width: int, style: Style) -> Iterator[str]:
    tone = "warn" if diagnosis.outcome == "learning" and diagnosis.causes else TONES[diagnosis.outcome]
    yield style(title_of_outcome(diagnosis.outcome), tone)
    headline, reason = verdict(diagnosis)
    if reason:
        yield from _paragraph(reason, width)
        yield ""
    yield from (style(line, "strong") for line in _paragraph(headline, width))
    if diagnosis.causes and (code := code_of(diagnosis.causes[0])):
        yield ""
        yield from (f"    {printable(line)}" for line in code)
    follow = [*diagnosis.consequences_of, *[()] * len(diagnosis.causes)]
    for rank, (cause, explained) in enumerate(zip(diagnosis.causes, follow, strict=False), start=1):
        yield ""
        yield from _cause(rank, cause, explained, width, style, diagnosis.badges.get(cause.rule, ""))
    if not diagnosis.causes:
        yield ""
        yield from _paragraph(no_cause(diagnosis), width)
    if notes := [finding for finding in diagnosis.findings if finding.severity == "note"]:
        yield ""
        yield style(f"Worth knowing ({len(notes)})", "strong")
        for note in notes:
            yield from _item(f"{titled(note.rule, [note.where])}: {note.message}", width)
    yield from _not_measured(diagnosis, width, style)
    yield ""
    if diagnosis.looked:
        yield style(f"{checks(diagnosis)}.", "quiet")
    yield style(_source(diagnosis.run), "quiet")


def _source(run: Run) -> str:
    """From how much all this is known."""
    if run.before_training:
        samples = run.facts.audit.samples if run.facts.audit else 0
        size = f" of {counted(samples, 'sample')}" if samples else ""
        return f"From one batch{size}, before any training."
    broke_off = run.facts.finished == ""
    more = " The training was interrupted or killed, or still goes on." if broke_off else ""
    return f"From {run.seen}.{more}"


def _not_measured(diagnosis: DiagnosisRecord, width: int, style: Style) -> Iterator[str]:
    """What could not be measured, in full; what does not apply, in a line; of a run without data only why there are
    none, since every check would repeat that.
    """
    entries = diagnosis.not_measured
    if not diagnosis.run.measured:
        entries = tuple(entry for entry in entries if not entry.rule)
    missed = [entry for entry in entries if entry.applies]
    if missed:
        yield ""
        yield style(f"Not measured ({len(missed)})", "strong")
        for reason, rules, places in reasons(missed):
            at = f" at {listed(places)}" if places else ""
            yield from _item(f"{listed(map(title_of, rules), 6)}{at}: {reason}" if rules else f"{reason}{at}", width)
    if idle := list(dict.fromkeys(entry.rule for entry in entries if not entry.applies)):
        yield ""
        what = f"{counted(len(idle), 'check')} {'does' if len(idle) == 1 else 'do'} not apply to this training"
        yield from (style(text, "quiet") for text in _paragraph(f"{what}: {listed(idle, 4)}.", width))


def _cause(
    rank: int, cause: Finding, explained: tuple[Finding, ...], width: int, style: Style, badge: str
) -> Iterator[str]:
    """badge: what trials made of it, "" before any."""
    since = "" if cause.since is None else f", since step {cause.since:,}"
    head = one_line(titled(cause.rule, [cause.where]))
    aside = f"{cause.severity}, {percent(cause.confidence)} sure{since}{f', by trials: {badge}' if badge else ''}"
    yield style(f"{rank:>2}  {head}", TONES[cause.severity])
    yield f"    {style(aside, 'quiet')}"
    yield from _paragraph(cause.message, width, indent=4)
    if cause.evidence:
        told = "; ".join(f"{name} {number(value)}" for name, value in cause.evidence.items())
        yield from _labelled("measured", told, width)
    for label, text in (("change", cause.remedy), ("refuted if", cause.refute)):
        if text:
            yield from _labelled(label, text, width)
    if cause.rivals:
        yield from _labelled("or else", ", ".join(inside(title_of(rival)) for rival in cause.rivals), width)
    for label, findings in zip(("leads to", "by itself"), by_itself(cause, explained), strict=True):
        named = [inside(titled(rule, (each.where for each in group))) for rule, _, group in consequences(findings)]
        if named:
            yield from _labelled(label, "; ".join(named), width)


def _paragraph(text: str, width: int, indent: int = 0) -> list[str]:
    """Wrapped text. Line breaks in it stay, so that a remedy of several lines of code can be pasted."""
    margin = " " * indent
    lines: list[str] = []
    for line in printable(text).splitlines() or [""]:
        lead = margin + line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line.lstrip(),
            width,
            initial_indent=lead,
            subsequent_indent=lead,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines


def _labelled(label: str, text: str, width: int) -> Iterator[str]:
    lines = _paragraph(text, width - 4 - LABEL)
    for index, line in enumerate(lines):
        yield f"    {label if index == 0 else '':<{LABEL}}{line}".rstrip()


def _item(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
