"""The verdict in one or two sentences: number, place and remedy of the likeliest cause, and nothing more.

A rule's message and remedy are written to be read in full beside the figures. Put one after the other they can fill
six lines, so here each is cut at the end of a sentence or clause: the whole of it stands below the headline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from diagnose.outcome.outcome import Outcome
from diagnose.rules.catalogue import ALL_RULES
from diagnose.verdict import Finding
from diagnose.wording import counted

MOST = 200  # letters: three lines of a terminal
BY_ITSELF = " By itself: "  # between what a function did in this training and what it would do anywhere
MODEST = 0.3  # a guess: of the skill, under which nobody would call a training healthy, whatever is not found

#: Where a text may end, the best place first: a sentence, a clause, a part of one, but not before what takes it back.
ENDS = (r"[.!?](?=\s|$)", r"(?=; )", r"(?=: )", r"(?=, (?!(?:but|though|yet|unless|except)\b))")


def headline(
    outcome: Outcome,
    causes: Sequence[Finding],
    consequences: Sequence[Finding],
    looked: int,
    silent: int,
    *,
    measured: bool = True,
    unmeasured: str = "",
) -> str:
    """The verdict.

    consequences: of the first cause. looked, silent: rules that had data, and that found nothing at all. measured:
    whether anything was; unmeasured: why not, "" where nobody knows.
    """
    if causes:
        return headline_of_cause(causes[0], (*causes[1:], *consequences))
    if not measured:
        return f"nothing measured: {unmeasured or f'{looked} of {len(ALL_RULES)} checks ran'}"
    clear = f"{counted(looked, 'check')} found nothing to change."
    if outcome.name == "learning" and outcome.harm == "partial" and (outcome.train or 0.0) < MODEST:
        return f"no fault found, though little is learned: {outcome.reason} {clear}"
    if outcome.name == "learning" and outcome.harm == "partial" and not outcome.reached:
        return f"no fault found, but it may not be the best possible: {outcome.reason} {clear}"
    if outcome.name == "learning":
        return f"healthy: {outcome.reason} {clear}"
    if outcome.name == "unknown":
        return f"no fault found, but what the training achieved is unknown: {outcome.reason} {clear}"
    name = outcome.name.replace("-", " ")
    return f"{name}: {outcome.reason} {counted(looked, 'check')} ran, {silent} passed; none found the cause."


def headline_of_cause(cause: Finding, others: Sequence[Finding]) -> str:
    """The verdict where something is wrong. others: findings beside the likeliest cause."""
    room = MOST - len(brief(cause.remedy, MOST // 3)) - 1
    what = brief(cause.message.split(BY_ITSELF)[0], room)
    if cause.where and cause.where.rpartition("/")[2] not in what:
        what = f"{what.rstrip('.')}, in `{cause.where}`."
    alike = [other.where for other in others if other.rule == cause.rule and other.where]
    if alike:
        more = f" and {counted(len(alike) - 1, 'more place')}" if len(alike) > 1 else ""
        also = f" The same at `{alike[0]}`{more}."
        what += also if len(what + also) <= room else ""
    return f"{what} {brief(cause.remedy, MOST - len(what) - 1)}".strip()


def brief(text: str, most: int) -> str:
    """The longest beginning of `text` within `most` letters that ends well, as a sentence; a short text as it is.

    It never ends within backticks or brackets, so that what it names stays whole; where nothing ends well within
    `most` letters, it goes on to what does.

    >>> brief("It is NaN for z > 88.7, where f is finite. The cause: exp.", 50)
    'It is NaN for z > 88.7, where f is finite.'
    >>> brief("Scale its inputs by 2 (`f(2 * x)`), or use `tanh` instead of it.", 40)
    'Scale its inputs by 2 (`f(2 * x)`).'
    >>> brief("It expects one class a row, but half of the rows hold none, which matters.", 40)
    'It expects one class a row, but half of the rows hold none.'
    >>> brief("`tanh_of_the_fifth_power` passes nothing, it seems", 20)
    '`tanh_of_the_fifth_power` passes nothing.'
    """
    text = text.strip()
    if len(text) <= most:
        return text
    ends = [[*_endings(text, end)] for end in ENDS]
    for places in ends:
        if fitting := [place for place in places if most / 3 < place <= most]:
            return f"{text[: fitting[-1]].rstrip('.')}."
    beyond = min((place for places in ends for place in places if place > most), default=len(text))
    return f"{text[:beyond].rstrip('.')}."


def _endings(text: str, end: str) -> Iterator[int]:
    """Where `text` may be cut, after what `end` matches, outside of backticks and brackets."""
    for found in re.finditer(end, text):
        before = text[: found.end()]
        if before.count("`") % 2 == 0 and all(before.count(a) <= before.count(b) for a, b in ("()", "[]", "{}")):
            yield found.end()
