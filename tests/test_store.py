"""A run file keeps what was measured, whatever becomes of the process that wrote it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from run_files import written
from runs import sick_run

from diagnose import load
from diagnose.run.meta import Facts
from diagnose.run.run import Measurement, Run
from diagnose.run.store import Store

INF = float("inf")


def loss(step: int, value: float) -> Measurement:
    return Measurement("batch.loss", "", step, value)


def test_a_run_comes_back_as_it_was_written(tmp_path):
    run = sick_run()
    run.notes.append("the layer `odd` could not be observed: it has no output")
    written(run, tmp_path / "run.sqlite").close()
    again = load(tmp_path / "run.sqlite")
    assert (again.meta, again.history, again.notes) == (run.meta, run.history, run.notes)
    assert again.quantities == run.quantities
    assert again.observed_steps.tolist() == run.observed_steps.tolist()
    for quantity in run.quantities:
        assert again.places(quantity) == run.places(quantity)
        for where in run.places(quantity):
            np.testing.assert_array_equal(again.series(quantity, where).steps, run.series(quantity, where).steps)
            np.testing.assert_array_equal(again.series(quantity, where).values, run.series(quantity, where).values)
    for quantity, where, step, values in run.all_arrays():
        np.testing.assert_array_equal(again.arrays(quantity, where)[step], values)


def test_nan_and_infinities_survive(tmp_path):
    """SQLite has no NaN: it would come back as None."""
    store = Store.create(tmp_path / "run.sqlite")
    store.write(0, [loss(0, float("nan")), loss(0, INF), loss(0, -INF), loss(0, -0.0)])
    store.set_history({"loss": [float("nan"), INF]})
    again = load(store.path)
    np.testing.assert_array_equal(again.series("batch.loss").values, [np.nan, INF, -INF, 0.0])
    np.testing.assert_array_equal(again.history["loss"], [np.nan, INF])


def test_the_order_in_which_values_were_taken_is_kept(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    for step in (3, 1, 2):
        store.write(step, [loss(step, step / 10), Measurement("weight.rms", "dense/kernel", step, 1.0)])
    assert load(store.path).series("batch.loss").steps.tolist() == [3, 1, 2]


def test_names_of_any_letters_are_kept(tmp_path):
    where = "block/'; DROP TABLE series; --/β/😀"
    store = Store.create(tmp_path / "a name with % and ?.sqlite")
    store.write(0, [Measurement("weight.rms", where, 0, 1.0)])
    assert load(store.path).places("weight.rms") == (where,)


def test_a_run_can_be_read_while_it_is_written(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    assert load(store.path).observations == 0
    store.write(0, [loss(0, 1.0)])
    assert load(store.path).observations == 1


def test_thinning_forgets_measurements_and_keeps_observations_and_arrays(tmp_path):
    """As `Run.drop` does, so that the file and the run in memory say the same."""
    run = Run()
    store = Store.create(tmp_path / "run.sqlite")
    for step in range(4):
        store.write(step, [loss(step, 1.0)], [("activation.curve", "dense", step, np.zeros(3))])
        run.add(loss(step, 1.0))
        run.observed(step)
        run.add_array("activation.curve", "dense", step, np.zeros(3))
    run.drop(frozenset({1, 2}))
    store.drop({1, 2})
    store.drop_arrays([("activation.curve", "dense", 3)])
    run.drop_array("activation.curve", "dense", 3)
    again = load(store.path)
    assert again.series("batch.loss").steps.tolist() == run.series("batch.loss").steps.tolist() == [0, 3]
    assert again.observations == run.observations == 4
    assert list(again.arrays("activation.curve", "dense")) == list(run.arrays("activation.curve", "dense")) == [0, 1, 2]


def test_a_thinned_file_stays_bounded(tmp_path):
    """Freed pages are used again: 50 rounds of writing and dropping take no more room than two."""
    store = Store.create(tmp_path / "run.sqlite")
    sizes = []
    for step in range(50):
        store.write(step, [Measurement("weight.rms", f"layer_{k}", step, 0.1) for k in range(200)])
        store.drop({step - 1})
        sizes.append(store.path.stat().st_size)
    assert sizes[-1] <= sizes[2] + 8192


def test_what_the_meta_no_longer_says_is_forgotten(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    store.set_meta({"finished": "", "loss": {"name": "mse"}, "steps_seen": np.int64(3), "metrics": np.array(["mae"])})
    store.set_meta({"finished": "completed", "steps_seen": np.int64(3), "metrics": np.array(["mae"])})
    facts = load(store.path).facts
    assert facts == Facts(finished="completed", steps_seen=3, metrics=("mae",))


def test_a_closed_store_goes_on_in_its_run(tmp_path):
    """A second fit of the same monitor goes on in the same run."""
    store = Store.create(tmp_path / "run.sqlite")
    store.write(0, [loss(0, 1.0)])
    store.close()
    store.write(1, [loss(1, 2.0)])
    assert load(store.path).series("batch.loss").values.tolist() == [1.0, 2.0]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    store.write(0, [loss(0, 1.0)])
    with pytest.raises(ValueError, match="pickle"):
        store.write(1, [loss(1, 2.0), Measurement("new", "", 1, 1.0)], [("a", "", 1, np.array([object()]))])
    store.write(2, [Measurement("new", "", 2, 5.0)])
    again = load(store.path)
    assert again.observed_steps.tolist() == [0, 2]
    assert (again.quantities, again.series("new").values.tolist()) == (("batch.loss", "new"), [5.0])


# --- where a run file may go -----------------------------------------------------------------------------------------


def test_an_older_run_at_the_path_is_kept_under_a_number(tmp_path):
    path = tmp_path / "digits.sqlite"
    for value in (1.0, 2.0, 3.0):
        store = Store.create(path)
        store.write(0, [loss(0, value)])
        store.close()
    names = ("digits.sqlite", "digits.sqlite.1", "digits.sqlite.2")
    assert [load(tmp_path / name).series("batch.loss").values[0] for name in names] == [3.0, 2.0, 1.0]


def test_a_file_that_is_no_run_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("all my work")
    for refuse in (Store.check, Store.create):
        with pytest.raises(ValueError, match=r"thesis\.txt exists and is no run file.*pass another path"):
            refuse(path)
    assert path.read_text() == "all my work"


def test_somebody_elses_database_is_refused(tmp_path):
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id)")
    database.close()
    with pytest.raises(ValueError, match="is no run file"):
        Store.check(path)
    with pytest.raises(ValueError, match="no run file of keras-diagnose"):
        load(path)


def test_a_check_creates_nothing(tmp_path):
    assert Store.check(tmp_path / "run.sqlite") == tmp_path / "run.sqlite"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("missing/run.sqlite", FileNotFoundError, "there is no directory"),
        (".", IsADirectoryError, "is a directory; pass the name of a file in it"),
        ("file/run.sqlite", NotADirectoryError, "is a file"),
        ("a" * 250, OSError, r"too many for this disk.*Pass a shorter path"),
        ("a" * 5_000, OSError, r"too many for this disk.*Pass a shorter path"),
        ("a" * 300 + "/run.sqlite", OSError, r"too many for this disk.*Pass a shorter path"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_path_that_cannot_be_written_is_told_early(tmp_path, path, error, words):
    (tmp_path / "file").touch()
    with pytest.raises(error, match=words):
        Store.check(tmp_path / path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "path is '', which names no file; pass a name such as 'run.sqlite'"),
        ("run\0.sqlite", "which names no file"),
        ("~nobody-of-this-name/run.sqlite", "home directory.*Write the directory out"),
    ],
)
def test_words_that_name_no_file_are_told_as_they_came(path, words):
    with pytest.raises(ValueError, match=words):
        Store.check(path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has a directory that refuses root as well")
def test_a_directory_that_refuses_is_told_before_any_training():
    """Even for root, who has all rights, /proc takes no file."""
    with pytest.raises(PermissionError, match=r"/proc/run\.sqlite cannot be made.*nothing can be written in /proc"):
        Store.check("/proc/run.sqlite")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="Windows has neither /dev/null nor named pipes")
def test_what_is_no_ordinary_file_is_never_moved(tmp_path):
    """/dev/null reads as empty, as a run killed at its start does, and root could rename it."""
    with pytest.raises(ValueError, match="is no run file"):
        Store.check("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no run file"):
        Store.check(tmp_path / "pipe")


def test_a_run_file_that_was_taken_away_is_not_written_again(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    store.close()
    store.path.unlink()
    with pytest.raises(FileNotFoundError, match="is gone"):
        store.write(0, [])
    other = Store.create(store.path)
    other.close()
    with pytest.raises(FileExistsError, match="another run"):
        store.write(0, [])


# --- killed processes ------------------------------------------------------------------------------------------------

WRITER = """
import sys
from diagnose.run.run import Measurement
from diagnose.run.store import Store

