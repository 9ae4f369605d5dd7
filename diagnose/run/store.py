"""A run on disk: one SQLite file, written while the training goes on, so that a killed training leaves a readable run.

Each observation is one transaction. The rollback journal is kept and `synchronous` is off: a process that is killed
loses at most the observation it was writing, while a machine that loses power may lose the file. That is the right
trade for a diary of a training, and it makes a commit cost a fraction of a millisecond.

The layout is small enough for `sqlite3 digits.sqlite "select * from measurements"`: names stand once in `series`,
and a measurement is a row of (series, step, value) that takes 22 bytes (measured). So 300 series come to 300 * 22 bytes
= 6.6 kB an observation: 100 epochs take 1.3 MB where 200 of their steps were observed, and 13 MB at the 2,000 that the
monitor keeps at most, however long the training. An array comes on top (a histogram of 96 bins: 0.9 kB); pages freed by
thinning are used again.

SQLite has no NaN and stores NULL in its place, so a NULL is read as NaN; infinities are kept. Arrays are blobs in
NumPy's own format, read without pickle. Reading never writes: a journal left by a killed process is played back in a
copy, so that a run on a read-only disk, or one that somebody else wants to look at, opens as well.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from diagnose.run.meta import Facts
from diagnose.run.run import Measurement, Run

#: Version of the layout below, kept as SQLite's user_version. A reader refuses what is newer than itself.
FORMAT = 1

#: Marks a SQLite file as a run (the letters KDRN), kept as SQLite's application_id.
APPLICATION = 0x4B44524E

MAGIC = b"SQLite format 3\x00"
HEADER = 100  # bytes; user_version stands at 60, application_id at 68 (sqlite.org/fileformat2.html, section 1.3)

#: Seconds to wait for somebody who reads (or writes) at this moment. Reading a million measurements takes about one.
PATIENCE = 10.0

LAYOUT = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE series (id INTEGER PRIMARY KEY, quantity TEXT NOT NULL, place TEXT NOT NULL, UNIQUE (quantity, place));
CREATE TABLE measurements (series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL);
CREATE TABLE observed (step INTEGER PRIMARY KEY);
CREATE TABLE arrays (series INTEGER NOT NULL, step INTEGER NOT NULL, npy BLOB NOT NULL, PRIMARY KEY (series, step));
CREATE TABLE facts (part TEXT NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (part, name));
CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
"""

#: An array with its quantity, place and step, as `Run.all_arrays` gives it.
ArrayEntry = tuple[str, str, int, np.ndarray]


