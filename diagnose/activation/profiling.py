"""The examination: from any callable to a `FunctionProfile`, within a fixed time.

The order matters. First whether f can be called at all, on which shape, and whether two calls agree; then which inputs
an output depends on, since only an elementwise function has a curve; then the curve, which all else builds on. Each
part that fails leaves its reason in `missing` and the rest goes on: whatever f does, there is a profile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from diagnose.activation import cost, numerics, propagation, saving
from diagnose.activation.calling import captured_variables
from diagnose.activation.calling.behaviour import (
    accepts,
    changed_by,
    finest_dtype,
    largest_difference,
    noisy_in_training,
    output_dtypes,
)
from diagnose.activation.calling.failures import UnusableError, kind_of, sentence
from diagnose.activation.calling.held_state import HeldState
from diagnose.activation.calling.input_shape import TRIED_SHAPES, find_shape
from diagnose.activation.calling.isolation import ENDINGS, AteMemoryError, Isolation, TimeIsUpError, TookTooLongError
from diagnose.activation.calling.layers import copied, inference, prepare_dtypes
from diagnose.activation.calling.naming import name_of, with_article
from diagnose.activation.calling.rounding import SAME, same
from diagnose.activation.calling.spec import keras_activation
from diagnose.activation.calling.target import WIDTH, Target, probe
from diagnose.activation.curve import gradient_check, operations, shape
from diagnose.activation.curve.sampling import look
from diagnose.activation.facts import Calls, Failure, Mixing, Numerics, Shape
from diagnose.activation.function_profile import FunctionProfile
from diagnose.activation.mixing import middle_position, mixing_of
from diagnose.activation.mixing_functions import gradient_of_rows, numerics_of_rows

#: Seconds after which an examination ends with what it has.
SECONDS = 10.0
#: Dtypes that a profile can be made for, and those whose finite limits are always told.
DTYPES = ("float32", "float16", "bfloat16", "float64")
USUAL = ("float32", "float16", "bfloat16")


def examined(f: Any, *, dtype: str = "float32", seconds: float = SECONDS, quick: bool = False) -> FunctionProfile:
    """The facts of a function; `diagnose.api.profile` says what f may be and what is raised.

    quick: without the cost and the finite limits of other dtypes, for the start of a watched training.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"profile examines functions with TensorFlow, and Keras runs on {keras.backend.backend()!r}. Set the "
            "environment "
            'variable KERAS_BACKEND="tensorflow" before importing keras.'
        )
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}; profile knows {', '.join(DTYPES)}.")
    if isinstance(f, keras.Model) and not quick:  # where a training uses a model as an activation, it is one
        raise TypeError(
            f"profile takes one activation, and got the model {f.name!r}. Pass that of one of its layers, "
            "such as model.layers[0].activation. For the whole model: audit(model, x, y) before any training, or "
            "TrainingMonitor() among the callbacks of fit; both are in diagnose.callbacks."
        )
    function, kind = _callable(f)
    start = time.perf_counter()
    with HeldState(function).kept(), Isolation(seconds) as isolation:
        examination = _Examination(function, kind, dtype, isolation, quick)
        facts = examination.facts()
    return FunctionProfile(
        name=name_of(f if isinstance(f, str) else function),
        kind=kind,
        dtype=dtype,
        missing=examination.missing,
        seconds=time.perf_counter() - start,
        **facts,
    )


def _callable(f: Any) -> tuple[Any, str]:
    """The thing to call, and its kind."""
    import keras

    if isinstance(f, str):
        return keras_activation(f), "name"
    if isinstance(f, type):
        raise TypeError(f"profile got the class {f.__name__}; pass an instance: profile({f.__name__}()).")
    if not callable(f):
        raise TypeError(
            f"profile got {with_article(type(f).__name__)}, which can't be called. Pass a function of one tensor, a "
            "Keras layer or the name of a Keras activation."
        )
    if isinstance(f, keras.layers.Layer):
        return f, "layer"
    if hasattr(f, "python_function"):
        return f, "tf.function"
    name = getattr(f, "__name__", "")
    return f, "lambda" if name == "<lambda>" else "function" if name else "object"


