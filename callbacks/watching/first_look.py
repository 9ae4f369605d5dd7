"""What is learned where a step is seen for the first time: sites, layers, the user's own functions, the first batch.

A model need not be built before its first step, and what stands in it as an activation shows only when the step is
traced. So this waits for the first observation of a fit, and comes again only where a later one has sites that were not
known (another shape of input may lead elsewhere). It counts as set-up. Functions are examined and the batch is audited
once a run, and each of the two may fail by itself.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import keras

from diagnose.activation.function_profile import FunctionProfile
from diagnose.activation.profiling import examined
from diagnose.activation.saving import saving_in_a_layer
from diagnose.callbacks.auditing.audit import facts, wanted
from diagnose.callbacks.auditing.work import TooLargeError, is_heavy
from diagnose.callbacks.model import description
from diagnose.callbacks.model.restoring import pristine
from diagnose.callbacks.model.saving import saving_error
from diagnose.callbacks.observing.reading import PlacedFunction, Reading
from diagnose.callbacks.observing.tensorflow.batch_arrays import is_dense, rows_of
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep
from diagnose.callbacks.observing.tensorflow.site_facts import learn_sites
from diagnose.callbacks.watching.context import Context
from diagnose.outcome.task import Wanted
from diagnose.run.audit import AuditFacts

MOST_PROFILES = 8  # activations of the user's own that are examined alone, 0.2 to 0.5 s each; the first to be called


class FirstLook:
    """What one fit learns before it measures."""

    def __init__(self, context: Context) -> None:
        self._model, self._instruments = context.model, context.instruments
        self._measuring, self._sites = context.measuring, context.sites
        self._recorder, self._guard, self._traces = context.recorder, context.guard, context.traces
        #: Whether an observation takes long; known from the first one on.
        self.is_heavy = False

    def describe_model(self) -> None:
        """Keep what is known of the model before any step."""
        self._recorder.facts = description.describe(self._model, self._recorder.facts)

    def knows(self, reading: Reading) -> bool:
        """Whether all sites of this reading are known, from this fit or one before."""
        return all(site.where in self._sites.facts for site in reading.sites)

    def learn_sites(self, shadow: ShadowStep, reading: Reading) -> None:
        """Find out what the sites of a step are, from its first reading."""
        with pristine(self._model):
            learn_sites(self._sites, shadow, reading, self._traces().of("questions", "", dict))

    def learn_model(self, shadow: ShadowStep, batch: Any) -> None:
        """Keep the layers in the order of the calls and the sites; examine functions, and audit the batch."""
        self._recorder.facts = replace(
            self._recorder.facts,
            model=description.describe_layers(self._model, shadow.layers_called),
            sites=tuple(self._sites.facts.values()),
            inside={name: tuple(places) for name, places in self._sites.inside.items()},
            unmeasured=dict(self._sites.unmeasured),
        )
        with self._guard.guarded("profiling the activations", "profiles"):
            self._profile()
        with self._guard.guarded("auditing the first batch", "audit"):
            if "outputs" in self._instruments and self._recorder.facts.audit is None and shadow.standard:
                self._audit(batch)
        audit = self._recorder.facts.audit
        sample = audit.multiplications if audit else None
        self.is_heavy = is_heavy(self._model, rows_of(batch), len(self._sites.facts), sample)
        self._recorder.save_facts()

    def look_at(self, batch: Any) -> None:
        """Audit a batch whose step can't be taken, if a step of Keras' own was to be taken and none was audited yet."""
        own = type(self._model).train_step is not keras.Model.train_step
        if "outputs" in self._instruments and self._recorder.facts.audit is None and self._model.built and not own:
            with self._guard.guarded("auditing the first batch", "audit"):
                self._audit(batch)
            self._recorder.save_facts()

    def _profile(self) -> None:
        """Examine the activations of the user's own alone, the first of many."""
        if "activations" not in self._instruments:
            return
        known, left = dict(self._recorder.facts.profiles), {}
        owners = {variable.path: self._model.name for variable in self._model.variables}
        for name, placed in self._sites.customs.items():
            if name in known:
                continue
            if len(known) >= MOST_PROFILES:
                left[placed.where] = f"its function was not examined alone: {MOST_PROFILES} others were"
                continue
            # The key holds the function itself, since its place in memory is free again once it is gone.
            key = placed.function, placed.dtype
            profile = self._traces().of(("profile", name), key, functools.partial(_profiled, placed))
            known[name] = profile.to_dict()
            for variable in known[name]["captured"]:
                variable["owner"] = owners.get(variable["name"], "")
        unmeasured = left | self._recorder.facts.unmeasured
        self._recorder.facts = replace(self._recorder.facts, profiles=known, unmeasured=unmeasured)

    def _audit(self, batch: Any) -> None:
        if not is_dense(batch):
            return
        known = self._recorder.facts
        try:
            audit, self._measuring.wanted = _audited(self._model, batch)
            self._recorder.facts = replace(known, audit=audit)
        except NotImplementedError:  # a model whose train_step is all there is
            pass
        except TooLargeError as reason:
            told = {"configuration": str(reason).partition(". ")[0]}
            self._recorder.facts = replace(known, unmeasured=known.unmeasured | told)


def _profiled(placed: PlacedFunction) -> FunctionProfile:
    layer = getattr(placed.function, "__self__", None)
    target = layer if isinstance(layer, keras.layers.Layer) else placed.function
    profile = examined(target, dtype=placed.dtype, quick=True)
    error = "" if placed.inline else saving_error(placed.owner, placed.function)
    if error is not None:
        missing = {part: why for part, why in profile.missing.items() if part != "saving"}
        profile = replace(profile, saving=saving_in_a_layer(target, profile.kind, error), missing=missing)
    return profile


def _audited(model: Any, batch: Any) -> tuple[AuditFacts, list[Wanted]]:
    """What the audit sees in a batch, and what is wanted of each output."""
    seen = facts(model, *keras.utils.unpack_x_y_sample_weight(batch))
    return seen, [wanted(output) for output in seen.outputs]