class Store:
    """The run file of a training that goes on. Every method but `close` is one transaction: all of it, or nothing.

    A store that was closed opens its file again at the next write, so that a second `fit` goes on in the same run.
    Whatever the disk refuses is an OSError that names the file.

    >>> import tempfile
    >>> from diagnose.run.run import Measurement
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = Store.create(Path(directory) / "digits.sqlite")
    ...     store.write(0, [Measurement("batch.loss", "", 0, float("nan"))])
    ...     store.close()
    ...     load(store.path).series("batch.loss").values
    array([nan])
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self._token = token
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[tuple[str, str], int] = {}
        self._facts: dict[tuple[str, str], str] = {}

    @staticmethod
    def check(path: str | Path) -> Path:
        """Raise what `create` would raise; gives the absolute path, and leaves nothing behind.

        Raises ValueError for what names no file, or a file that is no run, IsADirectoryError, NotADirectoryError,
        FileNotFoundError or PermissionError for a place that cannot take it, OSError for a name that is too long.
        """
        path = _absolute(os.fspath(path))
        directory = path.parent
        if path.is_dir():
            raise IsADirectoryError(
                f"{path} is a directory; pass the name of a file in it, such as {path / 'run.sqlite'}."
            )
        if not directory.exists():
            raise FileNotFoundError(
                f"there is no directory {directory} for the run file; make it, or pass another path."
            )
        if not directory.is_dir():
            raise NotADirectoryError(f"{directory} is a file, so {path.name} cannot be in it; pass another path.")
        try:
            # Rights alone do not tell: root has all of them, and yet can't write on a read-only disk or in /proc.
            tempfile.TemporaryFile(dir=directory).close()
        except OSError as error:
            raise PermissionError(
                f"the run file {path} cannot be made, since nothing can be written in {directory} "
                f"({error.strerror or error}); pass a path elsewhere, or None for no file."
            ) from error
        if path.exists() and not _may_be_shifted(path):
            raise ValueError(f"{path} exists and is no run file, so it is left as it is; pass another path.")
        return path

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """Start a new run file. A run already at this path is kept as NAME.1, one that was there as NAME.2, and so on.

        Raises what `check` raises, and OSError where the file cannot be made.
        """
        path = cls.check(path)
        token = uuid.uuid4().hex
        store = cls(path, token)
        try:
            if path.exists():
                _shift(path)
            connection = _connect(path)
            with closing(connection):
                # One transaction, so that a process killed here leaves an empty file and no half layout.
                connection.executescript(f"BEGIN;{LAYOUT}INSERT INTO facts VALUES ('file', 'token', '{token}');COMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise OSError(f"the run file {path} could not be made: {error}. Pass another path, or None.") from error
        return store

    def write(
        self, observed: int | None, measurements: Iterable[Measurement], arrays: Iterable[ArrayEntry] = ()
    ) -> None:
        """Add what one observation gave. `observed` is its step, or None where no step was observed (epoch ends)."""
        rows = list(measurements)
        with self._transaction() as database:
            if observed is not None:
                database.execute("INSERT OR IGNORE INTO observed VALUES (?)", (int(observed),))
            database.executemany(
                "INSERT INTO measurements VALUES (?, ?, ?)",
                [(self._id(database, row.quantity, row.where), int(row.step), float(row.value)) for row in rows],
            )
            database.executemany(
                "INSERT OR REPLACE INTO arrays VALUES (?, ?, ?)",
                [(self._id(database, name, where), int(step), _to_npy(values)) for name, where, step, values in arrays],
            )

    def drop(self, steps: Iterable[int]) -> None:
        """Forget the measurements of these steps, as `Run.drop` does; arrays stay."""
        with self._transaction() as database:
            database.execute("CREATE TEMP TABLE IF NOT EXISTS dropped (step INTEGER PRIMARY KEY)")
            database.execute("DELETE FROM dropped")
            database.executemany("INSERT OR IGNORE INTO dropped VALUES (?)", [(int(step),) for step in steps])
            database.execute("DELETE FROM measurements WHERE step IN (SELECT step FROM dropped)")

    def drop_arrays(self, keys: Iterable[tuple[str, str, int]]) -> None:
        """Forget arrays, each named by quantity, place and step."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM arrays WHERE series = ? AND step = ?",
                [(self._id(database, quantity, where), int(step)) for quantity, where, step in keys],
            )

    def set_meta(self, meta: Mapping[str, Any]) -> None:
        """Keep `Run.meta`; only entries that changed since the last call are written."""
        self._set_facts("meta", meta)

    def set_history(self, history: Mapping[str, list[float]]) -> None:
        """Keep `Run.history`; only entries that changed since the last call are written."""
        self._set_facts("history", history)

    def add_note(self, note: str) -> None:
        """Add to `Run.notes`."""
        with self._transaction() as database:
            database.execute("INSERT INTO notes (note) VALUES (?)", (_plain_text(note),))

    def close(self) -> None:
        """Let go of the file. Nothing is lost without it: every write is committed already."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _set_facts(self, part: str, facts: Mapping[str, Any]) -> None:
        texts = {(part, _plain_text(str(name))): _to_json(value) for name, value in facts.items()}
        changed = [(*key, text) for key, text in texts.items() if self._facts.get(key) != text]
        gone = [key for key in self._facts if key[0] == part and key not in texts]
        if not changed and not gone:
            return
        with self._transaction() as database:
            database.executemany("DELETE FROM facts WHERE part = ? AND name = ?", gone)
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", changed)
        self._facts = {key: text for key, text in self._facts.items() if key[0] != part} | texts

    def _id(self, database: sqlite3.Connection, quantity: str, where: str) -> int:
        key = (quantity, where)
        if key not in self._ids:
            names = (_plain_text(quantity), _plain_text(where))
            database.execute("INSERT OR IGNORE INTO series (quantity, place) VALUES (?, ?)", names)
            found = database.execute("SELECT id FROM series WHERE quantity = ? AND place = ?", names).fetchone()
            self._ids[key] = int(found[0])
        return self._ids[key]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            database = self._open()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self._ids.clear()  # some may have been made in what is undone now
                raise
        except sqlite3.Error as error:
            raise OSError(f"the run file {self.path} could not be written: {error}.") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self.path.exists():
                raise FileNotFoundError(f"the run file {self.path} is gone; this run goes on in memory.")
            connection = _connect(self.path)
            found = connection.execute("SELECT json FROM facts WHERE part = 'file' AND name = 'token'").fetchone()
            if found != (self._token,):
                connection.close()
                raise FileExistsError(f"another run has taken the place of {self.path}; this one goes on in memory.")
            self._connection = connection
        return self._connection


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
    journal = _journal_of(path)
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
            shutil.copyfile(journal, _journal_of(copy))
            with closing(_connect(copy)) as database:
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
    try:
        _fill_columns(run, names, database)
        known: dict[str, Any] = {}
        for part, name, text in database.execute("SELECT part, name, json FROM facts ORDER BY rowid"):
            if part in ("meta", "history"):
                (known if part == "meta" else run.history)[name] = json.loads(text)
        run.facts = Facts.from_dict(known, strict=False)
        for number, step, blob in database.execute("SELECT series, step, npy FROM arrays ORDER BY series, step"):
            run.add_array(*names[number], step, np.load(io.BytesIO(blob), allow_pickle=False))
    except (KeyError, ValueError, TypeError, EOFError) as error:
        raise _damaged(path) from error
    run.observed(*(step for (step,) in database.execute("SELECT step FROM observed")))
    run.notes.extend(note for (note,) in database.execute("SELECT note FROM notes ORDER BY id"))
    return run


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


def _connect(path: Path) -> sqlite3.Connection:
    """A connection for writing: transactions are spelled out; usable from another thread, one at a time."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _absolute(given: str) -> Path:
    """The path in full. Raises ValueError for what can't name a file, and OSError for a name that is too long."""
    if not given or "\0" in given:
        raise ValueError(
            f"path is {given!r}, which names no file; pass a name such as 'run.sqlite', or None for no file."
        )
    try:
        path = Path(given).expanduser().absolute()
    except RuntimeError as error:  # the home of an unknown user
        raise ValueError(f"path is {given!r}: {error} Write the directory out, or pass None for no file.") from error
    try:
        _journal_of(_numbered(path, 1)).stat()  # the longest name that will be needed
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise OSError(
                f"the path of the run file has {len(given)} letters, too many for this disk, where an older run is "
                f"kept beside it under a longer name: {given[:40]}... Pass a shorter path, or None for no file."
            ) from error
    return path


