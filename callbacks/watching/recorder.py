"""Where what was measured is kept: in the run, and in its file.

The run in memory comes first: where the disk fails, the run goes on in memory, and nothing that was seen is lost to
whoever asks the monitor. How much is kept is bounded, however long the training and however large the model: of a small
model by the number of observations, of a large one by that of the measurements, beyond which older steps are thinned.
Arrays are kept of planned observations whose number doubles and of the last one, class-by-class answers of the last
evaluation alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diagnose.callbacks.watching.guard import Guard
from diagnose.run.loading import load
from diagnose.run.meta import Facts
from diagnose.run.run import Measurement, Run
from diagnose.run.store import ArrayEntry, Store

MOST_OBSERVATIONS = 2000  # kept in a run: 13 MB at 300 series; beyond that older ones are thinned
MOST_NUMBERS = 1_000_000  # kept in a run: 22 MB, loaded in two seconds; 333 observations of 3,000 series
KEEP_FIRST = 50  # observations that thinning leaves alone: the first steps decide much
FIRST_SHARE = 4  # at most one observation of so many is among those, so that of a large model there are others to thin
KEEP_PLANNED = 100  # planned observations that are left alone: more than the grid has in a million steps
EPOCHS_APART = 100  # the logs are written anew for each hundredth more epochs: for each epoch would take quadratic time


@dataclass
class Archive:
    """What lasts over all fits of a monitor, and is handed from the recorder of one fit to that of the next.

    store: the run file, None before it is open and where there is none. steps: batches seen so far. observed, aside:
    the steps of observations, and others at which something was measured, as far as they were not thinned out. planned:
    how many observations were planned.
    for_good: the steps that never are. latest: arrays of the last observation, where they are not kept yet. answers:
    those of the last evaluation, which the next one replaces. epochs, epochs_written: how many were logged, and of how
    many the logs are in the file.
    """

    run: Run = field(default_factory=Run)
    store: Store | None = None
    steps: int = 0
    observed: list[int] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    planned: int = 0
    for_good: set[int] = field(default_factory=set)
    latest: Sequence[ArrayEntry] = ()
    answers: Sequence[ArrayEntry] = ()
    epochs: int = 0
    epochs_written: int = 0

    @classmethod
    def resumed(cls, path: str) -> Archive:
        """That of the run file at this path, to go on in it.

        Raises OSError or ValueError where it can't be read, as `load` does.
        """
        run = load(path)
        observed = run.observed_steps.tolist()
        planned = run.series("observation.planned").steps.tolist()
        evaluated = {int(step) for step in run.series("evaluation.planned").steps}
        return cls(
            run,
            Store.resume(path),
            steps=run.steps or 0,
            observed=observed,
            aside=sorted(evaluated.difference(observed)),
            planned=len(planned),
            for_good={*planned[:KEEP_PLANNED], *map(int, run.series("weight.finite").steps)},
            epochs=max(map(len, run.history.values()), default=0),
        )

    def write_note(self, note: str) -> None:
        """Add a note to the run file, if there is one. Raises OSError where the disk refuses it."""
        if self.store is not None:
            self.store.add_note(note)


class Recorder:
    """Keeps what one fit gives in the archive. Where the file fails, `guard` leaves it off, and the run goes on."""

    def __init__(self, archive: Archive, guard: Guard) -> None:
        self._archive, self._guard = archive, guard

    @property
    def run(self) -> Run:
        """All that was kept so far."""
        return self._archive.run

    @property
    def facts(self) -> Facts:
        """What is known of the run besides its measurements; to be replaced as a whole where more is known."""
        return self._archive.run.facts

    @facts.setter
    def facts(self, facts: Facts) -> None:
        self._archive.run.facts = facts

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of all quantities measured so far, in this fit or before."""
        return self._archive.run.quantities

    @property
    def steps(self) -> int:
        """Batches seen so far, over all fits: the number of the step that comes next."""
        return self._archive.steps

    def count(self, batches: int) -> None:
        """So many batches more were trained on."""
        self._archive.steps += batches

    def open(self, path: str) -> None:
        """Start the run file, unless an earlier fit did. Raises OSError where it can't be made."""
        if self._archive.store is None:
            self._archive.store = Store.create(path)

    def close(self) -> None:
        """Let go of the run file; a later fit goes on in it."""
        with self._guard.guarded("closing the run file", "file"):
            if self._archive.store is not None:
                self._archive.store.close()

    def add_observation(
        self, step: int, measurements: list[Measurement], arrays: Sequence[ArrayEntry], *, planned: bool = False
    ) -> None:
        """Keep what the observation of a step gave. planned: whether rules are to judge it."""
        self._archive.run.observed(step)
        self._archive.observed.append(step)
        doubled = False
        if planned:
            # Arrays of the 1st, 2nd, 4th, 8th ... observation are kept, and the last ones.
            self._archive.planned += 1
            doubled = self._archive.planned & (self._archive.planned - 1) == 0
            measurements = [*measurements, Measurement("observation.planned", "", step, 1.0)]
            kept = len(self._archive.for_good) + 1
            if (
                kept <= min(KEEP_PLANNED, MOST_OBSERVATIONS // FIRST_SHARE)
                and kept * len(measurements) <= MOST_NUMBERS // FIRST_SHARE
            ):
                self._archive.for_good.add(step)
        self._archive.latest = () if doubled else arrays
        self._keep(step, measurements, arrays if doubled else ())

    def add(self, measurements: list[Measurement], *, for_good: bool = False) -> None:
        """Keep what was measured aside from an observation, or after it.

        for_good: whether all that was measured at these steps is never thinned out.
        """
        archive, steps = self._archive, {measurement.step for measurement in measurements}
        if for_good:
            archive.for_good |= steps
        else:
            archive.aside += sorted(steps.difference(archive.observed[-1:], archive.aside[-1:]))
        self._keep(None, measurements, ())

    def add_latest_arrays(self) -> None:
        """Keep the arrays of the last observation: nothing comes after them for now."""
        self._keep(None, [], self._archive.latest)
        self._archive.latest = ()

    def replace_answers(self, answers: Sequence[ArrayEntry]) -> None:
        """Of the answers class by class the latest are kept, and none before them."""
        gone = [(quantity, where, at) for quantity, where, at, _ in self._archive.answers]
        for key in gone:
            self._archive.run.drop_array(*key)
        with self._file() as store:
            if gone and store is not None:
                store.drop_arrays(gone)
        self._archive.answers = answers
        self._keep(None, [], answers)

    def add_logs(self, logs: Mapping[str, Any]) -> None:
        """Keep the logs of an epoch; a metric that is no number is left out."""
        for name, value in logs.items():
            with contextlib.suppress(TypeError, ValueError):
                self._archive.run.history.setdefault(name, []).append(float(value))
        self._archive.epochs += 1

    def save_facts(self) -> None:
        """Bring facts and history in the file up to date."""
        self._save(history=self._archive.epochs > self._archive.epochs_written)

    def save_epoch(self) -> None:
        """Bring the facts in the file up to date, and the history as often as its length bears."""
        fresh = self._archive.epochs - self._archive.epochs_written
        self._save(history=fresh > self._archive.epochs // EPOCHS_APART)

    def _save(self, *, history: bool) -> None:
        self.facts = replace(self.facts, steps_seen=self.steps)
        with self._file() as store:
            if store is not None:
                if history:
                    store.set_history(self._archive.run.history)
                    self._archive.epochs_written = self._archive.epochs
                store.set_meta(self._archive.run.meta)

    def _keep(self, observed: int | None, measurements: list[Measurement], arrays: Sequence[ArrayEntry]) -> None:
        run = self._archive.run
        run.add(*measurements)
        for array in arrays:
            run.add_array(*array)
        with self._file() as store:
            if store is not None:
                store.write(observed, measurements, arrays)
        while surplus := self._surplus():
            self._forget(surplus)

    def _surplus(self) -> frozenset[int]:
        """The steps to forget now; none while the run is within its bounds.

        They are every second of the older half, the first ones aside: an eighth or more, so that a large run is gone
        through once in many observations. Where evaluations outnumber observations, it is the turn of theirs.
        """
        archive = self._archive
        steps = max(archive.observed, archive.aside, key=len)
        if len(steps) <= MOST_OBSERVATIONS and archive.run.size <= MOST_NUMBERS:
            return frozenset()
        first = max(1, min(KEEP_FIRST, len(steps) // FIRST_SHARE))
        return frozenset(steps[first : len(steps) // 2 : 2]) - archive.for_good

    def _forget(self, dropped: frozenset[int]) -> None:
        archive = self._archive
        for steps in (archive.observed, archive.aside):
            steps[:] = [step for step in steps if step not in dropped]
        archive.run.drop(dropped)
        with self._file("thinning the run file") as store:
            if store is not None:
                store.drop(dropped)

    @contextlib.contextmanager
    def _file(self, doing: str = "writing the run file") -> Iterator[Store | None]:
        """The run file, guarded; None where there is none, or it is left off."""
        with self._guard.guarded(doing, "file"):
            yield None if self._guard.is_off("file") else self._archive.store
