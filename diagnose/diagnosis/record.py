"""`DiagnosisRecord`: the verdict on a run as plain data. `diagnose.api` adds the ways to show it."""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnose.outcome.outcome import OutcomeName
from diagnose.run.run import Run
from diagnose.verdict import Finding, NotMeasured


@dataclass(frozen=True)
class DiagnosisRecord:
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
    badges: rule of a cause -> what trials made of it ("proven", "undecided", "not tried", "refuted"); {} before any.
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
    badges: dict[str, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """No causes, and the model is learning."""
        return not self.causes and self.outcome == "learning"
