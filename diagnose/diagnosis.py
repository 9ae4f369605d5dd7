"""Order of findings: the cause first, its symptoms after it.

Outcome first, then the rules, then what explains what (`explanation`), then one headline. A finding whose harm can't be
seen in the outcome is lowered to a note here, not in the rule: a rule says what it measured, and only the diagnosis
knows whether the training suffered. Numbers, configuration and reporting stand by themselves. The other way, a finding
is raised to the severity of what it explains: a root never looks less grave than its symptoms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from diagnose.explanation import Explanation, Node, explain, links, reachable
from diagnose.headline import BY_ITSELF, headline
from diagnose.layout import Layout
from diagnose.outcome import Outcome, OutcomeName, outcome_of
from diagnose.rules import ALL_RULES, HARM_MUST_SHOW, Rule
from diagnose.run import Run
from diagnose.verdict import SEVERITIES, Finding, NotMeasured, Severity, Verdict

PARTS_BY_RULE = {rule.name: rule.part for rule in ALL_RULES}
SLOPE_AT_WORK = frozenset({"saturated-activation", "folded-activation", "blocked-gradient", "amplified-gradient"})
SURE = 0.7  # a guess: where harm shows only in part, a warning stands from this confidence on
SURE_WHILE_RISING = 0.8  # a guess: and from this one on while the skill still grows by itself
UNTRAINED = "an audit looks before any training"
SPELLED_OUT = 4  # names of rules in a sentence; the evidence holds them all


@dataclass(frozen=True)
class Diagnosis:
    """What happened, why, where, how sure, and what to change.

    outcome, outcome_reason: what the training achieved (`outcome.OUTCOMES`), and the numbers that say so.
    headline: the verdict in one or two sentences.
    causes: findings of severity warning or critical that nothing else explains, most likely first.
    findings: all of them with the severity finally given, causes first, then consequences, then notes.
    not_measured: what could not be looked at, and why; also what there was nothing to look at for (`applies` False).
    run: what was judged.
    consequences_of: for each cause (by its place in `causes`), the findings it explains, directly or through others.
    looked: how many of the rules could look.
    ruled_out: names of the rules that looked and found nothing anywhere.
    """

    outcome: OutcomeName
    outcome_reason: str
    headline: str
    causes: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    not_measured: tuple[NotMeasured, ...]
    run: Run = field(repr=False)
    consequences_of: tuple[tuple[Finding, ...], ...] = ()
    looked: int = 0
    ruled_out: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """No causes, and the model is learning."""
        return not self.causes and self.outcome == "learning"

    def to_html(self, path: str | Path) -> Path:
        """Write the report, one self-contained page, and give its path."""
        from diagnose.report.html import write_html

        return write_html(self, path)

    def to_json(self) -> str:
        """The verdict as JSON text (without the measurements, which are in the run file)."""
        from diagnose.report.json import to_json

        return to_json(self)

    def __str__(self) -> str:
        """The verdict as terminal text."""

        from diagnose.report.terminal import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from diagnose.report.notebook import to_fragment

        return to_fragment(self)


def examine(run: Run) -> Diagnosis:
    """Judge a run: outcome, rules, ranked causes, headline."""
    outcome, layout = outcome_of(run), Layout(run)
    verdicts = [*_of_run(run), *_of_profiles(run, layout)]
    looked = {rule.name for rule, verdict, _ in verdicts if not isinstance(verdict, NotMeasured)}
    not_measured = tuple(
        dict.fromkeys([*_unseen(run), *(verdict for _, verdict, _ in verdicts if isinstance(verdict, NotMeasured))])
    )
    seen = [Node(verdict, rule, places) for rule, verdict, places in verdicts if isinstance(verdict, Finding)]
    found = _judged_by_harm(seen, layout, outcome, looked)
    noted = {node.finding.rule for node in found}
    ruled_out = tuple(rule.name for rule in ALL_RULES if rule.name in looked and rule.name not in noted)
    grave = [node for node in found if node.finding.severity != "note"]
    ranked = explain(grave, layout)
    told = _linked(grave, ranked)
    shown: list[tuple[int, list[int]]] = []
    for index, explained in zip(ranked.causes, ranked.under, strict=True):
        told[index] = _with_ruled_out(told[index], _in_the_way_of_learning(ruled_out))
        shown.append(_at_work_first(index, list(explained), grave, ranked, told, layout))
    causes = tuple(told[index] for index, _ in shown)
    consequences_of = tuple(tuple(told[index] for index in under) for _, under in shown)
    consequences = tuple(dict.fromkeys(index for _, under in shown for index in under))
    notes = sorted(
        (node.finding for node in found if node.finding.severity == "note"), key=lambda finding: -finding.confidence
    )
    return Diagnosis(
        outcome=outcome.name,
        outcome_reason=outcome.reason,
        headline=headline(outcome, causes, consequences_of[0] if causes else (), len(looked), len(ruled_out)),
        causes=causes,
        findings=(*causes, *(told[index] for index in consequences), *notes),
        not_measured=not_measured,
        run=run,
        consequences_of=consequences_of,
        looked=len(looked),
        ruled_out=ruled_out,
    )


def _unseen(run: Run) -> Iterator[NotMeasured]:
    """What the monitor itself could not see: parts that failed or had to be left alone, and places out of reach."""
    for note in run.notes:
        yield NotMeasured("", note)
    for where, reason in run.meta.get("unmeasured", {}).items():
        yield NotMeasured(where, reason)


def severity_shown(finding: Finding, rule: Rule, outcome: Outcome) -> Severity:
    """The severity with which a finding is shown, given what the training achieved.

    A finding is a fault only where harm shows. Clear harm: as the rule sees it. Harm in part (it learned, yet not
    well): one step lower, and of the warnings only the sure ones, the surer while the skill still grows by itself. No
    yardstick: only the critical ones, as warnings. No harm: a note. A rule whose evidence is itself a part of the
    outcome (`SHOWS_HARM`), such as the gap to validation, stands; one that harms when the training is long over
    (`HARMS_LATER`) is no reason for what it achieved.
    """
    if getattr(rule.module, "HARMS_LATER", False):
        return "note"
    if finding.severity == "note" or rule.part not in HARM_MUST_SHOW or getattr(rule.module, "SHOWS_HARM", False):
        return finding.severity
    if outcome.harm == "clear":
        return finding.severity
    if outcome.harm == "none":
        return "note"
    if finding.severity == "critical":
        return "warning"
    bound = SURE_WHILE_RISING if outcome.rising else SURE
    return "warning" if outcome.harm == "partial" and finding.confidence >= bound else "note"


def _judged_by_harm(seen: Sequence[Node], layout: Layout, outcome: Outcome, looked: set[str]) -> list[Node]:
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
        effects = {name for name in rule.explains if name in looked and PARTS_BY_RULE[name] != "function"}
        met = any(seen[grave[other]].finding.rule in effects for other in follows)
        anywhere = getattr(rule.module, "ANYWHERE", False)
        if rule.part == "function" and effects and not met and not anywhere:
            shown[index] = "note"
    standing = [
        severity != "note" and (outcome.harm != "none" or getattr(node.rule.module, "SHOWS_HARM", False))
        for severity, node in zip(shown, seen, strict=True)
    ]
    for index, follows in zip(grave, reachable(edges), strict=True):
        rule = seen[index].rule
        sure = getattr(rule.module, "ANYWHERE", False) and seen[index].finding.severity == "critical"
        explains_harm = (sure or rule.part != "function") and any(standing[grave[at]] for at in follows)
        if shown[index] == "note" and explains_harm:
            shown[index] = "warning"
    return [
        Node(replace(node.finding, severity=severity), node.rule, node.places)
        for node, severity in zip(seen, shown, strict=True)
    ]


def _of_run(run: Run) -> Iterator[tuple[Rule, Verdict, tuple[str, ...]]]:
    for rule in ALL_RULES:
        if rule.subject == "run":
            for verdict in rule.verdicts(run):
                if run.before_training and isinstance(verdict, NotMeasured) and rule.part != "configuration":
                    verdict = NotMeasured("", UNTRAINED, rule.name, applies=False)
                yield rule, verdict, (verdict.where,)


def _of_profiles(run: Run, layout: Layout) -> Iterator[tuple[Rule, Verdict, tuple[str, ...]]]:
    """What the rules say of each profiled activation, at the first hidden site, or the layer that loops."""
    profiles: dict[str, Any] = run.meta.get("profiles") or {}
    rules = [rule for rule in ALL_RULES if rule.subject == "profile"]
    if not profiles or not rules:
        own = any(site.get("custom") for site in layout.sites.values())
        what = "no activation of the model's own was profiled" if own else "all activations of the model are Keras' own"
        if not layout.sites:
            what = UNTRAINED if run.before_training else "no activation was seen"
        applies = own or not (layout.sites or run.before_training)
        for rule in rules:
            yield rule, NotMeasured("", what, rule.name, applies), ("",)
        return
    from diagnose.activation import ActivationProfile

    for name, facts in profiles.items():
        places = tuple(where for where, site in layout.sites.items() if site.get("function") == name)
        places += tuple(run.meta.get("inside", {}).get(name, ()))
        hidden = [where for where in places if layout.hidden(where)]
        where = next(iter(hidden or places), "")
        try:
            profile = ActivationProfile.from_dict(facts)
        except (KeyError, TypeError, ValueError) as error:
            for rule in rules:
                yield (
                    rule,
                    NotMeasured(where, f"the profile of `{name}` could not be read: {error}", rule.name),
                    (where,),
                )
            continue
        for rule in rules:
            for verdict in rule.verdicts(profile):
                yield rule, replace(verdict, where=where), places or ("",)


def _linked(nodes: Sequence[Node], ranked: Explanation) -> list[Finding]:
    """The findings with what each explains directly, and the causes with their rivals.

    What explains a finding is no less severe than it: mend the one, and the other goes.
    """
    rivals = dict(zip(ranked.causes, ranked.rivals, strict=True))
    reach = reachable([set(edges) for edges in ranked.edges])

    def names(indices: Sequence[int], but: str) -> tuple[str, ...]:
        found = dict.fromkeys(nodes[index].finding.rule for index in indices)
        return tuple(name for name in found if name != but)

    return [
        replace(
            node.finding,
            severity=min((nodes[at].finding.severity for at in {index, *reach[index]}), key=SEVERITIES.index),
            explains=names(ranked.edges[index], node.finding.rule),
            rivals=names(rivals.get(index, ()), node.finding.rule),
        )
        for index, node in enumerate(nodes)
    ]


def _at_work_first(
    cause: int,
    under: list[int],
    nodes: Sequence[Node],
    ranked: Explanation,
    told: list[Finding],
    layout: Layout,
) -> tuple[int, list[int]]:
    """A cause and what follows from it; of a function's own fault, what it did in this training comes first.

    A profile says what a function would do, a measurement what it did: both are one fault, and the measured one knows
    the place, the step and the size of the remedy. The profile's finding then stands below it, as its explanation.
    Not so where the function is at fault whatever inputs it meets, where only its own remedy helps (`OWN_REMEDY`), or
    where its effect has remedies of other kinds (dead units ask for another learning rate).
    """
    met = [
        other
        for other in under
        if nodes[cause].rule.part == "function"
        and not getattr(nodes[cause].rule.module, "ANYWHERE", False)
        and not getattr(nodes[cause].rule.module, "OWN_REMEDY", False)
        and (nodes[other].finding.rule in SLOPE_AT_WORK or _broke_in_a_loop(nodes[other].finding, layout))
        and nodes[other].finding.where in nodes[cause].places
    ]
    reach = reachable([set(edges) for edges in ranked.edges])
    roots = [index for index in met if not any(index in reach[other] for other in met if other != index)] or met
    if not roots:
        return cause, under
    first = min(
        roots,
        key=lambda index: (
            SEVERITIES.index(nodes[index].finding.severity),  # its own, not that of what it explains
            layout.position(told[index].where),
            -told[index].confidence,
        ),
    )
    rest = [index for index in under if index != first]
    function, effect = told[cause], told[first]
    told[first] = replace(
        effect,
        message=f"{effect.message}{BY_ITSELF}{function.message}",
        confidence=max(effect.confidence, function.confidence),
        explains=tuple(
            name for name in dict.fromkeys([function.rule, *effect.explains, *function.explains]) if name != effect.rule
        ),
        rivals=function.rivals,
    )
    return first, [cause, *rest]


def _broke_in_a_loop(finding: Finding, layout: Layout) -> bool:
    """Whether this is what a recurrent layer did with a function that it applies again and again."""
    return finding.rule == "non-finite-activation" and layout.sites.get(finding.where, {}).get("role") == "recurrent"


def _with_ruled_out(finding: Finding, ruled_out: Sequence[str]) -> Finding:
    """A last resort among the causes says what was looked for and not found."""
    rule = next(rule for rule in ALL_RULES if rule.name == finding.rule)
    if not getattr(rule.module, "TELLS_RULED_OUT", False) or not ruled_out:
        return finding
    named = ", ".join(ruled_out[:SPELLED_OUT])
    told = f"{len(ruled_out)} rules, among them {named}" if len(ruled_out) > SPELLED_OUT else named
    return replace(
        finding,
        message=f"{finding.message} Ruled out: {told}.",
        evidence={**finding.evidence, "ruled out": ", ".join(ruled_out)},
    )


def _in_the_way_of_learning(names: Sequence[str]) -> list[str]:
    """Those of the rules that would explain why nothing is learned, the activation's and the optimizer's first."""
    parts = ("activation", "optimizer", "numbers", "initialization", "data", "configuration", "reporting", "function")
    return sorted(
        (name for name in names if PARTS_BY_RULE[name] in parts), key=lambda name: parts.index(PARTS_BY_RULE[name])
    )
