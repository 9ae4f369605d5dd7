"""`prove`: from a program with a fault to the remedy that was seen to cure it.

The unchanged program is trained first, on several seeds: a fault that none of them shows is nothing to cure. Then each
remedy alone, on one seed that shows the fault, and on the others unless that one showed it to be no cure. Where nothing
helps, the causes are not what they seemed, and what they were to explain is tried. Where something helps and nothing
cures, numbers are tried larger and smaller, then what helps with the first advice for what is still wrong with it, then
the best two together. What is tried, and in which order, depends on the results alone, never on which was there first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from importlib.machinery import PathFinder
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from diagnose.api import Diagnosis, Proof, examine
from diagnose.callbacks.proving.program import check_build
from diagnose.callbacks.proving.trial import BadBuildError, Job, check, train
from diagnose.callbacks.proving.workers import INTERRUPTED, StoppedError, Workers
from diagnose.diagnosis.proof import RemedyVerdict, Trial, best_of, hopeless, judged, ranked
from diagnose.remedy import Remedy, together
from diagnose.remedy import remedy as made
from diagnose.remedy_kinds import KINDS
from diagnose.run.run import Run
from diagnose.verdict import Finding
from diagnose.wording import counted

SEEDS = 3  # what `prove` tries by default: fewer than three show no spread worth the name
WIDER = (3.0, 1 / 3)  # a number that helps is tried so much larger and smaller; a guess: half a decade
NEAR = 1.5  # a guess: numbers of two remedies that are nearer than this are tried once
PAIRED = 3  # of the remedies that help, the best so many are tried two by two


@dataclass
class _Candidate:
    """A remedy, the cause that it is for, and its trials so far."""

    remedy: Remedy
    cause: Finding
    tried: list[Trial] = field(default_factory=list)


def prove(
    build: Callable[[int], Any],
    diagnosis: Diagnosis | None = None,
    *,
    seeds: int | Iterable[int] = SEEDS,
    remedies: Iterable[Remedy] | None = None,
    budget: int = 30,
    executor: Executor | int | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Proof:
    """Train a program unchanged and with each remedy, on the same seeds, and say which one cures.

    build: a function of a seed that gives a new compiled model and the keyword arguments of its fit:
        `(model, {"x": x, "y": y, "epochs": 10})`. It may stand in a module, in a script or in a notebook.
    diagnosis: of the training at fault; without it the unchanged program is watched, and its causes are tried.
    seeds: how many (0, 1, 2 ...), or which.
    remedies: to be tried in place of those that the diagnosis advises; such as `finding.remedies` of one finding.
    budget: trainings beyond the unchanged ones, at most.
    executor: where they run, any `concurrent.futures.Executor`, such as Dask's `Client.get_executor()`. By default
        processes of our own, one for each two cores; a number says how many.
    path: a folder for the run files of all trainings; None keeps no files.
    progress: whether a bar is shown.

    Ctrl-C ends all trainings, and what was found until then is returned; before the first is done, it is passed on.
    In an executor of threads, trainings are made in this process, and begin with a new Keras session and a new seed.
    Raises TypeError or ValueError for a bad argument, or a `build` that can't be sent to other processes, or that gives
    no new compiled model with each call; RuntimeError where an executor fails before the fault was reproduced; OSError
    for a folder that can't be made.
    """
    chosen = _checked_seeds(seeds)
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise ValueError(f"budget is {budget!r}; it must be a whole number of trainings from 1 on.")
    given = None if remedies is None else _checked_remedies(remedies)
    folder = None if path is None else _folder(path)
    processes = executor if isinstance(executor, int) else None
    if processes is not None and (isinstance(executor, bool) or processes < 1):
        raise ValueError(f"executor is {executor!r}; it must be an executor, or a number of processes from 1 on.")
    payload = _payload(check_build(build))
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not progress,
    )
    with Workers(executor if isinstance(executor, Executor) else None, processes) as workers, shown:
        return _Proving(workers, payload, chosen, budget, folder, shown).prove(diagnosis, given)


class _Proving:
    """One proof in the making."""

    def __init__(
        self, workers: Workers, build: bytes, seeds: list[int], budget: int, folder: Path | None, shown: Progress
    ) -> None:
        self._workers, self._build, self._seeds, self._folder, self._shown = workers, build, seeds, folder, shown
        self._budget, self._left = budget, budget
        self._unchanged: list[Trial] = []
        self._tried: list[_Candidate] = []
        self._interrupted = ""
        self._examined: Diagnosis | None = None

    def prove(self, diagnosis: Diagnosis | None, remedies: list[Remedy] | None) -> Proof:
        examined = self._examined = self._reproduce(diagnosis)
        fault = tuple(dict.fromkeys(cause.rule for cause in examined.causes))
        reproduced = any(set(fault) & set(trial.warned) for trial in self._unchanged)
        untried: list[tuple[Remedy, str]] = []
        if reproduced and not self._interrupted:
            candidates = self._candidates(examined, remedies)
            untried = [(each.remedy, "only a person can make this change") for each in _by_hand(examined)]
            try:
                self._search(candidates, advised=remedies is None)
            except StoppedError as stop:
                self._interrupted = str(stop)
            untried += [
                (each.remedy, f"the budget of {counted(self._budget, 'training')} was spent")
                for each in candidates
                if not each.tried
            ]
        verdicts = ranked([self._verdict(each) for each in self._tried if each.tried])
        return Proof(
            fault_reproduced=reproduced,
            fault=fault,
            verdicts=tuple(verdicts),
            best=best_of(verdicts),
            unchanged=tuple(self._unchanged),
            tried=tuple(trial for each in self._tried for trial in each.tried),
            examined=examined,
            untried=tuple(untried),
            budget=self._budget,
            interrupted=self._interrupted,
        )

    # The gate

    def _reproduce(self, diagnosis: Diagnosis | None) -> Diagnosis:
        """Train the unchanged program on each seed. Gives the diagnosis whose causes are to be cured.

        Without one from the user it is that of the first seed that shows a cause. Of the user's, findings are taken as
        the first seed has them where it shows the same: layers may have other names in a new process.
        """
        try:
            self._workers.run(check, [Job(self._build, self._seeds[0])], lambda job, why: None)
            jobs = [self._job(None, seed) for seed in self._seeds]
            results = self._run(jobs, "unchanged program")
        except BadBuildError as error:
            raise ValueError(f"build failed: {error}") from None
        except StoppedError as stop:
            if not any(stop.results) and str(stop) == INTERRUPTED:
                raise KeyboardInterrupt from None
            if not any(stop.results):
                raise RuntimeError(f"the unchanged program could not be trained: {stop}") from None
            results, self._interrupted = [each for each in stop.results if each], str(stop)
        self._unchanged = [trial for trial, _ in results]
        runs = [run for _, run in results if run is not None]
        if broken := [trial for trial, run in results if run is None]:
            raise RuntimeError(f"the unchanged program could not be trained: {broken[0].error}")
        seen = [examine(run) for run in runs]
        if diagnosis is None:
            return next((each for each in seen if each.causes), seen[0])
        shown = next((each for each in seen if _rules(each) & _rules(diagnosis)), None)
        return diagnosis if shown is None else _named_as_in(diagnosis, shown)

    # What is tried

    def _candidates(self, examined: Diagnosis, remedies: list[Remedy] | None) -> list[_Candidate]:
        """The remedies to try, the most promising first: those of the first causes, and the first of each cause.

        One that several layers need is one change of all of them. Only causes that some seed shows are tried.
        """
        shown = {rule for trial in self._unchanged for rule in trial.warned}
        causes = [cause for cause in examined.causes if cause.rule in shown]
        if remedies is not None:
            return [_Candidate(each, _owner(each, examined) or causes[0]) for each in remedies]
        found = [
            (place + rank, place, _Candidate(remedy, finding))
            for place, finding in enumerate(_with_rivals(causes, examined))
            for rank, remedy in enumerate(_of(finding, examined))
            if remedy.automatic
        ]
        chosen: list[_Candidate] = []
        for *_, candidate in sorted(found, key=lambda each: each[:2]):
            if not any(_same(candidate.remedy, other.remedy) for other in chosen):
                chosen.append(candidate)
        return chosen

    def _search(self, candidates: list[_Candidate], *, advised: bool) -> None:
        """Try these; where they were advised and none cures, what may be made of those that help."""
        self._try(candidates, "remedies")
        for more, what in (
            (self._of_consequences, "consequences"),
            (self._other_numbers, "other numbers"),
            (self._with_next, "with what is left"),
            (self._pairs, "two together"),
        ):
            if advised and not self._cured():
                self._try(more(), what)

    def _of_consequences(self) -> list[_Candidate]:
        """Where the remedies of no cause help: those of what the causes seemed to explain."""
        if self._helping() or self._examined is None:
            return []
        causes = {cause.rule for cause in self._examined.causes}
        shown = {rule for trial in self._unchanged for rule in trial.warned} - causes
        found: list[_Candidate] = []
        for finding in self._examined.findings:
            if finding.rule in shown and finding.severity != "note":
                for remedy in _of(finding, self._examined):
                    tried = [each.remedy for each in (*self._tried, *found)]
                    if remedy.automatic and not any(_same(remedy, other) for other in tried):
                        found.append(_Candidate(remedy, finding))
        return found

    def _cured(self) -> bool:
        return any(self._verdict(each).verdict == "cures" for each in self._tried if each.tried)

    def _helping(self) -> list[_Candidate]:
        helping = [each for each in self._tried if each.tried and self._verdict(each).verdict in ("helps", "undecided")]
        gains = {id(each): self._verdict(each) for each in helping}
        return sorted(helping, key=lambda each: (gains[id(each)].before or 0.0) - (gains[id(each)].after or 0.0))

    def _other_numbers(self) -> list[_Candidate]:
        return [
            _Candidate(other, each.cause)
            for each in self._helping()
            for factor in WIDER
            if (other := _with_numbers(each.remedy, factor)) is not None
        ]

    def _with_next(self) -> list[_Candidate]:
        """What helps most, and with it the first advice for each cause that a training with it still shows."""
        return [
            _Candidate(together((each.remedy, following)), each.cause)
            for each in self._helping()[:PAIRED]
            for cause in each.tried[0].causes[:PAIRED]
            if (following := next((one for one in cause.remedies if one.automatic), None)) is not None
            and not {(part.kind, part.where) for part in following.parts}
            & {(part.kind, part.where) for part in each.remedy.parts}
        ]

    def _pairs(self) -> list[_Candidate]:
        """The best of what helps, two by two; where nothing does, the first advice for different findings."""
        firsts: dict[str, _Candidate] = {}
        for each in self._tried:
            if each.tried and not each.tried[0].error:
                firsts.setdefault(each.cause.rule, each)
        best = self._helping() or [*firsts.values()]
        return [
            _Candidate(together((one.remedy, other.remedy)), one.cause)
            for one, other in combinations(best[:PAIRED], 2)
            if {part.kind for part in one.remedy.parts} != {part.kind for part in other.remedy.parts}
        ]

    # Trials

    def _try(self, candidates: Sequence[_Candidate], what: str) -> None:
        """Each on its first seed with the fault; then those that this one left hope for on their other seeds."""
        self._tried += candidates
        others = max((len(self._faulty(each)) - 1 for each in candidates), default=0)
        self._train([(each, self._faulty(each)[:1]) for each in candidates], what, spared=others)
        hopeful = [each for each in candidates if each.tried and not self._hopeless(each)]
        self._train([(each, self._faulty(each)[1:]) for each in hopeful], what)

    def _train(self, wanted: Iterable[tuple[_Candidate, list[int]]], what: str, spared: int = 0) -> None:
        """As many of these as the budget allows; a remedy's seeds are not split.

        spared: trainings that must be left, so that one that helps can be tried on its other seeds.
        """
        jobs: list[tuple[_Candidate, Job]] = []
        room = max(self._left - spared, min(self._left, 1))
        for candidate, seeds in wanted:
            if len(jobs) + len(seeds) <= room:
                jobs += [(candidate, self._job(candidate, seed)) for seed in seeds]
        self._left -= len(jobs)
        stopped: StoppedError | None = None
        try:
            results = self._run([job for _, job in jobs], what)
        except StoppedError as stop:
            results, stopped = stop.results, stop
        for (candidate, _), result in zip(jobs, results, strict=True):
            if result is not None:
                candidate.tried.append(result[0])
        if stopped is not None:
            raise stopped

    def _run(self, jobs: Sequence[Job], what: str) -> list[tuple[Trial, Run | None]]:
        if not jobs:
            return []
        task = self._shown.add_task(what, total=len(jobs))
        return self._workers.run(
            train,
            jobs,
            died=lambda job, why: (Trial(job.remedy, job.seed, error=why), None),
            done=lambda: self._shown.advance(task),
        )

    def _job(self, candidate: _Candidate | None, seed: int) -> Job:
        number = 0 if candidate is None else 1 + next(i for i, each in enumerate(self._tried) if each is candidate)
        name = "unchanged" if candidate is None else f"remedy{number:02}"
        path = None if self._folder is None else str(self._folder / f"{name}-seed{seed}.sqlite")
        return Job(self._build, seed, None if candidate is None else candidate.remedy, path, candidate is None)

    def _faulty(self, candidate: _Candidate) -> list[int]:
        return [trial.seed for trial in self._unchanged if candidate.cause.rule in trial.warned]

    def _hopeless(self, candidate: _Candidate) -> bool:
        after = candidate.tried[0]
        before = next(trial for trial in self._unchanged if trial.seed == after.seed)
        return hopeless(candidate.cause, before, after)

    def _verdict(self, candidate: _Candidate) -> RemedyVerdict:
        return judged(candidate.remedy, candidate.cause, self._unchanged, candidate.tried)


def _rules(diagnosis: Diagnosis) -> set[str]:
    return {finding.rule for finding in diagnosis.findings if finding.severity != "note"}


def _named_as_in(diagnosis: Diagnosis, shown: Diagnosis) -> Diagnosis:
    """What another training of the same program showed, with those causes that the user's diagnosis has."""
    known = {finding.rule: finding for finding in reversed([*shown.causes, *shown.findings])}
    follow = {cause.rule: under for cause, under in zip(shown.causes, shown.consequences_of, strict=False)}
    rules = dict.fromkeys(cause.rule for cause in diagnosis.causes)
    causes = {cause.rule: cause for cause in diagnosis.causes} | {rule: known[rule] for rule in rules if rule in known}
    return replace(
        shown,
        causes=tuple(causes[rule] for rule in rules),
        consequences_of=tuple(follow.get(rule, ()) for rule in rules),
    )


