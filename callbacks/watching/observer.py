"""One observation: the shadow step is run on a batch, and what it read is measured and kept.

A shadow step is made for one kind of batch; of several the last is kept, since each holds a trace of the whole model.
What tracing and first calls take is set-up, since it comes once.
"""

from __future__ import annotations

import contextlib
from typing import Any

from diagnose.callbacks.measuring.batches import fingerprint
from diagnose.callbacks.measuring.variables import Weights
from diagnose.callbacks.model.optimizers import learning_rate_of, optimizers_of, updates_of
from diagnose.callbacks.model.restoring import CannotUndo
from diagnose.callbacks.observing.tensorflow.batch_arrays import input_arrays, rows_of
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep
from diagnose.callbacks.observing.tensorflow.step_stand_in import spec_key
from diagnose.callbacks.observing.tensorflow.variable_reads import VariableReads
from diagnose.callbacks.watching.context import Context
from diagnose.callbacks.watching.evaluation import Evaluation
from diagnose.callbacks.watching.first_look import FirstLook
from diagnose.run.run import Measurement

CANNOT = "what happens inside a step is not measured"


class Observer:
    """Observes the steps of one fit."""

    def __init__(self, context: Context, first_look: FirstLook, evaluation: Evaluation) -> None:
        self._model, self._instruments = context.model, context.instruments
        self._measuring, self._sites, self._recorder = context.measuring, context.sites, context.recorder
        self._guard, self._budget, self._traces = context.guard, context.budget, context.traces
        self._first_look, self._evaluation = first_look, evaluation
        self._shadow: ShadowStep | None = None
        self._shadow_key: Any = None
        self._shadow_rows: int | None = None
        self._kernels_due = True
        #: Reads the variables; None before the first observation, when the model may not be built.
        self.weights: Weights | None = None

    @property
    def outputs(self) -> list[str]:
        """Places of the outputs whose targets are known; [] before the first observation."""
        return self._shadow.outputs if self._shadow is not None else []

    def observe(self, batch: Any, spec: Any, *, planned: bool, ends: bool = False) -> None:
        """Measure everything on this batch, before the user's own step.

        spec: the element spec of the batches. planned: whether rules are to judge it. ends: the fit ends here, so that
        the step's variables may be made by us.
        """
        step = self._recorder.steps
        try:
            shadow = self._shadow_for(batch, spec, ends=ends)
            if shadow is None:
                return
            with contextlib.nullcontext() if shadow.called else self._budget.own("set-up"):  # its first call is slow
                reading = shadow(batch)
        except Exception:  # the batch may say what is wrong with it
            self._first_look.look_at(batch)
            raise
        if self.weights is None or not self._first_look.knows(reading):
            with self._budget.own("set-up"):
                self._first_look.learn_sites(shadow, reading)
                self.weights = Weights(self._traces().of("variables", "", lambda: VariableReads(self._model)))
                self._first_look.learn_model(shadow, batch)
        self._evaluation.hold(batch)
        remembered = self._evaluation.remember(batch) if planned else []
        measurements, arrays = self._measuring.measure(reading, self._sites.curves, step, planned=planned)
        measurements += remembered
        measurements += _optimizer_state(self._model, step)
        if "outputs" in self._instruments and (inputs := input_arrays(batch)):
            measurements.append(Measurement("batch.fingerprint", "", step, fingerprint(inputs)))
        if "weights" in self._instruments:
            if planned and self._kernels_due:
                measurements += self.weights.kernels(step)
                self._kernels_due = False
            if not self._guard.is_off("weights"):
                self.weights.before()
        self._recorder.add_observation(step, measurements, arrays, planned=planned)

    def measure_update(self) -> None:
        """Measure how far the user's own step has moved the weights."""
        if self.weights is not None and "weights" in self._instruments and not self._guard.is_off("weights"):
            self._recorder.add(self.weights.after(self._recorder.steps))

    def epoch_ends(self) -> None:
        """Kernels are measured once an epoch at most."""
        self._kernels_due = True

    def _shadow_for(self, batch: Any, spec: Any, *, ends: bool) -> ShadowStep | None:
        key, rows = spec_key(spec), rows_of(batch)
        # What is handed over as it is was counted for batches of one size. Twice as large ones count anew.
        outgrown = rows is not None and self._shadow_rows is not None and rows > 2 * self._shadow_rows
        if key != self._shadow_key or outgrown:
            with self._budget.own("set-up"):
                try:
                    self._shadow = self._traces().of(
                        "step", (key, rows), lambda: ShadowStep(self._model, spec, rows=rows, ends=ends)
                    )
                    self._shadow_key, self._shadow_rows = key, rows
                except CannotUndo as reason:
                    self._guard.give_up(f"{reason}; {CANNOT}")
                    return None
            self._evaluation.step_is_known(standard=self._shadow.standard)
        return self._shadow


def _optimizer_state(model: Any, step: int) -> list[Measurement]:
    found = [Measurement("optimizer.updates", "", step, updates_of(model))]
    for optimizer in optimizers_of(model)[:1]:
        if hasattr(optimizer, "inner_optimizer"):
            scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
            found.append(Measurement("optimizer.loss_scale", "", step, float(scale)))
            optimizer = optimizer.inner_optimizer
        with contextlib.suppress(Exception):  # a schedule of the user's own may need more than we have
            found.append(Measurement("optimizer.learning_rate", "", step, learning_rate_of(optimizer)))
    return found
