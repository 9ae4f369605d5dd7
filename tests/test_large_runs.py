"""A run stays bounded, and is judged in bounded time, however large its model and however long its training."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hand_made import gradients, run_of, verdicts

import diagnose
from diagnose.callbacks.watching import recorder as recording
from diagnose.callbacks.watching.guard import Guard
from diagnose.callbacks.watching.recorder import Archive, Recorder
from diagnose.diagnosis.reach import reachable
from diagnose.rules.evidence import case
from diagnose.rules.initialization import doubled_activation
from diagnose.run.run import Measurement, Run
from diagnose.run.store import Store
from diagnose.verdict import Healthy

SERIES = 30


@pytest.fixture
def kept_in(tmp_path: Path) -> tuple[Recorder, Archive]:
    """A recorder with a run file, and the archive that it fills."""
    archive = Archive()
    recorder = Recorder(archive, Guard(archive.run.notes, archive.write_note))
    recorder.open(str(tmp_path / "run.sqlite"))
    return recorder, archive


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches: 100 observations of `SERIES` series."""
    monkeypatch.setattr(recording, "MOST_NUMBERS", 100 * SERIES)
    monkeypatch.setattr(recording, "KEEP_FIRST", 10)


def observe(recorder: Recorder, steps: range, series: int = SERIES) -> None:
    """Keep an observation at each of these steps: in each series the step itself."""
    for step in steps:
        rows = [Measurement("weight.rms", f"layer_{number}", step, float(step)) for number in range(series)]
        recorder.add_observation(step, rows, ())


def numbers_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM measurements").fetchone()[0])


@pytest.mark.usefixtures("small_bounds")
def test_a_run_of_many_series_keeps_no_more_numbers_than_stated(kept_in):
    recorder, archive = kept_in
    for start in range(0, 500, 50):
        observe(recorder, range(start, start + 50))
        assert numbers_in(archive.store.path) == archive.run.size <= recording.MOST_NUMBERS
    assert archive.run.size > recording.MOST_NUMBERS / 2


@pytest.mark.usefixtures("small_bounds")
def test_thinning_keeps_the_first_observations_and_the_last_ones_and_counts_all(kept_in):
    recorder, archive = kept_in
    observe(recorder, range(500))
    for run in (archive.run, diagnose.load(archive.store.path)):
        steps = run.series("weight.rms", "layer_7").steps.tolist()
        assert steps[:10] == [*range(10)]
        assert steps[-40:] == [*range(460, 500)]
        assert run.series("weight.rms", "layer_7").values.tolist() == steps
        assert run.observations == 500


def test_a_small_model_keeps_as_many_observations_as_its_numbers_allow(kept_in, monkeypatch):
    """What bounds it is the number of observations: 2,000 of 300 series are 600,000 numbers."""
    assert 300 * recording.MOST_OBSERVATIONS < recording.MOST_NUMBERS
    monkeypatch.setattr(recording, "MOST_OBSERVATIONS", 100)
    recorder, archive = kept_in
    observe(recorder, range(100), series=2)
    assert archive.run.size == 200
    observe(recorder, range(100, 101), series=2)
    assert 100 < archive.run.size < 200


@pytest.mark.usefixtures("small_bounds")
def test_a_model_of_more_series_than_its_first_observations_have_room_for_is_thinned_as_well(kept_in):
    """Of 400 series there is room for seven observations, which are fewer than the first that are spared elsewhere."""
    recorder, archive = kept_in
    observe(recorder, range(60), series=400)
    steps = archive.run.series("weight.rms", "layer_0").steps.tolist()
    assert archive.run.size <= recording.MOST_NUMBERS
    assert (steps[0], steps[-1]) == (0, 59)


@pytest.mark.usefixtures("small_bounds")
def test_the_file_of_a_run_that_is_thinned_stops_growing(kept_in):
    recorder, archive = kept_in
    sizes = []
    for start in range(0, 1000, 100):
        observe(recorder, range(start, start + 100))
        sizes.append(archive.store.path.stat().st_size)
    assert sizes[-1] < 1.5 * sizes[1]


@pytest.mark.usefixtures("small_bounds")
def test_a_run_is_thinned_once_in_many_observations(kept_in, monkeypatch):
    """Each time all of the file is gone through; of 100 observations a fifth goes at once."""
    recorder, _ = kept_in
    calls = []
    drop = Store.drop
    monkeypatch.setattr(Store, "drop", lambda self, steps: (calls.append(len(steps)), drop(self, steps)))
    observe(recorder, range(500))
    assert min(calls) == 20
    assert len(calls) == 400 / 20


