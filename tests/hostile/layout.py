"""Changes to the layout of the file: its schema, its bytes, and what lies at its path or beside it."""

from __future__ import annotations

import io
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from hostile.changing import Change, content, instead, schema, sql


def of_schema() -> Iterator[Change]:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {0} FROM c"
    views = {
        "series": endless.format("n AS id, 'gradient.rms' AS quantity, 'p' || n AS place"),
        "measurements": endless.format("1 AS series, n AS step, 1.0 AS value"),
        "observed": endless.format("n AS step"),
        "arrays": endless.format("1 AS series, n AS step, zeroblob(100000000) AS npy"),
        "facts": endless.format("'meta' AS part, 'model' AS name, '{}' AS json") + " WHERE n < 0",
        "notes": endless.format("n AS id, hex(zeroblob(n)) AS note"),
    }
    for table, select in views.items():
        yield Change("an endless view", table, sql(f"DROP TABLE {table}", f"CREATE VIEW {table} AS {select}"))
        columns = {"measurements": "series, step, value", "observed": "step"}.get(table)
        yield Change("a missing table", table, sql(f"DROP TABLE {table}"))
        yield Change("one column more", table, sql(f"ALTER TABLE {table} ADD COLUMN more"))
        if columns:
            yield Change(
                "a view of the table",
                table,
                sql(f"ALTER TABLE {table} RENAME TO t", f"CREATE VIEW {table} AS SELECT {columns} FROM t"),
            )
    yield Change("a view on itself", "a ring", _ring_of_views)
    for column in ("id", "quantity", "place"):
        yield Change("a column of another name", column, sql(f"ALTER TABLE series RENAME COLUMN {column} TO other"))
    yield Change("a column of another name", "value", sql("ALTER TABLE measurements RENAME COLUMN value TO other"))
    yield Change("a column of another name", "npy", sql("ALTER TABLE arrays RENAME COLUMN npy TO other"))
    generated = "CREATE TABLE {0} ({1} AS ({2}))"
    for table, columns, what in (
        ("notes", "id INTEGER PRIMARY KEY, note", "hex(zeroblob(200000000))"),
        ("observed", "x, step", "zeroblob(900000000)"),
        ("measurements", "series, step, value", "hex(zeroblob(100000000))"),
        ("facts", "part, name, json", "hex(zeroblob(150000000))"),
    ):
        names = [name.split()[0] for name in columns.split(", ")[:-1]]
        row = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('1' for _ in names)})"
        made = generated.format(table, columns, what)
        yield Change("a generated column", table, sql(f"DROP TABLE {table}", made, row))
    for table, columns in (
        ("facts", "part, name, json, PRIMARY KEY (part, name)"),
        ("measurements", "series, step, value, PRIMARY KEY (series, step)"),
        ("series", "id PRIMARY KEY, quantity, place"),
    ):
        yield Change(
            "a table without rowid",
            table,
            sql(
                f"CREATE TABLE t ({columns}) WITHOUT ROWID",
                f"INSERT OR IGNORE INTO t SELECT * FROM {table}",
                f"DROP TABLE {table}",
                f"ALTER TABLE t RENAME TO {table}",
            ),
        )
    yield Change(
        "a trigger",
        "on reading and writing",
        sql("CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM series; END"),
    )
    virtual = "CREATE VIRTUAL TABLE notes USING fts5(id, note)"  # by way of the schema: not every SQLite has the module
    yield Change(
        "a virtual table",
        "full text",
        sql(
            "PRAGMA writable_schema = ON",
            f"UPDATE sqlite_master SET sql = '{virtual}', rootpage = 0 WHERE name = 'notes'",
        ),
    )
    yield Change("an odd index", "an expression", sql("CREATE INDEX i ON measurements (hex(value))"))
    yield Change("an odd index", "partial", sql("CREATE INDEX i ON facts (name, json) WHERE length(json) > 0"))
    yield Change("many tables", "two thousand", _many_tables)
    for old, new in (
        ("CREATE TABLE", "CREATE TABEL"),
        ("quantity TEXT", "quantity TEXT COLLATE unheard"),
        ("step INTEGER", "step TEXT"),
        ("json TEXT", "json BLOB"),
        ("place TEXT", "place TEXT DEFAULT (load_extension(1))"),
    ):
        yield Change("a schema rewritten", new, schema(old, new))
    yield Change(
        "a schema rewritten",
        "roots",
        sql("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = 2", "PRAGMA writable_schema = OFF"),
    )
    yield Change(
        "a schema rewritten",
        "roots far away",
        sql("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = 99999", "PRAGMA writable_schema = OFF"),
    )
    yield Change(
        "a schema rewritten",
        "bytes",
        sql("PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = x'ff00'", "PRAGMA writable_schema = OFF"),
    )
    for what in ("application_id = 7", "user_version = 99", "user_version = -1", "journal_mode = WAL"):
        yield Change("another header", what, sql(f"PRAGMA {what}"))


