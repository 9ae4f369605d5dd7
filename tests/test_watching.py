"""The parts of a watched fit, each by itself: what each holds, and that a new fit begins with nothing of the last."""

from __future__ import annotations

import gc
import warnings
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import diagnose
from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.measuring.observations import Measuring
from diagnose.callbacks.observing.reading import Sites
from diagnose.callbacks.watching.alarm import SEARCHED, Alarm
from diagnose.callbacks.watching.budget import Budget
from diagnose.callbacks.watching.context import Context
from diagnose.callbacks.watching.guard import Guard
from diagnose.callbacks.watching.recorder import Archive, Recorder
from diagnose.callbacks.watching.schedule import Schedule
from diagnose.run.meta import FitFacts
from diagnose.run.run import Measurement
from diagnose.run.store import Store


class Spent(Budget):
    """A budget that covers nothing."""

    def __init__(self):
        super().__init__(0.03)

    def may_observe(self):
        return False

    def may_check(self):
        return False


def schedule(budget=None, every=None, epochs=None, steps=None, *, step=0, execution=1):
    return Schedule(budget or Spent(), every, FitFacts(epochs, steps), step, execution)


def silent(notes=None, written=None):
    return Guard([] if notes is None else notes, [].append if written is None else written.append)


def fail(guard, part="weights", words="planted"):
    with guard.guarded("trying", part):
        raise ValueError(words)


def test_a_fixed_spacing_observes_the_calls_that_hold_such_a_step():
    """Of calls that begin at 0, 3, 6 ... these take one of the steps 0, 7, 14, 21, 28."""
    times = schedule(every=7, execution=3)
    assert [step for step in range(0, 30, 3) if times.is_planned(step)] == [0, 6, 12, 21, 27]


def test_the_last_planned_step_is_due_whatever_it_costs():
    """A second fit of 2 epochs of 5 steps, after 100 steps: the tenth of its steps is number 109."""
    times = schedule(epochs=2, steps=5, step=100)
    assert [step for step in range(100, 112) if times.is_planned(step)] == [109]


def test_steps_of_the_grid_are_planned_and_others_are_had_if_the_budget_covers_them():
    times = schedule()
    assert [step for step in range(200) if times.is_planned(step)][18:] == [18, 19, 20, 29, 40, 57, 80, 114, 160]
    assert not times.is_affordable() and schedule(Budget(0.03)).is_affordable()
    assert not schedule(Budget(0.03), every=7).is_affordable()


def test_the_grid_is_sparse_where_an_observation_takes_long():
    times = schedule(execution=3)
    times.sparse = True
    assert [step for step in range(0, 60, 3) if times.is_planned(step)] == [0, 3, 6, 15, 30]
    assert [epoch for epoch in range(1, 17) if times.epoch_ends()] == [1, 2, 4, 8, 16]


def test_what_is_forced_is_due_until_it_is_observed():
    times = schedule()
    times.force()
    assert times.is_planned(25) and times.is_planned(26)
    times.observation_begins()
    assert not times.is_planned(27)


def test_a_short_last_call_of_an_epoch_takes_what_is_left():
    """Ten steps in calls of four; Keras tells the index that a full call would end with."""
    assert [schedule(steps=10, execution=4).batches_taken(batch) for batch in (3, 7, 11)] == [4, 4, 2]
    assert schedule(execution=4).batches_taken(11) == 4


def test_the_first_epochs_are_evaluated_and_then_two_in_each_doubling():
    times = schedule()
    assert [epoch for epoch in range(1, 40) if times.epoch_ends()] == [*range(1, 9), 12, 16, 23, 32]


def test_a_failure_is_told_once_and_its_part_left_off():
    notes, written = [], []
    guard = silent(notes, written)
    with pytest.warns(RuntimeWarning, match="keras-diagnose: trying failed: ValueError: planted. The training goes on"):
        fail(guard)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fail(guard, words="another")
    assert guard.is_off("weights") and not guard.is_off("check")
    assert notes == written == ["trying failed: ValueError: planted. The training goes on; weights is left off."]


def test_a_warning_cannot_steer_a_terminal():
    notes = []
    with pytest.warns(RuntimeWarning) as told:
        fail(silent(notes), words="\x1b[2J\u202e")
    (warning,) = told
    assert r"\x1b[2J\u202e" in notes[0] and notes[0] in str(warning.message)


def test_a_run_file_taken_away_under_way_is_told_in_plain_words_and_the_run_goes_on_in_memory(tmp_path):
    archive, notes = Archive(), []
    recorder = Recorder(archive, silent(notes))
    recorder.open(str(tmp_path / "run.sqlite"))
    recorder.add([Measurement("batch.loss", "", 0, 0.5)])
    (tmp_path / "run.sqlite").unlink()
    with pytest.warns(RuntimeWarning, match=r"run\.sqlite is gone: it was removed, renamed or moved"):
        recorder.add([Measurement("batch.loss", "", 1, 0.4)])
    recorder.close()
    assert archive.run.series("batch.loss").steps.tolist() == [0, 1]
    assert notes[0].endswith("this run goes on in memory. The training goes on; nothing more is written to it.")


def test_what_was_told_in_one_fit_is_not_told_again_in_the_next_and_yet_left_off():
    notes = []
    with pytest.warns(RuntimeWarning):
        fail(silent(notes))
    later = silent(notes)
    assert not later.is_off("weights")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fail(later)
    assert later.is_off("weights") and len(notes) == 1