def _may_be_shifted(path: Path) -> bool:
    """Whether this file is a run file, or empty as a process killed at its very start leaves it."""
    if not path.is_file():  # /dev/null is empty too, and a pipe would keep us waiting
        return False
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError:
        return False
    return not header or (header[:16] == MAGIC and int.from_bytes(header[68:72], "big") == APPLICATION)


def _shift(path: Path) -> None:
    """NAME becomes NAME.1, NAME.1 becomes NAME.2, up to the first free number; each takes its journal along."""
    count = 1
    while _numbered(path, count).exists():
        count += 1
    for number in range(count, 0, -1):
        older = _numbered(path, number)
        newer = _numbered(path, number - 1) if number > 1 else path
        if _journal_of(newer).exists():
            _journal_of(newer).replace(_journal_of(older))
        newer.replace(older)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _damaged(path: Path) -> ValueError:
    return ValueError(
        f"{path} is damaged or cut short and cannot be read; copy it again from where it was written, or train again."
    )


def _to_npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values), allow_pickle=False)
    return buffer.getvalue()


def _plain_text(text: str) -> str:
    """SQLite takes UTF-8 only; a lone surrogate in a name becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _to_json(value: Any) -> str:
    return json.dumps(value, default=_json_default, ensure_ascii=True)


def _json_default(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's; anything else as the text it prints."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return list(value)
    as_dict: Callable[[], Any] | None = getattr(value, "to_dict", None)
    return as_dict() if callable(as_dict) else str(value)
