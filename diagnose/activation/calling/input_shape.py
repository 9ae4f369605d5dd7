"""Which shape of input a function wants: the first that works, found by trying.

An activation is called as a model would call it: on a batch of rows. Which rank and width it wants is not known, so the
smallest that works is looked for; a built layer says itself.
"""

from __future__ import annotations

import contextlib
import time

import numpy as np

from diagnose.activation.calling.failures import UnusableError, kind_of, sentence
from diagnose.activation.calling.isolation import TookTooLongError
from diagnose.activation.calling.target import WIDTH, Target, probe
from diagnose.activation.calling.tracing import Trace, trace
from diagnose.activation.facts import Failure

#: Input shapes tried, without the batch: rows first, then sequences, images, volumes, then no axis but the batch.
TRIED_SHAPES: tuple[tuple[int, ...], ...] = ((WIDTH,), (6, WIDTH), (6, 6, WIDTH), (4, 4, 4, WIDTH), ())
#: Bytes from which on an intermediate for a batch of 8 rows is called absurd, and f is not run at all.
ABSURD_BYTES = 1024**3
#: Seconds that a call on a few numbers may take before it is told: a hundred times what an ordinary one takes.
SLOW_SECONDS = 0.25
#: Rows of a large batch, for which a tensor of more than `ABSURD_BYTES` is told.
LARGE_BATCH = 4096


def find_shape(target: Target, dtype: str, shapes: tuple[tuple[int, ...], ...]) -> int:
    """Set `target.shape` and `target.trace` to the first shape that works; gives the least rank that does.

    Raises UnusableError if none works.
    """
    first: Failure | None = None
    for shape in shapes:
        given = f"{dtype} tensor of shape {(4, *shape)}, values from N(0, 1)"
        target.shape, target.trace = shape, None
        graph_error: BaseException | None = None
        if target.layer is None or target.layer.built:
            try:
                target.trace = _traced(target, dtype)
            except TookTooLongError as error:
                raise UnusableError(Failure("slow", given, sentence(error), fatal=True)) from error
            except BaseException as error:
                _pass_interrupt(error)
                graph_error = error
        if target.trace is not None:
            size = target.trace.largest(8) * 4
            if size > ABSURD_BYTES:
                told = f"it would allocate a tensor of {size / 1024**3:.3g} GiB for 8 rows (not run)"
                raise UnusableError(Failure("memory", given, told, fatal=True))
            if target.trace.prints:
                target.isolation.silence_descriptor()
        try:
            seconds = min(_seconds(target, probe(4, shape), dtype) for _ in range(3))
        except BaseException as error:
            _pass_interrupt(error)
            failure = Failure(kind_of(error), given, sentence(error), fatal=True)
            if failure.kind in ("slow", "memory"):
                raise UnusableError(failure) from error
            # What comes back as no tensor says more than that it can't be traced.
            first = first or failure
            continue
        if graph_error is not None:
            told = f"it works eagerly, but not in a graph with a batch of unknown size: {sentence(graph_error)}"
            target.failures.append(Failure("graph", given, told, fatal=False))
        if target.trace is None and graph_error is None:  # a layer, built by the call
            with contextlib.suppress(Exception):
                target.trace = _traced(target, dtype)
        if seconds > SLOW_SECONDS:
            target.failures.append(Failure("slow", given, f"one call takes {seconds:.2g} s", fatal=False))
        if target.trace is not None and (size := 4 * target.trace.largest(LARGE_BATCH)) > ABSURD_BYTES:
            told = (
                f"for a batch of {LARGE_BATCH:,} it needs a tensor of {size / 1024**3:.3g} GiB, which grows faster "
                "than the batch"
            )
            target.failures.append(Failure("memory", given, told, fatal=False))
        if first is not None:
            target.failures.append(Failure("rank", first.given, first.told, fatal=False))
        return len(shape) + 1
    assert first is not None
    raise UnusableError(first)


def _traced(target: Target, dtype: str) -> Trace:
    call, shape = target.traced or target.call, target.shape
    return target.isolation.run(lambda: trace(call, shape, dtype))


def _seconds(target: Target, z: np.ndarray, dtype: str) -> float:
    """Time of one call."""
    start = time.monotonic()
    target.answer(z, dtype)
    return time.monotonic() - start


def _pass_interrupt(error: BaseException) -> None:
    """Hand on the user's own Ctrl-C, which arrives in the waiting thread."""
    if isinstance(error, KeyboardInterrupt):
        raise error
