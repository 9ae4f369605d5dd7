"""A plugin of pytest: each `fit` that a test calls is watched by a monitor of its own. Used by `compat.py`.

    pytest -p every_fit_watched --watched --told FILE

Without --watched nothing is changed. FILE gets what became of each test and of each fit, as JSON.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import json
import os
import sys
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras  # before what stands in for JAX: Keras looks whether it is there
import pytest

if importlib.util.find_spec("jax") is None:  # tests of the framework import it also where they run on TensorFlow alone
    sys.modules["jax"] = types.ModuleType("jax")

_monitors: list[Any] = []
_outcomes: dict[str, list[str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--watched", action="store_true", help="watch each fit")
    parser.addoption("--told", help="file for what became of tests and fits")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--watched"):
        from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

        print(f"the framework under test: {keras.__file__}")
        TensorFlowTrainer.fit = _watching(TensorFlowTrainer.fit)


def _watching(original: Callable[..., Any]) -> Callable[..., Any]:
    from keras.src import tree
    from keras.src.callbacks.callback_list import CallbackList

    from diagnose.callbacks import TrainingMonitor

    class Told(TrainingMonitor):
        """Knows whether the fit began at all."""

        begun = False

        def on_train_begin(self, logs: Any = None) -> None:
            self.begun = True
            super().on_train_begin(logs)

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        monitor = Told(every=1)
        try:
            bound = inspect.signature(original).bind(self, *args, **kwargs)
        except TypeError:  # the test means a wrong call
            return original(self, *args, **kwargs)
        given = bound.arguments.get("callbacks")
        if isinstance(given, CallbackList):
            given.append(monitor)
            monitor.set_params(given.params)
            monitor.set_model(self)
        else:
            bound.arguments["callbacks"] = [*(tree.flatten(given) if given is not None else []), monitor]
        try:
            return original(*bound.args, **bound.kwargs)
        finally:
            with contextlib.suppress(Exception):
                str(monitor.diagnosis)
            test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
            _monitors.append(
                (monitor.begun, monitor.run.observations, [f"{note} ({test})" for note in monitor.run.notes])
            )

    return fit


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _outcomes[report.nodeid] = ["not read", str(report.longrepr).strip().splitlines()[-1][:200]]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test has failed if any of its phases has; else it is what its call was, or skipped."""
    told = _outcomes.setdefault(report.nodeid, ["passed", ""])
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        told[:] = ["failed", (crash.message if crash else str(report.longrepr)).splitlines()[0][:200]]
    elif report.skipped and told[0] != "failed":
        told[:] = ["skipped", ""]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := session.config.getoption("--told"):
        begun = [each for each in _monitors if each[0]]
        notes = Counter(note for _, _, given in begun for note in given)
        told = {
            "tests": _outcomes,
            "fits": len(_monitors),
            "begun": len(begun),
            "observed": sum(observations > 0 for _, observations, _ in begun),
            "notes": notes.most_common(),
        }
        Path(path).write_text(json.dumps(told))
