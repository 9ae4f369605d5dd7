"""Targeted changes to a good run file, as somebody who means harm makes them, or a faulty disk or program.

`benchmarks/hostile_files.py` tries all of them, `tests/test_hostile_files.py` one of each kind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from hostile.changing import MARKUP, Change, good_file, good_run
from hostile.facts import of_facts, of_history, of_json, of_texts
from hostile.layout import of_files, of_schema
from hostile.measured import of_arrays, of_measurements

__all__ = ["MARKUP", "Change", "changes", "good_file", "good_run"]


def changes(seed: int = 0) -> Iterator[Change]:
    """All changes; which values of the facts meet which replacement is drawn by the seed."""
    yield from of_facts(random.Random(seed))
    yield from of_json()
    yield from of_history()
    yield from of_measurements()
    yield from of_arrays()
    yield from of_schema()
    yield from of_files()
    yield from of_texts()
