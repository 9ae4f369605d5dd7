"""What an observer hands over: plain arrays and numbers, whatever backend Keras runs on.

An observer runs the user's own step once more and gives a `Reading`; of each activation site it tells once what it is
(`Sites`). What is made of these, `callbacks.measuring`, knows no backend.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diagnose.run.meta import SiteFacts

MIXES = 1e-3  # float32 leaves 1e-6 of an elementwise function's gradient unexplained, softmax about 1


@dataclass
class SiteReading:
    """What one observation read at one activation site. Arrays are None where nothing could be read.

    numbers: by name; "activation." and "preactivation." with "nonfinite", "mean", "std", "min" and "max", and
        "activation.spread"; "gradient_a." and "gradient_z." with "rms" and "nonfinite"; "mixing", 0 for an elementwise
        function, else up to 1. z, a, slope: pre-activations, activations and f'(z) at the same entries, (n,).
    alive, constant: by unit, whether the slope is not 0 for any sample, and whether a is the same for all.
    """

    where: str
    numbers: dict[str, float]
    z: np.ndarray | None
    a: np.ndarray
    slope: np.ndarray | None
    alive: np.ndarray | None
    constant: np.ndarray


@dataclass
class Reading:
    """What one observation read.

    loss: of this batch, as `compute_loss` gave it (None where train_step does not call it exactly once).
    reported: what train_step returned, with metrics that started from zero.
    gradients: variable path -> {"rms", "nonfinite", "missing"}; weights: variable path -> {"rms", "nonfinite"}.
    direction: a fixed sample of the gradients of all kernels, one vector; kept_share: norm of all gradients after
        clipping over before it, None where the optimizer does not clip; regularization: the part of the loss that
        comes from `model.losses`.
    inputs: input name -> numbers; sites: in the order of the calls; outputs: places of the outputs (`places_of`);
        targets, predictions: in their order, [] if unknown.
    """

    loss: float | None
    reported: dict[str, float]
    gradients: dict[str, dict[str, float]]
    weights: dict[str, dict[str, float]]
    inputs: dict[str, dict[str, float]]
    sites: list[SiteReading]
    outputs: list[str] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    predictions: list[np.ndarray] = field(default_factory=list)
    direction: np.ndarray | None = None
    kept_share: float | None = None
    regularization: float | None = None


@dataclass
class Evaluation:
    """What a model predicts for held samples in inference mode, with the weights of one moment.

    outputs: their places; targets, predictions: by output in that order, (samples, ...); loss: mean over the samples,
        NaN where the train step has a loss of its own.
    """

    outputs: list[str]
    targets: list[np.ndarray]
    predictions: list[np.ndarray]
    loss: float


@dataclass
class Curve:
    """f and f' of one site over a range of pre-activations: three arrays of (points,)."""

    z: np.ndarray
    f: np.ndarray
    slope: np.ndarray


#: Gives the curves of sites, each from one pre-activation to another; of those whose function is one of the
#: pre-activation alone. None where a curve would take too much memory.
CurvesOver = Callable[[Mapping[str, tuple[float, float]]], Mapping[str, Curve | None]]


def no_curves(_: Mapping[str, tuple[float, float]]) -> Mapping[str, Curve | None]:
    """Of no site."""
    return {}


@dataclass(frozen=True)
class PlacedFunction:
    """A function with the layer or model that keeps it (None: marked by `watch`), its place, and its input's dtype.

    gate: it is the `recurrent_activation` of a cell, which only opens and shuts. inline: it is written in the owner's
    `call`, and nothing that would be saved on its own.
    """

    function: Callable[..., Any]
    owner: Any
    where: str
    dtype: str
    gate: bool = False
    inline: bool = False


@dataclass
class Sites:
    """What is known of a model's activation sites; it grows as further ones are met.

    facts: by place, in the order in which they were met.
    curves: gives those of the sites whose function is one of the pre-activation alone.
    inside: by function, the places of the layers in whose loops it runs.
    unmeasured: by place, why a site can't be read, or has no curve.
    customs: by name, the functions of the user's own.
    names: of functions, each by what makes it the same one at several sites.
    """

    facts: dict[str, SiteFacts] = field(default_factory=dict)
    curves: CurvesOver = no_curves
    inside: dict[str, list[str]] = field(default_factory=dict)
    unmeasured: dict[str, str] = field(default_factory=dict)
    customs: dict[str, PlacedFunction] = field(default_factory=dict)
    names: dict[Hashable, str] = field(default_factory=dict)