def test_evaluations_are_thinned_and_what_tells_of_a_break_is_not(kept_in, monkeypatch):
    monkeypatch.setattr(recording, "MOST_OBSERVATIONS", 40)
    recorder, archive = kept_in
    for step in range(300):
        recorder.add([Measurement("skill.train", "", step, 0.5)])
        if step == 11:
            recorder.add([Measurement("weight.finite", "", at, float(at == 9)) for at in (9, 11)], for_good=True)
    for run in (archive.run, diagnose.load(archive.store.path)):
        assert 20 < len(run.series("skill.train")) <= 41
        assert run.series("skill.train").steps[-1] == 299
        assert run.series("weight.finite").steps.tolist() == [9, 11]


def test_the_logs_of_a_thousand_epochs_are_not_written_a_thousand_times(kept_in, monkeypatch):
    """All of them are one text, so writing it at each epoch would take quadratic time."""
    recorder, archive = kept_in
    calls = []
    write = Store.set_history
    monkeypatch.setattr(Store, "set_history", lambda self, logs: (calls.append(1), write(self, logs)))
    for epoch in range(1000):
        recorder.add_logs({"loss": 1.0 / (1 + epoch)})
        recorder.save_epoch()
        if epoch == 98:
            assert len(calls) == 99  # a killed training of a hundred epochs has lost none
    assert len(calls) < 300
    assert len(diagnose.load(archive.store.path).history["loss"]) >= 990
    recorder.save_facts()
    assert diagnose.load(archive.store.path).history == archive.run.history


def test_a_run_knows_how_many_measurements_it_holds():
    run = Run()
    run.add(*(Measurement("batch.loss", "", step, 1.0) for step in range(4)))
    run.add_column("weight.rms", "dense/kernel", np.arange(3), np.ones(3))
    assert run.size == 7
    run.drop(frozenset({1, 2, 9}))
    assert run.size == 3
    assert run.series("weight.rms", "dense/kernel").steps.tolist() == [0]


def test_the_kernels_of_a_run_are_found_once_a_judgement(monkeypatch):
    calls = []
    find = case.kernels
    monkeypatch.setattr(case, "kernels", lambda *known: (calls.append(1), find(*known))[1])
    run = run_of(gradients(one=[1e-9] * 9, two=[1.0] * 9), layers=["one", "two"])
    assert "vanishing-gradient" in {finding.rule for finding in diagnose.examine(run).findings}
    assert len(calls) == 1


def test_only_activations_that_end_on_the_same_numbers_are_compared_entry_by_entry(monkeypatch):
    """All of 80 against all would be 3,160 comparisons: each with itself, and the one that is doubled, are 81."""
    names = [f"dense_{number}" for number in range(80)]
    series = {}
    for (number, name), of in product(enumerate(names), doubled_activation.NUMBERS):
        series[f"preactivation.{of}", name] = np.full(5, 2.0 * number)
        series[f"activation.{of}", name] = np.full(5, 2.0 * number + (2 if number == 40 else 1))
    calls = []
    same = doubled_activation._same
    monkeypatch.setattr(doubled_activation, "_same", lambda *asked: (calls.append(1), same(*asked))[1])
    told = [
        verdict.where
        for verdict in verdicts("doubled-activation", run_of(series, layers=names))
        if not isinstance(verdict, Healthy)
    ]
    assert told == ["dense_41"]
    assert len(calls) == 81


def test_what_follows_from_what_is_found_as_by_walking_from_each_place():
    rng = np.random.default_rng(0)
    for _ in range(50):
        count = int(rng.integers(1, 12))
        edges = [set(np.flatnonzero(row).tolist()) for row in rng.random((count, count)) < 1.5 / count]
        for start, found in enumerate(reachable(edges)):
            walked, waiting = {start}, [start]
            while waiting:
                fresh = edges[waiting.pop()] - walked
                walked |= fresh
                waiting += fresh
            assert found == walked


def test_a_fault_at_a_thousand_places_is_one_ring_walked_once():
    ring = [{0} if index else {*range(1, 1000)} for index in range(1000)]
    assert len({id(found) for found in reachable(ring)}) == 1
