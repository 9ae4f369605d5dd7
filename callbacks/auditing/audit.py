"""The audit: model, loss, metrics, labels and one batch, looked at together before any training.

Nothing is judged here, and nothing goes by names. `facts` lets the model answer one batch in inference mode, hands its
losses and metrics crafted predictions (`probing` asks the questions), draws its weights at random to see what its
outputs can say at all, and writes down plain numbers. The rules of the parts "configuration" and "reporting" read them
from `run.meta["audit"]`:

- `samples`: of the batch looked at; `seconds`: what it took; `iterations`: optimizer updates so far.
- `loss`: {"value": the model's own compute_loss in inference mode, "error": why it gave none, "custom": compute_loss
  is the user's, "extra": number of losses by add_loss}.
- `entering`: what the first layer with a kernel is given, so behind any Normalization; None where that is no table or
  sequence of numbers: {"where", "features" (of the last axis), "least", "typical" (median), "most": sizes of the
  features, "least_at", "most_at": which, "becomes": size of what the kernel should make of it, see `_becomes`; None
  where that is not known}; the size of a feature is the rms of its entries that are not 0.
- `erased`: where that is one and the same number in all entries of all samples: {"where", "value"}; else None.
- `outputs`: one entry each, in Keras' order:
  - `name`, `where` (Keras path of what ends it), `shape` (of one sample), `width` (of its last axis);
  - `prediction`: {"min", "max", "finite" (share), "unit_interval", "distribution" (rows are probabilities that sum to
    1), "row_sum" (mean), "other_axis" (the axis, 0 for the batch, over which they are probabilities that sum to 1 where
    rows are not; else None), "always_one"};
  - `reach`: what it says under random weights, see `reach.reach`;
  - `labels`: over all labels given, not only those of the batch: {"given", "shape", "dtype", "count", "min", "max",
    "finite", "fractional" (share of entries that are no whole numbers), "distinct" (number, at most 1000), "alignment"
    ("vectors", "ids", "flat": (n,) under (n, 1), or "other"), "zero_one", "plus_minus_one", "varied", "is_input",
    "class_numbers" (the loss or a metric reads them as places on the predictions' last axis; None where none could be
    asked); for rows: "one_hot" (every row), "weighted_one_hot" (at most one entry of each row is not 0, and those have
    both signs or many values: what was done, times what it is worth), "many_hot" (share of rows of 0 and 1 with another
    sum than 1), "empty_rows" (share of rows of zeros), "row_sum_min", "row_sum_max", "row_sum_mean" and its standard
    error "row_sum_error"; for class numbers: "outside" (share that no unit stands for), "outside_refused" (the loss
    fails on them); "unreachable": share beyond the bounds of `reach`};
  - `loss` (None without one): {"name", "value", "weight", "error"; "takes", "over", "targets", "reason", see
    `probing.LossNature`; "free": its value without sample weights and mask; "rescued": Keras takes the logits behind
    the probabilities; "silent": 0 for these targets, whatever is predicted; "pairs_up", see `probing.pairs_up_wrongly`
    and `pairs_all_up`; "opposite": labels of 0 and 1, and see `probing.asks_for_the_opposite`; "repeats": the narrower
    of targets and predictions is repeated; "heeds_wild_labels": those outside [0, 1]; "heeds_labels", see
    `probing.heeds_targets`; "one_answer", see `probing.wants_one_answer`; "aim", see there; "positive", see
    `probing.wants_positive`; "cut": of an output without an upper bound that stays over 0, see `probing.even_answer`;
    "takes_negated", see there};
  - `mixes`: whether what is said of a sample depends on the others of the batch, see `mixing.mixes`;
  - `weights`: {"given", "sum", "negative" (some are), "idle_classes" (those of which every sample has a weight of 0, of
    one label and weight a sample), "by_class" (mean weight of each, by its number)}, the sample weights; `accuracies`:
    of this batch, see `metrics.accuracies`;
  - `metrics`: [{"name", "value", "flavours", "deaf", "cut", see `metrics.metric_nature`; "minds", see `minds_labels`
    there}].

The model is on loan (`loan`): it is handed back as it was found.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose._version import __version__
from diagnose.api import Diagnosis, examine
from diagnose.callbacks.auditing import loss_nature as probing
from diagnose.callbacks.auditing import metric_nature as metrics
from diagnose.callbacks.auditing.batch_dependence import mixes
from diagnose.callbacks.auditing.batch_sample import FirstBatch, draws, erased, first_batch, sizes_entering
from diagnose.callbacks.auditing.borrowed_model import build, forward, on_loan
from diagnose.callbacks.auditing.labels import (
    beyond,
    class_numbers,
    class_weights,
    heeds_wild_labels,
    idle_classes,
    label_facts,
    weight_facts,
)
from diagnose.callbacks.auditing.output_range import reach
from diagnose.callbacks.auditing.outputs_and_losses import Part, Whole, parts_of, told
from diagnose.callbacks.model.arrays import arrays, leaves, number, plain, taken
from diagnose.callbacks.model.outputs import names_of, place_of
from diagnose.outcome.task import COARSE, Wanted, is_distribution
from diagnose.run.run import Run

ASKED = 100_000  # entries of crafted predictions for the targets of the batch
METRIC_SECONDS = 0.3  # of the one second that an audit may take


def audit(model: Any, x: Any, y: Any = None, sample_weight: Any = None) -> Diagnosis:
    """Look at a compiled model and one batch before any training, and say what is wrong with their configuration.

    model: compiled. If it is not built yet it is built for x, as its first call would do; nothing else in it changes.
    x, y, sample_weight: as for `fit`; of more than 256 samples, 256 spread over all are looked at. `y` may be None:
        then what needs labels is not measured. Class weights go in as sample weights.

    The diagnosis' outcome is "unknown", since nothing was trained; its causes are what would spoil a training.

    Raises ValueError for a model that is not compiled, an empty batch, labels of strings, and x, y and sample_weight
    of different lengths; TypeError for a dataset or generator in the place of one batch.
    """
    _refuse_what_is_no_batch(model, x, y, sample_weight)
    seen = facts(model, x, y, sample_weight)
    run = Run(
        {
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__, "keras-diagnose": __version__},
            "model": {
                "name": model.name,
                "class": type(model).__name__,
                "parameters": int(sum(math.prod(variable.shape) for variable in model.weights)),
                "trainable_parameters": int(sum(math.prod(variable.shape) for variable in model.trainable_weights)),
                "precision": model.dtype_policy.name,
            },
            "loss": {"name": ", ".join(output["loss"]["name"] for output in seen["outputs"] if output["loss"])},
            "metrics": [metric["name"] for output in seen["outputs"] for metric in output["metrics"]],
            "audit": seen,
        }
    )
    return examine(run)


def _refuse_what_is_no_batch(model: Any, x: Any, y: Any, sample_weight: Any) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"audit reads models on Keras' TensorFlow backend; this is {keras.backend.backend()!r}.")
    if not getattr(model, "compiled", False):
        name = getattr(model, "name", type(model).__name__)
        raise ValueError(f"audit needs a compiled model, and {name!r} is not. Call model.compile(...) first.")
    if hasattr(x, "element_spec") or isinstance(x, keras.utils.PyDataset) or inspect.isgenerator(x):
        raise TypeError(
            f"audit takes one batch, and x is a {type(x).__name__}. "
            "Pass its first batch: x, y = next(iter(dataset)); audit(model, x, y)."
        )
    lengths: dict[str, int] = {}
    for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        found = leaves(arrays(value))
        lengths |= {name if len(found) == 1 else f"{name}[{i}]": len(leaf) for i, leaf in enumerate(found)}
        for leaf in found if name == "y" else ():
            if leaf.dtype.kind in "OUS":
                example = str(leaf.ravel()[:1].tolist())[1:-1]
                raise ValueError(
                    f"the labels are strings or objects, such as {example}; a Keras loss needs numbers. "
                    "Number the classes: classes, y = np.unique(y, return_inverse=True)."
                )
    if not lengths or min(lengths.values()) == 0:
        raise ValueError("the batch is empty: audit needs at least one sample in x.")
    if len(set(lengths.values())) > 1:
        all_lengths = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"x, y and sample_weight differ in their number of samples: {all_lengths}.")


def facts(model: Any, x: Any, y: Any, sample_weight: Any = None) -> dict[str, Any]:
    """What one batch tells about the configuration; the module's docstring lists the keys. All of it fits into JSON.

    x, y, sample_weight: arrays or tensors, in the structures that `fit` hands to `train_step`.
    """
    start = time.perf_counter()
    x, y, sample_weight = arrays(x), arrays(y), arrays(sample_weight)
    build(model, x)
    with on_loan(model):
        batch = first_batch(model, x)
        extra = sum(len(layer._get_own_losses()) for layer in model._flatten_layers())
        few_y, few_weights = taken(y, batch.rows), taken(sample_weight, batch.rows)
        parts, whole = parts_of(model, batch.x, few_y, batch.predictions, few_weights)
        mixed = mixes(model, x, batch)  # asks the model anew, which leaves other penalties behind
        drawn = draws(model, x, batch, parts)
        outputs = [
            _Output(model, part, name, drawn, batch).facts(x, y, sample_weight) | {"mixes": mixed[part.index]}
            for part, name in zip(parts, names_of(model, batch.predictions), strict=True)
        ]
    return plain(
        {
            "samples": len(batch.rows),
            "seconds": round(time.perf_counter() - start, 3),
            "iterations": int(model.optimizer.iterations) if model.optimizer is not None else 0,
            "loss": _whole_facts(whole, extra),
            "entering": sizes_entering(*batch.entering) if batch.entering else None,
            "erased": erased(*batch.entering) if batch.entering else None,
            "outputs": outputs,
        }
    )


def _whole_facts(whole: Whole, extra: int) -> dict[str, Any]:
    return {"value": whole.value, "error": whole.error, "custom": whole.custom, "extra": extra}


class _Output:
    """What is known of one output while its facts are gathered."""

    def __init__(
        self, model: Any, part: Part, name: str, drawn: list[tuple[float, list[np.ndarray]]], batch: FirstBatch
    ) -> None:
        self.model, self.part, self.name, self.batch = model, part, name, batch
        self.coarse = "16" in str(part.predictions.dtype)
        self.predictions = np.asarray(part.predictions).astype(np.float32)
        self.targets = None if part.targets is None else np.asarray(part.targets)
        self.width = self.predictions.shape[-1] if self.predictions.ndim > 1 else 1
        self.few = max(2, ASKED * len(self.predictions) // max(1, self.predictions.size))
        self.reach = reach([(gain, values[part.index]) for gain, values in drawn], COARSE if self.coarse else 1e-3)

    def facts(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
        """All facts of this output."""
        labels, inputs = self._all_labels(y), [leaf[self.batch.rows] for leaf in leaves(x)]
        found: dict[str, Any] = {
            "name": self.name,
            "where": place_of(self.model, self.part.index),
            "shape": list(self.predictions.shape[1:]),
            "width": self.width,
            "prediction": self._prediction(),
            "reach": self.reach,
            "labels": label_facts(labels, self.predictions.shape, inputs, self.batch.rows),
            "loss": None,
            "weights": weight_facts(sample_weight)
            | {
                "idle_classes": idle_classes(self.targets, self.part.weights),
                "by_class": class_weights(self.targets, self.part.weights),
            },
            "accuracies": {},
            "metrics": [],
        }
        if self.targets is None or not found["labels"]["given"]:
            return found
        assert labels is not None
        found["labels"]["unreachable"] = beyond(labels, self.reach)
        if self.part.loss is not None:
            found["loss"] = self._loss(found)
        plain_targets = self.targets.astype(np.float32) if self.targets.dtype.kind == "b" else self.targets
        found["accuracies"] = metrics.accuracies(plain_targets, self.predictions)
        end = time.perf_counter() + METRIC_SECONDS
        found["metrics"] = [self._metric(metric, targets, end) for metric, targets in self.part.metrics]
        counted = any("argmax" in metric["flavours"] for metric in found["metrics"])
        found["labels"]["class_numbers"] = found["labels"]["alignment"] == "ids" and (counted or self._reads_numbers())
        return found

    def _reads_numbers(self) -> bool | None:
        if self.part.loss is None or self.targets is None:
            return None
        at = _asking(self.part.loss, self.targets.dtype)
        return probing.reads_class_numbers(at, self.targets.shape[1:], self.predictions.shape[1:])

    def _all_labels(self, y: Any) -> np.ndarray | None:
        """All labels given for this output, not only those of the samples looked at."""
        found = leaves(y)
        if self.targets is None or len(found) <= 1:
            return found[0] if found and self.targets is not None else None
        # A dict may hold them in another order than the outputs: the samples looked at tell which is which.
        alike = [leaf for leaf in found if leaf.shape[1:] == self.targets.shape[1:]]
        same = [leaf for leaf in alike if np.allclose(leaf[self.batch.rows], self.targets, equal_nan=True)]
        return same[0] if same else self.targets

    def _prediction(self) -> dict[str, Any]:
        finite = np.isfinite(self.predictions)
        kept = self.predictions[finite]
        tolerance = COARSE if self.coarse else 1e-3
        sums_to_1 = (
            is_distribution(np.moveaxis(self.predictions, axis, -1), tolerance)
            for axis in range(-1, self.predictions.ndim - 1)
        )
        axis = next((axis for axis, found in enumerate(sums_to_1, -1) if found), None)
        return {
            "min": kept.min() if kept.size else None,
            "max": kept.max() if kept.size else None,
            "finite": finite.mean(),
            "unit_interval": bool(kept.size and kept.min() >= -1e-6 and kept.max() <= 1.0 + 1e-6),
            "distribution": axis == -1,
            "row_sum": self.predictions.sum(-1).mean() if self.width > 1 else None,
            "other_axis": None if axis == -1 else axis,
            "always_one": bool(self.width == 1 and kept.size and (np.abs(self.predictions - 1.0) <= 1e-6).all()),
        }

    def _loss(self, found: dict[str, Any]) -> dict[str, Any]:
        part, targets, predictions, labels = self.part, self.targets, self.predictions, found["labels"]
        assert part.loss is not None and targets is not None
        at = _asking(part.loss, targets.dtype)
        nature = probing.loss_nature(at, targets.shape[1:], predictions.shape[1:])
        error, value = "", math.nan
        try:
            value = float(np.mean(part.loss(part.targets, part.predictions, part.weights)))
        except Exception as problem:
            error = told(problem)
        free = at(targets, predictions)
        sure = found["prediction"]["distribution" if nature.over == "classes" else "unit_interval"]
        rescuable = nature.takes == "logits" and sure and math.isfinite(free)
        per_target, per_prediction = targets.shape[1:], predictions.shape[1:]
        some, shape = targets[: self.few], predictions[: self.few].shape
        heeds, pairs_up = probing.heeds_targets(at, some, shape), None
        if labels["alignment"] == "flat":
            pairs_up = probing.pairs_up_wrongly(at, per_prediction)
        if pairs_up is None and labels["alignment"] in ("flat", "vectors") and math.prod(per_prediction) == 1:
            pairs_up = probing.pairs_all_up(at, per_target, per_prediction)
        known = nature.takes not in ("unknown", "nothing")
        numeric, inside = not known or nature.takes == "values", found["prediction"]["unit_interval"]
        if nature.targets == "ids":
            labels |= class_numbers(at, labels, targets, shape)
        return {
            "name": part.loss_name,
            "weight": part.loss_weight,
            "value": number(value),
            "error": error,
            "takes": nature.takes,
            "over": nature.over,
            "targets": nature.targets,
            "reason": nature.reason,
            "free": free,
            "rescued": rescuable and _is_rescued(self.model, part, self.batch.x, free),
            "silent": nature.over == "classes" and _is_silent(at, some, shape),
            "pairs_up": pairs_up,
            "opposite": labels["zero_one"] and probing.asks_for_the_opposite(at, per_target, per_prediction),
            "repeats": nature.targets == "repeated" or probing.repeats_predictions(at, per_target, per_prediction),
            "heeds_labels": heeds,
            "aim": probing.aim(at, some, shape[1:]) if numeric and not (pairs_up or labels["zero_one"]) else "",
            "cut": None if known or not labels["zero_one"] else self._cut(at),
            "positive": numeric and probing.wants_positive(at, per_target, per_prediction),
            "one_answer": heeds
            and not known
            and not labels.get("one_hot")
            and probing.wants_one_answer(at, some, shape[1:], inside),
            "takes_negated": probing.takes_negated(at, per_target, per_prediction),
            "heeds_wild_labels": nature.takes != "unknown" and heeds_wild_labels(at, labels, some, shape),
        }

    def _cut(self, at: probing.Evaluate) -> float | None:
        """What a distance is compared with; None for an output that is no distance."""
        lower, upper = self.reach["lower"], self.reach["upper"]
        if self.targets is None or upper is not None or lower is None or lower < -1e-6:
            return None
        most = max(10.0, 2 * float(np.nanmax(self.predictions)))
        return probing.even_answer(at, self.targets.shape[1:], self.predictions.shape[1:], most)

    def _metric(self, metric: Any, targets: Any, end: float) -> dict[str, Any]:
        known = np.asarray(targets)

        def read(some: Any, given: Any) -> float:
            if time.perf_counter() > end:
                return math.nan
            try:
                metric.reset_state()
                metric.update_state(some, given)
                return float(np.mean(metric.result()))
            except Exception:  # shapes or values that it does not take
                return math.nan

        def at(some: np.ndarray, given: np.ndarray) -> float:
            return read(tf.convert_to_tensor(some.astype(known.dtype)), tf.convert_to_tensor(given))

        value = read(targets, self.part.predictions)
        nature = metrics.metric_nature(at, known[: self.few], self.predictions.shape[1:])
        minds = known.size == self.predictions.size and metrics.minds_labels(
            at, known[: self.few], self.predictions.shape[1:]
        )
        return {"name": metric.name, "value": value, "minds": minds, **nature}


def wanted(output: dict[str, Any]) -> Wanted:
    """What is wanted of an output, of which these are the facts."""
    loss, labels = output["loss"] or {}, output["labels"]
    instead = ""
    if output["weights"].get("negative"):
        instead = "some samples have negative weights, which ask for anything but their labels"
    elif labels.get("weighted_one_hot") and loss.get("takes") != "values":
        instead = "the targets hold what each choice was worth, and not which is right"
    elif loss.get("aim", "") not in ("", "labels") and not any(metric["minds"] for metric in output["metrics"]):
        instead = "the loss wants something else of the predictions than the targets themselves"
    return Wanted(
        class_numbers=labels.get("class_numbers"),
        instead=instead,
        cut=loss.get("cut"),
        below=bool(loss.get("opposite")) and loss.get("cut") is not None,
    )


def _asking(loss: Callable[[Any, Any, Any], Any], kind: np.dtype[Any]) -> probing.Evaluate:
    """The loss as a function on arrays, with targets of the kind that the batch has."""
    whole = kind if kind.kind == "f" else np.dtype(np.int64 if kind.itemsize == 8 else np.int32)

    def at(targets: np.ndarray, predictions: np.ndarray) -> float:
        wanted = whole if (targets == np.round(targets)).all() else np.dtype(np.float32)
        try:
            value = loss(tf.convert_to_tensor(targets.astype(wanted)), tf.convert_to_tensor(predictions), None)
            return float(np.mean(value))
        except Exception:  # class numbers out of range, shapes it does not take: an answer too
            return math.nan

    return at


def _is_silent(at: probing.Evaluate, targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the loss of these very targets is 0 whatever is predicted."""
    draw = np.random.default_rng(2)
    values = []
    for _ in range(2):
        rows = draw.uniform(0.05, 0.95, shape).astype(np.float32)
        values.append(at(targets, rows / rows.sum(-1, keepdims=True) if len(shape) > 1 and shape[-1] > 1 else rows))
    return all(math.isfinite(value) and abs(value) <= 1e-6 for value in values)


def _is_rescued(model: Any, part: Part, x: Any, free: float) -> bool:
    """Whether Keras finds the logits behind the probabilities: the loss then differs from that of the bare numbers.

    In the compiled step it also finds them by the softmax operation itself, which only a graph shows.
    """
    loss = part.loss
    assert loss is not None

    def differs(predictions: Any) -> Any:
        predictions._keras_mask = None  # a mask makes a difference of its own
        return abs(loss(part.targets, predictions, None) - free) > 1e-4 * max(1e-3, abs(free))

    def traced(some: Any) -> Any:
        return differs(leaves(forward(model, some))[part.index])

    mask = getattr(part.predictions, "_keras_mask", None)
    try:
        if np.any(differs(part.predictions)):
            return True
        return not model.run_eagerly and bool(np.any(tf.function(traced, autograph=False)(x)))
    except Exception:  # not traceable: then it is trained as it was just run
        return False
    finally:
        part.predictions._keras_mask = mask
