"""Running a user's Python so that nothing of it stays.

Whatever runs a model's code (tracing a step, the audit, the evaluation) may count attributes up, move variables and
draw random numbers. What the code holds is copied before and put back (`diagnose.activation.calling.held_state`). The
global generators are not written, since a data pipeline may draw from them in another thread: our own thread draws from
others meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras.src.backend.common import global_state

from diagnose.activation.calling.held_state import HeldState
from diagnose.activation.calling.random_numbers import eager_seeds, own_random_numbers

SEEDS = "global_seed_generator"  # where Keras keeps the generator behind random functions without a seed


class CannotUndo(Exception):  # noqa: N818 - a reason for not observing, not an error of the user's
    """The code does something that could not be put back; the message says what, for the user."""


def refuse(held: HeldState) -> None:
    """Raise CannotUndo if the code can reach what can't be put back."""
    if held.cannot:
        raise CannotUndo(f"the model's code has state that can't be put back: {held.cannot[0]}")


@contextlib.contextmanager
def pristine(*roots: Any, strict: bool = True) -> Iterator[None]:
    """Put back, at the end, what running Python may have changed.

    roots: all that will run, and what it may use: the model, a layer, functions. Everything must be built: what a build
        notes would be put back too.
    strict: raise CannotUndo before anything runs if the code can reach what can't be put back; else that is let go.
    """
    names = global_state.get_global_attribute("object_name_uids")
    given = dict(names) if names is not None else {}
    seeds = global_state.get_global_attribute(SEEDS)
    held = HeldState(*roots, seeds)
    if strict:
        refuse(held)
    try:
        with own_random_numbers(), eager_seeds(), held.kept():
            yield
    finally:
        if names is not None:
            names.clear()
            names.update(given)
        global_state.set_global_attribute(SEEDS, seeds)
