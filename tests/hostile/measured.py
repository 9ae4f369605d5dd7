"""Changes to what was measured: steps, values, series and arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hostile.changing import Change, array, counted, npy, npy_of_header, sql


def of_measurements() -> Iterator[Change]:
    for what, value in (
        ("negative", "-5"),
        ("the largest", "9223372036854775807"),
        ("the smallest", "-9223372036854775808"),
        ("over 2**53", "9007199254740993"),
        ("over 2**63", "1e19"),
        ("a text", "'first'"),
        ("bytes", "x'00'"),
        ("a fraction", "2.5"),
        ("infinite", "9e999"),
        ("back", "1000 - step"),
        ("the same", "7"),
    ):
        yield Change("odd steps", what, sql(f"UPDATE measurements SET step = {value}"))
        yield Change("one odd step", what, sql(f"UPDATE measurements SET step = {value} WHERE rowid % 97 = 0"))
        if what not in ("a text", "bytes", "a fraction", "over 2**63", "infinite"):
            yield Change("odd observed steps", what, sql(f"UPDATE OR IGNORE observed SET step = {value}"))
            yield Change("odd steps of arrays", what, sql(f"UPDATE OR IGNORE arrays SET step = {value}"))
    for what, value in (
        ("a text", "'much'"),
        ("a text that is a number", "x'3132'"),
        ("null", "NULL"),
        ("huge", "1e308"),
        ("minus huge", "-1e308"),
        ("tiny", "5e-324"),
        ("infinite", "9e999"),
        ("negative", "-value"),
        ("a whole number", "9223372036854775807"),
    ):
        yield Change("odd values", what, sql(f"UPDATE measurements SET value = {value}"))
        yield Change("one odd value", what, sql(f"UPDATE measurements SET value = {value} WHERE rowid % 97 = 0"))
    for what, value in (("unknown", "series + 1000"), ("negative", "-series"), ("null as 0", "0"), ("a text", "'a'")):
        yield Change("measurements of no series", what, sql(f"UPDATE measurements SET series = {value}"))
        yield Change("arrays of no series", what, sql(f"UPDATE OR REPLACE arrays SET series = {value}"))
    yield Change("measurements of no series", "some", sql("DELETE FROM series WHERE id % 3 = 0"))
    yield Change("measurements of no series", "none left", sql("DELETE FROM series"))
    for column, what, value in itertools.product(("quantity", "place"), ("bytes", "bad text"), ("x'ff00'",)):
        given = value if what == "bytes" else f"CAST({value} AS TEXT)"
        yield Change("odd names of series", f"{column}: {what}", sql(f"UPDATE series SET {column} = {given} || id"))
    yield Change("odd names of series", "a megabyte", sql("UPDATE series SET place = hex(zeroblob(500000)) || id"))
    yield Change("odd names of series", "unheard-of", sql("UPDATE series SET quantity = 'of.tomorrow' || id"))
    yield Change("a million places", "series alone", rows(100_000, measured=False))
    yield Change("a million places", "each measured", rows(1_000_000, measured=True))
    yield Change("a million places", "thirty thousand", rows(30_000, measured=True))
    more = "INSERT INTO measurements SELECT series, step + {0}, value FROM measurements"
    yield Change("many rows", "a few million", sql(*(more.format(900 * 2**power) for power in range(11))))
    yield Change("many notes", "100,000", sql(counted(100_000) + "INSERT INTO notes (note) SELECT 'n' || n FROM c"))
    yield Change("many notes", "bytes", sql("UPDATE notes SET note = x'ff00'"))
    yield Change(
        "many notes",
        "null",
        sql("DROP TABLE notes", "CREATE TABLE notes (id, note)", "INSERT INTO notes VALUES (1, NULL)"),
    )
    yield Change("many notes", "ten megabytes", sql("UPDATE notes SET note = hex(zeroblob(5000000))"))
    yield Change("many notes", "observed", sql(counted(3_000_000) + "INSERT OR IGNORE INTO observed SELECT n FROM c"))


def rows(count: int, measured: bool) -> Callable[[Path], None]:
    places = counted(count) + "INSERT INTO series SELECT 1000 + n, 'gradient.rms', 'layer_' || n || '/kernel' FROM c"
    rows = counted(count) + "INSERT INTO measurements SELECT 1000 + n, 1, 0.5 FROM c"
    return sql("PRAGMA synchronous = OFF", places, *([rows] if measured else []))


def of_arrays() -> Iterator[Change]:
    z = np.linspace(-3, 3, 9)
    shapes: dict[str, Any] = {
        "a number": 3.0,
        "nothing": [],
        "one row": z,
        "no columns": np.zeros((2, 0)),
        "one column": np.ones((2, 1)),
        "one column of three rows": np.ones((3, 1)),
        "seven rows": np.ones((7, 9)),
        "ten axes": np.ones((1,) * 10),
        "three axes": np.ones((2, 3, 4)),
        "swapped": np.asfortranarray(np.stack([z, z]).T),
        "a million columns": np.ones((2, 1_000_000)),
    }
    contents: dict[str, Any] = {
        "zeros": np.zeros((2, 9)),
        "nan": np.full((2, 9), np.nan),
        "infinite": np.full((3, 9), np.inf),
        "descending": np.stack([-z, z + 5]),
        "negative counts": np.stack([z, -np.ones(9)]),
        "huge": np.stack([z * 3e307, np.full(9, 1e308)]),
        "huge curve": np.stack([z, z * 3e307, -z * 3e307]),
        "one place": np.stack([np.ones(9), np.ones(9), np.ones(9)]),
        "huge classes": np.full((5, 3), 1e300),
        "negative classes": np.full((5, 3), -7.0),
        "fractions of classes": np.full((5, 3), 0.3),
    }
    dtypes: dict[str, Any] = {
        "texts": np.array([["a", "b"], ["c", "d"]]),
        "bytes": np.array([[b"a"], [b"b"]]),
        "complex": np.ones((3, 4), complex),
        "bool": np.ones((3, 4), bool),
        "half": np.ones((2, 4), np.float16),
        "unsigned": np.full((5, 4), 2**63, np.uint64),
        "dates": np.zeros((2, 4), "datetime64[s]"),
        "records": np.zeros((2, 4), [("a", float)]),
        "of other order": np.ones((2, 4), ">f8"),
    }
    quantities = itertools.cycle(["preactivation.histogram", "activation.curve", "classes.train", "residuals.train"])
    for kind, known in (("shapes", shapes), ("contents", contents), ("dtypes", dtypes)):
        for what, values in known.items():
            for quantity in itertools.islice(quantities, 3):
                yield Change(f"odd {kind} of arrays", f"{what}: {quantity}", array(quantity, npy(values)))
    good = npy(np.ones((2, 9)))
    head = "{{'descr': '<f8', 'fortran_order': False, 'shape': {0}, }}"
    for what, blob in (
        ("objects", npy(np.array([[print], [1]], object), allow_pickle=True)),
        ("a claim of 80 GB", npy_of_header(head.format("(2, 5000000000)"))),
        ("a claim of more than there is", npy_of_header(head.format("(2, 1000)"))),
        ("a negative shape", npy_of_header(head.format("(2, -4)"))),
        ("a shape of texts", npy_of_header(head.format("('a',)"))),
        ("a shape that overflows", npy_of_header(head.format("(4294967296, 4294967296)"))),
        ("a header of 4 GB", npy_of_header(head.format("(2, 4)"), length=2**32 - 1)),
        ("a header that nests", npy_of_header("(" * 5_000 + ")" * 5_000)),
        ("a header of minus signs", npy_of_header("-" * 9_000 + "1")),
        ("a header that is code", npy_of_header("__import__('os').system('true')")),
        ("a header of another kind", npy_of_header("[1, 2]")),
        ("an unknown version", b"\x93NUMPY\x09\x00" + good[8:]),
        ("cut short", good[:-5]),
        ("cut in its header", good[:20]),
        ("no array", b"abc"),
        ("nothing", b""),
        ("a text", "abc"),
        ("zeros of 20 MB", bytes(20_000_000)),
    ):
        yield Change("no arrays", what, array("preactivation.histogram", blob))
    for what, given in (("a number", "7"), ("cut", "substr(npy, 1, 50)")):
        yield Change("no arrays", what, sql(f"UPDATE arrays SET npy = {given}"))
    yield Change(
        "many arrays",
        "60,000",
        sql(
            counted(60_000)
            + "INSERT OR IGNORE INTO arrays SELECT 1, n, (SELECT npy FROM arrays ORDER BY length(npy) LIMIT 1) FROM c"
        ),
    )
