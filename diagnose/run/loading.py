"""A run read from its file, also from one whose training was killed, or still goes on.

Reading never writes: a journal left by a killed process is played back in a copy, so that a run on a read-only disk, or
one that somebody else wants to look at, opens as well. What is known besides the measurements is read field by field:
one that this version cannot read costs the user that field, and a note in the run says so.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from diagnose.run.file_format import APPLICATION, FORMAT, HEADER, MAGIC, PATIENCE, connect, journal_of
from diagnose.run.meta import Facts
from diagnose.run.run import Run

WHY = 200  # letters of an error, which may hold the whole value that it complains of

#: What the parts of the table `facts` hold, in words.
WHAT = {"meta": "the facts about", "history": "the epoch logs of"}


def load(path: str | Path) -> Run:
    """Read a run file, also one whose training was killed, or still goes on.

    Raises FileNotFoundError (or another OSError) where there is nothing to read, and ValueError for what is no run
    file, is damaged, or was written by a newer version; each message says what to do.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; pass the run file in it.")
    if not path.exists():
        raise FileNotFoundError(f"there is no run file {path}; a TrainingMonitor writes one to the path it is given.")
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError as error:
        raise type(error)(f"the run file {path} could not be read: {error.strerror or error}.") from error
    journal = journal_of(path)
    if not header and not journal.exists():
        raise ValueError(f"{path} is empty: its training ended before the first observation. Train again.")
    if header[:16] != MAGIC[: len(header[:16])]:
        raise ValueError(f"{path} is no run file of keras-diagnose; pass the path that was given to TrainingMonitor.")
    try:
        return _read_where_it_is(path)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BlockingIOError(f"{path} is being written at this moment; try again.") from error
        if not journal.exists():
            raise _damaged(path) from None
    except sqlite3.DatabaseError:
        raise _damaged(path) from None
    try:  # a journal of a killed process: played back in a copy, since reading never writes
        with tempfile.TemporaryDirectory(prefix="keras-diagnose-") as directory:
            copy = Path(directory) / "run.sqlite"
            shutil.copyfile(path, copy)
            shutil.copyfile(journal, journal_of(copy))
            with closing(connect(copy)) as database:
                return _read(database, path)
    except sqlite3.DatabaseError:
        raise _damaged(path) from None


def _read_where_it_is(path: Path) -> Run:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as database:
        return _read(database, path)


def _read(database: sqlite3.Connection, path: Path) -> Run:
    database.execute("BEGIN")  # one view of the file, whatever is written meanwhile
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise ValueError(
            f"{path} is a database, but no run file of keras-diagnose; pass the path given to TrainingMonitor."
        )
    if version > FORMAT:
        raise ValueError(
            f"{path} has format {version}, and this version of keras-diagnose reads formats up to {FORMAT}; "
            "upgrade it with: pip install -U keras-diagnose"
        )
    run = Run()
    names = {number: (quantity, place) for number, quantity, place in database.execute("SELECT * FROM series")}
    unread: list[str] = []
    try:
        _fill_columns(run, names, database)
        run.history = _entries(database, "history", unread)
        run.facts = _facts(_entries(database, "meta", unread), unread)
        for number, step, blob in database.execute("SELECT series, step, npy FROM arrays ORDER BY series, step"):
            run.add_array(*names[number], step, np.load(io.BytesIO(blob), allow_pickle=False))
    except (KeyError, ValueError, TypeError, EOFError) as error:
        raise _damaged(path) from error
    run.observed(*(step for (step,) in database.execute("SELECT step FROM observed")))
    run.notes.extend(note for (note,) in database.execute("SELECT note FROM notes ORDER BY id"))
    run.notes.extend(unread)
    return run


def _entries(database: sqlite3.Connection, part: str, unread: list[str]) -> dict[str, Any]:
    """The entries of one part of the table `facts`, by name; what is no JSON is left out, and `unread` says so."""
    known = {}
    for name, text in database.execute("SELECT name, json FROM facts WHERE part = ? ORDER BY rowid", (part,)):
        try:
            known[name] = json.loads(text)
        except ValueError as error:
            unread.append(_could_not_be_read(f"{WHAT[part]} `{name}`", error))
    return known


def _facts(known: dict[str, Any], unread: list[str]) -> Facts:
    """What is known besides the measurements; a field that cannot be read is left out, and `unread` says why."""
    try:
        return Facts.from_dict(known, strict=False)
    except ValueError:
        readable = {}
        for name, value in known.items():
            try:
                Facts.from_dict({name: value}, strict=False)
                readable[name] = value
            except ValueError as error:
                unread.append(_could_not_be_read(f"{WHAT['meta']} `{name}`", error))
        return Facts.from_dict(readable, strict=False)


def _could_not_be_read(what: str, error: ValueError) -> str:
    why = str(error).removeprefix(f"{Facts.__name__}: ")
    return f"{what} could not be read: {why[:WHY]}; the rest of the run was read without them."


def _fill_columns(run: Run, names: Mapping[int, tuple[str, str]], database: sqlite3.Connection) -> None:
    """One pass in the order of writing, then a stable sort by series: faster than SQLite's own sort."""
    rows = database.execute("SELECT series, step, value FROM measurements ORDER BY rowid").fetchall()
    if not rows:
        return
    table = np.array(rows, np.float64)  # None, SQLite's NaN, becomes NaN again; steps are exact up to 2**53
    numbers = table[:, 0].astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    numbers, steps, values = numbers[order], table[order, 1].astype(np.int64), table[order, 2]
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        quantity, where = names[int(numbers[start])]
        run.add_column(quantity, where, steps[start:end], values[start:end])


def _damaged(path: Path) -> ValueError:
    return ValueError(
        f"{path} is damaged or cut short and cannot be read; copy it again from where it was written, or train again."
    )