store = Store.create(sys.argv[1])
for step in range(1_000_000):
    store.write(step, [Measurement("weight.rms", f"layer_{k}", step, float(step)) for k in range(100)])
    if step == 50:
        print("ready", flush=True)
"""


def test_a_process_killed_while_it_writes_leaves_a_readable_run(tmp_path):
    """Every observation is there whole, or not at all."""
    path = tmp_path / "run.sqlite"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        writer.send_signal(signal.SIGKILL)
    run = load(path)
    assert run.observations > 50
    counts = {len(run.series("weight.rms", where)) for where in run.places("weight.rms")}
    assert counts == {run.observations}


HALF_DONE = """
import os, signal, sqlite3, sys
from diagnose.run.run import Measurement
from diagnose.run.store import Store

store = Store.create(sys.argv[1])
store.write(0, [Measurement("weight.rms", f"layer_{k}", 0, 1.0) for k in range(2_000)])
store._open().execute("PRAGMA cache_size = 5")  # so that a transaction reaches the file before it is committed
with store._transaction() as database:
    database.execute("UPDATE measurements SET value = 2.0")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_transaction_cut_in_the_middle_is_undone_without_writing_to_the_file(tmp_path):
    """The journal is played back in a copy, so a run in a place that cannot be written is readable too."""
    path = tmp_path / "run.sqlite"
    subprocess.run([sys.executable, "-c", HALF_DONE, str(path)], check=False)
    journal = tmp_path / "run.sqlite-journal"
    before = path.read_bytes(), journal.read_bytes()
    run = load(path)
    values = {run.series("weight.rms", where).values.tolist()[0] for where in run.places("weight.rms")}
    assert (values, len(run.places("weight.rms"))) == ({1.0}, 2_000)
    assert (path.read_bytes(), journal.read_bytes()) == before


def test_a_new_run_takes_the_journal_of_the_killed_one_along(tmp_path):
    """A journal left under the old name would be played back into the new file, and ruin it."""
    path = tmp_path / "run.sqlite"
    subprocess.run([sys.executable, "-c", HALF_DONE, str(path)], check=False)
    store = Store.create(path)
    store.write(0, [loss(0, 3.0)])
    store.close()
    assert load(path).series("batch.loss").values.tolist() == [3.0]
    assert load(tmp_path / "run.sqlite.1").series("weight.rms", "layer_7").values.tolist() == [1.0]
