"""A run file is read as far as it can be, whoever wrote it; what cannot be read is told in words."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from run_files import written
from runs import sick_run

from diagnose import examine, load
from diagnose.run.file_format import FORMAT
from diagnose.run.meta import Facts, ModelFacts
from diagnose.run.run import Measurement
from diagnose.run.store import Store

#: Written by the last version that kept what is known of a run as a dictionary: a training of two layers of
#: tanh(x**5) behind a BatchNormalization, with validation data, audited; of its arrays, the first and the last.
OF_FORMAT_1 = Path(__file__).parent / "data" / "run-of-format-1.sqlite"


# --- runs of earlier versions ----------------------------------------------------------------------------------------


def test_a_run_file_of_an_earlier_version_is_judged_as_it_was_then():
    run = load(OF_FORMAT_1)
    diagnosis = examine(run)
    assert run.notes == []
    assert (diagnosis.outcome, diagnosis.outcome_reason) == (
        "not-learning",
        "after 192 updates the accuracy is 34 % on training samples (always predicting the commonest class: 38 %) "
        "and 28 % on validation samples.",
    )
    assert diagnosis.headline == (
        "98 % of the inputs of `tanh_of_fifth_power` in `survey/second` fall where its slope is almost 0, around "
        "z = 0: its inputs are tiny (rms 0.11). Replace `tanh_of_fifth_power` by `relu` in 2 layers."
    )
    assert [(cause.rule, cause.where, cause.severity) for cause in diagnosis.causes] == [
        ("saturated-activation", "survey/second", "critical")
    ]


def test_a_run_file_of_an_earlier_version_says_all_that_it_said_then():
    """Its facts, made plain again, are what stands in the file."""
    with sqlite3.connect(OF_FORMAT_1) as database:
        known = dict(database.execute("SELECT name, json FROM facts WHERE part = 'meta'").fetchall())
    database.close()
    now = load(OF_FORMAT_1).meta
    assert now["audit"].pop("levelled") is None  # nobody looked then
    assert {name: now[name] for name in known} == {name: json.loads(text) for name, text in known.items()}


# --- facts that cannot be read ---------------------------------------------------------------------------------------


def damaged(directory: Path, name: str, change: Callable[[str], str], part: str = "meta") -> Path:
    """A copy of the run file with one entry of its table `facts` changed."""
    path = Path(shutil.copy(OF_FORMAT_1, directory / "damaged.sqlite"))
    with sqlite3.connect(path) as database:
        key = (part, name)
        (text,) = database.execute("SELECT json FROM facts WHERE part = ? AND name = ?", key).fetchone()
        assert change(text) != text
        database.execute("UPDATE facts SET json = ? WHERE part = ? AND name = ?", (change(text), *key))
    database.close()
    return path


def test_a_fact_that_cannot_be_read_costs_that_fact_alone(tmp_path):
    run = load(damaged(tmp_path, "model", lambda text: text.replace('"order": 1', '"order": "first"')))
    (note,) = run.notes
    assert note == (
        'the facts about `model` could not be read: wrong value type for field "model.layers.order" - should be "int" '
        'instead of value "first" of type "str"; the rest of the run was read without them.'
    )
    whole = load(OF_FORMAT_1)
    assert run.facts.model == ModelFacts()
    assert {**run.meta, "model": None} == {**whole.meta, "model": None}
    assert (run.history, run.quantities, run.observations) == (whole.history, whole.quantities, whole.observations)
    diagnosis = examine(run)
    assert diagnosis.outcome == "not-learning"
    assert note in [entry.reason for entry in diagnosis.not_measured]
    assert note.partition(";")[0] in " ".join(str(diagnosis).split())


@pytest.mark.parametrize(
    ("part", "name", "change", "words"),
    [
        ("meta", "audit", lambda text: text[:-30], "the facts about `audit` could not be read: Expecting"),
        ("meta", "steps_seen", lambda text: "[]", 'should be "int | None"'),
        ("meta", "sites", lambda text: text.replace("hidden", "unheard-of"), 'field "sites.role"'),
        ("meta", "task", lambda text: f'{{"kind": {json.dumps(list(range(9999)))}}}', "; the rest of the run was read"),
        ("history", "val_loss", lambda text: text[:-3], "the epoch logs of `val_loss` could not be read: Expecting"),
    ],
)
def test_whatever_is_damaged_is_named_with_its_reason(tmp_path, part, name, change, words):
    run = load(damaged(tmp_path, name, change, part))
    (note,) = run.notes
    assert words in note and f"`{name}`" in note and len(note) < 400
    assert run.observations == load(OF_FORMAT_1).observations
    assert name not in run.history
    assert getattr(run.facts, name, None) == getattr(Facts(), name, None)


def test_what_only_a_newer_version_knows_is_passed_over(tmp_path):
    run = load(damaged(tmp_path, "fit", lambda text: text.replace("{", '{"batch_size": 16, ')))
    assert (run.notes, run.facts.fit) == ([], load(OF_FORMAT_1).facts.fit)


# --- what else may lie there -----------------------------------------------------------------------------------------


def test_a_run_of_a_newer_format_is_refused(tmp_path):
    store = Store.create(tmp_path / "run.sqlite")
    store.close()
    with sqlite3.connect(store.path) as database:
        database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()
    with pytest.raises(ValueError, match=rf"has format {FORMAT + 1}.*pip install -U keras-diagnose"):
        load(store.path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_a_file_cut_short_is_told_as_damaged(tmp_path, share):
    store = written(sick_run(), tmp_path / "run.sqlite")
    store.close()
    content = store.path.read_bytes()
    store.path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"damaged or cut short|no run file"):
        load(store.path)


def test_a_file_with_bytes_overwritten_never_ends_in_anything_but_a_clear_error(tmp_path):
    store = written(sick_run(), tmp_path / "run.sqlite")
    store.close()
    content = store.path.read_bytes()
    rng = np.random.default_rng(0)
    broken = tmp_path / "broken.sqlite"
    for _ in range(60):
        torn = bytearray(content)
        start = int(rng.integers(100, len(torn) - 600))
        torn[start : start + 500] = rng.bytes(500)
        broken.write_bytes(bytes(torn))
        try:
            load(broken)
        except ValueError as error:
            assert "damaged" in str(error) or "no run file" in str(error) or "format" in str(error)


def test_a_missing_file_and_an_empty_one_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no run file .*run\.sqlite"):
        load(tmp_path / "run.sqlite")
    (tmp_path / "run.sqlite").touch()
    with pytest.raises(ValueError, match="is empty: its training ended before the first observation"):
        load(tmp_path / "run.sqlite")
    with pytest.raises(IsADirectoryError, match="pass the run file in it"):
        load(tmp_path)
    (tmp_path / "notes.txt").write_text("no database")
    with pytest.raises(ValueError, match="is no run file"):
        load(tmp_path / "notes.txt")


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    store = Store.create(tmp_path_factory.mktemp("runs") / "million.sqlite")
    for start in range(0, 1_000, 100):
        rows = [
            Measurement("weight.rms", f"layer_{k}", step, step + k / 1000)
            for step in range(start, start + 100)
            for k in range(1_000)
        ]
        store.write(start, rows)
    store.close()
    return store.path


def test_a_run_of_a_million_measurements_is_loaded_whole(million):
    run = load(million)
    assert run.series("weight.rms", "layer_7").values[999] == 999.007


def test_a_measurement_takes_as_many_bytes_as_the_docstring_says(million):
    assert million.stat().st_size / 1e6 == pytest.approx(22, abs=2)


def test_a_copied_file_is_a_run_of_its_own(million, tmp_path):
    copy = shutil.copy(million, tmp_path / "copy.sqlite")
    assert load(copy).quantities == ("weight.rms",)
