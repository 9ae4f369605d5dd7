"""How grave a finding is, given what the training achieved.

A rule says what it measured; only here is it known whether the training suffered. Numbers, configuration and
reporting stand by themselves. Of all else a finding is a fault only where harm shows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from diagnose.diagnosis.explanation import Node, links
from diagnose.diagnosis.reach import reachable
from diagnose.outcome.outcome import Outcome
from diagnose.rules.catalogue import PART_OF
from diagnose.rules.rule import HARM_MUST_SHOW, Rule
from diagnose.run.layout import Layout
from diagnose.verdict import Finding, Severity

SURE = 0.7  # a guess: where harm shows only in part, a warning stands from this confidence on
SURE_WHILE_RISING = 0.8  # a guess: and from this one on while the skill still grows by itself


def severity_shown(finding: Finding, rule: Rule, outcome: Outcome) -> Severity:
    """The severity with which a finding is shown, given what the training achieved.

    A finding is a fault only where harm shows. Clear harm: as the rule sees it. Harm in part (it learned, yet not
    well): one step lower, and of the warnings only the sure ones, the surer while the skill still grows by itself. No
    yardstick: only the critical ones, as warnings. No harm: a note. A rule whose evidence is itself a part of the
    outcome (`shows_harm`), such as the gap to validation, stands; one that harms when the training is long over
    (`harms_later`) is no reason for what it achieved. What is only unusual (`only_unusual`) is a note where the network
    learned well, beside simple models too.
    """
    if rule.harms_later or (rule.only_unusual and finding.severity == "warning" and _is_reached(outcome)):
        return "note"
    if finding.severity == "note" or rule.part not in HARM_MUST_SHOW or rule.shows_harm:
        return finding.severity
    if outcome.harm == "clear":
        return finding.severity
    if outcome.harm == "none":
        return "note"
    if finding.severity == "critical":
        return "warning"
    bound = SURE_WHILE_RISING if outcome.rising else SURE
    return "warning" if outcome.harm == "partial" and finding.confidence >= bound else "note"


def _is_reached(outcome: Outcome) -> bool:
    return outcome.name == "learning" and outcome.harm == "none" and outcome.reached


def judged_by_harm(seen: Sequence[Node], layout: Layout, outcome: Outcome, looked: Collection[str]) -> list[Node]:
    """The findings with the severity to be shown.

    Where harm shows in part only, a warning stands, however unsure, if it explains one that does: the harm is the same.
    Where none shows in the skill, so does what explains a finding that is itself a harm, such as the gap to validation;
    of functions only those that are at fault whatever inputs they meet, critically.
    What the profile of a function warns of is a note where the rules that would see its effect looked at the training
    and saw none: the inputs it really met don't go there.
    """
    shown: list[Severity] = [severity_shown(node.finding, node.rule, outcome) for node in seen]
    grave = [index for index, node in enumerate(seen) if node.finding.severity != "note"]
    edges = links([seen[index] for index in grave], layout)
    for index, follows in zip(grave, edges, strict=True):
        rule = seen[index].rule
        effects = {name for name in rule.explains if name in looked and PART_OF[name] != "function"}
        met = any(seen[grave[other]].finding.rule in effects for other in follows)
        if rule.part == "function" and effects and not met and not rule.anywhere:
            shown[index] = "note"
    standing = [
        severity != "note" and (outcome.harm != "none" or node.rule.shows_harm)
        for severity, node in zip(shown, seen, strict=True)
    ]
    reach = reachable(edges)
    harmful = {found: any(standing[grave[at]] for at in found) for found in set(reach)}
    for index, reached in zip(grave, reach, strict=True):
        rule = seen[index].rule
        sure = rule.anywhere and seen[index].finding.severity == "critical"
        explains_harm = (sure or rule.part != "function") and harmful[reached]
        if shown[index] == "note" and explains_harm:
            shown[index] = "warning"
    return [
        Node(_shown(node, severity, outcome), node.rule, node.places)
        for node, severity in zip(seen, shown, strict=True)
    ]


def _shown(node: Node, severity: Severity, outcome: Outcome) -> Finding:
    """The finding with this severity, and why it is a note where it would be more otherwise."""
    finding = replace(node.finding, severity=severity)
    if severity == "note" and node.rule.only_unusual and node.finding.severity == "warning" and _is_reached(outcome):
        told = "Unusual, and harmless here: the network learns, and reaches what simple models reach."
        finding = replace(finding, message=f"{finding.message} {told}")
    return finding
