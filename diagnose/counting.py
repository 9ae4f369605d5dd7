"""A count with its noun: one place for it, so that no message says "1 updates"."""

from __future__ import annotations

import re


def counted(count: float, noun: str) -> str:
    """A count with its noun, in the plural where there are more or fewer than one. count: a whole number.

    >>> counted(1, "finding"), counted(1200, "finding"), counted(0.0, "entry"), counted(2, "batch"), counted(2, "epoch")
    ('1 finding', '1,200 findings', '0 entries', '2 batches', '2 epochs')
    """
    if count != 1:
        noun = re.sub(r"(?<=[^aeiou])y$", "ie", noun)
        noun += "es" if noun.endswith(("s", "x", "sh", "tch")) else "s"
    return f"{count:,.0f} {noun}"
