"""A generated training bare and watched: whether anything differs, and of which choices a difference is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generated.training import differences, trained


@dataclass(frozen=True)
class Compared:
    """What became of one seed.

    outcome: "equal"; "raises": bare and watched raise the same, and all else is equal; "differs"; "failed": equal, but
        the monitor told that something of its own failed; "unrepeatable": two bare trainings differ already.
    what: what differs, or the monitor's words. choices: all that is not plain. observations: steps that were observed.
    reasons: why none was, as the monitor told.
    """

    seed: int
    outcome: str
    what: tuple[str, ...]
    choices: dict[str, str]
    plainest: dict[str, str]
    observations: int
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}: {option}" for name, option in self.choices.items())
        return f"seed {self.seed} {self.outcome}: {'; '.join(self.what) or '-'} [{chosen}]"


def compared(seed: int, forced: Mapping[str, str] | None = None) -> Compared:
    """Train bare and watched. Only where these differ two more bare ones say whether a bare one can be repeated."""
    bare, watched = trained(seed, False, forced), trained(seed, True, forced)
    assert watched.monitor is not None
    run = watched.monitor.run
    what = differences(bare.left, watched.left)
    fails = [told for told in watched.warned if " failed: " in told]
    if what and differences(bare.left, trained(seed, False, forced).left):
        outcome = "unrepeatable"
    elif what:
        outcome = "differs"
    elif fails and "error" not in bare.left:
        outcome, what = "failed", fails
    else:
        outcome = "raises" if "error" in bare.left else "equal"
        what = [bare.left["error"]] if outcome == "raises" else []
    notes = tuple(note for note in run.notes if note not in fails)
    unseen = notes or (("no note",) if outcome != "raises" else ("the fit raises",))
    return Compared(
        seed,
        outcome,
        tuple(what),
        dict(watched.choices.told),
        dict(watched.choices.plainest),
        run.observations,
        () if run.observations else unseen,
    )


def smaller(found: Compared) -> Compared:
    """The same fault with as many choices made plain as can be: each is tried alone, one after the other."""
    forced: dict[str, str] = {}
    for name in found.choices:
        if name not in found.plainest or name in forced:
            continue
        tried = compared(found.seed, {**forced, name: found.plainest[name]})
        if tried.outcome == found.outcome:
            forced[name], found = found.plainest[name], tried
    return found
