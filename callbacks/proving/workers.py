"""Where trials run: processes of our own, or any executor of a user's. Results keep the order of their jobs.

The processes are started anew and not forked, since a forked TensorFlow hangs. Loky starts them, because unlike
`multiprocessing` it does not run the user's script again in each (which calls for a `__main__` guard), and tells when a
process was killed. A job whose process died is tried once more, alone: then it is known which one kills processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from typing import Any, TypeVar

import loky

from diagnose.activation.calling.process_state import silence
from diagnose.callbacks.proving.trial import BadBuildError

Task = TypeVar("Task")
Result = TypeVar("Result")

DIED = "its process died: it was killed, or ran out of memory"


INTERRUPTED = "interrupted"


class StoppedError(Exception):
    """Not all jobs were done. `results` holds what is there, None for the others; the message says why."""

    def __init__(self, why: str, results: list[Any]) -> None:
        super().__init__(why)
        self.results = results


def processes() -> int:
    """How many processes of our own train side by side: one for each two cores, since each uses several."""
    return max(1, (os.cpu_count() or 1) // 2)


class Workers:
    """Runs jobs in processes. Use it in a `with`: processes of our own end with it.

    executor: any `concurrent.futures.Executor` of the user's, which is left open; None for processes of our own.
    jobs: how many of those there are; None for `processes()`.
    """

    def __init__(self, executor: Executor | None = None, jobs: int | None = None) -> None:
        self._given, self._jobs = executor, jobs or processes()
        self._own: Any = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: Any) -> None:
        self._end()

    def run(
        self,
        function: Callable[[Task], Result],
        jobs: Sequence[Task],
        died: Callable[[Task, str], Result],
        done: Callable[[], None] = lambda: None,
    ) -> list[Result]:
        """The results of all jobs, in their order.

        died: the result of a job whose process died, twice. done: called after each job that is done.
        Raises BadBuildError, and StoppedError on Ctrl-C, and where an executor of the user's is no longer there.
        """
        results: list[Any] = [None] * len(jobs)
        left = dict(enumerate(jobs))
        try:
            self._side_by_side(function, left, results, done)
            for place in [*left]:  # one of them killed its process, and the others of the pool with it
                try:
                    self._side_by_side(function, alone := {place: left[place]}, results, done)
                    if alone:
                        results[place] = died(left[place], DIED)
                        done()
                finally:
                    left.pop(place)
        except KeyboardInterrupt:
            self._end()
            raise StoppedError(INTERRUPTED, results) from None
        return results

    def _side_by_side(
        self, function: Callable[[Any], Any], left: dict[int, Any], results: list[Any], done: Callable[[], None]
    ) -> None:
        """Do what is left. Jobs that a broken pool of our own lost stay in `left`."""
        if not left:
            return
        futures: dict[Future[Any], int] = {}
        try:
            for place, job in left.items():
                futures[self._executor().submit(function, job)] = place
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                del left[futures[future]]
                done()
        except BadBuildError:
            self._end()
            raise
        except (BrokenExecutor, CancelledError, RuntimeError, OSError) as error:
            for future, place in futures.items():  # done, and not looked at yet
                if place in left and future.done() and not future.cancelled() and future.exception() is None:
                    results[place] = future.result()
                    del left[place]
            if self._given is not None:
                name = type(self._given).__name__
                raise StoppedError(f"the executor ({name}) failed: {type(error).__name__}: {error}", results) from error
            self._end()

    def _executor(self) -> Any:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = loky.ProcessPoolExecutor(
                # What a builder prints, it would print for every trial; and TensorFlow greets from each process.
                self._jobs,
                initializer=silence,
                env={"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": _backend()},
            )
        return self._own

    def _end(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=True, kill_workers=True)
            self._own = None


def _backend() -> str:
    import keras

    return keras.backend.backend()
