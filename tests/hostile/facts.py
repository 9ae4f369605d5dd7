"""Changes to what a run file says besides its measurements: facts, epoch logs, and names everywhere."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from hostile.changing import DEEP, FUNCTION, MARKUP, MISSING, RAW, VALUES, Change, changed_fact, fact, good_run, sql


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        if not (isinstance(key, int) and key > 1):
            yield from _leaves(entry, (*path, key))


def of_facts(rng: random.Random) -> Iterator[Change]:
    meta = json.loads(json.dumps(good_run().meta))
    for what, value in VALUES.items():
        for path in [*rng.sample(list(_leaves(meta)), 4), ("task", "classes"), ("model", "layers", 0, "order")]:
            name, *rest = path
            if rest or value is not MISSING:
                place = ".".join(map(str, path))
                yield Change(f"{what} among the facts", place, changed_fact(name, tuple(rest), value))
    for name in ("model", "sites", "audit", "profiles", "task", "steps_seen"):
        for what in ("null", "a nested list", "a number of 300 digits"):
            yield Change("a whole fact of another type", f"{name}: {what}", fact(name, json.dumps(VALUES[what])))
    for path, value in (
        (("model", "layers", 0, "inbound"), ["dense"]),
        (("model", "layers", 0, "within"), "dense"),
        (("model", "layers"), [meta["model"]["layers"][0]] * 30_000),
        (("sites",), [meta["sites"][0]] * 30_000),
        (("audit", "outputs"), meta["audit"]["outputs"] * 3_000),
        (("audit", "outputs", 0, "shape"), [2**62] * 9),
        (("task", "classes"), 2**60),
        (("profiles",), {f"f{number}": meta["profiles"][FUNCTION] for number in range(100)}),
        (("profiles", FUNCTION, "format"), float("inf")),
        (("profiles", FUNCTION, "format"), [1]),
        (("profiles", FUNCTION, "format"), None),
        (("profiles", FUNCTION, "curve", "z"), [0.0] * 10),
        (("versions",), {str(number): "1" for number in range(100_000)}),
        (("inside",), {"tanh": [str(number) for number in range(100_000)]}),
        (("unmeasured",), {str(number): str(number) for number in range(100_000)}),
        (("metrics",), [[["a"]]] * 50_000),
    ):
        place = ".".join(map(str, path))
        yield Change("facts out of all measure", place, changed_fact(path[0], tuple(path[1:]), value))


def of_json() -> Iterator[Change]:
    for name in ("model", "loss", "profiles"):
        yield Change("deep nesting", name, fact(name, DEEP))
    yield Change("deep nesting", "objects", fact("loss", '{"name":' * 50_000 + "1" + "}" * 50_000))
    yield Change("deep nesting", "just parsed", fact("loss", '{"name":' + "[" * 900 + "]" * 900 + "}"))
    yield Change("deep nesting", "as deep as three hundred", fact("metrics", "[" * 300 + "]" * 300))
    yield Change("much JSON", "empty lists", fact("loss", '{"name": [' + "[]," * 20_000_000 + "1]}"))
    yield Change("much JSON", "digits", fact("steps_seen", "9" * 6_000))
    yield Change("much JSON", "a text of 100 MB", fact("finished", json.dumps("x" * 100_000_000)))
    yield Change("much JSON", "a hundred thousand facts", _many_facts)
    for what, text in (("bytes", b"\xff\xfe{"), ("nothing", ""), ("half a text", '"abc'), ("two values", "1 2")):
        yield Change("no JSON", what, fact("model", text))
    yield Change("no JSON", "a number", sql("UPDATE facts SET json = 7"))
    yield Change("no JSON", "text of another coding", sql("UPDATE facts SET json = CAST(x'22ff22' AS TEXT)"))
    yield Change("odd facts", "another part", fact("model", "{}", part="unheard-of"))
    yield Change("odd facts", "a name of bytes", sql("UPDATE facts SET name = x'ff00' WHERE name = 'model'"))
    yield Change("odd facts", "a name that is a number", sql("UPDATE facts SET name = 5 WHERE name = 'loss'"))
    yield Change("odd facts", "none", sql("DELETE FROM facts"))


def _many_facts(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executemany("INSERT INTO facts VALUES ('history', ?, '[1.0]')", ((f"m{n}",) for n in range(100_000)))
        database.commit()


def of_history() -> Iterator[Change]:
    lists: dict[str, Any] = {what: [1.0, value] for what, value in VALUES.items() if value is not MISSING}
    whole: dict[str, Any] = {f"{what} alone": value for what, value in VALUES.items() if value is not MISSING}
    more = {"a million epochs": [0.5] * 1_000_000, "an empty log": [], "shorter": [1.0], "inf as text": ["inf"]}
    for what, value in {**lists, **whole, **more}.items():
        name = "val_accuracy" if "alone" in what else "loss"
        yield Change("odd epoch logs", what, fact(name, json.dumps(value), part="history"))


def of_texts() -> Iterator[Change]:
    for what, text in (("control characters", RAW), ("markup", MARKUP), ("lines", "a\nNo cause was found.\r\nb")):
        quoted = text.replace("'", "''")
        for table, column in (("series", "place"), ("series", "quantity"), ("notes", "note")):
            yield Change(
                f"{what} in names", f"{table}.{column}", sql(f"UPDATE {table} SET {column} = {column} || '{quoted}'")
            )
        for name in ("model", "sites", "audit", "profiles", "inside", "unmeasured", "versions", "optimizer"):
            yield Change(f"{what} in names", name, _text_everywhere(name, text))
        yield Change(f"{what} in names", "of an epoch log", fact(text, "[1.0, 0.5, 0.2]", part="history"))
        yield Change(f"{what} in names", "of a fact", fact(text, "{"))
        yield Change(f"{what} in names", "in an error", fact("steps_seen", json.dumps(text)))


def _text_everywhere(name: str, text: str) -> Callable[[Path], None]:
    """Each text of a fact that is no key and no closed choice, with something at its end."""

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: spoilt(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoilt(v, key) for v in value]
        return value + text if isinstance(value, str) and key != "role" else value

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            (known,) = database.execute("SELECT json FROM facts WHERE name = ?", (name,)).fetchone()
            database.execute("UPDATE facts SET json = ? WHERE name = ?", (json.dumps(spoilt(json.loads(known))), name))
            database.commit()

    return make