def _ring_of_views(path: Path) -> None:
    sql("DROP TABLE notes", "CREATE VIEW notes AS SELECT * FROM other", "CREATE VIEW other AS SELECT * FROM notes")(
        path
    )


def _many_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        for number in range(2_000):
            database.execute(f"CREATE TABLE t{number} (a)")
        database.commit()


def _at(place: int, bytes_: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        whole[place : place + len(bytes_)] = bytes_
        path.write_bytes(bytes(whole))

    return make


def _journal(make: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda path: make(path.with_name(f"{path.name}-journal")) and None


def of_files() -> Iterator[Change]:
    yield Change("another file", "of 0 bytes", content(b""))
    yield Change("another file", "a text", content(b"no database\n"))
    yield Change("another file", "the head of a database alone", content(b"SQLite format 3\0"))
    yield Change("another file", "zeros", content(bytes(8192)))
    yield Change("another file", "a database of nothing", instead(sql("CREATE TABLE t (a)")))
    yield Change("another file", "another application", instead(sql("PRAGMA application_id = 9", "CREATE TABLE t (a)")))
    yield Change(
        "another file", "a run of nothing", instead(sql("PRAGMA application_id = 1262768718", "CREATE TABLE t (a)"))
    )
    yield Change(
        "another file",
        "of UTF-16",
        instead(
            sql(
                "PRAGMA encoding = 'UTF-16'",
                "PRAGMA application_id = 1262768718",
                "CREATE TABLE series (id INTEGER PRIMARY KEY, quantity TEXT, place TEXT)",
            )
        ),
    )
    yield Change("no file", "a directory", instead(Path.mkdir))
    yield Change("no file", "a pipe", instead(os.mkfifo))
    yield Change("no file", "a link to itself", instead(lambda path: path.symlink_to(path)))
    yield Change("no file", "a link to nothing", instead(lambda path: path.symlink_to(path.with_name("gone"))))
    yield Change("no file", "nothing", instead(lambda path: None))
    yield Change("no file", "endless zeros", instead(lambda path: path.symlink_to("/dev/zero")))
    yield Change("no file", "no bytes", instead(lambda path: path.symlink_to("/dev/null")))
    yield Change("no file", "unreadable", lambda path: path.chmod(0))
    yield Change("no file", "memory of a process", instead(lambda path: path.symlink_to("/proc/self/mem")))
    for what, make in (
        ("of random bytes", lambda path: path.write_bytes(random.Random(0).randbytes(5000))),
        ("a directory", Path.mkdir),
        ("a pipe", os.mkfifo),
        ("a link to itself", lambda path: path.symlink_to(path)),
        ("of zeros", lambda path: path.write_bytes(bytes(5000))),
        ("of a transaction", lambda path: path.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 5000)),
    ):
        yield Change("an odd journal", what, _journal(make))
    yield Change(
        "an odd journal",
        "beside an empty file",
        lambda path: (_journal(lambda j: j.write_bytes(b"x" * 900))(path), path.write_bytes(b""))[0],
    )
    for place, what in (
        (16, "page size"),
        (18, "file format"),
        (20, "reserved"),
        (28, "size in pages"),
        (56, "coding"),
    ):
        for given in (b"\0\0", b"\xff\xff"):
            yield Change("bytes of the header", f"{what}: {given[0]}", _at(place, given))
    for place in range(100, 4100, 800):
        yield Change("bytes of a page", str(place), _at(place, b"\xff" * 40))
    for share in (0.02, 0.3, 0.7, 0.99):
        yield Change(
            "cut short", f"{share}", lambda path, share=share: os.truncate(path, int(share * path.stat().st_size))
        )
    yield Change(
        "cut short",
        "and twice as long",
        lambda path: shutil.copyfileobj(io.BytesIO(path.read_bytes()), path.open("ab")),
    )
