"""The Keras callbacks. They hold arguments and pass hooks on; the work is done by the fit of the `Session` they share.

Several monitors in one fit observe once: the instruments of all are joined, the path is the first that is given, and
all other arguments are those of the first monitor.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast, get_args

import keras

from diagnose.api import Diagnosis, examine
from diagnose.callbacks.watching.live import StopOn, Wishes
from diagnose.callbacks.watching.recorder import Archive
from diagnose.callbacks.watching.session import Session
from diagnose.callbacks.watching.watched_fit import WatchedFit
from diagnose.report.presentation import code_of
from diagnose.rules.catalogue import rule_names
from diagnose.run.loading import load
from diagnose.run.run import Run
from diagnose.run.store import Store
from diagnose.wording import one_line, printable

#: What can be watched: activation sites; gradients; non-finite numbers; loss, accuracy and skill; weights and updates.
INSTRUMENTS = ("activations", "gradients", "numerics", "outputs", "weights")

#: The session last opened for each model: monitors of one fit find each other here.
_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


class TrainingMonitor(keras.callbacks.Callback):
    """Watches a `model.fit` without changing it, and says afterwards what went wrong.

    path: of the run file (SQLite); None keeps the run in memory. A run file that is already there is kept as NAME.1;
        any other file there is refused.
    overhead: own seconds allowed for each other second of fit, after set-up, in (0, 1). Steps on a grid fixed by their
        numbers, which the rules judge, are observed whatever it allows; what is beyond them is for curves.
    every: observe the steps 0, every, 2 * every ... instead of by budget; at least 1.
    instruments: "all", or any of "activations", "gradients", "numerics", "outputs", "weights".
    verbose: 0 prints nothing; 1 prints a line when a critical cause first stands, and the headline at the end; "auto"
        follows fit's own `verbose`.
    stop_on: what ends the fit early, by `model.stop_training`: "critical", at the end of the epoch in which a critical
        cause stands; "non-finite", after the batch in which loss or weights were seen to be NaN or infinite; None,
        nothing. It is the one argument by which a monitor changes a training.
    ignore: names of rules that judge nothing of this run, such as ("class-imbalance",).
    append: go on in the run file at `path`, if one is there, instead of keeping it as NAME.1: the same model trained
        further, in another process, say.
    Raises ValueError or TypeError for a bad argument and OSError for a path that can't be written, all in the
    constructor. From the start of `fit` on nothing of ours raises, but for two monitors with different paths in one
    fit, which is refused before the first step.

        monitor = TrainingMonitor("digits.sqlite")
        model.fit(x, y, validation_data=val, epochs=20, callbacks=[monitor])
        print(monitor.diagnosis)
        monitor.diagnosis.to_html("digits.html")
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        overhead: float = 0.03,
        every: int | None = None,
        instruments: str | Iterable[str] = "all",
        verbose: str | int = "auto",
        stop_on: str | None = None,
        ignore: str | Iterable[str] = (),
        append: bool = False,
    ) -> None:
        super().__init__()
        self.path = None if path is None else _checked_path(path)
        self.overhead = _checked_overhead(overhead)
        self.every = _checked_every(every)
        self.instruments = _checked_instruments(instruments)
        self.verbose = _checked_verbose(verbose)
        self.stop_on = _checked_stop_on(stop_on)
        self.ignore = rule_names(ignore)
        self.append = _checked_append(append, self.path)
        self._session: Session | None = None
        self._past = Run()
        self._unwatched: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """The arguments and the run: what a copy or a pickle takes along. The model stays, and so does the run file."""
        return {**vars(self), "_model": None, "params": None, "_session": None, "_past": self.run}

    def __repr__(self) -> str:
        """What it holds, in a line."""
        where = "in memory" if self.path is None else f"in {self.path!r}"
        return f"<{type(self).__name__}: {self.run.seen}, {where}>"

    @property
    def run(self) -> Run:
        """What was seen so far; also during a fit, and after one that failed or was interrupted."""
        if self._session is None:
            return self._past
        self._session.settle()
        return self._session.run

    @property
    def diagnosis(self) -> Diagnosis:
        """What it means; also during a fit, and after one that failed or was interrupted."""
        return examine(self.run)

    # Hooks of Keras, in the order in which fit calls them.

    def set_model(self, model: Any = None) -> None:
        """Keras tells the model.

        Raises ValueError if another monitor of the same fit writes to another path, and TypeError where `callbacks`
        holds the class: Keras calls this method of the class then, with the model for the monitor.
        """
        if not isinstance(self, TrainingMonitor):
            raise TypeError(
                "callbacks holds the class of a monitor itself; make one: callbacks=[TrainingMonitor()], with brackets."
            )
        super().set_model(model)
        known = _sessions.get(model)
        if known is not None and known.opening and id(self) not in known.members:
            if self.path is not None and known.path not in (None, self.path):
                raise ValueError(
                    f"two monitors of one fit write to {known.path} and {self.path}, but they share one run. "
                    "Give both the same path, or leave `path` out of one."
                )
            self._session = known
        else:
            if self._session is None or not self._session.may_watch(model):
                archive = self._archive() if self._session is None else None  # another model is another run
                self._session = Session(self.path, self.overhead, self.every, self.ignore, archive)
            self._session.members.clear()
            self._session.instruments = frozenset()
            self._session.opening = True
            _sessions[model] = self._session
        self._session.path = self._session.path or self.path
        self._session.members.append(id(self))
        self._session.instruments |= self.instruments

    def _archive(self) -> Archive | None:
        """The run to go on in; None for a new one."""
        if not self.append or self.path is None or not Path(self.path).exists():
            return None
        try:
            return Archive.resumed(self.path)
        except (OSError, ValueError) as error:  # it could be read when the monitor was made
            what = f"the run file could not be gone on in, and a new one is begun: {one_line(str(error))}"
            warnings.warn(f"keras-diagnose: {what}", RuntimeWarning, stacklevel=2)
            return None

    def _leads(self) -> bool:
        return self._session is not None and self._session.members[:1] == [id(self)]

    def _led(self) -> WatchedFit | None:
        """The fit under watch if this monitor leads: the others of a fit leave the work to the first."""
        return self._session.fit if self._session is not None and self._leads() else None

    def on_train_begin(self, logs: Any = None) -> None:
        """Keras: fit begins."""
        if self._session is not None and self._leads():
            more = f"`keras-diagnose report {one_line(self.path)}`" if self.path else "monitor.diagnosis"
            wishes = Wishes(self._speaks(), more, self.stop_on)
            self._session.begin(self.model, self.params or {}, wishes)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Keras: a training step comes."""
        if (fit := self._led()) is not None:
            fit.before_batch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keras: a training step is done."""
        if (fit := self._led()) is not None:
            fit.after_batch(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Keras: a validation step comes."""
        if (fit := self._led()) is not None:
            fit.before_validation_batch(batch)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keras: a validation step is done."""
        if (fit := self._led()) is not None:
            fit.after_validation_batch()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keras: an epoch is done."""
        if (fit := self._led()) is not None:
            fit.after_epoch(logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Keras: fit has ended by itself."""
        fit = self._led()
        if self._session is None or fit is None:
            return
        self._session.end("completed")
        if self._speaks():
            with fit.guard.guarded("printing the diagnosis", "telling"):
                self._tell(None if fit.guard.is_off("file") else self.path)

    def on_test_begin(self, logs: Any = None) -> None:
        """Keras: an evaluation begins, in a fit or by itself."""
        self._say_unwatched("evaluate")

    def on_predict_begin(self, logs: Any = None) -> None:
        """Keras: predictions are to be made."""
        self._say_unwatched("predict")

    def _say_unwatched(self, what: str) -> None:
        """Say once that a monitor has nothing to do outside of a fit."""
        outside = self._session is None or self._session.fit is None
        if outside and what not in self._unwatched and self._speaks():
            self._unwatched.add(what)
            print(f"\nkeras-diagnose: `{what}` is not watched; a monitor watches `fit`.")

    def _speaks(self) -> bool:
        """Whether lines are printed: as `verbose` says, or as fit's own does."""
        return bool((self.params or {}).get("verbose", 1) if self.verbose == "auto" else self.verbose)

    def _tell(self, path: str | None) -> None:
        """Print the headline. path: of a run file that holds the whole run, None without one."""
        where = f"`keras-diagnose report {one_line(path)}`" if path else "`print(monitor.diagnosis)`"
        diagnosis = self.diagnosis
        code = code_of(diagnosis.causes[0]) if diagnosis.causes else []
        lines = [f"keras-diagnose: {diagnosis.headline}", *(f"    {line}" for line in code)]
        print(f"\n{printable(chr(10).join(lines))}\n  More: {where}, or monitor.diagnosis.to_html(...)")


class _Part(TrainingMonitor):
    """A monitor of some instruments; loss and skill always belong to them, since no harm shows without."""

    _parts: tuple[str, ...] = ()

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        overhead: float = 0.03,
        every: int | None = None,
        verbose: str | int = "auto",
        stop_on: str | None = None,
        ignore: str | Iterable[str] = (),
        append: bool = False,
    ) -> None:
        super().__init__(
            path,
            overhead=overhead,
            every=every,
            instruments=(*self._parts, "outputs"),
            verbose=verbose,
            stop_on=stop_on,
            ignore=ignore,
            append=append,
        )


