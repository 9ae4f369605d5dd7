"""One training in a process of its own: the program built anew, changed, fitted under watch, and judged."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import numpy as np

from diagnose.callbacks.monitor import TrainingMonitor
from diagnose.callbacks.proving.applying import apply
from diagnose.callbacks.proving.program import NotApplicableError, built, check_fresh, digest
from diagnose.diagnosis.examining import examine
from diagnose.diagnosis.proof import Trial
from diagnose.outcome.outcome import outcome_of
from diagnose.remedy import Remedy
from diagnose.run.run import Run
from diagnose.wording import one_line


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is asked to train.

    build: the user's function, pickled with what it needs. remedy: None for the unchanged program. path: of the run
    file, None to keep the run in memory. wants_run: whether the run itself goes back, too.
    """

    build: bytes
    seed: int
    remedy: Remedy | None = None
    path: str | None = None
    wants_run: bool = False


class BadBuildError(Exception):
    """`build` raised, or gave no program; the message says what."""


def check(job: Job) -> None:
    """Make sure that `build` gives a new program with each call. Raises BadBuildError where it does not."""
    _loaded(job, check_fresh)


def train(job: Job) -> tuple[Trial, Run | None]:
    """Train the program of this job and judge it. What fails is in the trial; a bad `build` raises BadBuildError."""
    program = _loaded(job, built)
    changed: list[str] = []
    if job.remedy is not None:
        try:
            changed = apply(program, job.remedy)
        except NotApplicableError as error:
            return Trial(job.remedy, job.seed, error=f"not applied: {error}"), None
        except Exception as error:  # a remedy that breaks this program is a result, too
            return Trial(job.remedy, job.seed, error=f"not applied: {_told(error)}"), None
    # A changed program that breaks is no cure: the rest of its training shows nothing. The unchanged one is left alone.
    monitor = TrainingMonitor(job.path, verbose=0, stop_on=None if job.remedy is None else "non-finite")
    begun = time.perf_counter()
    failed = ""
    try:
        program.fit(monitor)
    except Exception as error:
        failed = _told(error)
    seconds = time.perf_counter() - begun
    trial = replace(_judged(job, monitor.run, failed), seconds=seconds, changed=tuple(changed))
    weights = digest([np.asarray(variable) for variable in program.model.variables])
    return replace(trial, weights=weights), monitor.run if job.wants_run else None


def _loaded(job: Job, make: Any) -> Any:
    try:
        return make(cloudpickle.loads(job.build), job.seed)
    except Exception as error:
        where = (
            "".join(traceback.format_exception(error)[-3:]) if not isinstance(error, (TypeError, ValueError)) else ""
        )
        raise BadBuildError(f"{_told(error)}{chr(10) if where else ''}{where}".strip()) from None


def _judged(job: Job, run: Run, error: str) -> Trial:
    diagnosis = examine(run)
    outcome = outcome_of(run.as_planned())
    history = {name: [float(value) for value in values] for name, values in run.history.items()}
    losses = history.get("loss", [])
    return Trial(
        job.remedy,
        job.seed,
        diagnosis.outcome,
        outcome.train,
        outcome.validation,
        losses[-1] if losses else None,
        causes=diagnosis.causes,
        warned=tuple(dict.fromkeys(each.rule for each in diagnosis.findings if each.severity != "note")),
        history=history,
        error=error,
    )


def _told(error: BaseException) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return one_line(f"{type(error).__name__}: {first}" if first else type(error).__name__)[:500]
