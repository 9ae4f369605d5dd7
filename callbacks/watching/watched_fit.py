"""One fit under watch, hook by hook: what is asked of which part, and in which order.

Everything here lasts one fit. A new fit makes a new one, so that nothing of the last can be forgotten in a reset, and
at the end it is let go as a whole: samples of the user's data, and traces that hold the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from diagnose.callbacks.model.layers import steps_per_execution
from diagnose.callbacks.observing.tensorflow.step_stand_in import StepStandIn
from diagnose.callbacks.watching.alarm import Alarm
from diagnose.callbacks.watching.context import Context
from diagnose.callbacks.watching.evaluation import Evaluation
from diagnose.callbacks.watching.first_look import FirstLook
from diagnose.callbacks.watching.live import Live, Wishes
from diagnose.callbacks.watching.observer import CANNOT, Observer
from diagnose.callbacks.watching.schedule import Schedule
from diagnose.run.meta import FitFacts, MonitorFacts


class WatchedFit:
    """Watches one fit. The hooks are called in the order in which Keras calls those of a callback.

    plan: what `fit` planned. monitor: the arguments of the monitors. wishes: what their owner wants during the fit.
    """

    def __init__(self, context: Context, plan: FitFacts, monitor: MonitorFacts, wishes: Wishes) -> None:
        model = context.model
        self._model, self._plan, self._monitor = model, plan, monitor
        self._recorder, self._budget = context.recorder, context.budget
        #: Catches what fails in our own code during this fit.
        self.guard = context.guard
        means = context.traces, context.budget.own, context.guard.guarded
        self._train = StepStandIn(model, "train_function", *means)
        self._test = StepStandIn(model, "test_function", *means)
        self._schedule = Schedule(
            context.budget, monitor.every, plan, context.recorder.steps, steps_per_execution(model)
        )
        self._planned = self._due = False
        self._alarm = Alarm(context, self._schedule)
        self._live = Live(context, wishes)
        self._first_look = FirstLook(context)
        self._evaluation = Evaluation(context)
        self._observer = Observer(context, self._first_look, self._evaluation)

    # Fit begins and ends.

    def begin(self, path: str | None) -> None:
        """The fit begins. path: of the run file, None for memory only."""
        self._budget.start()
        with self.guard.guarded("describing the model", "description"), self._budget.own("set-up"):
            self._first_look.describe_model()
        self._recorder.facts = replace(self._recorder.facts, fit=self._plan, monitor=self._monitor, finished="")
        with self.guard.guarded("opening the run file", "file"), self._budget.own("set-up"):
            if path is not None:
                self._recorder.open(path)
        if keras.backend.backend() != "tensorflow":
            self.guard.give_up(
                f"Keras runs on {keras.backend.backend()}, and steps are observed on TensorFlow only; {CANNOT}"
            )
        elif getattr(self._model, "_distribute_strategy", None) is not None:
            self.guard.give_up(f"the model is distributed over devices, and such batches can't be observed; {CANNOT}")
        self._recorder.save_facts()

    def end(self, finished: str) -> None:
        """The fit has ended; `finished` says how."""
        self.guard.step_is_done()  # what failed at its end, a validation say, has no step behind it
        self.settle()
        self._recorder.facts = replace(self._recorder.facts, finished=finished)
        self._recorder.save_facts()
        self._recorder.close()
        self._budget.stop()

    def settle(self) -> None:
        """Bring run and model in order: the model as its owner made it, a last evaluation, the run file up to date."""
        with self.guard.guarded("bringing the model in order", "observation"):
            self._train.restore()
            self._test.restore()
        self._evaluation.catch_up()
        self._recorder.add_latest_arrays()
        self._recorder.save_facts()

    # Batches.

    def before_batch(self) -> None:
        """A training step comes: observe it if it is due."""
        began = self._budget.now()
        try:
            self._train.restore()
            self._train.taken = None
            step, wanted = self._recorder.steps, self._evaluation.batch_comes()
            self._planned = self._schedule.is_planned(step)
            self._due = not self.guard.is_off("observation") and (self._planned or self._schedule.is_affordable())
            if self._due:
                self._train.arm(self._observe, self._observer.measure_update, whole=True)
            elif self._alarm.searches(step):
                self._train.arm(self._search, lambda: None)
            elif wanted:
                self._train.arm(lambda batches, *_: self._evaluation.hold(batches[0]), lambda: None)
        except Exception as error:
            self.guard.failed("preparing an observation", "observation", error)
        self._budget.step_begins(began)

    def after_batch(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        """A training step is done: count its batches, and look whether the weights are finite."""
        taken = self._train.taken
        began = self._budget.step_ends(observed=taken is not None)
        first, weights = self._recorder.steps, None
        try:
            self._train.restore()
            self._recorder.count(self._schedule.batches_taken(batch) if taken is None else taken)
            if self._due and taken is None:  # the first step of an eager training is left alone
                self._schedule.force()
            if self._observer.weights is not None and self._alarm.is_due(logs):
                weights = self._observer.weights
        except Exception as error:
            self.guard.failed("counting a step", "count", error)
        self._budget.hook_ends(began)
        self.guard.step_is_done()
        rang = False
        if weights is not None:
            with self.guard.guarded("checking the weights", "check"), self._budget.own("check"):
                rang = self._alarm.check(first, logs, weights.all_finite)
        if rang:
            self._live.is_broken()
        self._live.step_is_done()

    def _observe(self, batches: list[Any], spec: Any, ends: bool) -> None:
        self._schedule.observation_begins()
        self._observer.observe(batches[0], spec, planned=self._planned, ends=ends)
        self._schedule.sparse = self._first_look.is_heavy

    def _search(self, batches: list[Any], *_: Any) -> None:
        self._alarm.search(batches, self._observer.outputs)

    # Epochs and validation.

    def after_epoch(self, logs: Mapping[str, Any] | None) -> None:
        """An epoch is done: keep its logs, and evaluate the held sets if that is planned or the budget allows."""
        with self.guard.guarded("keeping the epoch's logs", "history"), self._budget.own("hook"):
            self._recorder.add_logs(logs or {})
            self._observer.epoch_ends()
            self._evaluation.epoch_ends()
        with self._budget.own("hook"):
            self._recorder.save_epoch()
        with self.guard.guarded("planning an evaluation", "evaluation"):
            self._evaluation.evaluate_if_due(planned=self._schedule.epoch_ends())
        self._live.epoch_is_done()

    def before_validation_batch(self, batch: int) -> None:
        """A validation step comes: hold some of its samples, in the first validation only."""
        position = batch // self._schedule.execution
        if self._evaluation.wants_validation(position):
            with self.guard.guarded("preparing to see a validation batch", "validation"), self._budget.own("hook"):
                self._test.arm(lambda batches, *_: self._evaluation.hold_validation(batches[0], position), lambda: None)

    def after_validation_batch(self) -> None:
        """A validation step is done."""
        with self.guard.guarded("bringing the model in order", "validation"):
            self._test.restore()
