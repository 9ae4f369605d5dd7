"""How often the diagnosis is right: trainings with a known fault, and trainings with none.

    python benchmarks/diagnosis.py [--part heldback] [--cases N] [--seconds S] [--keep FOLDER] [--page FILE]

The trainings are those of `cases.py`: each fault in several data sets, depths, widths, optimizers and seeds, and
healthy trainings of many kinds. The calibration part has the data sets (digits, moons, iris, Friedman's function,
words) on which thresholds may be set; the held-back part has others, with other seeds, and its figures are the ones to
quote. What was achieved is computed here from the predictions. A fault that must keep a training from learning, and did
not, makes no sick training: it is left out, and counted. With `--keep` each run file is kept in a folder and read again
the next time, so that a benchmark that was stopped goes on, and new rules can be judged on old runs.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cases import BASES, Case, cases_of
from trainings import Data, iris, made, wine

from diagnose import Diagnosis, Run, examine, load
from diagnose.callbacks import TrainingMonitor
from diagnose.outcome.references import best_reference

NEAR = 0.05  # of the skill; a simple model so little above the network makes it no worse
DECENT = 0.8  # a fault that must do harm, and left this much of all skill, did none
GOOD = 0.6  # least skill on training samples of a training that is to be called healthy


@dataclass
class Seen:
    """What a training left: the run, and what it achieved, computed without the diagnosis."""

    run: Run
    train: float
    validation: float
    broken: bool


@dataclass
class Judged:
    """One case with its verdict."""

    case: Case
    seen: Seen
    diagnosis: Diagnosis
    seconds: float = 0.0
    rank: int | None = field(default=None)


def see(case: Case, path: Path | None) -> Seen:
    """Train and look at what came out, with the monitor, which writes a run file to `path`, and without it."""
    model, data, _ = made(case.training)
    monitor = TrainingMonitor(path)
    settings: dict[str, Any] = {"validation_data": (data.x_validation, data.y_validation), **case.training.fit}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.training.batches is not None:
            given: tuple[Any, ...] = (case.training.batches(data),)
        else:
            given, settings["batch_size"] = (data.x, data.y), case.training.batch_size
        model.fit(*given, epochs=case.training.epochs, verbose=0, callbacks=[monitor], **settings)
        broken = any(not np.isfinite(np.asarray(weight, "float32")).all() for weight in model.get_weights())
        train = skill(data, np.asarray(model(data.x, training=False)), data.y)
        validation = skill(data, np.asarray(model(data.x_validation, training=False)), data.y_validation)
    return Seen(monitor.run, train, validation, broken)


def skill(data: Data, answered: np.ndarray, y: np.ndarray) -> float:
    """Share of what can be won over the best constant answer: of accuracy, or of variance."""
    answered = np.asarray(answered, "float64")
    if not np.isfinite(answered).all():
        return float("nan")
    if data.kind == "regression":
        answered = answered.reshape(y.shape) if answered.size == y.size else answered.mean(axis=-1)
        return float(1 - np.mean((answered - y) ** 2) / (np.mean((y - y.mean(axis=0)) ** 2) + 1e-12))
    if data.kind == "labels":
        base = np.maximum(y.mean(), 1 - y.mean())
        return float((((answered > 0.5) == (y > 0.5)).mean() - base) / (1 - base))
    if y.ndim > 1:
        y = y.argmax(axis=-1)
    if answered.shape[-1] > 1:
        chosen = answered.argmax(axis=-1)
    else:
        half = 0.5 if answered.min() >= 0 and answered.max() <= 1 else 0.0
        chosen = (answered.reshape(-1) > half) * (y.max() - y.min()) + y.min()
    share = np.unique(y, return_counts=True)[1].max() / len(y)
    return float((np.mean(chosen == y) - share) / max(1 - share, 1e-9))


def outcomes_allowed(case: Case, seen: Seen) -> set[str]:
    """The outcomes that what was achieved allows: several where it lies near a border."""
    if seen.broken:
        return {"diverged"}
    if not np.isfinite(seen.train):
        return {"diverged", "hollow-loss", "not-learning"}
    none = {"not-learning", "hollow-loss", "diverged"}
    allowed: set[str] = set()
    if seen.train < 0.2:
        allowed |= none
    if seen.train > 0.03:
        allowed.add("learning")
    apart = seen.validation < 0.6 * seen.train and seen.train > 0.4
    if apart:
        allowed.add("memorizing")
        if seen.validation < 0.4 * seen.train:
            allowed.discard("learning")
    best = best_reference(seen.run, "")
    if best is not None and best[1] - seen.validation > NEAR and "learning" in allowed:
        allowed.add("falling-short")
    if case.training.epochs <= 2 or case.training.data in (iris, wine):
        allowed.add("unknown")
    return allowed


def judge(case: Case, seen: Seen) -> Judged:
    began = time.perf_counter()
    judged = Judged(case, seen, examine(seen.run))
    judged.seconds = time.perf_counter() - began
    if case.causes:
        rules = list(dict.fromkeys(cause.rule for cause in judged.diagnosis.causes))
        ranks = [
            min((rules.index(rule) + 1 for rule in fit if rule in rules), default=99)
            for fit in (case.causes, case.second)
            if fit
        ]
        judged.rank = min(ranks) if max(ranks) < 99 else None
        if len(ranks) > 1 and judged.rank is not None and max(ranks) > 3:
            judged.rank = max(ranks)
    return judged


def did_no_harm(judged: Judged) -> bool:
    """The fault was to keep the training from learning, and did not."""
    good = judged.seen.train >= DECENT and judged.seen.validation >= GOOD
    return bool(judged.case.causes) and judged.case.harmful and not judged.seen.broken and good


def place_right(judged: Judged) -> bool | None:
    """Whether the first right cause lies where the fault was put; None where the place is open or nothing was found."""
    expected = judged.case.place
    found = [cause for cause in judged.diagnosis.causes if cause.rule in judged.case.causes]
    if expected is None or not found:
        return None
    return expected in found[0].where


def keep(seen: Seen, path: Path) -> None:
    """Write what a training achieved beside its run file; last, so that a training that broke off is none kept."""
    path.with_suffix(".json").write_text(json.dumps([seen.train, seen.validation, seen.broken]), encoding="utf-8")


def kept(path: Path) -> Seen:
    """Read what `keep` and the monitor wrote."""
    train, validation, broken = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Seen(load(path), train, validation, broken)


def told(judged: Judged) -> str:
    """The verdict in a line."""
    causes = ", ".join(f"{c.rule} {c.confidence:.2f}" for c in judged.diagnosis.causes[:4]) or "no cause"
    return f"{judged.diagnosis.outcome} (skill {judged.seen.train:.2f}/{judged.seen.validation:.2f}): {causes}"


def page(results: list[Judged], part: str, total: int) -> str:
    """The figures as Markdown."""
    harmless = [j for j in results if did_no_harm(j)]
    sick = [j for j in results if j.case.causes and not did_no_harm(j)]
    poor = [j for j in results if not j.case.causes and not j.seen.train >= GOOD]
    healthy = [j for j in results if not j.case.causes and j.seen.train >= GOOD]
    alarmed = [j for j in healthy if j.diagnosis.causes]
    first = [j for j in sick if j.rank == 1]
    within = [j for j in sick if j.rank is not None and j.rank <= 3]
    places = [right for j in sick if (right := place_right(j)) is not None]
    outcomes = [j.diagnosis.outcome in outcomes_allowed(j.case, j.seen) for j in (*sick, *healthy)]

    def share(count: int, of: int) -> str:
        return f"{count} of {of} ({count / of:.0%})" if of else "none"

    lines = [
        f"# Is the diagnosis right? The {part} part",
        "",
        f"Measured by `benchmarks/diagnosis.py --part {part}` on {len(results)} of {total} trainings, with the default "
        "settings of the monitor.",
        "",
        "| question | answer |",
        "|---|---|",
        f"| right cause at rank 1 | {share(len(first), len(sick))} |",
        f"| right cause within 3 | {share(len(within), len(sick))} |",
        f"| right place, where the cause was found and has one | {share(sum(places), len(places))} |",
        f"| right outcome | {share(sum(outcomes), len(outcomes))} |",
        f"| healthy trainings with a warning or critical cause | {share(len(alarmed), len(healthy))} |",
        f"| left out: a fault was put in and did no harm | {len(harmless)}, of which "
        f"{sum(bool(j.diagnosis.causes) for j in harmless)} were told a cause |",
        f"| left out: made to be healthy, and reached a skill under {GOOD} | {len(poor)}, of which "
        f"{sum(bool(j.diagnosis.causes) for j in poor)} were told a cause |",
        "",
        "## Confidence",
        "",
        "Of the causes shown first, by the confidence told with them:",
        "",
        "| confidence | causes | right |",
        "|---|---|---|",
    ]
    firsts = [(j.diagnosis.causes[0], j) for j in (*sick, *healthy) if j.diagnosis.causes]
    for low, high in ((0.0, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 0.9), (0.9, 1.01)):
        told_so = [(cause, j) for cause, j in firsts if low <= cause.confidence < high]
        right = sum(cause.rule in (*j.case.causes, *j.case.second) for cause, j in told_so)
        lines.append(f"| {low:.2f} to {min(high, 1):.2f} | {len(told_so)} | {share(right, len(told_so))} |")
    lines += [
        "",
        "## Rules",
        "",
        "As first cause: how often a rule was told, and how often rightly. Below it, for each fault, how often a rule "
        "that names it came first, and how often within three.",
        "",
        "| rule | told | right | precision |",
        "|---|---|---|---|",
    ]
    counts: Counter[str] = Counter(cause.rule for cause, _ in firsts)
    rights: Counter[str] = Counter(c.rule for c, j in firsts if c.rule in (*j.case.causes, *j.case.second))
    for rule, count in sorted(counts.items()):
        lines.append(f"| {rule} | {count} | {rights[rule]} | {rights[rule] / count:.0%} |")
    lines += ["", "| fault | trainings | rank 1 | within 3 (recall) |", "|---|---|---|---|"]
    for name in dict.fromkeys(j.case.fault for j in sick):
        mine = [j for j in sick if j.case.fault == name]
        lines.append(
            f"| {name} | {len(mine)} | {sum(j.rank == 1 for j in mine)} | {sum((j.rank or 99) <= 3 for j in mine)} |"
        )
    lines += ["", "## What it gets wrong", ""]
    wrong = [j for j in sick if j.rank != 1] + alarmed
    lines += [f"- {j.case.name}: {told(j)}" for j in wrong] or ["nothing"]
    odd = [j for j in (*sick, *healthy) if j.diagnosis.outcome not in outcomes_allowed(j.case, j.seen)]
    lines += ["", "Outcomes that what was achieved does not allow:", ""]
    lines += [f"- {j.case.name}: {j.diagnosis.outcome}; {j.diagnosis.outcome_reason}" for j in odd] or ["none"]
    missed = [j for j in sick if place_right(j) is False]
    lines += ["", "Right rule, wrong place:", ""]
    lines += [f"- {j.case.name}: {[(c.rule, c.where) for c in j.diagnosis.causes[:3]]}" for j in missed] or ["none"]
    lines += ["", "Faults that did no harm, and yet were told a cause; and those made healthy that were not:", ""]
    lines += [f"- {j.case.name}: {told(j)}" for j in (*harmless, *poor) if j.diagnosis.causes] or ["none"]
    return "\n".join([*lines, ""])


def main() -> None:
    """Train, judge, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=sorted(BASES), default="heldback")
    parser.add_argument("--cases", type=int, default=None, help="at most this many")
    parser.add_argument("--seconds", type=float, default=None, help="begin no new training after this time")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the runs")
    parser.add_argument("--page", type=Path, default=None)
    parser.add_argument("--judge-only", action="store_true", help="judge the runs that were kept, train nothing")
    parser.add_argument("--slice", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="every N-th from I on")
    arguments = parser.parse_args()
    began, results = time.perf_counter(), []
    cases = [case for case in cases_of(arguments.part) if arguments.only in case.name]
    total = len(cases)
    cases = cases[: arguments.cases][arguments.slice[0] :: arguments.slice[1]]
    folder = arguments.keep and arguments.keep / arguments.part
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        path = folder / ("".join(c if c.isalnum() else "-" for c in case.name) + ".sqlite") if folder else None
        if path is not None and path.with_suffix(".json").exists():
            seen = kept(path)
        elif arguments.judge_only or (arguments.seconds and time.perf_counter() - began > arguments.seconds):
            continue
        else:
            try:
                seen = see(case, path)
            except Exception as error:
                print(f"FAILED {case.name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
                continue
            if path is not None:
                keep(seen, path)
        judged = judge(case, seen)
        results.append(judged)
        if did_no_harm(judged):
            mark = "harmless"
        elif case.causes:
            mark = "ok" if judged.rank == 1 else f"rank {judged.rank}"
        else:
            mark = "ok" if not judged.diagnosis.causes else "ALARM"
        print(f"{mark:9} {case.name}: {told(judged)}", flush=True)
    text = page(results, arguments.part, total)
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
