"""Skill at epoch ends: some samples of training and validation are held, and the model is asked for both.

Samples of training are held in the first epoch only, since later ones bring the same again, and of the validation in
the first validation; both are spread over all of its batches. The first evaluation is set-up (it traces). Those after
epochs on the grid and the last one are planned, and judged by the rules; others take place where the budget covers what
the last one took.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from diagnose.callbacks.measuring.evaluations import Scales, Side, beside_references, scored
from diagnose.callbacks.measuring.sample_memory import SampleMemory
from diagnose.callbacks.observing.tensorflow.batch_arrays import input_arrays, target_arrays
from diagnose.callbacks.observing.tensorflow.held_samples import ENTRIES, Evaluator, HeldSet
from diagnose.callbacks.watching.context import Context
from diagnose.run.run import Measurement

MANY_MORE = 1.5  # times as many samples as simple models were asked with; else what they say changes little


class Evaluation:
    """The held samples of one fit, and what the model makes of them. No sample is ever written anywhere."""

    def __init__(self, context: Context) -> None:
        self._model, self._instruments = context.model, context.instruments
        self._measuring, self._recorder = context.measuring, context.recorder
        self._guard, self._budget, self._traces = context.guard, context.budget, context.traces
        self._held, self._held_validation = HeldSet(), HeldSet()
        self._memory, self._epoch = SampleMemory(), 0
        self._position = -1  # of the batch, over all of this fit
        self._epoch_done = self._validation_done = False
        self._standard: bool | None = None
        self._evaluator: Evaluator | None = None
        self._evaluated_at = self._planned_at = -1
        self._sides: dict[str, Side] = {}  # of the last evaluation
        self._scales: Scales = {}
        self._seconds = 0.0
        # Samples that simple models learned from, and the sets they were asked with; in an earlier fit into this run.
        references = context.recorder.facts.references
        self._asked_with: float = math.inf if references else 0
        self._asked_of = 2 if references else 0

    def step_is_known(self, *, standard: bool) -> None:
        """A step was traced. standard: it asks the model's `compute_loss` once, as Keras' own does."""
        self._standard = standard

    def batch_comes(self) -> bool:
        """A training batch comes; whether samples of it are to be held."""
        self._position += 1
        return self._is_possible() and not self._epoch_done and self._held.wants(self._position)

    def hold(self, batch: Any) -> None:
        """Hold samples of the training batch that has come."""
        if not self._epoch_done or not self._held.samples:
            self._held.keep(batch, self._position)

    def remember(self, batch: Any) -> list[Measurement]:
        """Remember the samples of a batch: how many were met before, and how many with another label."""
        if not self._is_possible():
            return []
        inputs, targets = input_arrays(batch), target_arrays(batch)
        if not inputs or not targets:
            return []
        step = self._recorder.steps
        counts = self._memory.see(inputs, targets, self._epoch)
        names = ("batch.seen_again", "batch.relabelled", "batch.repeated", "batch.contradicted")
        return [Measurement(name, "", step, float(count)) for name, count in zip(names, counts, strict=True)]

    def wants_validation(self, position: int) -> bool:
        """Whether samples of the validation batch at this place are to be held: in the first validation only."""
        return self._is_possible() and not self._validation_done and self._held_validation.wants(position)

    def hold_validation(self, batch: Any, position: int) -> None:
        """Hold samples of the validation batch at this place."""
        self._held_validation.keep(batch, position)

    def epoch_ends(self) -> None:
        """All samples of an epoch were seen, and all of its validation if there was one."""
        self._epoch_done = True
        self._epoch += 1
        if self._held_validation.samples:
            self._validation_done = True

    def evaluate_if_due(self, *, planned: bool) -> None:
        """Evaluate if it is planned, or else if the budget allows."""
        if planned:
            self._evaluate_as_planned()
        elif self._budget.may_evaluate(self._seconds):
            self._evaluate()

    def catch_up(self) -> None:
        """Evaluate whatever it costs, unless that was done with the weights of now; and ask simple models, too."""
        self._evaluate_as_planned()
        self._compare_sets()
        self._ask_references()

    def _compare_sets(self) -> None:
        """How many of the held validation samples were trained on."""
        step = max(0, self._recorder.steps - 1)
        if not self._is_possible() or not self._held_validation.samples or not self._memory.met:
            return
        with self._guard.guarded("comparing validation with training", "validation"), self._budget.own("set-up"):
            known = sum(self._memory.trained_on(input_arrays(pair)) for pair in self._held_validation.batches)
            repeated = self._memory.repeated / self._memory.met
            numbers = {
                "validation.samples": self._held_validation.samples,
                "validation.trained_on": known,
                "batch.repeated_share": repeated,
            }
            self._recorder.add([Measurement(name, "", step, float(value)) for name, value in numbers.items()])

    def _is_possible(self) -> bool:
        left_off = self._guard.is_off("evaluation") or self._guard.is_off("observation")
        return "outputs" in self._instruments and not left_off and self._standard is not None

    def _evaluate_as_planned(self) -> None:
        """Evaluate, unless that was done with the weights of now, and have it judged."""
        if self._evaluated_at < self._recorder.steps:
            self._evaluate()
        if self._sides and self._planned_at < self._evaluated_at == self._recorder.steps:
            self._planned_at = self._evaluated_at
            self._recorder.add([Measurement("evaluation.planned", "", max(0, self._recorder.steps - 1), 1.0)])

    def _evaluate(self) -> None:
        """Skill and loss on the held sets, in inference mode, with the weights of this moment."""
        if not self._is_possible() or not self._held.samples:
            return
        self._evaluated_at = self._recorder.steps
        with self._guard.guarded("evaluating the held samples", "evaluation"):
            if self._evaluator is None:
                with self._budget.own("set-up"):
                    self._evaluator = self._made_evaluator()
                if self._evaluator is None:
                    return
            kind = "evaluation" if self._seconds else "set-up"  # the first call of a traced function is slow
            began = time.perf_counter()
            with self._budget.own(kind):
                self._measure_skill(self._evaluator, max(0, self._recorder.steps - 1))
            self._seconds = time.perf_counter() - began

    def _ask_references(self) -> None:
        """What simple models reach on the held samples: once a run, and again where these are many more by then."""
        if not self._is_possible() or "train" not in self._sides or self._recorder.steps == 0:
            return
        held = len(next(iter(self._sides["train"].targets.values())))
        if held < MANY_MORE * self._asked_with and len(self._sides) <= self._asked_of:
            return
        with self._guard.guarded("fitting reference models", "references"), self._budget.own("set-up"):
            self._asked_with, self._asked_of = held, len(self._sides)
            facts, measurements = beside_references(
                self._sides, self._held, self._held_validation, self._recorder.steps - 1
            )
            self._recorder.facts = replace(self._recorder.facts, references=facts)
            self._recorder.add(measurements, for_good=True)

    def _made_evaluator(self) -> Evaluator | None:
        """The evaluator, with no more samples held than it may hold answers of.

        None where one answer is too much, or a train step of the user's own does not simply ask the model for y.
        """
        try:
            specs, scored = self._held.specs, bool(self._standard)
            key = str(specs), scored
            evaluator = self._traces().of("evaluator", key, lambda: Evaluator(self._model, specs, scored=scored))
        except Exception:
            if self._standard:
                raise
            self._leave_off("the train step does not pass the targets to the model")
            return None
        if not evaluator.most:
            self._leave_off(f"the prediction for one sample holds over {ENTRIES:,} numbers")
            return None
        for held in (self._held, self._held_validation):
            held.limit(evaluator.most)
        return evaluator

    def _leave_off(self, reason: str) -> None:
        """Evaluate nothing in this fit."""
        self._guard.leave_off("evaluation")
        facts = self._recorder.facts
        self._recorder.facts = replace(facts, unmeasured=facts.unmeasured | {"skill": reason})

    def _measure_skill(self, evaluator: Evaluator, step: int) -> None:
        held, unseen = self._held, self._held_validation
        known = set(self._recorder.quantities)
        if self._recorder.facts.task.kind:  # then it was measured, and not kept if it was NaN
            known.add("loss.constant")
        found = scored(evaluator, held, unseen, self._measuring.wanted_of, known, step, self._scales)
        if found is None:
            return
        self._sides = found.sides
        facts = self._recorder.facts
        task = facts.task if facts.task.kind else found.task  # the first stays
        task = replace(task, held_samples=held.samples, held_validation_samples=unseen.samples)
        self._recorder.facts = replace(facts, task=task)
        self._recorder.add([each for each in found.measurements if not np.isnan(each.value)])
        self._recorder.replace_answers([array for array in found.answers if array[3].size])
