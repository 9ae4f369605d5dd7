"""A strange function is run where it can harm nobody: limited in time and memory, its output caught, its traces
removed.

Any function may sleep, loop, print, allocate, or draw random numbers, and a profile is also made at the start of a
watched training, which must go on as if nothing had been. So f runs in a daemon thread that is waited for, not in a
process: a process would have to import TensorFlow again (seconds), and could not be given a closure.

A thread that is late is told to stop by an exception raised inside it, which ends any Python loop; one that sits in
native code (a long `sleep`) is left behind and ends by itself. What belongs to the whole process (memory, streams,
random numbers) is kept from f by `process_state` and `random_numbers`.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from diagnose.activation.calling.process_state import (
    KEPT_OUTPUT,
    free_memory,
    limited_address_space,
    resident_memory,
    routed,
    silent_descriptor,
)
from diagnose.activation.calling.random_numbers import eager_seeds, own_random_numbers

Result = TypeVar("Result")

#: Seconds that one call of f may take: the compilation of a jitted function takes one or two on a slow machine.
CALL_SECONDS = 5.0
#: Bytes that f may add to the memory of the process: far over what a profile's largest call needs (about 100 MB).
MEMORY_GROWTH = 2 * 1024**3

#: The streams and random functions of the process can be routed for one profile at a time.
_one_at_a_time = threading.Lock()


class TookTooLongError(Exception):
    """A call of f was not done in time."""


class TimeIsUpError(TookTooLongError):
    """The time for the whole examination is used up. On a busy machine that says nothing of f."""


class AteMemoryError(Exception):
    """A call of f made the process grow beyond `MEMORY_GROWTH`, or beyond half of what is free."""


#: What ends an examination, whatever part of it is going on; all else that f raises is a fact about f.
ENDINGS = (TookTooLongError, AteMemoryError, KeyboardInterrupt)


class _Stop(BaseException):
    """Raised inside f's thread to end it; no `except Exception` in f stops it."""


class _Worker:
    """A daemon thread that does one task after the other."""

    def __init__(self, prepare: Callable[[], None], idents: set[int]) -> None:
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], list[Any], threading.Event] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._live, args=(prepare, idents), name="diagnose-profile", daemon=True)
        self._thread.start()

    def _live(self, prepare: Callable[[], None], idents: set[int]) -> None:
        idents.add(threading.get_ident())
        try:
            prepare()
            self._work()
        finally:
            idents.discard(threading.get_ident())  # the system gives it to the next thread

    def _work(self) -> None:
        while True:
            try:
                order = self._tasks.get()
            except _Stop:  # the order to stop came when the task was done already
                continue
            if order is None:
                return
            task, answer, done = order
            try:
                answer.append((True, task()))
            except BaseException as error:  # SystemExit and KeyboardInterrupt of f are f's own
                answer.append((False, error))
            finally:
                done.set()

    def start(self, task: Callable[[], Any]) -> tuple[list[Any], threading.Event]:
        answer: list[Any] = []
        done = threading.Event()
        self._tasks.put((task, answer, done))
        return answer, done

    def stop_task(self) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_Stop))

    def dismiss(self) -> None:
        self._tasks.put(None)


class Isolation:
    """Runs tasks in a thread of their own, within `seconds` altogether; a context manager.

    `printed` holds what they wrote to standard output.

    >>> with Isolation(seconds=5) as isolation:
    ...     isolation.run(lambda: print("mine") or 6 * 7)
    ...     isolation.printed
    42
    'mine\\n'
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._caught = io.StringIO()
        self._idents: set[int] = set()
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Isolation:
        with contextlib.ExitStack() as undo:
            undo.enter_context(_one_at_a_time)
            undo.enter_context(own_random_numbers(self._idents))
            undo.enter_context(eager_seeds(self._idents))
            undo.enter_context(routed("stdout", self._idents, self._caught))
            undo.enter_context(routed("stderr", self._idents, io.StringIO()))
            self._limit = min(MEMORY_GROWTH, free_memory() // 2)
            self._worker = self._hire()
            undo.enter_context(limited_address_space(2 * self._limit))
            self._undo = undo.pop_all()
        self._until = time.monotonic() + self._seconds  # loading TensorFlow, if that was due, is not f's time
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.dismiss()
        self._undo.close()

    @property
    def printed(self) -> str:
        """What the tasks wrote to standard output, shortened."""
        return self._caught.getvalue()[:KEPT_OUTPUT]

    @property
    def left(self) -> float:
        """Seconds left of the time for all tasks."""
        return self._until - time.monotonic()

    def run(self, task: Callable[[], Result]) -> Result:
        """What the task gives; whatever it raises is raised here.

        Raises TookTooLongError or AteMemoryError if it had to be ended.
        """
        if self.left <= 0:
            raise TimeIsUpError("the time for the whole profile is used up")
        answer, done = self._worker.start(task)
        grown = self._wait(done)
        if not answer:
            self._worker.stop_task()
            done.wait(0.25)  # if it does not heed, it is in native code: it is left behind
            self._worker.dismiss()
            self._worker = self._hire()
            if grown:
                raise AteMemoryError(f"memory grew by {grown / 1024**3:.1f} GiB")
            if self.left <= 0:
                raise TimeIsUpError("no time was left")
            raise TookTooLongError(f"one call took over {CALL_SECONDS:g} s")
        succeeded, result = answer[0]
        if not succeeded:
            raise result
        return result

    def silence_descriptor(self) -> None:
        """Turn file descriptor 2 away until the end, for functions with a `tf.print`."""
        self._undo.enter_context(silent_descriptor(2))

    def _wait(self, done: threading.Event) -> int:
        """Wait for the event within time and memory; the bytes grown if memory ended it, else 0."""
        until = min(self._until, time.monotonic() + CALL_SECONDS)
        if done.wait(min(0.02, max(until - time.monotonic(), 0))):
            return 0
        start = resident_memory()
        while time.monotonic() < until:
            if done.wait(0.02):
                return 0
            if (grown := resident_memory() - start) > self._limit:
                return grown
        return 0

    def _hire(self) -> _Worker:
        policy = _keras_dtype_policy()

        def prepare() -> None:
            if policy is not None:
                from keras.src.backend.common import global_state

                global_state.set_global_attribute("dtype_policy", policy)

        return _Worker(prepare, self._idents)


def _keras_dtype_policy() -> Any:
    """The user's global dtype policy, which Keras keeps by thread; None if none was set."""
    try:
        from keras.src.backend.common import global_state
    except ImportError:
        return None
    return global_state.get_global_attribute("dtype_policy")