def _with_rivals(causes: Sequence[Finding], examined: Diagnosis) -> list[Finding]:
    """The causes, each followed by those findings that fit as well; a rule once."""
    found: dict[str, Finding] = {}
    for cause in causes:
        found.setdefault(cause.rule, cause)
        for rival in cause.rivals:
            found.update({each.rule: each for each in examined.findings if each.rule == rival and rival not in found})
    return [*found.values()]


def _of(finding: Finding, examined: Diagnosis) -> list[Remedy]:
    """A finding's remedies; where its rule finds the same in several layers, each as one change of all of them."""
    alike = [each for each in examined.findings if each.rule == finding.rule and each.severity != "note"]
    found = []
    for rank, remedy in enumerate(finding.remedies):
        same = [each.remedies[rank] for each in alike if len(each.remedies) > rank]
        same = [other for other in same if other.kind == remedy.kind and other.where]
        places = {other.where: other for other in [*same, remedy]}  # this finding's own comes last
        found.append(together(places.values()) if remedy.where and len(places) > 1 and remedy.automatic else remedy)
    return found


def _owner(remedy: Remedy, examined: Diagnosis) -> Finding | None:
    """The finding that advises this; None where none does."""
    return next((each for each in examined.findings if remedy in each.remedies), None)


def _same(one: Remedy, other: Remedy) -> bool:
    """Whether two remedies change the same things, and numbers to about the same: one trial tells of both."""
    first, second = ({(part.kind, part.where): part.value for part in each.parts} for each in (one, other))
    return first.keys() == second.keys() and all(_near(first[key], second[key]) for key in first)


