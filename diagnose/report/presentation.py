"""How a diagnosis is presented, alike on the page, in the terminal and in a notebook.

Titles of rules and outcomes, their tones, and how findings are grouped; numbers and places are written by `wording`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.rules.catalogue import ALL_RULES, PART_OF
from diagnose.verdict import SEVERITIES, Finding, NotMeasured, Severity
from diagnose.wording import counted, listed, sentence

#: Tone of an outcome or a severity: the name of a colour in the style sheet.
TONES: dict[str, str] = {
    "diverged": "bad",
    "hollow-loss": "bad",
    "memorizing": "bad",
    "not-learning": "bad",
    "falling-short": "warn",
    "learning": "good",
    "unknown": "quiet",
    "critical": "bad",
    "warning": "warn",
    "note": "quiet",
    "proven": "good",
    "undecided": "quiet",
    "not tried": "quiet",
    "refuted": "bad",
}


def title_of(rule: str) -> str:
    """A rule's name as a title: as its manual page has it, with its hyphens and capitals.

    >>> title_of("saturated-activation"), title_of("nan-gradient-activation"), title_of("of-another-version")
    ('Saturated activation', 'NaN-gradient activation', 'Of another version')
    """
    return _titles().get(rule) or rule.replace("-", " ").capitalize() or "Unnamed rule"


@cache
def _titles() -> dict[str, str]:
    return {rule.name: rule.title.partition(":")[0] for rule in ALL_RULES}


def titled(rule: str, places: Iterable[str], limit: int = 3) -> str:
    """A rule's title with its places; what holds for the whole model needs none.

    >>> titled("dead-units", ["dense", "dense_1"]), titled("class-imbalance", [""])
    ('Dead units in dense, dense_1', 'Class imbalance')
    """
    where = listed((where for where in places if where), limit)
    return f"{title_of(rule)} in {where}" if where else title_of(rule)


def inside(title: str) -> str:
    """A title as it stands inside a sentence.

    >>> inside("Dead units in Dense"), inside("NaN-gradient activation")
    ('dead units in Dense', 'NaN-gradient activation')
    """
    first = re.split(r"\W", title, maxsplit=1)[0]
    return title[:1].lower() + title[1:] if first[1:].islower() else title


def title_of_outcome(outcome: str) -> str:
    """An outcome's name as a title.

    >>> title_of_outcome("hollow-loss")
    'Hollow loss'
    """
    return outcome.replace("-", " ").capitalize()


def verdict(diagnosis: DiagnosisRecord) -> tuple[str, str]:
    """Headline and reason as sentences; no reason where the headline holds it already.

    A headline that begins with the name of a function keeps its small letter.
    """
    headline, reason = diagnosis.headline, diagnosis.outcome_reason
    return headline if diagnosis.causes else sentence(headline), "" if reason in headline else sentence(reason)


def no_cause(diagnosis: DiagnosisRecord) -> str:
    """What to say of a diagnosis without causes: a check that passed is not one that did not run."""
    if diagnosis.healthy:
        return "No check found anything to change."
    if not diagnosis.run.measured:
        return "Nothing was measured: that no cause was found does not mean that the training is healthy."
    return "No cause was found."


def checks(diagnosis: DiagnosisRecord) -> str:
    """How many checks ran; how many do not apply to such a training, and how many had no data."""
    missed = {entry.rule for entry in diagnosis.not_measured if entry.applies}
    seen = {*diagnosis.ruled_out, *(finding.rule for finding in diagnosis.findings)}
    idle = len({entry.rule for entry in diagnosis.not_measured} - missed - seen)
    failed = max(len(ALL_RULES) - diagnosis.looked - idle, 0)
    told = [f"{counted(diagnosis.looked, 'check')} ran"]
    told += [f"{idle} {'does' if idle == 1 else 'do'} not apply here"] if idle else []
    told += [f"{failed} could not run"] if failed else []
    return ", ".join(told)


def code_of(finding: Finding) -> list[str]:
    """Lines to paste: the code of the first remedy that has some."""
    return next((remedy.code.splitlines() for remedy in finding.remedies if remedy.code), [])


def by_itself(cause: Finding, explained: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """What follows from a cause, and apart from it what a function would do anywhere.

    What the function is by itself explains what it did in this training, and follows from nothing.
    """
    groups: tuple[list[Finding], list[Finding]] = [], []
    for finding in explained:
        groups[_is_of_function(finding) and not _is_of_function(cause)].append(finding)
    return groups


def _is_of_function(finding: Finding) -> bool:
    return PART_OF.get(finding.rule) == "function"


def consequences(findings: Iterable[Finding]) -> list[tuple[str, Severity, list[Finding]]]:
    """Consequences grouped by rule, with the gravest severity of each group, in the order they came."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return [
        (rule, min((finding.severity for finding in group), key=SEVERITIES.index), group)
        for rule, group in groups.items()
    ]


def reasons(not_measured: Iterable[NotMeasured]) -> list[tuple[str, list[str], list[str]]]:
    """What was not measured, grouped by its reason: (reason, rules, places), each rule and place once."""
    groups: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for entry in not_measured:
        rules, places = groups.setdefault(entry.reason, ({}, {}))
        rules[entry.rule] = None
        places[entry.where] = None
    return [
        (reason, [rule for rule in rules if rule], [where for where in places if where])
        for reason, (rules, places) in groups.items()
    ]


def code_spans(text: str) -> list[tuple[bool, str]]:
    """Text cut at its backticks: (is it code, piece). An odd backtick stays text.

    >>> code_spans("`tanh` in `dense` passes 1 %")
    [(True, 'tanh'), (False, ' in '), (True, 'dense'), (False, ' passes 1 %')]
    """
    pieces = re.split(r"`([^`]+)`", text)
    return [(index % 2 == 1, piece) for index, piece in enumerate(pieces) if piece]
