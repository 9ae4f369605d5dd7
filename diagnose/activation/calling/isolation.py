"""A strange function is run where it can harm nobody: limited in time and memory, its output caught, its traces
removed.

Any function may sleep, loop, print, allocate, or draw random numbers, and a profile is also made at the start of a
watched training, which must go on as if nothing had been. So f runs in a daemon thread that is waited for, not in a
process: a process would have to import TensorFlow again (seconds), and could not be given a closure.

What each means can do, and what it can't:

- time: a thread that is late is told to stop by an exception raised inside it, which ends any Python loop; one that
  sits in native code (a long `sleep`) is left behind and ends by itself.
- memory: the address space is limited while f runs (Linux, no GPU: CUDA reserves address space by the tens of
  gigabytes), so that one absurd allocation fails instead of calling for the kernel's OOM killer; growth in small steps
  is watched.
- output: only what f's own thread writes is caught; a progress bar of another thread passes. `tf.print` writes from C++
  to file descriptor 2, which is the whole process's: it is turned away only while a function known to print is run.
- randomness: Python's and NumPy's global random functions give f's thread numbers of its own, and eager TensorFlow
  draws with seeds of its own. Keras keeps its state in thread-local storage, which a thread of our own does not touch.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

#: Seconds that one call of f may take: the compilation of a jitted function takes one or two on a slow machine.
CALL_SECONDS = 5.0
#: Bytes that f may add to the memory of the process: far over what a profile's largest call needs (about 100 MB).
MEMORY_GROWTH = 2 * 1024**3
#: Characters kept of what f prints.
KEPT_OUTPUT = 2_000


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
            undo.enter_context(_own_random_numbers(self._idents))
            undo.enter_context(_eager_seeds())
            undo.enter_context(_routed("stdout", self._idents, self._caught))
            undo.enter_context(_routed("stderr", self._idents, io.StringIO()))
            self._limit = min(MEMORY_GROWTH, _free_memory() // 2)
            self._worker = self._hire()
            undo.enter_context(_limited_address_space(2 * self._limit))
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
        self._undo.enter_context(_silent_descriptor(2))

    def _wait(self, done: threading.Event) -> int:
        """Wait for the event within time and memory; the bytes grown if memory ended it, else 0."""
        until = min(self._until, time.monotonic() + CALL_SECONDS)
        if done.wait(min(0.02, max(until - time.monotonic(), 0))):
            return 0
        start = _resident_memory()
        while time.monotonic() < until:
            if done.wait(0.02):
                return 0
            if (grown := _resident_memory() - start) > self._limit:
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


class _Router:
    """Stands for sys.stdout: what the given threads write goes to `caught`, the rest where it belongs."""

    def __init__(self, real: Any, idents: set[int], caught: io.StringIO) -> None:
        self._real, self._idents, self._caught = real, idents, caught

    def write(self, text: str) -> int:
        if threading.get_ident() not in self._idents:
            return int(self._real.write(text) or len(text))
        if self._caught.tell() < KEPT_OUTPUT:
            self._caught.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextlib.contextmanager
def _routed(stream: str, idents: set[int], caught: io.StringIO) -> Iterator[None]:
    real = getattr(sys, stream)
    if real is None:  # pythonw
        yield
        return
    router = _Router(real, idents, caught)
    setattr(sys, stream, router)
    try:
        yield
    finally:
        if getattr(sys, stream) is router:
            setattr(sys, stream, real)


@contextlib.contextmanager
def _own_random_numbers(idents: set[int]) -> Iterator[None]:
    """Python's and NumPy's global random functions give the threads in `idents` numbers of another generator.

    Saving the global states and putting them back would rewind the numbers that a data pipeline draws meanwhile.
    """
    numpy_global = getattr(np.random.mtrand, "_rand", None)
    sources = [(random, getattr(random, "_inst", None), random.Random(2016))]
    sources += [(np.random, numpy_global, np.random.RandomState(2016))]  # type: ignore[list-item]
    originals: list[tuple[Any, str, Any]] = []
    for module, shared, own in sources:
        for name in dir(module):
            function = getattr(module, name)
            if shared is not None and getattr(function, "__self__", None) is shared:
                originals.append((module, name, function))
                setattr(module, name, _by_thread(function, getattr(own, name), idents))
    try:
        yield
    finally:
        for module, name, function in originals:
            setattr(module, name, function)


def _by_thread(usual: Callable[..., Any], own: Callable[..., Any], idents: set[int]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return (own if threading.get_ident() in idents else usual)(*args, **kwargs)

    return function


@contextlib.contextmanager
def _eager_seeds() -> Iterator[None]:
    """Eager TensorFlow draws with seeds of our own meanwhile; its shared generator is put back.

    Not the user's seeds saved and put back: a kernel that has drawn with them keeps a state of its own.
    """
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(ImportError, AttributeError):  # private places: without them, less is put back
            from tensorflow.python.eager import context
            from tensorflow.python.ops import stateful_random_ops

            eager = context.context()
            seed, generator = eager._seed, eager._rng
            eager._seed, eager._rng = 2016, random.Random(2016)

            def put_eager_back() -> None:
                eager._seed, eager._rng = seed, generator

            undo.callback(put_eager_back)
            shared = stateful_random_ops.global_generator
            before = None if shared is None else shared.state.numpy()

            def put_generator_back() -> None:
                stateful_random_ops.global_generator = shared
                if shared is not None:
                    shared.state.assign(before)

            undo.callback(put_generator_back)
        yield


def _resident_memory() -> int:
    """Bytes of memory that the process holds; 0 where that can't be read cheaply."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_memory() -> int:
    """Bytes that the process can still get, of the machine and of its control group; a large number if unknown."""
    free = 64 * 1024**3
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(free, 1024**3)


@contextlib.contextmanager
def _limited_address_space(growth: int) -> Iterator[None]:
    """Let the address space grow by `growth` bytes at most, where the system knows how and no GPU needs more."""
    try:
        import resource

        import tensorflow as tf

        if not sys.platform.startswith("linux") or tf.config.list_physical_devices("GPU"):
            raise OSError
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        wanted = now + max(growth, 1024**3)
        if soft != resource.RLIM_INFINITY and soft <= wanted:
            raise OSError
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _silent_descriptor(descriptor: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
