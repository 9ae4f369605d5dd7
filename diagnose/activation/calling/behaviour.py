"""How a function behaves when it is called: does it repeat itself, what does it change, which dtypes does it take.

Nothing of it stays: variables that a call changed are put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from diagnose.activation.calling.captured_variables import raw
from diagnose.activation.calling.failures import sentence
from diagnose.activation.calling.isolation import ENDINGS, AteMemoryError, TookTooLongError
from diagnose.activation.calling.rounding import SAME, difference
from diagnose.activation.calling.target import Target, probe


def largest_difference(target: Target, dtype: str) -> float:
    """The largest difference between three calls on one input, relative to the outputs."""
    z = probe(16, target.shape)
    outputs = [target.answer(z, dtype) for _ in range(3)]
    return max(difference(outputs[0], other) for other in outputs[1:])


def changed_by(task: Callable[[], None], target: Target) -> tuple[str, ...]:
    """Run the task; the names of the variables that it changed, which are put back."""
    variables = list(target.layer.variables) if target.layer is not None else []
    variables += list(target.trace.variables) if target.trace is not None else []
    before = [raw(variable).numpy().copy() for variable in variables]
    task()
    after = [raw(variable).numpy() for variable in variables]
    names = [
        str(getattr(variable, "path", variable.name))
        for variable, old, new in zip(variables, before, after, strict=True)
        if not np.array_equal(old, new) and "seed" not in str(getattr(variable, "path", variable.name))
    ]
    for variable, old in zip(variables, before, strict=True):
        raw(variable).assign(old)
    return tuple(dict.fromkeys(names))


def noisy_in_training(target: Target, dtype: str) -> bool:
    """Whether a layer draws random numbers with training=True; its weights are put back."""
    layer, shape = target.layer, target.shape
    if layer is None or not getattr(layer, "_call_has_training_arg", False):
        return False
    training = Target(layer, target.isolation, shape=shape)
    before = [variable.numpy().copy() for variable in layer.variables]
    try:
        once, twice = (training.answer(probe(16, shape), dtype, training=True) for _ in range(2))
        return difference(once, twice) > SAME
    except ENDINGS:
        raise
    except BaseException:
        return False
    finally:
        for variable, old in zip(layer.variables, before, strict=True):
            variable.assign(old)


def finest_dtype(target: Target, dtype: str) -> str:
    """float64 where f computes in it and agrees with the dtype asked for; else float32, or that dtype."""
    z = np.linspace(-4.0, 4.0, 256)
    wanted = target.values(z, dtype)
    usual = target.output_dtype(probe(2, target.shape), dtype)
    for finer in ("float64", "float32"):
        if finer == dtype:
            break
        try:
            answered = target.output_dtype(probe(2, target.shape), finer)
            if answered != finer and (answered != usual or answered.startswith(("float", "bfloat"))):
                continue
            values = target.values(z, finer)
        except (TookTooLongError, AteMemoryError):
            raise
        except Exception:
            continue
        rough = 0.02 if dtype in ("float16", "bfloat16") else 1e-3
        both = np.isfinite(wanted) & np.isfinite(values)
        size = float(np.max(np.abs(values[both]), initial=0.0))
        if both.any() and np.mean(np.abs(values - wanted)[both] > rough * size) < 0.05:
            return finer
    return dtype


def accepts(target: Target, dtype: str) -> bool:
    """Whether f can be called in this dtype."""
    try:
        target.answer(probe(2, target.shape), dtype)
    except ENDINGS:
        raise
    except BaseException:
        return False
    return True


def output_dtypes(target: Target, dtype: str, others: Iterable[str]) -> dict[str, str]:
    """For the dtype asked for and each other one, the one that comes back, or why none does."""
    told = {}
    layer = target.layer
    z = probe(2, target.shape)
    own = str(getattr(layer, "compute_dtype", "")) if layer is not None else ""
    for given in dict.fromkeys([dtype, *others]):
        if layer is not None and given not in (own, dtype):
            continue  # a copy in another dtype need not hold layers of that dtype
        try:
            told[given] = target.output_dtype(z, given)
        except ENDINGS:
            raise
        except BaseException as error:
            told[given] = f"raises {sentence(error)}"
    return told
