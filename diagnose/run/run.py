"""What was seen of a training: measurements by step, quantity and place, and what is known besides.

A run holds no opinion. It is written by `callbacks.watching` while a training goes on, kept by `store`, and read by the
rules. Series are columns, not rows: a rule asks for one quantity at one place, and a run of a million measurements
must be judged within two seconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diagnose.run.meta import Facts, FitFacts, SiteFacts
from diagnose.run.quantities import BY_ITSELF, EVALUATED
from diagnose.wording import counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Measurement:
    """One quantity at one place, at one step.

    quantity: dotted name; `quantities.QUANTITIES` fixes what `value` means and its unit.
    where: Keras path of a layer or variable, or "" for the whole model.
    step: batches seen before this one by the same monitor, over all its fits; the first is 0.
    value: NaN and infinity are kept as they came. They are evidence, not errors.
    """

    quantity: str
    where: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity at one place: `steps` (int64) and `values` (float64), both (n,), in the order they were taken."""

    steps: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.steps)

    def last(self, count: int) -> Series:
        """The last `count` entries, or all of fewer.

        >>> Series(np.array([0, 5]), np.array([0.1, 0.2])).last(1).values
        array([0.2])
        """
        return Series(self.steps[-count:], self.values[-count:])

    def finite(self) -> Series:
        """The entries whose value is finite."""
        kept = np.isfinite(self.values)
        return Series(self.steps[kept], self.values[kept])


EMPTY = Series(np.empty(0, np.int64), np.empty(0, np.float64))


