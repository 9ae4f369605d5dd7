"""What belongs to the whole process, kept from a strange function that runs in one thread of it.

What each means can do, and what it can't:

- memory: the address space is limited while f runs (Linux, no GPU: CUDA reserves address space by the tens of
  gigabytes), so that one absurd allocation fails instead of calling for the kernel's OOM killer; growth in small steps
  is watched.
- output: only what f's own thread writes is caught; a progress bar of another thread passes. `tf.print` writes from C++
  to file descriptor 2, which is the whole process's: it is turned away only while a function known to print is run.
- randomness: see `random_numbers`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Characters kept of what f prints.
KEPT_OUTPUT = 2_000


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
def routed(stream: str, idents: set[int], caught: io.StringIO) -> Iterator[None]:
    """What the threads in `idents` write to this stream ("stdout" or "stderr") goes to `caught`."""
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


def resident_memory() -> int:
    """Bytes of memory that the process holds; 0 where that can't be read cheaply."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_memory() -> int:
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
def limited_address_space(growth: int) -> Iterator[None]:
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


def silence() -> None:
    """Nothing that this process writes to stdout or stderr goes anywhere, from now on; libraries' greetings neither."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextlib.contextmanager
def silent_descriptor(descriptor: int) -> Iterator[None]:
    """What the process writes to this file descriptor goes nowhere."""
    kept = os.dup(descriptor)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
