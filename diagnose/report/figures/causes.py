"""The causes and what they lead to, as a small graph: causes on the left, arrows to what each explains on the right.

The nodes are words of the page, placed by percent; only the arrows between the two columns are drawn. So the same graph
serves a wide page, a phone and paper. What one rule found at several places is one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnose.report.figures import plane
from diagnose.report.figures.plane import SIDE
from diagnose.report.presentation import TONES, by_itself, consequences, inside, title_of, titled
from diagnose.verdict import SEVERITIES, Finding
from diagnose.wording import listed

CAUSES = 6  # nodes on the left; more causes have cards of their own below
EFFECTS = 8  # nodes on the right; the rest is one node that counts them


@dataclass(frozen=True, slots=True)
class Node:
    """One box. at: its middle, in percent of the height from the top; rank: place among the causes, 0 for an effect.

    where: the places, none for the whole model; severity: "" for the node that stands for the rest.
    """

    at: float
    title: str
    where: tuple[str, ...]
    severity: str
    tone: str
    rank: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Causes and effects with the arrows between them. rows: boxes of the longer side; `says`: all of it in words.

    arrows: (tone, path) by cause, in the square between the columns; hidden: causes left out for room.
    """

    causes: tuple[Node, ...]
    effects: tuple[Node, ...]
    arrows: tuple[tuple[str, str], ...]
    rows: int
    says: str
    hidden: int


def cause_graph(causes: Sequence[Finding], consequences_of: Sequence[Sequence[Finding]]) -> Graph | None:
    """The graph of the causes, most likely first, with what follows from each; None where nothing follows from any."""
    shown = list(zip(causes, consequences_of, strict=False))[:CAUSES]
    places: dict[str, list[Finding]] = {}  # the effects, by rule: the likeliest cause's first
    known: set[tuple[str, str, str]] = set()
    targets: list[list[str]] = []
    own_places: list[list[str]] = []
    for cause, explained in shown:
        follows, _ = by_itself(cause, explained)
        targets.append(list(dict.fromkeys(finding.rule for finding in follows if finding.rule != cause.rule)))
        own_places.append([cause.where, *(finding.where for finding in follows if finding.rule == cause.rule)])
        for finding in follows:
            told = (finding.rule, finding.where, finding.message)
            if finding.rule != cause.rule and told not in known:
                known.add(told)
                places.setdefault(finding.rule, []).append(finding)
    if not places:
        return None
    kept = _kept(places)
    folded = [rule for rule in places if rule not in kept]
    count = len(kept) + bool(folded)
    left = tuple(
        _node((row + 0.5) / len(shown), cause.rule, cause.severity, where, row + 1)
        for row, ((cause, _), where) in enumerate(zip(shown, own_places, strict=True))
    )
    right = [
        _node((row + 0.5) / count, rule, severity, [finding.where for finding in group], 0)
        for row, (rule, severity, group) in enumerate(consequences(f for rule in kept for f in places[rule]))
    ]
    if folded:
        right.append(Node(100 * (count - 0.5) / count, f"and {len(folded)} more", (), "", "quiet", 0))
    row_of = {rule: row for row, rule in enumerate(kept)} | dict.fromkeys(folded, count - 1)
    arrows = tuple(
        (node.tone, "".join(_arrow(node.at, right[row].at) for row in sorted({row_of[rule] for rule in rules})))
        for node, rules in zip(left, targets, strict=True)
    )
    says = "; ".join(
        f"{titled(cause.rule, [cause.where])} leads to {listed((inside(title_of(rule)) for rule in rules), 20)}"
        for (cause, _), rules in zip(shown, targets, strict=True)
        if rules
    )
    return Graph(left, tuple(right), arrows, max(len(left), count), says, max(len(causes) - CAUSES, 0))


def _kept(places: dict[str, list[Finding]]) -> list[str]:
    """The rules that get a node, in the order in which they were found: all, or the gravest."""
    room = EFFECTS if len(places) <= EFFECTS else EFFECTS - 1
    gravest = sorted(places, key=lambda rule: min(SEVERITIES.index(finding.severity) for finding in places[rule]))
    return [rule for rule in places if rule in gravest[:room]]


def _node(at: float, rule: str, severity: str, where: Sequence[str], rank: int) -> Node:
    named = tuple(dict.fromkeys(place for place in where if place))
    return Node(100 * at, title_of(rule), named, severity, TONES[severity], rank)


def _arrow(start: float, end: float) -> str:
    """A curve from the left edge of the square to its right edge, level at both ends; heights in percent."""
    one, other = plane.px(start / 100), plane.px(end / 100)
    return f"M0 {one}C{SIDE // 2} {one} {SIDE // 2} {other} {SIDE} {other}"
