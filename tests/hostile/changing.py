"""A good run file, and the ways to change it."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from audited import audited
from run_files import written
from runs import sick_run

from diagnose.run.run import Run

OLD_RUN = Path(__file__).parent.parent / "data" / "run-of-format-1.sqlite"
FUNCTION = "tanh_of_fifth_power"


@dataclass(frozen=True)
class Change:
    """What is done to the file at a path. kind: what kind of change it is; name: which of that kind."""

    kind: str
    name: str
    make: Callable[[Path], None]


def good_run() -> Run:
    """A run made by hand that holds something of everything a run file can hold."""
    run = sick_run(hidden=("dense", "dense_1"))
    with closing(sqlite3.connect(OLD_RUN)) as database:
        (text,) = database.execute("SELECT json FROM facts WHERE name = 'profiles'").fetchone()
    profile = next(iter(json.loads(text).values()))
    whole = Run(
        {
            **run.meta,
            "audit": audited().meta["audit"],
            "profiles": {FUNCTION: profile},
            "inside": {"swish": ["lstm"]},
            "unmeasured": {"lstm": "its function runs inside a loop"},
        }
    )
    whole.history, whole.notes = run.history, ["the layer `odd` could not be observed: it has no output"]
    keep = np.arange(0, len(run.observed_steps), 4)
    whole.observed(*run.observed_steps[keep].tolist())
    for quantity in run.quantities:
        for where in run.places(quantity):
            series = run.series(quantity, where)
            whole.add_column(quantity, where, series.steps[::4], series.values[::4])
    for array in run.all_arrays():
        whole.add_array(*array)
    classes = np.array([[0, 1, 2], [50, 40, 9], [50, 2, 0], [90, 9, 0], [-1, 0, 0]])
    for side in ("train", "validation"):
        whole.add_array(f"classes.{side}", "", 899, classes)
        whole.add_array(f"residuals.{side}", "", 899, np.stack([np.linspace(-4, 4, 41), np.arange(41.0)]))
    return whole


def good_file(path: Path) -> Path:
    """A good run file, written as a monitor does."""
    written(good_run(), path).close()
    return path


# How a change is made.


def sql(*statements: str, values: tuple[Any, ...] = ()) -> Callable[[Path], None]:
    """SQL statements, one after another; `values` go with the last."""

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements[:-1]:
                database.execute(statement)
            database.execute(statements[-1], values)

    return make


def schema(old: str, new: str) -> Callable[[Path], None]:
    """The schema as text, changed behind the back of SQLite."""
    return sql(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}')",
        "PRAGMA writable_schema = OFF",
    )


def fact(name: str, text: str | bytes | None, part: str = "meta") -> Callable[[Path], None]:
    return sql("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", values=(part, name, text))


def changed_fact(name: str, path: tuple[Any, ...], value: Any, part: str = "meta") -> Callable[[Path], None]:
    """One value deep in a fact replaced; `MISSING` takes its key away."""

    def make(file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            (text,) = database.execute("SELECT json FROM facts WHERE part = ? AND name = ?", (part, name)).fetchone()
            whole = json.loads(text)
            holder: Any = [whole]
            steps: tuple[Any, ...] = (0, *path)
            for step in steps[:-1]:
                holder = holder[step]
            if value is MISSING:
                del holder[steps[-1]]
            else:
                holder[steps[-1]] = value
            text = json.dumps(holder[0] if len(steps) == 1 and value is not MISSING else whole)
            database.execute("UPDATE facts SET json = ? WHERE part = ? AND name = ?", (text, part, name))

    return make


def array(quantity: str, blob: bytes | str | None) -> Callable[[Path], None]:
    """The arrays of one quantity replaced."""
    of_quantity = "series IN (SELECT id FROM series WHERE quantity = ?)"
    return sql(f"UPDATE arrays SET npy = ? WHERE {of_quantity}", values=(blob, quantity))


def content(text: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text) and None


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else at the path of the file."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


def npy(values: Any, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values), allow_pickle=allow_pickle)
    return buffer.getvalue()


def npy_of_header(header: str, body: bytes = b"\0" * 64, length: int | None = None) -> bytes:
    """An array whose header claims what it likes."""
    text = header.encode() + b"\n"
    size = (len(text) if length is None else length).to_bytes(4, "little")
    return b"\x93NUMPY\x02\x00" + size + text + body


def counted(count: int) -> str:
    return f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) "


MISSING = object()
DEEP = "[" * 100_000 + "]" * 100_000
RAW = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\x9b31m\x7f\u200f"
MARKUP = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"

#: What may stand in place of any value.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "text": "x",
    "an empty text": "",
    "a negative number": -3,
    "a fraction": 0.5,
    "a number beyond 64 bits": 2**80,
    "a number of 300 digits": 10**300,
    "infinity": float("inf"),
    "nan": float("nan"),
    "an empty list": [],
    "an empty object": {},
    "a nested list": [[[1]], {"a": [None]}],
    "an object": {"path": "a", "kind": 3},
    "a huge text": "x" * 3_000_000,
    "control characters": RAW,
    "markup": MARKUP,
    "a lone surrogate": "a\ud800b",
    "a missing key": MISSING,
}
