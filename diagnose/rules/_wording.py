"""Places and numbers as the user reads them in messages, remedies and headlines."""

from __future__ import annotations

from diagnose.layout import Layout


def percent(share: float) -> str:
    """A share in percent, with as many digits as tell it from 0 and from 1.

    >>> percent(0.914), percent(0.0042), percent(0.00001), percent(0.999)
    ('91 %', '0.42 %', '0.001 %', '99.9 %')
    """
    value = 100.0 * share
    if 0 < abs(value) < 1 or 99 < value < 100:
        digits = 3 if value > 99 else 2
        return f"{value:.{digits}g} %"
    return f"{value:.0f} %"


def times(factor: float) -> str:
    """A factor in two digits, large ones in full.

    >>> times(2.04), times(31.2), times(12345.0), times(1e12)
    ('2', '31', '12,000', '1e+12')
    """
    if factor >= 1e7 or 0 < factor < 1e-3:
        return f"{factor:.0e}"
    return f"{float(f'{factor:.2g}'):,g}"


def site_name(layout: Layout, where: str) -> str:
    """An activation with its place: "`tanh` in `dense_1`", or the place alone where the function is not known."""
    function = layout.sites.get(where, {}).get("function")
    place = where.split("@", 1)[0]
    return f"`{function}` in `{place}`" if function else f"`{where}`"


def some(names: list[str], most: int = 3) -> str:
    """Names in a row, the first few spelled out.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ('`a` and `b`', '`a`, `b`, `c` and 2 more')
    """
    quoted = [f"`{name}`" for name in names]
    if len(quoted) <= most:
        return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
    return f"{', '.join(quoted[:most])} and {len(quoted) - most} more"
