"""The rows of a run file as a run: what fits is taken, and what does not is left out and told.

This is the one place where a run from a file is looked through, so what comes after can rely on it: names and texts are
plain, steps are whole numbers from 0 on, arrays hold real numbers, facts have their types.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from diagnose.run import limits
from diagnose.run.meta import Facts
from diagnose.run.plain_values import array_of, epoch_log, from_json, plain_text
from diagnose.run.quantities import QUANTITIES
from diagnose.run.run import Run
from diagnose.run.tables import Tables
from diagnose.wording import counted, place

CHUNK = 200_000  # rows that are numbers of Python's own at a time, which take five times the memory
NAN = float("nan")
ROUNDING = 1e-3  # of float16, by which a share of all entries may be more than 1

#: What the parts of the table `facts` hold, in words.
WHAT = {"meta": "the facts about", "history": "the epoch logs of"}


def read(tables: Tables) -> Run:
    """The run that these tables hold; its notes say what could not be read."""
    run = Run()
    names = dict(_series(tables))
    _fill_columns(run, names, tables)
    meta, run.history = _known(tables)
    run.facts = _facts(meta, tables)
    for key in sorted(arrays := dict(_arrays(names, tables))):
        run.add_array(*names[key[0]], key[1], arrays[key])
    run.observed(*_observed(tables))
    run.notes.extend(_notes(tables))
    run.notes.extend(tables.unread)
    return run


def _series(tables: Tables) -> Iterator[tuple[int, tuple[str, str]]]:
    """Number, quantity and place of each series."""
    most = limits.NAME + 1
    columns = f"id, substr(quantity, 1, {most}), substr(place, 1, {most})"
    for number, *names in tables.rows("series", limits.SERIES, "the names of what was measured", columns):
        if isinstance(number, int) and all(isinstance(name, str) and len(name) < most for name in names):
            yield number, (plain_text(names[0]), plain_text(names[1]))
        else:
            tables.leave_out(f"the name of series {number!r:.40}", f"it is no text of up to {limits.NAME:,} letters")


def _fill_columns(run: Run, names: Mapping[int, tuple[str, str]], tables: Tables) -> None:
    """One pass in the order of writing, then a stable sort by series: faster than SQLite's own sort."""
    rows = tables.rows("measurements", limits.MEASUREMENTS, "the measurements")
    chunks, count = [], 0
    while chunk := list(islice(rows, CHUNK)):
        count += len(chunk)
        chunks.append(_columns(chunk))
    if not chunks:
        return
    numbers, steps, values = (np.concatenate(column) for column in zip(*chunks, strict=True))
    kept = np.isin(numbers, np.fromiter(names, np.int64, len(names))) & (steps >= 0) & (steps <= limits.WHOLE)
    if lost := count - int(kept.sum()):
        tables.leave_out(
            counted(lost, "measurement"), "a name, step or value is missing, or is no number, or out of range"
        )
    order = np.flatnonzero(kept)[np.argsort(numbers[kept], kind="stable")]
    if not len(order):
        return
    numbers, steps, values = numbers[order], steps[order], values[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        quantity, where = names[int(numbers[start])]
        fit = _in_range(quantity, values[start:end])
        if lost := int((~fit).sum()):
            tables.leave_out(f"{counted(lost, 'value')} of `{quantity}` of {place(where)}", "out of its range")
        if lost < len(fit):
            run.add_column(quantity, where, steps[start:end][fit], values[start:end][fit])


def _in_range(quantity: str, values: np.ndarray) -> np.ndarray:
    """Which values this quantity can have, (n,) of bool; NaN and infinities are evidence, and stay."""
    if quantity not in QUANTITIES:
        return np.ones(len(values), bool)
    low, high = QUANTITIES[quantity].low, QUANTITIES[quantity].high
    return ~np.isfinite(values) | ((values >= low - ROUNDING) & (values <= high + ROUNDING))


def _columns(rows: Sequence[tuple[Any, Any, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series, steps and values of measurements; rows with what is no number are left out. None is SQLite's NaN."""
    try:
        flat = list(chain.from_iterable(rows))  # `zip(*rows)` makes an iterator a row, and takes ten times as long
        return (
            np.array(array("q", flat[0::3])),
            np.array(array("q", flat[1::3])),
            np.array(array("d", [NAN if value is None else value for value in flat[2::3]])),
        )
    except TypeError:
        fit = [row for row in rows if type(row[0]) is type(row[1]) is int and isinstance(row[2], int | float | None)]
        return _columns(fit) if fit else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def _known(tables: Tables) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """What the table `facts` holds: the facts about the run, and its epoch logs. What is no JSON is left out."""
    found: dict[str, dict[str, Any]] = {part: {} for part in WHAT}
    most, left = limits.FACT_LETTERS, limits.ALL_FACT_LETTERS
    columns = f"part, name, CASE WHEN length(json) <= {most} THEN json END"
    for part, name, text in tables.rows("facts", limits.FACTS, "the facts about the run", columns):
        if part not in found:
            continue
        name = plain_text(str(name), limits.NAME)
        left -= len(text) if isinstance(text, str) else 0
        try:
            if not isinstance(text, str) or left < 0:
                raise ValueError(f"it is no text of up to {most:,} letters" if left >= 0 else "there are too many")
            value = from_json(text)
            found[part][name] = epoch_log(value) if part == "history" else value
        except ValueError as error:
            tables.leave_out(f"{WHAT[part]} `{name}`", error)
    return found["meta"], found["history"]


def _facts(known: dict[str, Any], tables: Tables) -> Facts:
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
                tables.leave_out(f"{WHAT['meta']} `{name}`", str(error).removeprefix(f"{Facts.__name__}: "))
        return Facts.from_dict(readable, strict=False)


def _arrays(names: Mapping[int, tuple[str, str]], tables: Tables) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Series and step of each array, and the array."""
    left = limits.ALL_ARRAY_BYTES
    columns = f"series, step, CASE WHEN length(npy) <= {limits.ARRAY_BYTES} THEN npy END"
    for number, step, blob in tables.rows("arrays", limits.ARRAYS, "the arrays", columns):
        left -= len(blob) if isinstance(blob, bytes) else 0
        try:
            if number not in names or not _is_step(step):
                raise ValueError("it has no name or no step")
            if not isinstance(blob, bytes) or left < 0:
                raise ValueError("it is no array, or too large a one")
            yield (number, step), array_of(blob)
        except ValueError as error:
            quantity, where = names.get(number, ("", ""))
            tables.leave_out(f"the array `{quantity}` of {place(where)} at step {step!r:.30}", error)


def _observed(tables: Tables) -> Iterator[int]:
    lost = 0
    for (step,) in tables.rows("observed", limits.OBSERVED, "the steps observed"):
        if _is_step(step):
            yield step
        else:
            lost += 1
    if lost:
        tables.leave_out(counted(lost, "step observed"), "it is no whole number from 0 on")


def _notes(tables: Tables) -> Iterator[str]:
    columns = f"id, substr(note, 1, {limits.TEXT + 1})"
    for number, note in tables.rows("notes", limits.NOTES, "the notes of the monitor", columns):
        if isinstance(note, str):
            yield plain_text(note)
        else:
            tables.leave_out(f"note {number!r:.30}", "it is no text")


def _is_step(step: Any) -> bool:
    return isinstance(step, int) and 0 <= step <= limits.WHOLE
