"""Which targets, loss and metrics belong to which output: Keras is asked, and not second-guessed.

The compiled loss and metrics know how to bring lists, dicts, nested outputs and missing losses together. Copies of
them, which the model never sees, are run on the batch with recorders in the place of the single losses. So the model's
own, if they are not built, stay so: building them would settle shapes before `fit` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np

from diagnose.callbacks.auditing.borrowed_model import lend_loss
from diagnose.callbacks.model.arrays import leaves, mapped, number
from diagnose.run.audit import WholeLoss


@dataclass
class Part:
    """One output with what belongs to it.

    index: among the leaves of the predictions; predictions, targets, weights: of the batch, as tensors.
    loss: (targets, predictions, weights) -> its loss; None where no loss could be tied to it.
    metrics: (metric, targets) pairs, the metrics being copies.
    """

    index: int
    predictions: Any
    targets: Any = None
    weights: Any = None
    loss: Callable[[Any, Any, Any], Any] | None = None
    loss_name: str = ""
    loss_weight: float = 1.0
    metrics: list[tuple[Any, Any]] = field(default_factory=list)


def parts_of(model: Any, x: Any, y: Any, predictions: Any, weights: Any) -> tuple[list[Part], WholeLoss]:
    """Each output with its targets, loss and metrics, and the loss of the model as a whole.

    predictions: of the latest pass, whose losses by add_loss the layers still hold. The model must be borrowed: its
    compiled loss is exchanged.
    """
    parts = [Part(index, leaf) for index, leaf in enumerate(leaves(predictions))]
    custom = type(model).compute_loss is not keras.Model.compute_loss
    extra = sum(len(layer._get_own_losses()) for layer in model._flatten_layers())
    recorded, error = _recorded(model, y, predictions, weights)
    used = list(recorded)
    recorded.clear()
    value = None
    try:
        whole = model._compute_loss(x=x, y=y, y_pred=predictions, sample_weight=weights, training=False)
        value = number(np.mean(whole))
    except Exception as problem:
        error = error or one_line(problem)
    for entry, targets, prediction, weight in used if recorded or not custom else ():
        for part in parts:
            if part.predictions is prediction and part.loss is None:
                part.targets, part.weights, part.loss = targets, weight, entry.loss
                part.loss_name = str(getattr(entry.loss, "name", "") or entry.name)
                part.loss_weight = 1.0 if entry.loss_weights is None else float(entry.loss_weights)
    if value is not None and not any(part.loss for part in parts):
        _tie_whole_loss(model, x, y, weights, parts)
    for part in parts:
        if part.targets is None and len(leaves(y)) == len(parts):
            part.targets = leaves(y)[part.index]
    _tie_metrics(model, y, predictions, parts)
    return parts, WholeLoss(value, error, custom, extra)


def one_line(error: Exception) -> str:
    """An error in one line."""
    text = re.sub(r"\{\{.*?\}\}", "", str(error))  # TensorFlow puts the names of its graph nodes there
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:300]}"


class _Entry(NamedTuple):
    """One compiled loss, as newer Keras keeps it."""

    loss: Any
    loss_weights: float | None
    name: str = ""


class _Recorder:
    """Stands in for one compiled loss, and writes down which targets Keras gives it for which predictions."""

    def __init__(self, entry: Any, recorded: list[tuple[Any, Any, Any, Any]]) -> None:
        self.entry = entry
        self.recorded = recorded

    def __call__(self, targets: Any, predictions: Any, weights: Any = None) -> Any:
        self.recorded.append((self.entry, targets, predictions, weights))
        try:
            return self.entry.loss(targets, predictions, weights)
        except Exception:  # what the loss objects to is met again when it is asked alone
            return np.float32("nan")


def _recorded(model: Any, y: Any, predictions: Any, weights: Any) -> tuple[list[tuple[Any, Any, Any, Any]], str]:
    """What each compiled loss was given, and what the first that failed raised.

    The list goes on recording whenever the model computes its loss.
    """
    recorded: list[tuple[Any, Any, Any, Any]] = []
    own, raised = getattr(model, "_compile_loss", None), ""
    if own is None:
        return recorded, raised
    copy = type(own)(own._user_loss, own._user_loss_weights, output_names=own.output_names)
    try:
        copy(y, predictions, weights)  # builds it
    except Exception as error:
        raised = one_line(error)
    entries = getattr(copy, "_flat_losses", None) or []
    for index, entry in enumerate(entries):
        entries[index] = entry._replace(loss=_Recorder(entry, recorded))
    losses = getattr(copy, "flat_losses", None) or []  # of older Keras, such as 3.6, without names
    for index, (loss, weight) in enumerate(zip(losses, getattr(copy, "flat_loss_weights", ()), strict=False)):
        losses[index] = loss and _Recorder(_Entry(loss, weight), recorded)
    if y is not None and (entries or losses):
        try:
            copy(y, predictions, weights)
        except Exception as error:
            raised = raised or one_line(error)
    lend_loss(model, copy)
    return recorded, raised


def _tie_whole_loss(model: Any, x: Any, y: Any, weights: Any, parts: list[Part]) -> None:
    """A compute_loss of the user's own, asked as one function of the only output."""
    if len(parts) != 1 or len(leaves(y)) != 1:
        return

    def loss(targets: Any, predictions: Any, weight: Any) -> Any:
        some = mapped(lambda leaf: leaf[: targets.shape[0]], x)
        return model._compute_loss(x=some, y=targets, y_pred=predictions, sample_weight=weight, training=False)

    part = parts[0]
    part.targets, part.weights, part.loss, part.loss_name = leaves(y)[0], weights, loss, "compute_loss"


def _tie_metrics(model: Any, y: Any, predictions: Any, parts: list[Part]) -> None:
    own = getattr(model, "_compile_metrics", None)
    if own is None or y is None:
        return
    found: list[list[tuple[Any, Any]]] = [[] for _ in parts]
    try:
        copy = type(own)(_anew(own._user_metrics), _anew(own._user_weighted_metrics), output_names=own.output_names)
        copy.build(y, predictions)
        targets, answers = copy._flatten_y(y), copy._flatten_y(predictions)
        for held in (copy._flat_metrics, copy._flat_weighted_metrics):
            for metrics, target, answer in zip(held, targets, answers, strict=False):
                part = next(part for part in parts if part.predictions is answer)
                found[part.index] += [(metric, target) for metric in getattr(metrics, "metrics", ())]
    except Exception:  # metrics that Keras refuses, or that can't be copied: fit says why, or they are left in peace
        return
    for part in parts:
        part.metrics = found[part.index]


def _anew(metrics: Any) -> Any:
    """The user's metrics with a new one for every metric object, so that none of theirs is built or updated."""

    def anew(metric: Any) -> Any:
        return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric

    return None if metrics is None else keras.tree.map_structure(anew, metrics)
