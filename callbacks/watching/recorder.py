"""Where what was measured is kept: in the run, and in its file.

The run in memory comes first: where the disk fails, the run goes on in memory, and nothing that was seen is lost to
whoever asks the monitor. How much is kept is bounded, however long the training: series are thinned, arrays are kept of
observations whose number doubles and of the last one, class-by-class answers of the last evaluation alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diagnose.callbacks.watching.guard import Guard
from diagnose.run.meta import Facts
from diagnose.run.run import Measurement, Run
from diagnose.run.store import ArrayEntry, Store

MOST_OBSERVATIONS = 2000  # kept in a run: 13 MB at 300 series; beyond that older ones are thinned
KEEP_FIRST = 50  # observations that thinning leaves alone: the first steps decide much


@dataclass
class Archive:
    """What lasts over all fits of a monitor, and is handed from the recorder of one fit to that of the next.

    store: the run file, None before it is open and where there is none. steps: batches seen so far. kept: the observed
    steps whose measurements were not thinned out. latest: arrays of the last observation, where they are not kept yet.
    answers: those of the last evaluation, which the next one replaces.
    """

    run: Run = field(default_factory=Run)
    store: Store | None = None
    steps: int = 0
    kept: list[int] = field(default_factory=list)
    latest: Sequence[ArrayEntry] = ()
    answers: Sequence[ArrayEntry] = ()

    def write_note(self, note: str) -> None:
        """Add a note to the run file, if there is one. Raises OSError where the disk refuses it."""
        if self.store is not None:
            self.store.add_note(note)


class Recorder:
    """Keeps what one fit gives in the archive. Where the file fails, `guard` leaves it off, and the run goes on."""

    def __init__(self, archive: Archive, guard: Guard) -> None:
        self._archive, self._guard = archive, guard

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

    def add_observation(self, step: int, measurements: list[Measurement], arrays: Sequence[ArrayEntry]) -> None:
        """Keep what the observation of a step gave."""
        run = self._archive.run
        run.observed(step)
        self._archive.kept.append(step)
        # Arrays of the 1st, 2nd, 4th, 8th ... observation are kept, and the last ones.
        doubled = run.observations & (run.observations - 1) == 0
        self._archive.latest = () if doubled else arrays
        self._keep(step, measurements, arrays if doubled else ())

    def add(self, measurements: list[Measurement]) -> None:
        """Keep what was measured aside from an observation."""
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

    def save_facts(self) -> None:
        """Bring the facts in the file up to date."""
        self._count_in_facts()
        with self._file() as store:
            if store is not None:
                store.set_meta(self._archive.run.meta)

    def save_epoch(self) -> None:
        """Bring history and facts in the file up to date."""
        self._count_in_facts()
        with self._file() as store:
            if store is not None:
                store.set_history(self._archive.run.history)
                store.set_meta(self._archive.run.meta)

    def _count_in_facts(self) -> None:
        self.facts = replace(self.facts, steps_seen=self.steps)

    def _keep(self, observed: int | None, measurements: list[Measurement], arrays: Sequence[ArrayEntry]) -> None:
        run = self._archive.run
        run.add(*measurements)
        for array in arrays:
            run.add_array(*array)
        with self._file() as store:
            if store is not None:
                store.write(observed, measurements, arrays)
        if len(self._archive.kept) > MOST_OBSERVATIONS:
            self._thin()

    def _thin(self) -> None:
        """Forget every second observation of the older half, the first ones aside."""
        kept = self._archive.kept
        dropped = frozenset(kept[KEEP_FIRST : len(kept) // 2 : 2])
        self._archive.kept = [step for step in kept if step not in dropped]
        self._archive.run.drop(dropped)
        with self._file("thinning the run file") as store:
            if store is not None:
                store.drop(dropped)

    @contextlib.contextmanager
    def _file(self, doing: str = "writing the run file") -> Iterator[Store | None]:
        """The run file, guarded; None where there is none, or it is left off."""
        with self._guard.guarded(doing, "file"):
            yield None if self._guard.is_off("file") else self._archive.store