def test_a_note_stays_in_memory_where_the_disk_is_full():
    def full(note):
        raise OSError("no space left on device")

    notes = []
    with pytest.warns(RuntimeWarning):
        fail(Guard(notes, full))
        fail(Guard(notes, full), "file", "no space")
    assert len(notes) == 2


def test_arrays_are_kept_of_observations_that_double_and_of_the_last():
    archive = Archive()
    recorder = Recorder(archive, silent())
    for step in range(7):
        recorder.add_observation(step, [], [("activation.curve", "dense", step, np.zeros((3, 1)))], planned=True)
    assert [*archive.run.arrays("activation.curve", "dense")] == [0, 1, 3]
    recorder.add_latest_arrays()
    assert [*archive.run.arrays("activation.curve", "dense")] == [0, 1, 3, 6]
    assert archive.run.observations == 7


def test_of_the_answers_the_latest_are_kept(tmp_path):
    recorder = Recorder(archive := Archive(), silent())
    recorder.open(str(tmp_path / "run.sqlite"))
    for step in (4, 9):
        recorder.replace_answers([("classes.train", "", step, np.eye(2))])
    recorder.close()
    for run in (archive.run, diagnose.load(tmp_path / "run.sqlite")):
        assert [*run.arrays("classes.train", "")] == [9]


def test_a_recorder_goes_on_where_that_of_the_last_fit_ended(tmp_path, monkeypatch):
    """While the disk is full the run goes on in memory; the next fit tries the file again."""
    archive, path = Archive(), str(tmp_path / "run.sqlite")
    first = Recorder(archive, silent())
    first.open(path)
    first.count(3)
    with monkeypatch.context() as planted, pytest.warns(RuntimeWarning, match="writing the run file failed"):
        planted.setattr(Store, "write", lambda *_: 1 / 0)
        first.add([Measurement("batch.loss", "", 2, 0.5)])
    first.add([Measurement("batch.loss", "", 3, 0.4)])
    second = Recorder(archive, silent())
    assert (second.steps, second.quantities) == (3, ("batch.loss",))
    second.open(path)
    second.add([Measurement("batch.loss", "", 4, 0.3)])
    second.facts = replace(second.facts, finished="completed")
    second.save_facts()
    second.close()
    assert archive.run.series("batch.loss").steps.tolist() == [2, 3, 4]
    found = diagnose.load(path)
    assert found.series("batch.loss").steps.tolist() == [4]
    assert (found.facts.finished, found.facts.steps_seen) == ("completed", 3)


def alarm(archive, times, instruments=("numerics",)):
    guard = silent()
    recorder = Recorder(archive, guard)
    context = Context(
        None, frozenset(instruments), guard, recorder, Spent(), Measuring(frozenset()), Sites(), lambda: None
    )
    return Alarm(context, times)


def test_an_alarm_rings_once_and_has_the_next_step_observed_and_an_epoch_searched():
    """Step 46 was fine, step 47 is not; the next is number 48, and an epoch has 20."""
    archive, times = Archive(steps=48), schedule(steps=20)
    bell = alarm(archive, times)
    bell.check(46, {"loss": 1.0}, lambda: True)
    assert not times.is_planned(48) and not bell.searches(48)
    assert not bell.is_due({"loss": 1.0}) and bell.is_due({"loss": float("nan")})
    bell.check(47, {"loss": float("nan")}, lambda: False)
    assert times.is_planned(48) and not bell.is_due({"loss": float("nan")})
    assert (bell.searches(67), bell.searches(68)) == (True, False)
    series = archive.run.series("weight.finite")
    assert (series.steps.tolist(), series.values.tolist()) == ([46, 47], [1.0, 0.0])


def test_where_an_epoch_has_no_known_length_a_thousand_batches_are_searched():
    bell = alarm(Archive(), schedule())
    bell.check(0, None, lambda: False)
    assert (bell.searches(SEARCHED - 1), bell.searches(SEARCHED)) == (True, False)


def test_weights_are_not_read_where_numbers_are_not_watched():
    alarm(Archive(), schedule(), instruments=["weights"]).check(0, None, lambda: pytest.fail("they were read"))


def small_model():
    keras.utils.set_random_seed(5)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def train(model, monitor, **options):
    x = np.random.default_rng(0).standard_normal((24, 4)).astype("float32")
    model.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=[monitor], **options)


def test_what_failed_in_one_fit_is_tried_again_in_the_next(monkeypatch):
    """The parts of the second fit are new ones; the run, and the count of its steps, go on."""
    monitor, model = TrainingMonitor(), small_model()
    with monkeypatch.context() as planted, pytest.warns(RuntimeWarning, match="planted"):
        planted.setattr(Measuring, "measure", lambda *_, **__: fail_with("planted"))
        train(model, monitor)
    assert monitor.run.observations == 0
    train(model, monitor)
    assert monitor.run.observed_steps.tolist() == [3, 4, 5]
    assert len(monitor.run.history["loss"]) == 2


def fail_with(words):
    raise ValueError(words)


def test_after_its_end_a_fit_holds_no_model():
    """A monitor of a second model starts a new run, also where the first model is gone by then."""
    monitor, model = TrainingMonitor(), small_model()
    train(model, monitor)
    first, gone = monitor.run, weakref.ref(model)
    model = small_model()
    train(model, monitor)
    gc.collect()
    assert monitor.run is not first
    assert gone() is None