class _Examination:
    """One function on the table."""

    def __init__(self, f: Any, kind: str, dtype: str, isolation: Isolation, quick: bool) -> None:
        self.f, self.kind, self.dtype, self.isolation, self.quick = f, kind, dtype, isolation, quick
        self.missing: dict[str, str] = {}
        self.changed: tuple[str, ...] = ()
        self.target = self._target()

    # -- how it is called ------------------------------------------------------------------------------------------

    def _target(self) -> Target:
        if self.kind == "layer":
            layer = self.f if self.f.built else copied(self.f, self.isolation)
            return Target(inference(layer), self.isolation, layer=layer)
        # A tf.function would be traced anew for each shape: what it wraps gives the same values.
        return Target(getattr(self.f, "python_function", self.f), self.isolation, traced=self.f)

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        layer = self.target.layer
        signature = getattr(self.f, "input_signature", None)
        if self.kind == "tf.function" and signature:
            sizes = signature[0].shape.as_list()[1:] if signature[0].shape.rank else ()
            return (tuple(WIDTH if size is None else size for size in sizes), *TRIED_SHAPES)
        if layer is None or not layer.built:
            return TRIED_SHAPES
        known = None
        with contextlib.suppress(Exception):
            known = layer.get_build_config()["input_shape"]
        if not isinstance(known, (tuple, list)) or not known or isinstance(known[0], (tuple, list)):
            return TRIED_SHAPES
        return (tuple(6 if size is None else int(size) for size in known[1:]), *TRIED_SHAPES)

    # -- the facts -------------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Everything that could be found out, by field of `FunctionProfile`."""
        target = self.target
        try:
            least_rank = find_shape(target, self.dtype, self._shapes())
        except UnusableError as error:
            return self._unusable((error.failure,))
        except (TookTooLongError, AteMemoryError) as error:
            given = f"{self.dtype} tensor of shape {(4, *target.shape)}"
            return self._unusable((Failure(kind_of(error), given, sentence(error), fatal=True),))
        found: dict[str, Any] = {}
        calls: dict[str, Any] = {"shape": target.shape, "least_rank": least_rank, "precision": self.dtype}
        try:
            prepare_dtypes(target, DTYPES)
            self.changed = changed_by(lambda: self._repeat(calls), target)
            calls["noisy_in_training"] = calls["repeatable"] and noisy_in_training(target, self.dtype)
            self._measure(found, calls)
        except (TookTooLongError, AteMemoryError) as error:
            given = f"{self.dtype} z over the whole range (examined before: {', '.join(found) or 'nothing'})"
            known = any(failure.kind == kind_of(error) for failure in target.failures)
            if not known and not isinstance(error, TimeIsUpError):
                target.failures.append(Failure(kind_of(error), given, sentence(error), fatal=False))
            for name in ("mixing", "shape", "numerics", "gradient", "propagation", "saving", "cost"):
                if name not in found:
                    self.missing.setdefault(name, f"the examination was ended: {sentence(error)}")
        calls["printed"] = self.isolation.printed
        calls["prints_in_graph"] = target.trace is not None and target.trace.prints
        calls["random_ops"] = target.trace is not None and target.trace.random
        calls["changed"] = self.changed
        read = () if target.trace is None else target.trace.variables
        with contextlib.suppress(Exception):
            found["captured"] = captured_variables.captured(self.f, read, target.layer)
        found["calls"] = Calls(**calls, failures=tuple(target.failures))
        return found

    def _unusable(self, failures: tuple[Failure, ...]) -> dict[str, Any]:
        for name in ("mixing", "shape", "numerics", "gradient", "propagation", "saving", "cost"):
            self.missing[name] = f"f can't be called: {failures[0].told}"
        calls = Calls((), 0, failures, printed=self.isolation.printed, precision=self.dtype)
        return {"calls": calls}

    def _repeat(self, calls: dict[str, Any]) -> None:
        """Do several calls agree?"""
        calls["largest_difference"] = largest_difference(self.target, self.dtype)
        calls["repeatable"] = calls["largest_difference"] <= SAME

    def _part(self, found: dict[str, Any], name: str, measure: Callable[[], Any]) -> Any:
        """Take one part of the facts; if it fails, remember why and go on."""
        try:
            found[name] = measure()
        except ENDINGS:
            raise
        except BaseException as error:
            self.missing[name] = sentence(error)
        return found.get(name)

    def _measure(self, found: dict[str, Any], calls: dict[str, Any]) -> None:
        target = self.target
        first = target.answer(probe(6, target.shape), self.dtype)
        if not calls["repeatable"]:
            why = "two calls on the same input differ"
            self.missing.update(dict.fromkeys(("mixing", "shape", "gradient", "propagation"), why))
        else:
            self._part(found, "mixing", lambda: mixing_of(target, self.dtype))
        mixing: Mixing | None = found.get("mixing")
        if mixing is not None and mixing.elementwise:
            if mixing.by_position:
                target.position = middle_position(target, self.dtype)
            calls["precision"] = finest_dtype(target, self.dtype)
            self._curve(found, calls["precision"])
        elif mixing is not None:
            why = (
                "f mixes its inputs: it has no curve of its own"
                if mixing.keeps_shape
                else "f changes the shape of its input"
            )
            self.missing.update(dict.fromkeys(("shape", "propagation"), why))
            self._part(found, "gradient", lambda: gradient_of_rows(target, self.dtype))
        self._part(found, "numerics", lambda: self._numerics(found.get("shape"), mixing))
        calls["output_dtype"] = output_dtypes(target, self.dtype, USUAL)
        if not self.quick:
            self._part(found, "saving", lambda: saving.saving(self.f, self.kind, target, self.dtype))
            self._part(
                found, "cost", lambda: self.isolation.run(lambda: cost.cost(target.call, target.shape, self.dtype))
            )
        else:
            self.missing["saving"] = self.missing["cost"] = "left out of a quick examination"
        if calls["repeatable"]:
            last = target.answer(probe(6, target.shape), self.dtype)
            calls["drifts"] = not same(first, last)

    def _curve(self, found: dict[str, Any], precision: str) -> None:
        target = self.target
        try:
            seen, answer = look(target, precision)
        except ENDINGS:
            raise
        except BaseException as error:
            self.missing.update(dict.fromkeys(("shape", "gradient", "propagation"), sentence(error)))
            return
        facts = self._part(found, "shape", lambda: shape.Measurer(target, precision, seen, answer).shape())
        if facts is None:
            self.missing.update(dict.fromkeys(("gradient", "propagation"), self.missing["shape"]))
            return
        self._part(found, "curve", lambda: shape.curve(target, precision, facts))
        self._part(found, "gradient", lambda: gradient_check.check(target, precision, seen, facts, answer))
        if answer != "slopes" and facts.monotone != "constant":
            self.missing["propagation"] = "autodiff gives no slope"
            return
        self._part(found, "propagation", lambda: propagation.propagation(target, precision, seen))

    def _numerics(self, facts: Shape | None, mixing: Mixing | None) -> tuple[Numerics, ...]:
        target = self.target
        dtypes = [self.dtype] if self.quick else list(dict.fromkeys([self.dtype, *USUAL]))
        if mixing is None or not mixing.elementwise:
            rows = (self._numerics_of_rows(dtype) for dtype in dtypes)
            return tuple(row for row in rows if row is not None)
        constants = np.array(target.trace.constants if target.trace is not None else ())
        with np.errstate(divide="ignore"):
            marks = np.concatenate([constants, 1 / constants[constants != 0]])
        if facts is not None:
            places = [*facts.singular, *(kink.z for kink in facts.kinks), *(jump.z for jump in facts.jumps)]
            marks = np.concatenate([marks, places])
        usable = [dtype for dtype in dtypes if dtype == self.dtype or accepts(target, dtype)]
        found = [numerics.numerics(target, dtype, marks) for dtype in usable]
        if found and found[0].dtype == self.dtype:
            found[0] = self._explained(found[0])
        return tuple(found)

    def _numerics_of_rows(self, dtype: str) -> Numerics | None:
        try:
            return numerics_of_rows(self.target, dtype)
        except ENDINGS:
            raise
        except BaseException as error:
            if dtype == self.dtype:
                self.missing["numerics"] = sentence(error)
            return None

    def _explained(self, found: Numerics) -> Numerics:
        """The gaps within the range that matters, with the operation that makes them."""
        wanted = [("forward", gap.nearest) for gap in found.forward] + [
            ("backward", gap.nearest) for gap in found.backward
        ]
        wanted = list(dict.fromkeys(key for key in wanted if np.isfinite(key[1])))
        if not wanted:
            return found
        call = self.target.by_dtype.get(self.dtype, self.target.call)
        with contextlib.suppress(TookTooLongError, AteMemoryError, Exception):
            told = self.isolation.run(lambda: operations.constructs(call, self.target.shape, self.dtype, wanted))
            return numerics.with_constructs(found, told)
        return found