class SaturationMonitor(_Part):
    """A `TrainingMonitor` for saturated, dead and blocked activations. Same arguments but `instruments`."""

    _parts = ("activations", "gradients")


class GradientMonitor(_Part):
    """A `TrainingMonitor` for vanishing and exploding gradients and updates. Same arguments but `instruments`."""

    _parts = ("gradients", "weights")


class NonMonotonicityMonitor(_Part):
    """A `TrainingMonitor` for activations used beyond their turning points. Same arguments but `instruments`."""

    _parts = ("activations",)


class NumericsMonitor(_Part):
    """A `TrainingMonitor` for NaN and infinity, also where the loss hides them. Same arguments but `instruments`."""

    _parts = ("numerics",)


class GapMonitor(_Part):
    """A `TrainingMonitor` for the gap between training and validation. Same arguments but `instruments`."""

    _parts = ("weights",)


def _checked_path(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r}; it must be a path of the run file, such as 'run.sqlite', or None.")
    return str(Store.check(os.fspath(path)))


def _checked_overhead(overhead: float) -> float:
    if isinstance(overhead, bool) or not isinstance(overhead, (int, float)) or not 0 < overhead < 1:
        raise ValueError(
            f"overhead is {overhead!r}; it must be over 0 and under 1: 0.03 allows 3 seconds of observing "
            "in 100 seconds of training."
        )
    return float(overhead)


