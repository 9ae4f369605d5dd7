"""Which steps and epochs are looked at whatever it costs: fixed by their numbers alone.

Rules judge what was seen on this grid and nothing else, so that two equal fits get one verdict, on an idle machine and
on a busy one. What the budget allows beyond it is for the curves that a user looks at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

DENSE_STEPS = 20  # the contract's: the first steps decide much
DENSE_EPOCHS = 8  # with two in a doubling, nine evaluations by the 12th epoch: as many as a bend in a skill wants


def on_grid(numbers: Iterable[int], dense: int, *, sparse: bool = False) -> bool:
    """Whether one of these numbers, from 0 on, is on the grid: the first `dense` ones, then two in each doubling.

    sparse: of a model whose observation takes long; 0 and the powers of two.

    >>> [number for number in range(200) if on_grid([number], 20)][20:]
    [20, 29, 40, 57, 80, 114, 160]
    >>> [number for number in range(200) if on_grid([number], 20, sparse=True)]
    [0, 1, 2, 4, 8, 16, 32, 64, 128]
    """
    return any(_holds(number, dense, sparse) for number in numbers)


def _holds(number: int, dense: int, sparse: bool) -> bool:
    if sparse:
        return number & (number - 1) == 0
    if number < dense:
        return True
    doubled = dense << ((number // dense).bit_length() - 1)
    return number in (doubled, math.isqrt(2 * doubled * doubled) + 1)
