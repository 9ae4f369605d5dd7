"""A run read from its file, also from one whose training was killed, or still goes on.

Reading never writes: a journal left by a killed process is played back in a copy, so that a run on a read-only disk, or
one that somebody else wants to look at, opens as well. A file may come from anybody: nothing in it is executed, and
`limits` bounds what is read of it. `reading` looks through what its tables hold; what cannot be read costs the user
that fact, array or measurement alone, and a note in the run says so.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

from diagnose.run.file_format import APPLICATION, FORMAT, HEADER, MAGIC, PATIENCE, connect, journal_of
from diagnose.run.reading import read
from diagnose.run.run import Run
from diagnose.run.tables import Tables


def load(path: str | Path) -> Run:
    """Read a run file, also one whose training was killed, or still goes on.

    Raises FileNotFoundError (or another OSError) where there is nothing to read, and ValueError for what is no run
    file, is damaged, or was written by a newer version; each message says what to do.
    """
    path = _regular_file(path)
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError as error:
        raise type(error)(f"the run file {path} could not be read: {error.strerror or error}.") from error
    journal = journal_of(path)
    for beside in (journal, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
        if beside.exists() and not beside.is_file():  # SQLite would wait for a pipe
            raise ValueError(f"{beside} is no journal that belongs to the run file; move it away, and try again.")
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


def _regular_file(given: str | Path) -> Path:
    """The path, if an ordinary file is there; a pipe would keep a reader waiting, and a device may never end."""
    try:
        path = Path(given).expanduser()
        kind = path.stat().st_mode
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no run file {path}; a TrainingMonitor writes one to the path it is given."
        ) from None
    except OSError as error:
        raise type(error)(f"the run file {path} could not be read: {error.strerror or error}.") from error
    except (ValueError, RuntimeError) as error:  # a NUL in the path, or the home of an unknown user
        raise ValueError(f"the path {str(given)!r} names no file: {error}") from error
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(f"{path} is a directory; pass the run file in it.")
    if not stat.S_ISREG(kind):
        raise ValueError(
            f"{path} is a pipe or a device and no run file; pass the path that was given to TrainingMonitor."
        )
    return path


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
    tables = Tables(database)
    for table in ("series", "measurements"):
        if fault := tables.fault(table):
            raise _damaged(path, fault)
    return read(tables)


def _damaged(path: Path, why: str = "") -> ValueError:
    because = f" ({why})" if why else ""
    return ValueError(
        f"{path} is damaged or cut short and cannot be read{because}; copy it again from where it was written, or "
        "train again."
    )