def _checked_every(every: int | None) -> int | None:
    if every is None:
        return None
    if isinstance(every, bool) or not hasattr(every, "__index__") or every < 1:
        raise ValueError(f"every is {every!r}; it must be a whole number from 1 on (10: each tenth step), or None.")
    return int(every)


def _checked_verbose(verbose: str | int) -> str | int:
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"verbose is {verbose!r}; it must be 0 (print nothing), 1, or 'auto' (as fit's own verbose).")
    return verbose


def _checked_stop_on(stop_on: str | None) -> StopOn | None:
    if stop_on is not None and stop_on not in get_args(StopOn):
        raise ValueError(f"stop_on is {stop_on!r}; it must be 'critical', 'non-finite', or None (never).")
    return cast("StopOn | None", stop_on)


def _checked_append(append: bool, path: str | None) -> bool:
    """Raises ValueError where there is no run that could be gone on in, and OSError as `diagnose.load` does."""
    if append and path is None:
        raise ValueError("append is True, and there is no path: pass the path of the run file to go on in.")
    if append and path is not None and Path(path).exists():
        load(path)
    return bool(append)


def _checked_instruments(instruments: str | Iterable[str]) -> frozenset[str]:
    if isinstance(instruments, str):
        chosen: tuple[str, ...] = INSTRUMENTS if instruments == "all" else (instruments,)
    else:
        chosen = tuple(instruments)
    unknown = [name for name in chosen if name not in INSTRUMENTS]
    if unknown or not chosen:
        what = f"holds {unknown[0]!r}" if unknown else "is empty"
        raise ValueError(f"instruments {what}; pass 'all', or any of: {', '.join(INSTRUMENTS)}.")
    return frozenset(chosen)
