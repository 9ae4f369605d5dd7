"""What trials showed, in words: for the terminal, and the sentences that the page has, too."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diagnose.diagnosis.proof import ProofRecord, RemedyVerdict, Trial
from diagnose.remedy import named_for
from diagnose.report.presentation import TONES as TONES_OF_REPORT
from diagnose.report.presentation import inside, title_of
from diagnose.verdict import Finding
from diagnose.wording import counted, listed, printable

WIDTH = 92
TONES = TONES_OF_REPORT | {
    "cures": "good",
    "helps": "warn",
    "no effect": "quiet",
    "harms": "bad",
    "undecided": "quiet",
    "failed": "bad",
}
STYLES = {"good": "green", "warn": "yellow", "bad": "red", "quiet": "dim"}
REMEDIES_SHOWN = 12  # of those not tried


def headline(proof: ProofRecord) -> str:
    """The proof in one sentence."""
    trained = [trial for trial in proof.unchanged if not trial.error]
    seeds = counted(len(proof.unchanged), "seed")
    if not proof.fault:
        return f"Nothing to cure: the unchanged program showed no cause on {seeds}."
    if not proof.fault_reproduced:
        causes = listed(inside(title_of(rule)) for rule in proof.fault)
        return (
            f"Not reproduced: {len(trained)} trainings of the unchanged program show no {causes}, so nothing was tried."
        )
    if proof.best is None:
        tried = len(proof.verdicts)
        return f"No cure found: {counted(tried, 'remedy' if tried == 1 else 'remedie')} tried, none of them helps."
    found = proof.verdicts[0]
    return f"{found.remedy.text}: this {'cures' if found.verdict == 'cures' else 'helps, but does not cure'}."


def gate(proof: ProofRecord) -> str:
    """On how many seeds the unchanged program shows the fault."""
    shown = [trial for trial in proof.unchanged if set(proof.fault) & set(trial.warned)]
    causes = listed((inside(title_of(rule)) for rule in proof.fault), 4)
    skills = listed((_skill(trial) for trial in proof.unchanged), 6)
    return (
        f"Unchanged, the program shows the fault on {len(shown)} of {counted(len(proof.unchanged), 'seed')}"
        f"{f' ({causes})' if causes else ''}; skill {skills} (0: always guessing, 1: perfect)."
    )


def to_text(proof: ProofRecord, width: int = WIDTH) -> str:
    """The proof as plain text for a terminal."""
    console = Console(file=(out := io.StringIO()), width=width, highlight=False, color_system=None)
    show(proof, console)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


def show(proof: ProofRecord, console: Console) -> None:
    """Print the proof: the verdict, the gate, each remedy, the code of the best one."""
    console.print(Text(printable(headline(proof)), style="bold"))
    console.print(Text(printable(gate(proof))))
    if proof.interrupted:
        console.print(Text(printable(f"Ended before its time: {proof.interrupted}."), style="yellow"))
    if proof.verdicts:
        console.print()
        console.print(_table(proof.verdicts))
    if code := best_code(proof):
        console.print(Text("\nWhat to change:", style="bold"))
        console.print(Text("\n".join(f"    {printable(line)}" for line in code)), soft_wrap=True)
    for cause, badge in badges(proof):
        console.print(Text(f"{title_of(cause.rule)}: {badge}", style=STYLES[TONES[badge]]))
    for remedy, why in proof.untried[:REMEDIES_SHOWN]:
        console.print(Text(printable(f"Not tried ({why}): {remedy.text}."), style="dim"))


def best_code(proof: ProofRecord) -> list[str]:
    """Lines to paste for the best remedy; none where there is no remedy, or no code for it."""
    if proof.best is None:
        return []
    return named_for(proof.best, proof.examined.run.facts.model.name).code.splitlines()


def badges(proof: ProofRecord) -> Iterator[tuple[Finding, str]]:
    """Each cause, once a rule, with what the trials make of it."""
    known = {finding.rule: finding for finding in reversed([*proof.examined.causes, *proof.examined.findings])}
    for rule, badge in proof.badges.items():
        yield known[rule], badge


def _table(verdicts: Sequence[RemedyVerdict]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "Remedy", "Skill before", "after", "Seeds"):
        table.add_column(name, justify="right" if name in ("Skill before", "after", "Seeds") else "left")
    for each in verdicts:
        table.add_row(
            Text(each.verdict, style=STYLES[TONES[each.verdict]]),
            Text(printable(each.remedy.text)),
            _number(each.before),
            _number(each.after),
            str(len(each.seeds)),
        )
        if each.verdict == "failed":
            table.add_row("", Text(printable(each.reason), style="dim"), "", "", "")
    return table


def _number(skill: float | None) -> str:
    return "–" if skill is None else f"{skill:.2f}"


def _skill(trial: Trial) -> str:
    return f"{trial.skill:.2f}" if not trial.error else "failed"
