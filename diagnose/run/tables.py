"""The tables of a run file that anybody may have written, as rows of plain values.

SQLite runs what a schema says: a view may never end, a generated column may take all memory, an index may call a
function. So only tables as the layout has them are read, row by row in the order of writing, and by no index; a guard
refuses all else that a statement could lead to, and stops SQLite after so many steps of its machine. What cannot be
read is left out, and `unread` says so.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

from diagnose.run import limits
from diagnose.run.file_format import TABLES
from diagnose.wording import counted, one_line

WITHOUT = "the rest of the run was read without"
EACH = 1_000_000  # instructions of SQLite's machine between two looks at how many there were


class Tables:
    """The tables of an open run file.

    unread: what could not be read, in words, and why; more than `limits.UNREAD` of these are counted only.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        """Set the guard. Raises sqlite3.Error where the file cannot be read at all."""
        self._database = database
        self._looks = 0
        self._unread: list[str] = []
        self._more = 0
        database.text_factory = _decoded
        database.execute("PRAGMA trusted_schema = OFF")
        if sys.version_info >= (3, 11):
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.LENGTH)
        database.set_progress_handler(self._is_too_much, EACH)
        database.set_authorizer(_allowed)

    @property
    def unread(self) -> list[str]:
        """What could not be read, in words."""
        more = [f"{counted(self._more, 'more entry')} could not be read; {WITHOUT} them."] if self._more else []
        return [*self._unread, *more]

    def leave_out(self, what: str, why: object) -> None:
        """Say that something could not be read. why: also an error with its own words."""
        if len(self._unread) < limits.UNREAD:
            self._unread.append(f"{what} could not be read: {one_line(str(why))[:200]}; {WITHOUT} them.")
        else:
            self._more += 1

    def fault(self, table: str) -> str:
        """Why this is no table as the layout has it; "" where it is one. Raises sqlite3.Error for a broken schema."""
        known = self._database.execute("SELECT type, rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        if known is None:
            return f"there is no table `{table}`"
        if known[0] != "table" or not known[1]:
            return f"`{table}` is no plain table"
        columns = self._database.execute(f"PRAGMA table_xinfo({table})").fetchall()
        names = tuple(column[1] for column in columns)
        if any(column[6] for column in columns) or names[: len(TABLES[table])] != TABLES[table]:
            return f"`{table}` has other columns"
        return ""

    def rows(self, table: str, most: int, what: str, columns: str = "") -> Iterator[tuple[Any, ...]]:
        """The rows of a table in the order of writing, `most` at most. columns: SQL; "" for those of the layout.

        what: what the table holds, in words, for whoever is told that it could not be read.
        """
        query = f"SELECT {columns or ', '.join(TABLES[table])} FROM {table} NOT INDEXED ORDER BY rowid LIMIT {most + 1}"
        count = 0
        try:
            if fault := self.fault(table):
                self.leave_out(what, fault)
                return
            for row in self._database.execute(query):
                count += 1
                if count > most:
                    self.leave_out(f"{what} after the first {most:,}", "that many are read at most")
                    return
                yield row
        except sqlite3.Error as error:
            why = "reading them takes too long" if "interrupted" in str(error) else error
            self.leave_out(f"{what} after the first {count:,}" if count else what, why)

    def _is_too_much(self) -> bool:
        self._looks += 1
        return self._looks * EACH > limits.INSTRUCTIONS


def _allowed(action: int, first: str | None, second: str | None, _: str | None, through: str | None) -> int:
    """Whether SQLite may do what a statement of ours leads to: `through` names the view or trigger that wants it."""
    if through is None and (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION)
        or (action == sqlite3.SQLITE_READ and first in (*TABLES, "sqlite_master"))
        or (action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo")
        or (action == sqlite3.SQLITE_FUNCTION and second in ("length", "substr"))
    ):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _decoded(text: bytes) -> str:
    """SQLite does not look whether a text is one."""
    return text.decode("utf-8", "replace")
