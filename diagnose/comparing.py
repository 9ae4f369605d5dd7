"""Functions side by side: the computed counterpart of the tables in textbooks.

Every entry is measured; only the formula is written down by hand, for Keras' own functions, and a test holds each
formula against the function.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagnose.activation.calling.spec import keras_names
from diagnose.activation.curve.search import DENSE
from diagnose.activation.facts import Mixing, Shape
from diagnose.api import ActivationProfile, profile
from diagnose.report.function.text import slope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: |E f| under this share of the standard deviation is centred; a tenth of what off-centre-activation notes is near it.
CENTRED = 0.1

#: Formulas of Keras' activations, in Python's notation with NumPy's names; sigma is the logistic function.
FORMULAS = {
    "celu": "maximum(z, 0) + minimum(expm1(z), 0)",
    "elu": "where(z > 0, z, expm1(z))",
    "exponential": "exp(z)",
    "gelu": "z * Phi(z)",
    "glu": "z[:n/2] * sigma(z[n/2:])",
    "hard_shrink": "where(abs(z) > 0.5, z, 0)",
    "hard_sigmoid": "clip(z / 6 + 0.5, 0, 1)",
    "hard_silu": "z * clip(z / 6 + 0.5, 0, 1)",
    "hard_tanh": "clip(z, -1, 1)",
    "leaky_relu": "where(z > 0, z, 0.2 * z)",
    "linear": "z",
    "log_sigmoid": "-log1p(exp(-z))",
    "log_softmax": "z - log(sum(exp(z)))",
    "mish": "z * tanh(log1p(exp(z)))",
    "relu": "maximum(z, 0)",
    "relu6": "clip(z, 0, 6)",
    "selu": "1.0507009873554805 * where(z > 0, z, 1.6732632423543772 * expm1(z))",
    "sigmoid": "1 / (1 + exp(-z))",
    "silu": "z * sigma(z)",
    "soft_shrink": "sign(z) * maximum(abs(z) - 0.5, 0)",
    "softmax": "exp(z) / sum(exp(z))",
    "softplus": "log1p(exp(z))",
    "softsign": "z / (1 + abs(z))",
    "sparse_plus": "where(z <= -1, 0, where(z < 1, (z + 1)**2 / 4, z))",
    "sparse_sigmoid": "clip((z + 1) / 2, 0, 1)",
    "squareplus": "(z + sqrt(z**2 + 4)) / 2",
    "tanh": "tanh(z)",
    "tanh_shrink": "z - tanh(z)",
    "threshold": "where(z > 1, z, 0)",
}


class Comparison(pd.DataFrame):
    """A table with a row for each function; `.figure()` draws them, `.markdown()` writes it down, `.profiles` holds
    what the rows are made of."""

    _metadata = ["profiles"]  # noqa: RUF012 - pandas wants a list here
    profiles: tuple[ActivationProfile, ...] = ()

    def figure(self) -> Figure:
        """All functions on small panels."""
        from diagnose.report.function.portrait import gallery

        return gallery([profile for profile in self.profiles if profile.name in self.index])

    def markdown(self) -> str:
        """The table as Markdown, for a page of documentation."""

        def line(cells: Iterable[Any]) -> str:
            return "| " + " | ".join(_cell(cell) for cell in cells) + " |"

        head = [line([self.index.name, *self.columns]), line(["---"] * (len(self.columns) + 1))]
        return "\n".join([*head, *(line([name, *row]) for name, row in zip(self.index, self.to_numpy(), strict=True))])


def compare_activations(*activations: Any) -> Comparison:
    """A table of functions, one row each; without arguments, of all activations of Keras.

    activations: whatever `profile` takes. Columns: formula (where known), range, slope (lowest and highest), largest
    slope, monotone, zero-centred, saturates, can die, initializer (that keeps signal and gradient longest), cost (of
    relu's), finite in float16, findings. A cell is "" where it has no meaning, as for functions that mix their inputs.
    """
    chosen = activations or keras_activations()
    profiles = tuple(profile(activation) for activation in chosen)
    labels = _distinct([_label(activation, profile) for activation, profile in zip(chosen, profiles, strict=True)])
    named = tuple(replace(profile, name=label) for profile, label in zip(profiles, labels, strict=True))
    table = Comparison([_row(profile) for profile in named], index=pd.Index(labels, name="activation"))
    table.profiles = named
    return table


def keras_activations() -> tuple[Any, ...]:
    """All activations that this Keras has, without second names; `threshold` needs arguments: 1, and 0 below."""
    import keras

    distinct = {id(getattr(keras.activations, name)): name for name in sorted(keras_names(), reverse=True)}
    names = sorted(distinct.values())
    return tuple(
        functools.partial(keras.activations.threshold, threshold=1.0, default_value=0.0)
        if name == "threshold"
        else name
        for name in names
    )


def _label(activation: Any, profile: ActivationProfile) -> str:
    if isinstance(activation, functools.partial) and getattr(activation.func, "__module__", "").startswith("keras."):
        return str(activation.func.__name__)
    return profile.name


def _distinct(labels: list[str]) -> list[str]:
    """The labels, those that come again with their number behind them: two layers of a class are two rows.

    >>> _distinct(["PReLU", "relu", "PReLU"])
    ['PReLU', 'relu', 'PReLU (2)']
    """
    return [
        label if label not in labels[:place] else f"{label} ({labels[:place].count(label) + 1})"
        for place, label in enumerate(labels)
    ]


def _row(profile: ActivationProfile) -> dict[str, Any]:
    shape = profile.shape
    grave = [finding.rule for finding in profile.findings if finding.severity != "note"]
    half = profile.numerics_in("float16")
    own = {
        "formula": FORMULAS.get(profile.name, ""),
        "range": "" if shape is None else f"{_interval(shape)}",
        "slope": "" if shape is None else _slopes(shape),
        "largest slope": float("nan") if shape is None else math.inf if shape.vertical else shape.largest_slope,
        "monotone": _mixes(profile.mixing) if shape is None else shape.monotone,
        "zero-centred": "" if shape is None else "yes" if abs(shape.mean) <= CENTRED * shape.std else "no",
        "saturates": "" if shape is None else _saturates(shape),
        "can die": "" if shape is None else "yes" if can_die(shape) else "no",
        "initializer": profile.propagation.suits if profile.propagation is not None else "",
        "cost": float("nan") if profile.cost is None else round(profile.cost.relative, 1),
        "finite in float16": "" if half is None else _bound(half.finite_within),
    }
    return {**own, "findings": ", ".join(grave)}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return str(value).replace("|", "\\|")


def can_die(shape: Shape) -> bool:
    """On one whole side of some z that inputs reach, the slope is exactly 0: a unit there gets no gradient at all."""
    low, high = shape.dark
    return low > -DENSE or high < DENSE


def _slopes(shape: Shape) -> str:
    if shape.vertical:
        return f"no bound at {shape.vertical[0]:.3g}"
    return f"[{slope(shape.lowest_slope, shape):.3g}, {slope(shape.highest_slope, shape):.3g}]"


def _interval(shape: Shape) -> str:
    low = f"{shape.low:.4g}" if shape.low > float("-inf") else "-inf"
    high = f"{shape.high:.4g}" if shape.high < float("inf") else "inf"
    return f"[{low}, {high}]".replace("[-inf", "(-inf").replace("inf]", "inf)")


def _saturates(shape: Shape) -> str:
    below, above = shape.lower_tail > -DENSE, shape.upper_tail < DENSE
    return "both sides" if below and above else "below" if below else "above" if above else "no"


def _mixes(mixing: Mixing | None) -> str:
    return "" if mixing is None or mixing.elementwise else "mixes units" if not mixing.batch else "mixes the batch"


def _bound(within: float) -> str:
    return "everywhere" if within == float("inf") else f"|z| < {within:.4g}"
