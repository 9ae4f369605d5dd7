"""The run file: one SQLite file, small enough for `sqlite3 digits.sqlite "select * from measurements"`.

Names stand once in `series`, and a measurement is a row of (series, step, value) that takes 22 bytes (measured). So 300
series come to 300 * 22 bytes = 6.6 kB an observation: 100 epochs take 1.3 MB where 200 of their steps were observed,
and 13 MB at the 2,000 that the monitor keeps at most, however long the training. Of a larger model it keeps a million
measurements, and the file takes under 30 MB (`benchmarks/large_runs.py`). An array comes on top (a histogram of 96
bins: 0.9 kB); pages freed by thinning are used again.

SQLite has no NaN and stores NULL in its place, so a NULL is read as NaN; infinities are kept. Arrays are blobs in
NumPy's own format, read without pickle. `store` writes such a file, `loading` reads it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

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

#: The tables of the layout and their columns; a file of which one is anything else is read without it.
TABLES = {
    "series": ("id", "quantity", "place"),
    "measurements": ("series", "step", "value"),
    "observed": ("step",),
    "arrays": ("series", "step", "npy"),
    "facts": ("part", "name", "json"),
    "notes": ("id", "note"),
}


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may write: transactions are spelled out; usable from another thread, one at a time."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def journal_of(path: Path) -> Path:
    """Where SQLite keeps what a transaction has changed, until it is done."""
    return path.with_name(f"{path.name}-journal")
