"""Words that no user should have to read, each with what to write instead.

One list for texts as they stand in the code (`test_plain_words.py`) and for those of a finished diagnosis (the twins).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.figures import SCALE
from diagnose.verdict import Finding

#: What not to write, and what instead.
INSTEAD = {
    r"\banswer(s|ed|ing)?\b": "prediction, output",
    r"(?<!as )\b(asked|asks|asking)\b": "computed, expected, needed",
    r"\b(told|tells)\b": "reported, known",
    r"\bheed(s|ed)?\b": "uses",
    r"(?<!by )\bhand(s|ed|ing)? (it )?(on|over)\b": "passes on",
    r"\b(gives?|gave|given) (it )?back\b": "returns",
    r"\blies? (where|in them|on the)\b": "fall, are",
    r"\bwhere it is flat\b": "where its slope is almost 0",
    r"\bflat stretch\b": "flat range",
    r"\blesser\b": "smaller",
    r"\banew\b": "again, new",
    r"\bnot a whit\b": "not at all",
    r"\bshall\b": "is to, should",
    r"\bfar(es?|ed) (no )?(better|worse)\b": "the metrics are better",
    r"\bmend(s|ed)?\b": "fix, correct",
    r"\bby heart\b": "memorized",
    r"\bwhat (enters|leaves|goes into|comes out)\b": "its inputs, its outputs",
    r"\bscal(e|ed|ing) [^.,;:`]*\b(up|down)\b": "multiply by, divide by",
    r"\bthe size of its inputs\b": "its inputs are tiny (rms 0.016)",
    r"\bof (their|its) size\b": "of its rms; 4,500-fold",
    r"\bmoves? the kernels\b": "changes the weights",
    r"\b(for z up to -|from z = \S+ on\b)": "for z < -4.2e+09",
    r"\de[+-]?\d+ %": "practically none, under 0.01 %",
    r"\bcould (not )?look\b": "ran, could not run",
    r"\bnothing to look at\b": "does not apply here",
    r"\bfound nothing that harms\b": "passed",
    r"\bthrows? (the )?\w+ (about|away)\b": "changes far too much",
    r"\bon (their|the|its|a) rails?\b": "saturated",
    r"\bis the business of\b": "is reported by",
    r"\bfor ever\b": "always",
    r"\bbut for\b": "except for",
    r"\bin the place of\b": "instead of",
    r"\b(can't|can|may|should|could) say\b": "can predict, can reach",
    r"\bcounts? for nothing\b": "hardly counts",
    r"\bworth nothing\b": "useless",
    r"\bhealthy: the skill\b": "no fault found",
}
_PATTERNS = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in INSTEAD.items()}


def odd_words(text: str) -> list[str]:
    """What in a text is on the list, each with what to write instead.

    >>> odd_words("It heeds no label."), odd_words("It uses no label.")
    (["'heeds': write uses"], [])
    """
    plain = " ".join(text.split())
    return [
        f"{found[0]!r}: write {instead}" for pattern, instead in _PATTERNS.items() for found in pattern.finditer(plain)
    ]


def explains_skill(text: str) -> bool:
    """Whether a text that says "skill" says what it is; also one that does not say it."""
    return not re.search(r"\bskill\b", text, re.IGNORECASE) or SCALE in " ".join(text.split())


def odd_words_in(findings: Iterable[Finding]) -> list[str]:
    """The same of all that findings say; the name of a function or layer, in backticks, is the user's own."""
    return _odd_words(text for finding in findings for text in (finding.message, finding.remedy, finding.refute))


def odd_words_of(diagnosis: DiagnosisRecord) -> list[str]:
    """The same of all that a diagnosis says."""
    said = _odd_words((diagnosis.headline, diagnosis.outcome_reason, str(diagnosis)))
    return said + odd_words_in(diagnosis.findings)


def _odd_words(texts: Iterable[str]) -> list[str]:
    texts = [*texts]
    found = [odd for text in texts for odd in odd_words(re.sub(r"`[^`]*`", "``", text))]
    found += [f"skill is not explained: {text}" for text in texts if not explains_skill(text)]
    return list(dict.fromkeys(found))