def _near(one: Any, other: Any) -> bool:
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) and each > 0 for each in (one, other))
    return one == other or (numbers and max(one, other) <= NEAR * min(one, other))


def _by_hand(examined: Diagnosis) -> list[_Candidate]:
    return [_Candidate(remedy, cause) for cause in examined.causes for remedy in cause.remedies if not remedy.automatic]


def _with_numbers(remedy: Remedy, factor: float) -> Remedy | None:
    """The remedy with its numbers so much larger; None where it holds none. Whole numbers stay whole."""
    if not all(KINDS[part.kind].numeric for part in remedy.parts):
        return None
    parts = []
    for part in remedy.parts:
        value = part.value * factor
        value = max(1, round(value)) if isinstance(part.value, int) else value
        if part.kind == "dropout" and value >= 1:
            return None
        parts.append(made(part.kind, part.where, value))
    return together(parts)


def _checked_seeds(seeds: int | Iterable[int]) -> list[int]:
    if isinstance(seeds, bool) or (isinstance(seeds, int) and seeds < 1):
        raise ValueError(f"seeds is {seeds!r}; it must be a number from 1 on, or the seeds themselves: (0, 1, 2).")
    chosen = [*range(seeds)] if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not chosen or not all(isinstance(seed, int) and seed >= 0 for seed in chosen):
        raise ValueError(f"seeds is {seeds!r}; each must be a whole number from 0 on, such as (0, 1, 2).")
    return chosen


