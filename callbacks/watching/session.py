"""One run being watched: what several monitors of one fit share.

The callbacks are thin; the work is here: when to observe, what to measure, what to keep. Nothing here may fail the
training. What goes wrong in our code is caught, told once as a warning, kept on the run as a note, and the part that
failed is left off from then on.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.activation.profiling import examined
from diagnose.activation.saving import saving_in_a_layer
from diagnose.callbacks.auditing.audit import facts, wanted
from diagnose.callbacks.measuring.evaluations import scored
from diagnose.callbacks.measuring.held_samples import Evaluator, HeldSet
from diagnose.callbacks.measuring.observations import Array, Measuring, fingerprint, nonfinite_data
from diagnose.callbacks.measuring.variables import Weights, updates_of
from diagnose.callbacks.model import description as layout
from diagnose.callbacks.model.saving import saving_error
from diagnose.callbacks.observing.tensorflow.reversible import CannotUndo
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep, optimizers_of
from diagnose.callbacks.observing.tensorflow.step_stand_in import Handover, spec_key, steps_per_execution
from diagnose.callbacks.watching.budget import DENSE_OBSERVATIONS, Budget
from diagnose.run.meta import Facts
from diagnose.run.run import Measurement, Run
from diagnose.run.store import Store

MOST_OBSERVATIONS = 2000  # kept in a run: 13 MB at 300 series; beyond that older ones are thinned
KEEP_FIRST = 50  # observations that thinning leaves alone: the first steps decide much
SEARCHED = 1000  # batches that are searched for NaN once the training broke, where an epoch's length is not known
VALIDATION_FIRST = 8  # validation batches kept one after the other; then each eighth, for data ordered by class
PROFILE_SECONDS = 2.0  # for the profiles of all activations of the user's own; one takes well under a second
CANNOT = "what happens inside a step is not measured"


class Session:
    """Watches a model over one or several fits, and fills one run.

    path: of the run file, None for memory only. overhead: see `Budget`. every: fixed spacing of observed steps.
    """

    def __init__(self, path: str | None, overhead: float, every: int | None) -> None:
        self.run = Run()
        self.path, self.every = path, every
        self.instruments: frozenset[str] = frozenset()
        self.members: list[int] = []
        self.opening = False
        self.budget = Budget(overhead)
        self.steps = 0
        self._training = False
        self._store: Store | None = None
        self._model: Any = None
        self._off: set[str] = set()
        self._measuring = Measuring(frozenset())
        self._kept: list[int] = []
        self._latest_arrays: list[Array] = []
        self._answers: list[Array] = []

    @property
    def model(self) -> Any:
        """The model under watch; None before the first fit and when it is gone."""
        return self._model() if self._model is not None else None

    def _know(self, **known: Any) -> None:
        self.run.facts = Facts.from_dict({**self.run.meta, **known})

    # Fit begins and ends.

    def begin(self, model: Any, params: dict[str, Any]) -> None:
        """A fit of this model begins."""
        self.opening, self._training, self._model = False, True, weakref.ref(model)
        self._off = set()
        self._weights: Weights | None = None
        self._shadows: dict[Any, ShadowStep] = {}
        self._evaluator: Evaluator | None = None
        self._held, self._held_validation = HeldSet(), HeldSet()
        self._validation_done = self._epoch_done = False
        self._evaluated_at, self._evaluation_seconds = -1, 0.0
        self._last_good: int | None = None
        self._tripped = self._forced = False
        self._search_ends = 0
        self._kernels_due = True
        self._epoch_steps = params.get("steps")
        self._epochs_done, self._milestone = 0, 2 * DENSE_OBSERVATIONS
        planned = (params.get("epochs") or 0) * (self._epoch_steps or 0)
        self._last_step = self.steps + planned if planned else None
        self._execution = steps_per_execution(model)
        self._train = Handover(model, "train_function", self.budget, self.guarded)
        self._test = Handover(model, "test_function", self.budget, self.guarded)
        self._measuring.instruments = self.instruments
        self.budget.start()
        with self.guarded("describing the model", "description"), self.budget.own("set-up"):
            self._know(**layout.describe(model))
        self._know(fit={key: params.get(key) for key in ("epochs", "steps")})
        self._know(
            monitor={
                "overhead": self.budget.overhead,
                "every": self.every,
                "instruments": sorted(self.instruments),
            },
            finished="",
        )
        with self.guarded("opening the run file", "file"), self.budget.own("set-up"):
            if self.path is not None and self._store is None:
                self._store = Store.create(self.path)
        if keras.backend.backend() != "tensorflow":
            self._give_up(
                f"Keras runs on {keras.backend.backend()}, and steps are observed on TensorFlow only; {CANNOT}"
            )
        elif getattr(model, "_distribute_strategy", None) is not None:
            self._give_up(f"the model is distributed over devices, and such batches can't be handed on; {CANNOT}")
        self._save_meta()

    def end(self, finished: str) -> None:
        """The fit has ended; `finished` says how."""
        self.settle()
        self._training = False
        self._know(finished=finished)
        self._save_meta()
        with self.guarded("closing the run file", "file"):
            if self._store is not None:
                self._store.close()
        self.budget.stop()
        # What was kept for watching is let go: samples of the user's data, and traces that hold the model.
        self._held, self._held_validation = HeldSet(), HeldSet()
        self._shadows, self._weights, self._evaluator = {}, None, None

    def settle(self) -> None:
        """Bring run and model in order: the model as its owner made it, a last evaluation, the run file up to date."""
        if not self._training or self.model is None:
            return
        with self.guarded("bringing the model in order", "observation"):
            self._train.restore()
            self._test.restore()
        if self._evaluated_at < self.steps:
            self._evaluate()
        self._keep(None, [], self._latest_arrays)
        self._latest_arrays = []
        self._save_meta()

    # Batches.

    def before_batch(self) -> None:
        """A training step comes: observe it if it is due."""
        began = self.budget.now()
        try:
            self._train.restore()
            self._train.taken = None
            if self._due():
                self._train.arm(self._observe, self._measure_update)
            elif self.steps < self._search_ends:
                self._train.arm(self._search, lambda: None)
        except Exception as error:
            self._failed("preparing an observation", "observation", error)
        self.budget.step_begins(began)

    def after_batch(self, batch: int, logs: dict[str, Any] | None) -> None:
        """A training step is done: count its batches, and look whether the weights are finite."""
        began = self.budget.step_ends(observed=self._train.taken is not None)
        first, check, broken = self.steps, False, False
        try:
            self._train.restore()
            self.steps += self._batches_taken(batch)
            if not self._tripped and self._weights is not None and "check" not in self._off:
                loss = (logs or {}).get("loss")
                broken = isinstance(loss, float) and not math.isfinite(loss)
                check = broken or self.budget.may_check()
        except Exception as error:
            self._failed("counting a step", "count", error)
        self.budget.hook_ends(began)
        if check:
            with self.guarded("checking the weights", "check"), self.budget.own("check"):
                self._check(first, broken)

    def _batches_taken(self, batch: int) -> int:
        if self._train.taken is not None:
            return self._train.taken
        size = self._execution
        begun = batch - size + 1  # Keras tells the last index of a full execution, also for a short one
        return max(1, min(size, self._epoch_steps - begun)) if self._epoch_steps else size

    def _due(self) -> bool:
        if "observation" in self._off:
            return False
        if self._forced:
            return True
        if self.every is not None:
            return (-self.steps) % self.every < self._execution
        after = self.steps + self._execution
        if self._last_step is not None and self.steps < self._last_step <= after:
            return True  # the last planned step, whatever it costs: it tells what came of it all
        return self.budget.may_observe(milestone=self._doubled(after))

    def _doubled(self, after: int) -> bool:
        """Whether the next call takes a step whose number has doubled since the last such."""
        if after < self._milestone:
            return False
        while self._milestone <= after:
            self._milestone *= 2
        return True

    def _check(self, step: int, broken: bool) -> None:
        """Whether all weights are finite after this step; if not for the first time, observe the next step at once.

        broken: the loss is known to be not finite.
        """
        if "numerics" not in self.instruments or self._weights is None:
            return
        finite = self._weights.all_finite()
        if finite and not broken:
            self._last_good = step
            return
        self._tripped = self._forced = True
        self._search_ends = self.steps + (self._epoch_steps or SEARCHED)
        known = [] if self._last_good is None else [Measurement("weight.finite", "", self._last_good, 1.0)]
        self._keep(None, [*known, Measurement("weight.finite", "", step, float(finite))])

    def _search(self, batches: list[Any], spec: Any) -> None:
        """Look in batches that are not observed for what broke the training: an epoch brings all of them again."""
        outputs = next((shadow.outputs for shadow in self._shadows.values()), [])
        for offset, batch in enumerate(batches):
            counts = nonfinite_data(batch, outputs)
            if any(count for _, _, count in counts):
                self._search_ends = 0
                step = self.steps + offset
                self._keep(None, [Measurement(quantity, where, step, count) for quantity, where, count in counts])

    # One observation.

    def _observe(self, batches: list[Any], spec: Any) -> None:
        self._forced = False
        model, measuring, step = self.model, self._measuring, self.steps
        shadow = self._shadow_for(model, spec)
        if shadow is None:
            return
        with contextlib.nullcontext() if shadow.called else self.budget.own("set-up"):  # its first call is slow
            reading = shadow(batches[0])
        if self._weights is None or any(tap.where not in measuring.sites for tap in shadow.taps):
            with self.budget.own("set-up"):
                self._learn(model, shadow, reading, batches[0])
        if not self._epoch_done or not self._held.samples:  # later epochs bring the same samples again
            self._held.keep(batches[0])
        measurements, arrays = measuring.measure(reading, step)
        measurements += self._optimizer_state(model, step)
        if "outputs" in self.instruments:
            x = batches[0][0] if isinstance(batches[0], tuple) else batches[0]
            inputs = [leaf for leaf in tf.nest.flatten(x) if isinstance(leaf, tf.Tensor)]
            measurements.append(Measurement("batch.fingerprint", "", step, fingerprint(inputs)))
        if self._weights is not None and "weights" in self.instruments:
            if self._kernels_due:
                measurements += self._weights.kernels(step)
                self._kernels_due = False
            if "weights" not in self._off:
                self._weights.before()
        self._keep(step, measurements, arrays)

    def _measure_update(self) -> None:
        if self._weights is not None and "weights" in self.instruments and "weights" not in self._off:
            self._keep(None, self._weights.after(self.steps))

    def _shadow_for(self, model: Any, spec: Any) -> ShadowStep | None:
        # A loss-scaling optimizer scales by a constant until it is built: what was traced before is another step.
        scaling = [optimizer for optimizer in optimizers_of(model) if hasattr(optimizer, "inner_optimizer")]
        key = (spec_key(spec), *(optimizer.built for optimizer in scaling))
        if key not in self._shadows:
            with self.budget.own("set-up"):
                try:
                    self._shadows = {key: ShadowStep(model, spec)}
                except CannotUndo as reason:
                    self._give_up(f"{reason}; {CANNOT}")
                    return None
        return self._shadows[key]

    def _learn(self, model: Any, shadow: ShadowStep, reading: Any, batch: Any) -> None:
        self._measuring.learn_sites(shadow, reading)
        self._weights = Weights(model)
        self._know(
            model=layout.describe_layers(model, [tap.layer for tap in shadow.taps]),
            sites=list(self._measuring.sites.values()),
            inside=dict(self._measuring.inside),
            unmeasured=dict(self._measuring.unmeasured),
        )
        with self.guarded("profiling the activations", "profiles"):
            self._profile()
        with self.guarded("auditing the first batch", "audit"):
            if "outputs" in self.instruments and self.run.facts.audit is None and shadow.standard:
                x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
                if all(isinstance(leaf, tf.Tensor) for leaf in tf.nest.flatten(batch)):  # none ragged or sparse
                    with contextlib.suppress(NotImplementedError):  # a model whose train_step is all there is
                        seen = facts(model, x, y, sample_weight)
                        self._know(audit=seen)
                        self._measuring.wanted = [wanted(output) for output in seen.outputs]
        self._save_meta()

    def _profile(self) -> None:
        """Examine each activation of the user's own on its own, as far as the time for it goes."""
        known: dict[str, Any] = dict(self.run.facts.profiles)
        owners = {variable.path: self.model.name for variable in self.model.variables}
        began = time.perf_counter()
        for name, placed in self._measuring.customs.items():
            if name in known or "activations" not in self.instruments:
                continue
            if time.perf_counter() - began > PROFILE_SECONDS:
                self._know(
                    unmeasured={placed.where: "no time was left to examine its function alone"}
                    | self.run.facts.unmeasured
                )
                continue
            layer = getattr(placed.function, "__self__", None)
            target = layer if isinstance(layer, keras.layers.Layer) else placed.function
            profile = examined(target, dtype=placed.dtype, seconds=PROFILE_SECONDS, quick=True)
            error = saving_error(placed.owner, placed.function)
            if error is not None:
                missing = {part: why for part, why in profile.missing.items() if part != "saving"}
                profile = replace(profile, saving=saving_in_a_layer(target, profile.kind, error), missing=missing)
            found = profile.to_dict()
            for variable in found["captured"]:
                variable["owner"] = owners.get(variable["name"], "")
            known[name] = found
        self._know(profiles=known)

    def _optimizer_state(self, model: Any, step: int) -> list[Measurement]:
        found = [Measurement("optimizer.updates", "", step, updates_of(model))]
        for optimizer in optimizers_of(model)[:1]:
            if hasattr(optimizer, "inner_optimizer"):
                scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
                found.append(Measurement("optimizer.loss_scale", "", step, float(scale)))
                optimizer = optimizer.inner_optimizer
            with contextlib.suppress(Exception):  # a schedule of the user's own may need more than we have
                found.append(Measurement("optimizer.learning_rate", "", step, float(optimizer.learning_rate)))
        return found

    # Epochs and validation.

    def after_epoch(self, logs: dict[str, Any] | None) -> None:
        """An epoch is done: keep its logs, and evaluate the held sets if the budget allows."""
        with self.guarded("keeping the epoch's logs", "history"), self.budget.own("hook"):
            for name, value in (logs or {}).items():
                with contextlib.suppress(TypeError, ValueError):  # a metric that is no number
                    self.run.history.setdefault(name, []).append(float(value))
            self._kernels_due = self._epoch_done = True
            if self._held_validation.samples:
                self._validation_done = True
        with self.guarded("writing the run file", "file"), self.budget.own("hook"):
            if self._store is not None and "file" not in self._off:
                self._store.set_history(self.run.history)
                self._store.set_meta({**self.run.meta, "steps_seen": self.steps})
        self._epochs_done += 1
        doubled = self._epochs_done & (self._epochs_done - 1) == 0
        if self.budget.may_evaluate(self._evaluation_seconds, milestone=doubled):
            self._evaluate()

    def before_validation_batch(self, batch: int) -> None:
        """A validation step comes: keep some of its samples, in the first validation only."""
        if not self._training or self._validation_done or not self._evaluable():
            return
        position = batch // steps_per_execution(self.model)
        if self._held_validation.full or (position >= VALIDATION_FIRST and position % 8):
            return
        with self.guarded("preparing to see a validation batch", "validation"), self.budget.own("hook"):
            self._test.arm(lambda batches, _: self._held_validation.keep(batches[0]), lambda: None)

    def after_validation_batch(self) -> None:
        """A validation step is done."""
        if self._training:
            with self.guarded("bringing the model in order", "validation"):
                self._test.restore()

    def _evaluable(self) -> bool:
        return "outputs" in self.instruments and not {"evaluation", "observation"} & self._off and bool(self._shadows)

    def _evaluate(self) -> None:
        """Skill and loss on the held sets, in inference mode, with the weights of this moment."""
        if not self._evaluable() or not self._held.samples or self.model is None:
            return
        self._evaluated_at = self.steps
        with self.guarded("evaluating the held samples", "evaluation"):
            if self._evaluator is None:
                with self.budget.own("set-up"):
                    self._evaluator = self._made_evaluator()
                if self._evaluator is None:
                    return
            kind = "evaluation" if self._evaluation_seconds else "set-up"  # the first call of a traced function is slow
            began = time.perf_counter()
            with self.budget.own(kind):
                self._measure_skill(self._evaluator, max(0, self.steps - 1))
            self._evaluation_seconds = time.perf_counter() - began

    def _made_evaluator(self) -> Evaluator | None:
        """The evaluator; None where a train step of the user's own does not simply ask the model for y."""
        scored = any(shadow.standard for shadow in self._shadows.values())
        try:
            return Evaluator(self.model, self._held, scored=scored)
        except Exception:
            if scored:
                raise
            self._off.add("evaluation")
            self._know(
                unmeasured=self.run.facts.unmeasured
                | {"skill": "the train step does not ask the model for the targets"}
            )
            return None

    def _measure_skill(self, evaluator: Evaluator, step: int) -> None:
        held, unseen = self._held, self._held_validation
        known = {*self.run.quantities, *(("loss.constant",) if self.run.facts.task.kind else ())}  # it may be NaN
        found = scored(evaluator, held, unseen, self._measuring.wanted_of, known, step)
        if found is None:
            return
        task = self.run.meta.get("task") or {**next(iter(found.outputs.values())), "outputs": found.outputs}
        self._know(task={**task, "held_samples": held.samples, "held_validation_samples": unseen.samples})
        self._keep(None, [each for each in found.measurements if not np.isnan(each.value)])
        self._keep_answers([array for array in found.answers if array[3].size])

    def _keep_answers(self, answers: list[Array]) -> None:
        """Of the answers class by class the latest are kept, and none before them."""
        gone = [(quantity, where, at) for quantity, where, at, _ in self._answers]
        for key in gone:
            self.run.drop_array(*key)
        with self.guarded("writing the run file", "file"):
            if gone and self._store is not None and "file" not in self._off:
                self._store.drop_arrays(gone)
        self._answers = answers
        self._keep(None, [], answers)

    # Keeping what was measured.

    def _keep(self, observed: int | None, measurements: list[Measurement], arrays: list[Array] | None = None) -> None:
        if observed is not None:
            self.run.observed(observed)
            self._kept.append(observed)
            count = self.run.observations
            self._latest_arrays = arrays or []
            if count & (count - 1):  # arrays of the 1st, 2nd, 4th, 8th ... observation are kept, and the last ones
                arrays = []
            else:
                self._latest_arrays = []
        self.run.add(*measurements)
        for array in arrays or []:
            self.run.add_array(*array)
        with self.guarded("writing the run file", "file"):
            if self._store is not None and "file" not in self._off:
                self._store.write(observed, measurements, arrays or [])
        if len(self._kept) > MOST_OBSERVATIONS:
            self._thin()

    def _thin(self) -> None:
        """Forget every second observation of the older half, the first ones aside."""
        dropped = frozenset(self._kept[KEEP_FIRST : len(self._kept) // 2 : 2])
        self._kept = [step for step in self._kept if step not in dropped]
        self.run.drop(dropped)
        with self.guarded("thinning the run file", "file"):
            if self._store is not None and "file" not in self._off:
                self._store.drop(dropped)

    def _save_meta(self) -> None:
        self._know(steps_seen=self.steps)
        with self.guarded("writing the run file", "file"):
            if self._store is not None and "file" not in self._off:
                self._store.set_meta(self.run.meta)

    # What goes wrong.

    @contextlib.contextmanager
    def guarded(self, doing: str, part: str) -> Iterator[None]:
        """Catch what fails in the body, tell it once, note it on the run, and leave `part` off for this fit."""
        try:
            yield
        except Exception as error:
            self._failed(doing, part, error)

    def _failed(self, doing: str, part: str, error: Exception) -> None:
        what = f"{type(error).__name__}: {_gist(error)}"
        self._tell(part, f"{doing} failed: {what}. The training goes on; {part} is left off.")

    def _give_up(self, reason: str) -> None:
        self._tell("observation", f"{reason}.")

    def _tell(self, part: str, note: str) -> None:
        if part in self._off:
            return
        self._off.add(part)
        if note in self.run.notes:
            return
        self.run.notes.append(note)
        warnings.warn(f"keras-diagnose: {note}", RuntimeWarning, stacklevel=2)
        if self._store is not None and "file" not in self._off:
            with contextlib.suppress(OSError):  # the disk is full: the note is in memory
                self._store.add_note(note)


def _gist(error: Exception) -> str:
    """What an error says in one line: its first, or what TensorFlow puts below the trace of a graph.

    >>> _gist(ValueError("Graph execution error:\\n\\nDetected at a\\nids = 52 is not in [0, 50)\\n\\t [[{{node a}}]]"))
    'ids = 52 is not in [0, 50)'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "{{node" not in line]
    first, last = (lines[0], lines[-1]) if lines else ("", "")
    return (last if first == "Graph execution error:" else first)[:300].rstrip(".")
