"""What trials of remedies showed: each training as a row, and a verdict on each remedy, compared seed by seed.

A remedy *cures* where on every seed that showed the fault the training learned, the cause was gone, nothing simple
reaches more, and what was gained is beyond what the seeds differ by anyhow. Less than that *helps*. The comparison is
paired: the same seed with and without the change, so that a lucky start is no cure. Published tools count a model as
repaired when one retraining ends better, which random search reaches as often (arXiv 2301.11568).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from diagnose.diagnosis.headline import headline_of_cause
from diagnose.diagnosis.record import DiagnosisRecord
from diagnose.outcome.outcome import OutcomeName
from diagnose.remedy import Remedy
from diagnose.verdict import Finding
from diagnose.wording import counted

Verdict = Literal["cures", "helps", "no effect", "harms", "undecided", "failed"]

#: From the best down: the order in which verdicts are shown.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: What trials can make of a cause; the order is that of causes afterwards.
BADGES = ("proven", "undecided", "not tried", "refuted")

LEAST = 0.02  # a guess: of the skill; what nobody would change a program for
CALM = 2.0  # arithmetic: two standard deviations of the unchanged program's own skills
PAIR = 2  # arithmetic: seeds that must show the fault before their spread says anything


@dataclass(frozen=True, slots=True)
class Trial:
    """One training: of the unchanged program (`remedy` None), or with a remedy applied.

    outcome, skill_train, skill_validation: as the diagnosis of this training has them; None where not measured.
    loss: the last of the training's logs. seconds: of the fit. causes: of its diagnosis; warned: names of all rules
    with a warning or critical finding. history: epoch logs. changed: what the remedy changed in the program. weights:
    a digest of the last weights. error: why it could not be trained or changed; "" if all went well.
    """

    remedy: Remedy | None
    seed: int
    outcome: OutcomeName = "unknown"
    skill_train: float | None = None
    skill_validation: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    causes: tuple[Finding, ...] = ()
    warned: tuple[str, ...] = ()
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    weights: str = ""
    error: str = ""

    @property
    def skill(self) -> float:
        """What counts: the skill on validation samples, else on training samples; 0 is always guessing.

        A training that broke, or was not measured, has none; less than guessing is no worse than it.
        """
        if self.error or self.outcome == "diverged":
            return 0.0
        known = self.skill_validation if self.skill_validation is not None else self.skill_train
        return max(known or 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RemedyVerdict:
    """What the trials of one remedy showed.

    remedy: what was changed. rule: the cause that it is for. verdict: one of `VERDICTS`. before, after: mean skill over
    the seeds compared, without and with the change. reason: the numbers behind the verdict, in a sentence. seeds: those
    compared.
    """

    remedy: Remedy
    rule: str
    verdict: Verdict
    before: float | None
    after: float | None
    reason: str
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProofRecord:
    """What trials showed of a fault and its remedies.

    fault_reproduced: whether some seed of the unchanged program showed the fault. fault: names of the rules that it is.
    verdicts: of the remedies, the best first. best: the remedy that cures, or else helps most; None where none does.
    unchanged, tried: all trainings. untried: what could not be tried, and why. budget: fits allowed beyond the
    unchanged ones. interrupted: why it ended before its time, "" if it did not. examined: the diagnosis whose causes
    were tried.
    """

    fault_reproduced: bool
    fault: tuple[str, ...]
    verdicts: tuple[RemedyVerdict, ...]
    best: Remedy | None
    unchanged: tuple[Trial, ...]
    tried: tuple[Trial, ...]
    examined: DiagnosisRecord = field(repr=False)
    untried: tuple[tuple[Remedy, str], ...] = ()
    budget: int = 0
    interrupted: str = ""

    @property
    def badges(self) -> dict[str, str]:
        """For each cause by its rule, what trials make of it: "proven", "refuted", "undecided" or "not tried".

        What seemed a consequence is a cause, too, where its own remedy cures.
        """
        cured = {each.rule for each in self.verdicts if each.verdict == "cures"}
        told = {}
        for rule in [*(cause.rule for cause in self.examined.causes), *sorted(cured)]:
            found = {each.verdict for each in self.verdicts if each.rule == rule}
            if rule in cured:
                told[rule] = "proven"
            elif found <= {"failed"}:
                told[rule] = "not tried"
            else:
                told[rule] = "undecided" if found & {"helps", "undecided"} else "refuted"
        return told


def judged(remedy: Remedy, cause: Finding, unchanged: Sequence[Trial], tried: Sequence[Trial]) -> RemedyVerdict:
    """What the trials of one remedy say, against the unchanged trainings of the same seeds that showed the cause.

    tried: of this remedy. Seeds that were not tried, because an earlier one showed that it is no cure, leave the
    verdict with the seeds there are.
    """
    rule = cause.rule
    with_fault = {trial.seed: trial for trial in unchanged if rule in trial.warned}
    pairs = [(with_fault[trial.seed], trial) for trial in tried if trial.seed in with_fault]

    def said(verdict: Verdict, reason: str) -> RemedyVerdict:
        before = statistics.fmean(one.skill for one, _ in pairs) if pairs else None
        after = statistics.fmean(other.skill for _, other in pairs) if pairs else None
        return RemedyVerdict(remedy, rule, verdict, before, after, reason, tuple(other.seed for _, other in pairs))

    if not pairs:
        return said("undecided", "it was not tried on a seed that shows the fault")
    if errors := [trial for _, trial in pairs if trial.error]:
        return said("failed", f"seed {errors[0].seed}: {errors[0].error}")
    gains = [other.skill - one.skill for one, other in pairs]
    gain = statistics.fmean(gains)
    least = max(_spread(one for one, _ in pairs), _spread(other for _, other in pairs), LEAST)
    gone = sum(rule not in other.warned for _, other in pairs)
    learned = sum(other.outcome == "learning" for _, other in pairs)
    count = counted(len(pairs), "seed")
    numbers = (
        f"skill {_mean(one for one, _ in pairs)} before, {_mean(other for _, other in pairs)} after "
        f"(mean of {count}; seeds differ by {least:.2f}); the cause is gone in {gone} of {len(pairs)}, "
        f"{learned} of {len(pairs)} learn"
    )
    whole = len(pairs) == len(with_fault)
    if whole and gone == learned == len(pairs):
        if only_told_wrong(cause) and gain > -least:
            return said("cures", f"what is reported is right now; {numbers}")
        if gain > least and min(gains) > 0 and len(pairs) >= PAIR:
            return said("cures", numbers)
        if gain > least and min(gains) > 0:
            return said("helps", f"{numbers}; one seed shows no spread")
    if gain > least and min(gains) > 0:
        return said("helps", numbers)
    if gain < -least and max(gains) < 0:
        return said("harms", numbers)
    calm = max(_spread(one for one, _ in pairs), LEAST)
    if max(abs(gain) for gain in gains) <= CALM * calm or not whole:
        return said("no effect", numbers if whole else f"{numbers}; ended after {count}")
    return said("undecided", f"{numbers}; some seeds gain, some do not")


def hopeless(cause: Finding, before: Trial, after: Trial) -> bool:
    """Whether one pair of trainings shows that a remedy is no cure and hardly helps: the other seeds need no fit."""
    gained = after.skill - before.skill
    return bool(after.error) or (gained <= LEAST and not (only_told_wrong(cause) and cause.rule not in after.warned))


def ranked(verdicts: Sequence[RemedyVerdict]) -> list[RemedyVerdict]:
    """The best first: by verdict, then by what was gained; equal ones stay in the order of the advice."""
    return sorted(
        verdicts, key=lambda each: (VERDICTS.index(each.verdict), -(each.after or 0.0) + (each.before or 0.0))
    )


def best_of(verdicts: Sequence[RemedyVerdict]) -> Remedy | None:
    """The remedy to take: of those that cure, or else help, the first; None where there is neither."""
    found = [each.remedy for each in ranked(verdicts) if each.verdict in ("cures", "helps")]
    return found[0] if found else None


def reordered(proof: ProofRecord) -> DiagnosisRecord:
    """The diagnosis with its causes as the trials leave them: proven, undecided or not tried, refuted."""
    told = proof.badges
    examined = _with_proven(proof)
    order = sorted(range(len(examined.causes)), key=lambda place: BADGES.index(told[examined.causes[place].rule]))
    follow = [*examined.consequences_of, *[()] * len(examined.causes)]
    causes, consequences = tuple(examined.causes[at] for at in order), tuple(follow[at] for at in order)
    if causes == examined.causes:
        return replace(examined, badges=told)
    rest = tuple(finding for finding in examined.findings if finding not in causes)
    return replace(
        examined,
        headline=headline_of_cause(causes[0], (*causes[1:], *consequences[0])),
        causes=causes,
        consequences_of=consequences,
        findings=(*causes, *rest),
        badges=told,
    )


def _with_proven(proof: ProofRecord) -> DiagnosisRecord:
    """The diagnosis with what seemed a consequence among its causes, where its own remedy cures."""
    examined, told = proof.examined, proof.badges
    found = [
        next(finding for finding in examined.findings if finding.rule == rule)
        for rule in told
        if rule not in {cause.rule for cause in examined.causes}
    ]
    return replace(
        examined,
        causes=(*examined.causes, *found),
        consequences_of=(*examined.consequences_of, *[()] * len(found)),
    )


def only_told_wrong(cause: Finding) -> bool:
    """Whether the fault is in what is reported, and not in what is learned: its cure raises no skill."""
    return cause.blames[:1] in (("metric",), ("reporting",))


def _spread(trials: Iterable[Trial]) -> float:
    """By how much seeds differ of themselves: the standard deviation of their skills; 0 for a single one."""
    skills = [trial.skill for trial in trials]
    return statistics.stdev(skills) if len(skills) > 1 else 0.0


def _mean(trials: Iterable[Trial]) -> str:
    return f"{statistics.fmean(trial.skill for trial in trials):.2f}"
