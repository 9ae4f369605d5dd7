"""A run written to its file while the training goes on, so that a killed training leaves a readable run.

Each observation is one transaction. The rollback journal is kept and `synchronous` is off: a process that is killed
loses at most the observation it was writing, while a machine that loses power may lose the file. That is the right
trade for a diary of a training, and it makes a commit cost a fraction of a millisecond.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from diagnose.run.file_format import APPLICATION, HEADER, LAYOUT, MAGIC, connect, journal_of
from diagnose.run.run import Measurement

#: An array with its quantity, place and step, as `Run.all_arrays` gives it.
ArrayEntry = tuple[str, str, int, np.ndarray]

TOKEN = "SELECT json FROM facts WHERE part = 'file' AND name = 'token'"
OTHER = "another run, or another file, has taken the place of {}; this run goes on in memory."
REMOVED = "it was removed, renamed or moved since the training began"


class Store:
    """The run file of a training that goes on. Every method but `close` is one transaction: all of it, or nothing.

    A store that was closed opens its file again at the next write, so that a second `fit` goes on in the same run.
    Whatever the disk refuses is an OSError that names the file.

    >>> import tempfile
    >>> from diagnose.run.loading import load
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
            connection = connect(path)
            with closing(connection):
                # One transaction, so that a process killed here leaves an empty file and no half layout.
                connection.executescript(f"BEGIN;{LAYOUT}INSERT INTO facts VALUES ('file', 'token', '{token}');COMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise OSError(f"the run file {path} could not be made: {error}. Pass another path, or None.") from error
        return store

    @classmethod
    def resume(cls, path: str | Path) -> Store:
        """Go on in the run file at this path. Raises OSError where that can't be read."""
        path = cls.check(path)
        try:
            with closing(connect(path)) as connection:
                store = cls(path, str(connection.execute(TOKEN).fetchone()[0]))
                facts = connection.execute("SELECT part, name, json FROM facts WHERE part != 'file'").fetchall()
        except (sqlite3.Error, TypeError) as error:
            raise OSError(f"the run file {path} could not be gone on in: {error}.") from error
        store._facts = {(part, name): text for part, name, text in facts}
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
                if database.execute(TOKEN).fetchone() != (self._token,):  # copied over it, which SQLite does not mind
                    raise FileExistsError(OTHER.format(self.path))
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self._ids.clear()  # some may have been made in what is undone now
                raise
        except sqlite3.Error as error:
            raise self._lost() or OSError(
                f"the run file {self.path} could not be written: {error}; this run goes on in memory."
            ) from error

    def _lost(self) -> OSError | None:
        """What to say of a file that was removed or replaced under way, which SQLite tells as a want of rights."""
        if not self.path.is_file():
            return FileNotFoundError(f"the run file {self.path} is gone: {REMOVED}; this run goes on in memory.")
        try:
            with closing(connect(self.path)) as database:
                found = database.execute(TOKEN).fetchone()
        except sqlite3.OperationalError as error:
            found = None if "no such table" in str(error) else (self._token,)  # else no disk, no rights: told as it is
        except sqlite3.DatabaseError:
            found = None
        if found == (self._token,):
            return None
        return FileExistsError(OTHER.format(self.path))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self.path.exists():
                raise FileNotFoundError(f"the run file {self.path} is gone: {REMOVED}; this run goes on in memory.")
            self._connection = connect(self.path)
        return self._connection


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
        journal_of(_numbered(path, 1)).stat()  # the longest name that will be needed
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
        if journal_of(newer).exists():
            journal_of(newer).replace(journal_of(older))
        newer.replace(older)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


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
