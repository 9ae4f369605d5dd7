"""A run file may come from anybody: whatever stands in it, reading it ends soon, in words, and harms nothing.

`benchmarks/hostile_files.py` tries hundreds of changes, with limits on time and memory; here is one of each kind.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hostile import MARKUP, Change, changes, good_file, good_run
from hostile.changing import RAW, array, fact, npy, sql

from diagnose import examine, load
from diagnose.cli import main
from diagnose.run import limits
from diagnose.run.quantities import QUANTITIES
from diagnose.run.run import Measurement
from diagnose.run.store import Store
from diagnose.wording import STEERING

#: Kinds that need files of many megabytes; the benchmark has them.
LARGE = {
    "a million places",
    "many rows",
    "many notes",
    "many arrays",
    "much JSON",
    "many tables",
    "facts out of all measure",
}
LARGE |= {"a huge text among the facts", "a generated column"}
ONE_OF_EACH = {change.kind: change for change in changes() if change.kind not in LARGE}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return good_file(tmp_path_factory.mktemp("runs") / "good.sqlite")


@pytest.fixture
def changed(good, tmp_path):
    """A copy of the good run file, changed."""

    def make(*ways) -> Path:
        path = Path(shutil.copy(good, tmp_path / "run.sqlite"))
        for way in ways:
            way(path)
        return path

    return make


@pytest.mark.parametrize("change", ONE_OF_EACH.values(), ids=lambda change: change.kind)
def test_a_changed_run_file_is_reported_on_or_refused_in_one_line(change: Change, changed):
    path = changed(change.make)
    result = CliRunner().invoke(main, ["report", str(path)])
    assert not STEERING.search(result.output)
    if result.exit_code == 2:
        assert len(result.stderr.splitlines()) == 1
        assert "failed by itself" not in result.stderr
    else:
        assert result.exit_code in (0, 1)
        assert "From " in result.stdout
        assert "the rule itself failed" not in " ".join(result.stdout.split())


def test_the_good_run_file_holds_all_that_a_run_file_can_hold(good):
    """Else a change of it would show nothing."""
    run = load(good)
    assert run.meta == good_run().meta
    assert run.notes == good_run().notes
    assert set(run.history) == {"loss", "val_loss", "accuracy", "val_accuracy"}
    assert len(list(run.all_arrays())) == len(list(good_run().all_arrays()))


# --- what is damaged in part -----------------------------------------------------------------------------------------


def test_a_measurement_that_is_none_costs_itself_alone(changed, good):
    run, whole = load(changed(sql("UPDATE measurements SET step = -5 WHERE rowid = 1"))), load(good)
    (note,) = set(run.notes) - set(whole.notes)
    assert note.startswith("1 measurement could not be read: ")
    count, before = (sum(len(each.series(q, w)) for q in QUANTITIES for w in each.places(q)) for each in (run, whole))
    assert count == before - 1


def test_steps_beyond_the_numbers_that_floats_hold_are_left_out_and_smaller_ones_are_exact(changed):
    path = changed(
        sql(f"UPDATE measurements SET step = {limits.WHOLE} WHERE rowid = 1"),
        sql(f"UPDATE measurements SET step = {limits.WHOLE + 1} WHERE rowid = 2"),
    )
    run = load(path)
    steps = {step for q in run.quantities for w in run.places(q) for step in run.series(q, w).steps.tolist()}
    assert limits.WHOLE in steps and limits.WHOLE + 1 not in steps


@pytest.mark.parametrize(
    ("table", "lost"), [("arrays", "the arrays"), ("facts", "the facts about the run"), ("notes", "the notes")]
)
def test_a_view_where_a_table_is_expected_costs_that_table_alone(changed, good, table, lost):
    run = load(changed(sql(f"DROP TABLE {table}", f"CREATE VIEW {table} AS SELECT 1")))
    assert any(note.startswith(lost) and f"`{table}` is no plain table" in note for note in run.notes)
    assert run.quantities == load(good).quantities


def test_without_a_table_of_measurements_the_file_is_told_as_damaged(changed):
    with pytest.raises(ValueError, match=r"is damaged .*`measurements` is no plain table"):
        load(changed(sql("DROP TABLE measurements", "CREATE VIEW measurements AS SELECT 1")))


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (npy(np.array([["a"]])), "its numbers are of the type <U1"),
        (npy(np.ones((2, 3)))[:-1], "more or fewer numbers than its shape says"),
        (npy(np.array([print], object), allow_pickle=True), "its numbers are of the type object"),
        (b"no array", "no header of an array"),
    ],
)
def test_an_array_that_is_none_is_left_out_and_told(changed, blob, why):
    run = load(changed(array("activation.curve", blob)))
    assert run.arrays("activation.curve", "dense") == {}
    assert any("the array `activation.curve` of dense at step 0" in note and why in note for note in run.notes)
    assert run.arrays("preactivation.histogram", "dense")


def test_much_that_cannot_be_read_is_counted(changed):
    with closing(sqlite3.connect(path := changed())) as database:
        database.executemany("INSERT INTO facts VALUES ('history', ?, '[')", ((f"m{n}",) for n in range(100)))
        database.commit()
    notes = load(path).notes
    assert len(notes) == 1 + limits.UNREAD + 1
    assert (
        notes[-1] == f"{100 - limits.UNREAD} more entries could not be read; the rest of the run was read without them."
    )


def test_an_endless_view_is_refused_at_once(changed):
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n AS id, 'a' AS note FROM c"
    path = changed(sql("DROP TABLE notes", f"CREATE VIEW notes AS {endless}"))
    began = time.process_time()
    load(path)
    assert time.process_time() - began < 5


def test_nesting_as_deep_as_a_parser_gives_up_costs_that_fact_alone(changed):
    run = load(changed(fact("loss", "[" * 100_000)))
    assert any("`loss` could not be read: it nests deeper than" in note for note in run.notes)
    assert run.facts.model.name == "digits"


# --- what steers a terminal, or is markup ----------------------------------------------------------------------------


def test_a_name_that_steers_a_terminal_is_written_out_wherever_it_is_shown(changed):
    run = load(changed(sql("UPDATE series SET place = place || ?", values=(RAW,)), fact("finished", f'"{MARKUP}"')))
    diagnosis = examine(run)
    page = diagnosis.to_html(changed().with_name("page.html")).read_text()
    for text in (str(diagnosis), page, diagnosis.to_json(), diagnosis._repr_html_()):
        assert not STEERING.search(text)
    assert MARKUP not in page
    assert r"\x1b[2J" in page and r"\u202e" in page


def test_a_name_cannot_begin_a_line_of_its_own(changed):
    run = load(changed(sql("UPDATE notes SET note = 'odd' || char(10) || 'No cause was found.'")))
    assert run.notes == [r"odd\nNo cause was found."]


# --- the file goes away under way ------------------------------------------------------------------------------------


def _removed(path: Path) -> None:
    path.unlink()


def _replaced(path: Path) -> None:
    Store.create(path).close()


def _written_over(path: Path) -> None:
    path.write_text("no database" * 100)


def _another_run_copied_over_it(path: Path) -> None:
    other = Store.create(path.with_name("other.sqlite"))
    other.close()
    path.write_bytes(other.path.read_bytes())


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (_removed, r"is gone: it was removed, renamed or moved .* this run goes on in memory"),
        (_replaced, "has taken the place of"),
        (_written_over, "has taken the place of"),
        (_another_run_copied_over_it, "has taken the place of"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_run_file_that_goes_away_while_it_is_written_is_told_in_plain_words(tmp_path, happens, words):
    store = Store.create(tmp_path / "run.sqlite")
    store.write(0, [Measurement("batch.loss", "", 0, 1.0)])
    happens(store.path)
    with pytest.raises(OSError, match=words):
        store.write(1, [Measurement("batch.loss", "", 1, 1.0)])
