"""What is known of a run besides its measurements: records that the real writer fills, and that survive a file."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from diagnose.run import audit, meta
from diagnose.run.meta import Facts, LayerFacts, ModelFacts
from diagnose.run.records import from_plain, to_plain
from diagnose.run.run import Run

CALLBACKS = Path(__file__).parent.parent / "callbacks"
RECORDS = [
    kind
    for module in (meta, audit)
    for kind in vars(module).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
]


def written() -> dict[str, set[str]]:
    """By record, the fields that callbacks/ gives a value to; by place and by name, and by `replace` for any record."""
    found: dict[str, set[str]] = {}
    known = {kind.__name__: [field.name for field in dataclasses.fields(kind)] for kind in RECORDS}
    for file in CALLBACKS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            given = {keyword.arg for keyword in node.keywords if keyword.arg}
            if name in known:
                found.setdefault(name, set()).update(given, known[name][: len(node.args)])
            elif name in ("replace", "know"):
                found.setdefault("", set()).update(given)
    return found


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_that_can_be_read_is_written_by_the_real_writer(kind):
    """A key that a rule reads and nobody writes is a rule that never fires."""
    by_record = written()
    fields = {field.name for field in dataclasses.fields(kind)}
    assert fields - by_record.get(kind.__name__, set()) - by_record[""] == set()


def test_meta_shows_the_facts_as_a_dictionary_and_a_change_of_it_changes_nothing():
    run = Run(Facts(model=ModelFacts(layers=(LayerFacts("dense", class_name="Dense"),))))
    assert run.meta["model"]["layers"][0]["class"] == "Dense"
    run.meta["model"]["layers"].clear()
    assert len(run.facts.model.layers) == 1


def test_facts_come_back_from_their_plain_form():
    layers = (LayerFacts("a", order=0, inbound=()), LayerFacts("b", order=1, units=3, rate=0.5))
    facts = Facts(model=ModelFacts(layers=layers), inside={"tanh": ("a",)}, steps_seen=7, finished="completed")
    assert Facts.from_dict(facts.to_dict()) == facts


def test_what_nobody_knows_is_left_out_of_the_plain_form():
    assert "inbound" not in to_plain(LayerFacts("a"))
    assert {"model", "audit", "task", "finished"} & set(Run().meta) == set()


def test_a_misspelt_fact_of_a_run_made_by_hand_is_an_error():
    with pytest.raises(ValueError, match="trainabel"):
        Run({"model": {"layers": [{"path": "a", "trainabel": True}]}})


def test_a_fact_of_a_newer_version_is_passed_over():
    assert Facts.from_dict({"steps_seen": 3, "of_tomorrow": 1}, strict=False).steps_seen == 3


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"path": 3}, "path"),
        ({}, "path"),
        ({"path": "a", "order": "first"}, "order"),
        ({"path": "a", "rate": []}, "rate"),
    ],
)
def test_a_value_of_another_type_is_named(data: dict, named: str):
    with pytest.raises(ValueError, match=f'LayerFacts: .*"{named}"'):
        from_plain(LayerFacts, data)
