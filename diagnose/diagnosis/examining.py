"""The judgement of a run, from its case to one verdict.

Outcome first, then the rules, then how grave each finding is (`severity`), then what explains what (`explanation`),
then one headline. A finding is raised to the severity of what it explains: a root never looks less grave than its
symptoms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from diagnose.activation.function_profile import FunctionProfile
from diagnose.diagnosis.explanation import Explanation, Node, explain
from diagnose.diagnosis.headline import BY_ITSELF, headline
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.diagnosis.severity import judged_by_harm
from diagnose.outcome.outcome import why_unmeasured
from diagnose.remedy import named_for, together
from diagnose.rules.catalogue import ALL_RULES, PART_OF
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.met import met
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import SEVERITIES, Finding, NotMeasured, Verdict

UNTRAINED = "an audit looks before any training"
IGNORED = "ignored, as asked"
SPELLED_OUT = 4  # names of rules in a sentence; the evidence holds them all


def examine(run: Run, ignore: Iterable[str] = ()) -> DiagnosisRecord:
    """Judge a run: outcome, rules, ranked causes, headline.

    ignore: names of rules that judge nothing, beside those that the monitor was told to ignore.
    """
    case = Case.of(run)
    outcome, layout = case.outcome, case.layout
    ignored = {*ignore, *(run.facts.monitor.ignore or ())}
    rules = [rule for rule in ALL_RULES if rule.name not in ignored]
    verdicts = [*_of_run(case, rules), *_of_profiles(run, layout, rules), *_of_ignored(ignored)]
    looked = {rule.name for rule, verdict, _ in verdicts if not isinstance(verdict, NotMeasured)}
    not_measured = tuple(
        dict.fromkeys([*_unseen(run), *(verdict for _, verdict, _ in verdicts if isinstance(verdict, NotMeasured))])
    )
    seen = [Node(verdict, rule, places) for rule, verdict, places in verdicts if isinstance(verdict, Finding)]
    found = judged_by_harm(seen, layout, outcome, looked)
    noted = {node.finding.rule for node in found}
    ruled_out = tuple(rule.name for rule in ALL_RULES if rule.name in looked and rule.name not in noted)
    grave = [node for node in found if node.finding.severity != "note"]
    ranked = explain(grave, layout)
    told = [_with_code(finding, run.facts.model.name) for finding in _linked(grave, ranked)]
    shown: list[tuple[int, list[int]]] = []
    for index, explained in zip(ranked.causes, ranked.under, strict=True):
        if grave[index].rule.tells_ruled_out:
            told[index] = _with_ruled_out(told[index], _in_the_way_of_learning(ruled_out))
        shown.append(_at_work_first(index, list(explained), grave, ranked, told, layout))
    causes = tuple(told[index] for index, _ in shown)
    consequences_of = tuple(tuple(told[index] for index in under) for _, under in shown)
    consequences = tuple(dict.fromkeys(index for _, under in shown for index in under))
    notes = sorted(
        (_with_code(node.finding, run.facts.model.name) for node in found if node.finding.severity == "note"),
        key=lambda finding: -finding.confidence,
    )
    return DiagnosisRecord(
        outcome=outcome.name,
        outcome_reason=outcome.reason,
        headline=headline(
            outcome,
            causes,
            consequences_of[0] if causes else (),
            len(looked),
            len(ruled_out),
            measured=run.measured,
            unmeasured=why_unmeasured(run),
        ),
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
    for where, reason in run.facts.unmeasured.items():
        yield NotMeasured(where, reason)
    for where, asked in run.facts.references.items():
        if asked.reason:
            yield NotMeasured(where, f"no simple model stands beside the network: {asked.reason}")


def _of_ignored(names: Iterable[str]) -> Iterator[tuple[Rule, Verdict, tuple[str, ...]]]:
    for rule in ALL_RULES:
        if rule.name in names:
            yield rule, NotMeasured("", IGNORED, rule.name), ("",)


def _of_run(case: Case, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Verdict, tuple[str, ...]]]:
    for rule in rules:
        if rule.subject == "run":
            for verdict in rule.verdicts(case):
                if case.run.before_training and isinstance(verdict, NotMeasured) and rule.part != "configuration":
                    verdict = NotMeasured("", UNTRAINED, rule.name, applies=False)
                yield rule, verdict, (verdict.where,)


def _of_profiles(run: Run, layout: Layout, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Verdict, tuple[str, ...]]]:
    """What the rules say of each profiled activation, at the first hidden site, or the layer that loops."""
    profiles = run.facts.profiles
    rules = [rule for rule in rules if rule.subject == "profile"]
    if not profiles or not rules:
        own = any(site.custom for site in layout.sites.values())
        what = "no activation of the model's own was profiled" if own else "all activations of the model are Keras' own"
        if not layout.sites:
            what = UNTRAINED if run.before_training else "no activation was seen"
        applies = own or not (layout.sites or run.before_training)
        for rule in rules:
            yield rule, NotMeasured("", what, rule.name, applies), ("",)
        return
    for name, facts in profiles.items():
        places = tuple(where for where, site in layout.sites.items() if site.function == name)
        places += run.facts.inside.get(name, ())
        hidden = [where for where in places if layout.hidden(where)]
        where = next(iter(hidden or places), "")
        try:
            profile = FunctionProfile.from_dict(facts)
        except (KeyError, TypeError, ValueError) as error:
            for rule in rules:
                yield (
                    rule,
                    NotMeasured(where, f"the profile of `{name}` could not be read: {error}", rule.name),
                    (where,),
                )
            continue
        inputs = met(run, places)
        for rule in rules:
            for verdict in rule.verdicts(profile):
                told = _placed(verdict, where, hidden or list(places))
                yield rule, _unless_met(rule, profile, told, inputs), places or ("",)


def _placed(verdict: Verdict, where: str, places: Sequence[str]) -> Verdict:
    """What a rule says of a function, at the place that stands for all; its remedies change all the places."""
    if not isinstance(verdict, Finding):
        return replace(verdict, where=where)
    remedies = tuple(
        together(replace(remedy, where=place) for place in places) if remedy.takes_place and places else remedy
        for remedy in verdict.remedies
    )
    return replace(verdict, where=where, remedies=remedies)


def _with_code(finding: Finding, model: str) -> Finding:
    """The finding with the code of its remedies written for a model of this name."""
    return replace(finding, remedies=tuple(named_for(remedy, model) for remedy in finding.remedies))


def _unless_met(rule: Rule, profile: FunctionProfile, verdict: Verdict, inputs: tuple[float, float] | None) -> Verdict:
    """The verdict; a note where what it says of a function is nothing that the inputs of the training met."""
    if rule.met is None or inputs is None or not isinstance(verdict, Finding) or verdict.severity == "note":
        return verdict
    if rule.met(profile, *inputs):
        return verdict
    low, high = inputs
    message = f"{verdict.message} No input of this training came there: they lay between {low:.3g} and {high:.3g}."
    return replace(verdict, severity="note", message=message)


def _linked(nodes: Sequence[Node], ranked: Explanation) -> list[Finding]:
    """The findings with what each explains directly, and the causes with their rivals.

    What explains a finding is no less severe than it: mend the one, and the other goes.
    """
    rivals = dict(zip(ranked.causes, ranked.rivals, strict=True))
    gravest = {
        found: min((nodes[at].finding.severity for at in found), key=SEVERITIES.index) for found in set(ranked.reach)
    }

    def names(indices: Sequence[int], but: str) -> tuple[str, ...]:
        found = dict.fromkeys(nodes[index].finding.rule for index in indices)
        return tuple(name for name in found if name != but)

    return [
        replace(
            node.finding,
            severity=gravest[ranked.reach[index]],
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
    Not so where the function is at fault whatever inputs it meets, where only its own remedy helps (`own_remedy`), or
    where its effect has remedies of other kinds (dead units ask for another learning rate).
    """
    met = [
        other
        for other in under
        if nodes[cause].rule.part == "function"
        and not nodes[cause].rule.anywhere
        and not nodes[cause].rule.own_remedy
        and _is_at_work(nodes[other], layout)
        and nodes[other].finding.where in nodes[cause].places
    ]
    roots = [index for index in met if not any(index in ranked.reach[other] for other in met if other != index)] or met
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


def _is_at_work(node: Node, layout: Layout) -> bool:
    """Whether this is what the function of its place did in the training; `Rule.at_work` says where."""
    in_loop = layout.site(node.finding.where).role == "recurrent"
    return node.rule.at_work == "always" or (node.rule.at_work == "in loops" and in_loop)


def _with_ruled_out(finding: Finding, ruled_out: Sequence[str]) -> Finding:
    """The finding with what was looked for and not found."""
    if not ruled_out:
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
    return sorted((name for name in names if PART_OF[name] in parts), key=lambda name: parts.index(PART_OF[name]))