class Run:
    """What was seen of one training.

    facts: what is known besides the measurements; `meta` shows it as a dictionary.
    history: epoch logs as Keras gave them, one list a name.
    notes: what went wrong while observing, in words; a rule or a place that could not be observed says so here.

    >>> run = Run()
    >>> run.add(Measurement("batch.loss", "", 0, 2.3))
    >>> run.add(Measurement("batch.loss", "", 10, 1.9))
    >>> run.observed(0, 10)
    >>> run.quantities, run.observations, run.series("batch.loss").values
    (('batch.loss',), 2, array([2.3, 1.9]))
    """

    def __init__(self, facts: Facts | Mapping[str, Any] | None = None) -> None:
        """facts: also in the plain form of `meta`; raises ValueError for a key that no record knows."""
        self.facts = facts if isinstance(facts, Facts) else Facts.from_dict(facts or {})
        self.history: dict[str, list[float]] = {}
        self.notes: list[str] = []
        #: Steps and values by quantity, and in it by place: a rule asks for the places of one quantity of dozens.
        self._columns: dict[str, dict[str, tuple[array[int], array[float]]]] = {}
        self._size = 0
        self._arrays: dict[tuple[str, str], dict[int, np.ndarray]] = {}
        self._observed: dict[int, None] = {}

    def __repr__(self) -> str:
        """What it holds, in a line."""
        return f"<Run: {self.seen}>"

    @property
    def seen(self) -> str:
        """How much of the training it holds, in words: "28 observations of 225 steps"."""
        of = "" if self.steps is None else f" of {counted(self.steps, 'step')}"
        return f"{counted(self.observations, 'observation')}{of}"

    @property
    def steps(self) -> int | None:
        """How many steps the training took as far as the run knows; None where it does not."""
        steps = self.facts.steps_seen
        if steps is not None and self.observations:
            steps = max(steps, int(self.observed_steps[-1]) + 1)  # a killed training had no time to write its steps
        return steps

    def add(self, *measurements: Measurement) -> None:
        """Add measurements; for each quantity and place in the order of their steps."""
        for measurement in measurements:
            steps, values = self._column(measurement.quantity, measurement.where)
            steps.append(measurement.step)
            values.append(measurement.value)
        self._size += len(measurements)

    def add_column(self, quantity: str, where: str, steps: np.ndarray, values: np.ndarray) -> None:
        """Add a whole series at once: `steps` of int64 and `values` of float64, both (n,)."""
        known_steps, known_values = self._column(quantity, where)
        known_steps.frombytes(np.ascontiguousarray(steps, np.int64).tobytes())
        known_values.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
        self._size += len(steps)

    def _column(self, quantity: str, where: str) -> tuple[array[int], array[float]]:
        by_place = self._columns.setdefault(quantity, {})
        if where not in by_place:
            by_place[where] = array("q"), array("d")
        return by_place[where]

    def observed(self, *steps: int) -> None:
        """Mark steps as observed: the batch was run once more by the shadow step (epoch ends measure without it)."""
        self._observed.update(dict.fromkeys(steps))

    def add_array(self, quantity: str, where: str, step: int, values: np.ndarray) -> None:
        """Add a small array (a histogram, a curve) taken at `step`."""
        self._arrays.setdefault((quantity, where), {})[step] = np.asarray(values)

    def drop(self, steps: frozenset[int]) -> None:
        """Forget the measurements of these steps, which keeps a long run bounded; arrays stay."""
        self._drop(steps, self._columns)

    def _drop(self, steps: frozenset[int], quantities: Iterable[str]) -> None:
        dropped = np.fromiter(steps, np.int64, len(steps))
        left: dict[bytes, tuple[np.ndarray, bytes]] = {}  # most of thousands of series were taken at the same steps
        for quantity in quantities:
            by_place = self._columns[quantity]
            for where, (known, values) in by_place.items():
                taken = known.tobytes()
                if taken not in left:
                    kept = np.isin(known, dropped, invert=True)
                    left[taken] = kept, np.array(known, np.int64)[kept].tobytes()
                kept, staying = left[taken]
                if len(staying) < len(taken):
                    fewer = array("q", staying)
                    self._size -= len(known) - len(fewer)
                    by_place[where] = fewer, array("d", np.array(values, np.float64)[kept].tobytes())

    def as_planned(self) -> Run:
        """What rules judge: the run without observations and evaluations that only the time at hand allowed.

        It shares what it holds with this one, and is this one where nothing is to be left out. Where no step is marked
        as planned (a run made by hand, or of an older version), all of them are judged.
        """
        judged = copy(self)
        judged._columns = {quantity: dict(by_place) for quantity, by_place in self._columns.items()}
        evaluated = EVALUATED.intersection(self._columns)
        extra = self._beyond_plan("observation.planned", self._observed)
        if extra:
            judged._observed = {step: None for step in self._observed if step not in extra}
            judged._drop(extra, self._columns.keys() - evaluated - BY_ITSELF)
        taken = {step for quantity in evaluated for steps, _ in self._columns[quantity].values() for step in steps}
        late = self._beyond_plan("evaluation.planned", taken)
        if late:
            judged._drop(late, evaluated)
        return judged if extra or late else self

    def _beyond_plan(self, mark: str, steps: Iterable[int]) -> frozenset[int]:
        planned = self._columns.get(mark, {}).get("")
        return frozenset(steps).difference(planned[0]) if planned else frozenset()

    def drop_array(self, quantity: str, where: str, step: int) -> None:
        """Forget one array."""
        self._arrays.get((quantity, where), {}).pop(step, None)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of all quantities measured, sorted."""
        return tuple(sorted(self._columns))

    @property
    def size(self) -> int:
        """Number of measurements held."""
        return self._size

    @property
    def observations(self) -> int:
        """Number of steps observed."""
        return len(self._observed)

    @property
    def observed_steps(self) -> np.ndarray:
        """The steps observed, ascending, int64 of (observations,)."""
        return np.array(sorted(self._observed), np.int64)

    @property
    def meta(self) -> dict[str, Any]:
        """What is known besides the measurements as plain types: versions, model, loss, optimizer, settings and more.

        A copy: `facts` is what it is made of, and what is to be replaced where something new is known.
        """
        return self.facts.to_dict()

    @property
    def before_training(self) -> bool:
        """Whether it holds one audited batch and nothing of a training."""
        return self.facts.audit is not None and self.facts.fit == FitFacts() and not self._columns

    @property
    def measured(self) -> bool:
        """Whether anything was measured: a step observed, held samples evaluated, a batch audited.

        The logs that Keras keeps anyway, and what is known of the model before any step, are no measurements.
        """
        known = self.facts.audit is not None or self.facts.profiles or self.facts.task.kind
        return bool(self._observed or self._columns or known)

    def places(self, quantity: str) -> tuple[str, ...]:
        """Places where this quantity was measured, in the order they were first seen (the order of the calls)."""
        return tuple(self._columns.get(quantity, ()))

    def series(self, quantity: str, where: str = "") -> Series:
        """One quantity at one place; empty where nothing was measured."""
        column = self._columns.get(quantity, {}).get(where)
        if column is None:
            return EMPTY
        return Series(np.array(column[0], np.int64), np.array(column[1], np.float64))

    def arrays(self, quantity: str, where: str = "") -> dict[int, np.ndarray]:
        """The arrays of this quantity at this place, by step."""
        return dict(sorted(self._arrays.get((quantity, where), {}).items()))

    def all_arrays(self) -> Iterator[tuple[str, str, int, np.ndarray]]:
        """Every array with its quantity, place and step."""
        for (quantity, where), by_step in self._arrays.items():
            for step, values in by_step.items():
                yield quantity, where, step, values

    def table(self, quantity: str) -> pd.DataFrame:
        """All measurements of one quantity: a table with the columns step, where, value, ordered by step.

        Raises KeyError, naming the quantities known, for one that was not measured.

        >>> run = Run()
        >>> run.add(Measurement("gradient.rms", "dense/kernel", 0, 0.25))
        >>> run.table("gradient.rms").to_dict("records")
        [{'step': 0, 'where': 'dense/kernel', 'value': 0.25}]
        """
        import pandas as pd

        places = self.places(quantity)
        if not places:
            known = ", ".join(self.quantities) or "none"
            raise KeyError(f"this run has no quantity {quantity!r}; it has: {known}.")
        columns = [self.series(quantity, where) for where in places]
        table = pd.DataFrame(
            {
                "step": np.concatenate([column.steps for column in columns]),
                "where": np.repeat(np.array(places, object), [len(column) for column in columns]),
                "value": np.concatenate([column.values for column in columns]),
            }
        )
        return table.sort_values("step", kind="stable", ignore_index=True)

    def site(self, where: str) -> SiteFacts | None:
        """What is known of the activation site at `where`; None where nothing is."""
        return next((site for site in self.facts.sites if site.where == where), None)
