"""How much is read of one run file. A file may come from anybody, and reading it must end, in little memory.

Each bound lies far above what a monitor writes. What is beyond one is left out, and a note in the run says so. All of
them together hold a reader under 1 GB and some ten seconds, whatever the file (`benchmarks/hostile_files.py`).
"""

from __future__ import annotations

MEASUREMENTS = 10_000_000  # ten times what a monitor keeps of a training
SERIES = 20_000  # measured: judged and shown in some four seconds; 3,000 variables make as many
OBSERVED = 2_000_000  # steps; these are never thinned
ARRAYS = 50_000  # two a site at each doubling of the observations: 1,000 sites make 25,000
ARRAY_BYTES = 8_000_000  # of one array: five numbers for each of 200,000 classes
ALL_ARRAY_BYTES = 200_000_000  # of all arrays together
FACTS = 2_000  # entries: one a metric, and some sixteen besides
FACT_LETTERS = 16_000_000  # of JSON in one of them; 10,000 layers make three million
ALL_FACT_LETTERS = 64_000_000  # of JSON in all of them
VALUES = 300_000  # in one of them; 10,000 layers make 200,000
NESTING = 50  # levels of JSON; a monitor writes eight
WHOLE = 2**53  # the largest whole number, up to which floats are exact, for steps too
NOTES = 1_000  # of the monitor
UNREAD = 20  # of the reader, about what it left out; of more, their number
TEXT = 5_000  # letters of a text; the rest is cut off
NAME = 2_000  # letters of a quantity or a place
INSTRUCTIONS = 400_000_000  # of SQLite's machine: six for each of the measurements, and as many again for a margin
LENGTH = 256_000_000  # bytes of one row or text that SQLite may hold