def _checked_remedies(remedies: Iterable[Remedy]) -> list[Remedy]:
    chosen: list[Any] = [remedies] if isinstance(remedies, Remedy) else list(remedies)
    if wrong := [each for each in chosen if not isinstance(each, Remedy)]:
        raise TypeError(f"remedies holds {wrong[0]!r}; each must be a Remedy, such as those in `finding.remedies`.")
    if by_hand := [each for each in chosen if not each.automatic]:
        raise ValueError(f"remedies holds one that only a person can apply: {by_hand[0].text!r}. Leave it out.")
    if not chosen:
        raise ValueError("remedies is empty; pass None to try those that the diagnosis advises.")
    return chosen


def _folder(path: str | os.PathLike[str]) -> Path:
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"path is {str(folder)!r}, which is a file; it must be a folder for the run files.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _is_importable(module: ModuleType) -> bool:
    """Whether another process with this one's `sys.path` finds the module; what it does not find travels by value."""
    if module.__name__ == "__main__" or not getattr(module, "__file__", None):
        return True
    return PathFinder.find_spec(module.__name__.partition(".")[0]) is not None


def _payload(build: Callable[[int], Any]) -> bytes:
    module = sys.modules.get(getattr(build, "__module__", "") or "")
    try:
        if module is None or _is_importable(module):
            return cloudpickle.dumps(build)
        cloudpickle.register_pickle_by_value(module)
        try:
            return cloudpickle.dumps(build)
        finally:
            cloudpickle.unregister_pickle_by_value(module)
    except Exception as error:
        raise TypeError(
            f"build can't be sent to other processes: {error}. It must not hold open files, sessions, locks or "
            "generators: make those inside of it."
        ) from error
