"""Which finding explains which: the cause first, its symptoms after it.

A dead layer also shows as zero gradients below it and as a flat loss. By severity alone a symptom would come out on
top, so a rule names the findings it can explain (`explains`), and one of those is shown under its explanation, never
above.

The evidence must match. In time: a cause is not later than its effect, and of two things seen at the same step the
one that comes earlier within a step (`phase`) is the cause; only of two readings of one place ("here", below) neither
comes first, whichever passes its bound earlier. In place: the effect's rule says from where such an
effect comes (`flow`): "backward", from between it and the loss; "forward", from between the input and it;
"connected", from either; "after", from further up than itself; "here", from the same layer (or from further up, if
the cause is no activation); otherwise from anywhere. In kind: the effect's rule may say of a cause that it can't have
done this much (`can_follow`).

The same rule at several places that share a function, or with the same to say of several functions, is one fault with
one remedy: its likeliest finding leads, the others are shown under it.

Two findings that explain each other (a saturated layer, too large updates) must not vanish behind each other: of such a
ring the likeliest is the cause, the others are its consequences. So each finding is a cause or under one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnose.diagnosis.reach import reachable
from diagnose.rules.rule import PARTS, Rule
from diagnose.run.layout import Layout
from diagnose.verdict import Finding

ALIKE = 12  # a guess: places of one fault that are looked at for links to other rules
SAME_FAULT = frozenset({"activation", "initialization"})  # parts whose findings at several places have one remedy
_PART_ORDER = {part: order for order, part in enumerate(PARTS)}


@dataclass(frozen=True, slots=True)
class Node:
    """A finding with its rule, and all places that it speaks of (a function's profile speaks of each of its sites)."""

    finding: Finding
    rule: Rule
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The links between findings, by their place in the list that was given.

    edges: for each finding, those it explains directly; reach: itself and all that follows from it; causes: those
    nothing else explains, likeliest first; under: for each cause all that follows from it; rivals: for each cause the
    other causes that explain some of the same.
    """

    edges: tuple[tuple[int, ...], ...]
    reach: tuple[frozenset[int], ...]
    causes: tuple[int, ...]
    under: tuple[tuple[int, ...], ...]
    rivals: tuple[tuple[int, ...], ...]


def explain(nodes: Sequence[Node], layout: Layout) -> Explanation:
    """Link findings, find the causes, and put the likeliest first."""
    edges = links(nodes, layout)
    reach = reachable(edges)
    rules = {found: {nodes[index].finding.rule for index in found} for found in set(reach)}
    weight = [len(rules[found] - {node.finding.rule}) for node, found in zip(nodes, reach, strict=True)]
    rank = sorted(range(len(nodes)), key=lambda index: (_likeliness(nodes[index], weight[index]), index))
    led_to = {index for found in set(reach) for index in found if reach[index] is not found}
    causes: list[int] = []
    covered: set[int] = set()
    for index in rank:
        if index not in led_to and index not in covered:
            causes.append(index)
            covered.update(reach[index])
    causes = _one_of_each_rule_first(causes, nodes)
    symptoms = [reach[cause].difference(causes) for cause in causes]
    place = {index: at for at, index in enumerate(rank)}
    under = tuple(tuple(sorted(found, key=place.__getitem__)) for found in symptoms)
    rivals = tuple(
        tuple(
            other
            for other, others in zip(causes, symptoms, strict=True)
            if nodes[other].finding.rule != nodes[cause].finding.rule and not mine.isdisjoint(others)
        )
        for cause, mine in zip(causes, symptoms, strict=True)
    )
    return Explanation(tuple(tuple(sorted(found)) for found in edges), tuple(reach), tuple(causes), under, rivals)


def _likeliness(node: Node, explained: int) -> tuple[float, int, int]:
    """What to sort by, likeliest first: confidence, gravity and what it explains; in a tie the order of the parts.

    In a tie of these, too, what explains more.

    A twentieth is the step of the scale: finer differences between confidences mean nothing.
    """
    score = node.finding.confidence + 0.1 * (node.finding.severity == "critical") + 0.05 * min(explained, 4)
    if node.rule.last_resort:
        score = 0.0
    return -round(score * 20) / 20, _PART_ORDER.get(node.rule.part, len(_PART_ORDER)), -explained


def _one_of_each_rule_first(causes: list[int], nodes: Sequence[Node]) -> list[int]:
    """The same causes, so that four saturated layers do not hide the second rule's finding."""
    seen: set[str] = set()
    first: list[int] = []
    rest: list[int] = []
    for index in causes:
        (rest if nodes[index].finding.rule in seen else first).append(index)
        seen.add(nodes[index].finding.rule)
    return first + rest


def links(nodes: Sequence[Node], layout: Layout) -> list[set[int]]:
    """For each finding those that it explains directly, where rule, time and place match.

    The same rule at several places with the same function is one fault: its likeliest finding and the others explain
    each other, and only the first `ALIKE` of them are looked at for links to other rules, so that a deep network
    stays quick.
    """
    edges: list[set[int]] = [set() for _ in nodes]
    by_rule: dict[str, list[int]] = {}
    for members in _alike(nodes, layout):
        lead = members[0]
        edges[lead].update(members[1:])
        for other in members[1:]:
            edges[other].add(lead)
        by_rule.setdefault(nodes[lead].finding.rule, []).extend(members[:ALIKE])
    resorts = {index for index, node in enumerate(nodes) if node.rule.last_resort}
    for name, members in by_rule.items():
        effects = [other for effect in nodes[members[0]].rule.explains for other in by_rule.get(effect, ())]
        for index in members:
            node = nodes[index]
            if index not in resorts:
                edges[index].update(resorts)
            edges[index].update(
                other
                for other in effects
                if nodes[other].finding.rule != name
                and _in_time(node, nodes[other])
                and _in_place(node, nodes[other], layout)
                and _in_kind(node, nodes[other])
            )
    return edges


def _alike(nodes: Sequence[Node], layout: Layout) -> list[list[int]]:
    """Places in the list, grouped by what is one fault, the likeliest of each group first."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, node in enumerate(nodes):
        key: tuple[object, ...] = (node.finding.rule, index)
        if node.rule.part in SAME_FAULT:
            key = (node.finding.rule, layout.site(node.finding.where).function)
        elif node.rule.part == "function":  # a lambda in each layer is a function of its own, with one fault
            key = (node.finding.rule, node.finding.message)
        groups.setdefault(key, []).append(index)
    return [sorted(members, key=lambda index: (_likeliness(nodes[index], 0), index)) for members in groups.values()]


def _in_time(cause: Node, effect: Node) -> bool:
    first, then = cause.finding.since, effect.finding.since
    if first is None or then is None or first < then:
        return True
    if effect.rule.flow == "here" and cause.finding.where == effect.finding.where:
        return True
    if first > then:
        return False
    phases = cause.rule.phase, effect.rule.phase
    return phases[0] is None or phases[1] is None or phases[0] <= phases[1]


def _in_kind(cause: Node, effect: Node) -> bool:
    can_follow = effect.rule.can_follow
    return can_follow is None or bool(can_follow(effect.finding, cause.finding))


def _in_place(cause: Node, effect: Node, layout: Layout) -> bool:
    flow = effect.rule.flow
    return not flow or any(
        _on_the_way(flow, cause, one, other, layout) for one in cause.places for other in effect.places
    )


def _on_the_way(flow: str, cause: Node, one: str, other: str, layout: Layout) -> bool:
    if not one or not other:
        return True
    if flow == "after":
        return layout.feeds(one, other) is not False and (layout.layer(one) or one) != (layout.layer(other) or other)
    if one == other:
        return True
    if flow == "backward":
        return layout.feeds(other, one) is not False
    if flow == "connected":
        return layout.feeds(other, one) is not False or layout.feeds(one, other) is not False
    if flow == "here" and cause.rule.part in ("activation", "function"):
        layer = layout.layer(one)
        return layer is not None and layer == layout.layer(other)
    return layout.feeds(one, other) is not False
