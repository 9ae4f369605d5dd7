"""Random numbers of our own, for some threads, from the global generators that belong to the whole process.

A global state is never saved and put back: a data pipeline may draw from it in a thread of its own meanwhile, and its
numbers would be rewound. Instead the global functions ask which thread calls them, and give ours another generator's
numbers. Keras keeps its own state in thread-local storage: whoever runs a user's code in a thread of the user's puts
that back.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SEED = "keras-diagnose"  # no number: a user's own seed is one, and would give the same draws


class _Own:
    """Generators that some threads draw from in the place of the global ones."""

    def __init__(self, idents: set[int]) -> None:
        self.idents = idents
        self.python, self.numpy = random.Random(SEED), np.random.RandomState(2016)


_owns: list[_Own] = []  # the last one that knows a thread counts
_originals: list[tuple[Any, str, Any]] = []  # what the modules `random` and `np.random` offer, while it is replaced
_lock = threading.Lock()


def shared_generators() -> dict[int, Any]:
    """The generators behind the functions of `random` and `np.random`, by id."""
    both = (getattr(random, "_inst", None), getattr(np.random.mtrand, "_rand", None))
    return {id(shared): shared for shared in both if shared is not None}


@contextlib.contextmanager
def own_random_numbers(idents: set[int] | None = None) -> Iterator[None]:
    """Python's and NumPy's global random functions give the threads in `idents` numbers of another generator.

    idents: of the threads, and may change meanwhile; without it the one that calls. A function that someone holds by a
    name of its own goes past this: `routed_function` makes one that does not.
    """
    own = _Own({threading.get_ident()} if idents is None else idents)
    with _lock:
        if not _owns:
            _replace_functions()
        _owns.append(own)
    try:
        yield
    finally:
        with _lock:
            _owns.remove(own)
            if not _owns:
                while _originals:
                    module, name, function = _originals.pop()
                    setattr(module, name, function)


def _replace_functions() -> None:
    shared = shared_generators()
    for module in (random, np.random):
        for name in dir(module):
            function = getattr(module, name)
            if id(getattr(function, "__self__", None)) in shared:
                _originals.append((module, name, function))
                setattr(module, name, routed_function(function))


def routed_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a shared generator that gives threads with numbers of their own those."""
    name, side = function.__name__, "python" if isinstance(function.__self__, random.Random) else "numpy"  # type: ignore[attr-defined]

    def routed(*args: Any, **kwargs: Any) -> Any:
        own = _of_this_thread()
        return (function if own is None else getattr(getattr(own, side), name))(*args, **kwargs)

    return routed


def _of_this_thread() -> _Own | None:
    ident = threading.get_ident()
    return next((own for own in reversed(_owns) if ident in own.idents), None)


class _ByThread:
    """Stands for a generator: the threads in `idents` use `own`, made when it is first used, others `usual`."""

    def __init__(self, usual: Any, own: Callable[[], Any], idents: set[int]) -> None:
        self._usual, self._make, self._idents, self._own = usual, own, idents, None

    def __getattr__(self, name: str) -> Any:
        if threading.get_ident() not in self._idents:
            return getattr(self._usual, name)
        if self._own is None:
            self._own = self._make()
        return getattr(self._own, name)

    def retire(self) -> None:
        """Be the usual one to whoever still holds this."""
        self._idents = set()


@contextlib.contextmanager
def eager_seeds(idents: set[int] | None = None) -> Iterator[None]:
    """Eager TensorFlow draws with seeds of our own in the threads of `idents`; so does its global generator.

    idents: as for `own_random_numbers`. Not the user's seeds saved and put back: a kernel that has drawn with them
    keeps a state of its own.
    """
    idents = {threading.get_ident()} if idents is None else idents
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(ImportError, AttributeError):  # private places: without them, less is put back
            from tensorflow.python.eager import context
            from tensorflow.python.ops import stateful_random_ops

            eager = context.context()
            seed, drawing = eager._seed, getattr(eager, "_rng", None)
            usual = random.SystemRandom() if seed is None or drawing is None else drawing
            routed = _ByThread(usual, lambda: random.Random(SEED), idents)
            eager._rng = routed
            if seed is None:  # nothing is promised of numbers without a seed, and ours come from one
                eager._seed = 2016

            def put_seeds_back() -> None:
                routed.retire()
                eager._seed = seed
                if drawing is not None:
                    eager._rng = drawing

            undo.callback(put_seeds_back)
            shared = stateful_random_ops.global_generator
            stand_in = None
            if shared is not None:
                own = stateful_random_ops.Generator.from_seed(2016)
                stand_in = stateful_random_ops.global_generator = _ByThread(shared, lambda: own, idents)

            def put_generator_back() -> None:
                if stand_in is not None:
                    stand_in.retire()
                stateful_random_ops.global_generator = shared

            undo.callback(put_generator_back)
        yield
