"""How numbers, counts, lists and places are written: one place for it, for findings, reports and errors alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

MINUS = "\u2212"

LEAST_SHARE = 1e-4  # below it the digits of a share tell a reader nothing
LEAST_CHANGE = 1e-6  # the same of one step of an optimizer, of which 0.001 is usual
MANIFOLD = 10.0  # from here on a factor reads better than a percentage

#: Characters that are not seen and steer what shows them: of control (line break and tab aside), of the direction of
#: writing, of no width, separators of lines, tags, and halves of a pair (Unicode's Cc, Cf, Cs, Zl and Zp).
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Text whose unseen characters are written out, so that no name can recolour, overwrite or turn round a line.

    Line breaks and tabs stay. Whatever shows names (terminal, warning, page) goes through here.

    >>> print(printable("dense\\x1b[31m \\u202eknil"))
    dense\\x1b[31m \\u202eknil
    """
    return text if text.isprintable() else STEERING.sub(_written_out, text)


def one_line(text: str) -> str:
    """The same, with line breaks and tabs written out too: a name cannot begin a line of its own.

    >>> print(one_line("dense\\nNo cause was found."))
    dense\\nNo cause was found.
    """
    return text if text.isprintable() else re.sub("[\n\t]", _written_out, printable(text))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def counted(count: float, noun: str) -> str:
    """A count with its noun, in the plural where there are more or fewer than one. count: a whole number.

    >>> counted(1, "finding"), counted(1200, "finding"), counted(0.0, "entry"), counted(2, "batch"), counted(2, "epoch")
    ('1 finding', '1,200 findings', '0 entries', '2 batches', '2 epochs')
    """
    if count != 1:
        noun = re.sub(r"(?<=[^aeiou])y$", "ie", noun)
        noun += "es" if noun.endswith(("s", "x", "sh", "tch")) else "s"
    return f"{count:,.0f} {noun}"


def number(value: float | str | None) -> str:
    """A number with three significant digits, as a person writes it; text stays as it is, None becomes a dash.

    >>> [number(value) for value in (0.0, 0.91234, 1797, 12345.6, 2.1e-7, float("nan"), -float("inf"), "relu", None)]
    ['0', '0.912', '1,797', '12,346', '2.1e-7', 'NaN', '−infinity', 'relu', '–']
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isnan(value):
        return "NaN"
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if math.isinf(size):
        return f"{sign}infinity"
    if size == 0:
        return "0"
    if size >= 1e6 or size < 1e-3:
        digits, exponent = f"{size:.2e}".split("e")
        digits = digits.rstrip("0").rstrip(".")
        return f"{sign}{digits}e{int(exponent)}"
    if size >= 1000 or size == int(size):
        return f"{sign}{size:,.0f}"
    return f"{sign}{size:.3g}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage, with as many digits as tell it from 0 and from 1; None becomes a dash.

    >>> percent(0.914), percent(0.0042), percent(0.00001), percent(0.999), percent(1.0), percent(float("nan"))
    ('91 %', '0.42 %', '0.001 %', '99.9 %', '100 %', 'NaN')
    """
    if share is None or not math.isfinite(share):
        return number(share)
    value = 100.0 * share + 0.0  # turns -0 into 0
    if 0 < abs(value) < 1 or 99 < value < 100:
        digits = 3 if value > 99 else 2
        return f"{value:.{digits}g} %"
    return f"{value:.0f} %"


def portion(share: float) -> str:
    """A share in [0, 1] as it stands before "of": what is next to nothing is said without a number.

    >>> portion(0.914), portion(7.7e-21), portion(0.0), portion(1.0)
    ('91 %', 'practically none', 'none', 'all')
    """
    if share in (0.0, 1.0):
        return "all" if share else "none"
    return "practically none" if 0 < share < LEAST_SHARE else percent(share)


def small(share: float) -> str:
    """A share that may be next to nothing.

    >>> small(0.0042), small(7.7e-21)
    ('0.42 %', 'under 0.01 %')
    """
    return f"under {percent(LEAST_SHARE)}" if share < LEAST_SHARE else percent(share)


def change(ratio: float) -> str:
    """By how much something changes, relative to its size; large changes as a factor.

    >>> change(4512.0), change(0.25), change(2.3e-5), change(1e-12)
    ('4,500-fold', 'by 25 %', 'by 0.0023 %', 'by under 0.0001 %')
    """
    if ratio >= MANIFOLD:
        return f"{times(ratio)}-fold"
    return f"by under {percent(LEAST_CHANGE)}" if ratio < LEAST_CHANGE else f"by {percent(ratio)}"


def aside(text: str) -> str:
    """A text in brackets behind another; "" stays "".

    >>> "accuracy 95 %" + aside("guessing: 50 %") + aside("")
    'accuracy 95 % (guessing: 50 %)'
    """
    return f" ({text})" if text else ""


def times(factor: float) -> str:
    """A factor in two digits, large ones in full.

    >>> times(2.04), times(31.2), times(12345.0), times(1e12)
    ('2', '31', '12,000', '1e+12')
    """
    if factor >= 1e7 or 0 < factor < 1e-3:
        return f"{factor:.0e}"
    return f"{float(f'{factor:.2g}'):,g}"


def place(where: str) -> str:
    """A place in words; the empty path is the whole model.

    >>> place("dense_1"), place("")
    ('dense_1', 'the whole model')
    """
    return where or "the whole model"


def sentence(text: str) -> str:
    """The text with a capital at its start.

    >>> sentence("the loss is 0"), sentence("R squared is 1")
    ('The loss is 0', 'R squared is 1')
    """
    return text[:1].upper() + text[1:]


def listed(items: Iterable[str], limit: int = 3) -> str:
    """Items in a row; beyond the limit their number stands for the rest.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    known = list(items)
    rest = len(known) - limit
    return ", ".join(known) if rest <= 0 else f"{', '.join(known[:limit])} and {rest:,} more"


def named(names: Sequence[str], most: int = 3) -> str:
    """Names in a row as a sentence has them, in backticks, the first few spelled out.

    >>> named(["a", "b"]), named(["a", "b", "c", "d", "e"])
    ('`a` and `b`', '`a`, `b`, `c` and 2 more')
    """
    quoted = [f"`{name}`" for name in names]
    if len(quoted) <= most:
        return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
    return f"{', '.join(quoted[:most])} and {len(quoted) - most} more"
