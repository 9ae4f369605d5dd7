"""The audit: model, loss, metrics, labels and one batch, looked at together before any training.

Nothing is judged here, and nothing goes by names. `facts` lets the model answer one batch in inference mode, hands its
losses and metrics predictions made for the purpose (`output_facts`), draws its weights at random to see what its
outputs can say at all (`output_range`), and writes down plain numbers: an `AuditFacts`, whose records say what each of
them means. The rules of the parts "configuration" and "reporting" read them.

The model is borrowed (`borrowed_model`): it is given back as it was found.
"""

from __future__ import annotations

import inspect
import math
import time
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from diagnose._version import __version__
from diagnose.api import Diagnosis, examine
from diagnose.callbacks.auditing.batch_dependence import mix_facts
from diagnose.callbacks.auditing.batch_sample import draws, erased, first_batch, sizes_entering
from diagnose.callbacks.auditing.borrowed_model import borrowed, build
from diagnose.callbacks.auditing.levelling import compares, levelled
from diagnose.callbacks.auditing.output_facts import OutputAudit
from diagnose.callbacks.auditing.outputs_and_losses import parts_of
from diagnose.callbacks.model.arrays import arrays, leaves, taken
from diagnose.callbacks.model.outputs import names_of, place_of
from diagnose.outcome.task import Wanted
from diagnose.run.audit import AuditFacts, OutputFacts
from diagnose.run.meta import Facts, LossName, ModelFacts
from diagnose.run.run import Run


def audit(model: Any, x: Any, y: Any = None, sample_weight: Any = None) -> Diagnosis:
    """Look at a compiled model and one batch before any training, and say what is wrong with their configuration.

    model: compiled. If it is not built yet it is built for x, as its first call would do; nothing else in it changes.
    x, y, sample_weight: as for `fit`; of more than 256 samples, 256 spread over all are looked at. `y` may be None:
        then what needs labels is not measured. Class weights go in as sample weights.

    The diagnosis' outcome is "unknown", since nothing was trained; its causes are what would spoil a training.

    Raises ValueError for a model that is not compiled, an empty batch, labels of strings, x, y and sample_weight of
    different lengths, and a model whose answer to one sample holds over eight million numbers; TypeError for a dataset
    or generator in the place of one batch.
    """
    _refuse_what_is_no_batch(model, x, y, sample_weight)
    seen = facts(model, x, y, sample_weight)
    known = Facts(
        versions={"keras": keras.__version__, "tensorflow": tf.__version__, "keras-diagnose": __version__},
        model=ModelFacts(
            name=model.name,
            class_name=type(model).__name__,
            parameters=sum(math.prod(variable.shape) for variable in model.weights),
            trainable_parameters=sum(math.prod(variable.shape) for variable in model.trainable_weights),
            precision=model.dtype_policy.name,
        ),
        loss=LossName(", ".join(output.loss.name for output in seen.outputs if output.loss)),
        metrics=tuple(metric.name for output in seen.outputs for metric in output.metrics),
        audit=seen,
    )
    return examine(Run(known))


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


def facts(model: Any, x: Any, y: Any, sample_weight: Any = None) -> AuditFacts:
    """What one batch tells about the configuration.

    x, y, sample_weight: arrays or tensors, in the structures that `fit` hands to `train_step`.
    Raises TooLargeError where the model's answer to one sample is more than the audit may hold.
    """
    start = time.perf_counter()
    x, y, sample_weight = arrays(x), arrays(y), arrays(sample_weight)
    build(model, x)
    with borrowed(model):
        batch = first_batch(model, x)
        few_y, few_weights = taken(y, batch.rows), taken(sample_weight, batch.rows)
        parts, whole = parts_of(model, batch.x, few_y, batch.predictions, few_weights)
        mixed = mix_facts(model, x, batch)  # asks the model anew, which leaves other penalties behind
        drawn = draws(model, x, batch, parts)
        alike = levelled(batch.heard)
        comparing = compares(model, batch.x, batch.predictions)
        outputs = tuple(
            replace(
                OutputAudit(model, part, drawn, batch).facts(x, y, sample_weight),
                name=name,
                where=place_of(model, part.index),
                mixes=mixed[part.index],
            )
            for part, name in zip(parts, names_of(model, batch.predictions), strict=True)
        )
    return AuditFacts(
        samples=len(batch.rows),
        seconds=round(time.perf_counter() - start, 3),
        multiplications=batch.work,
        iterations=int(model.optimizer.iterations) if model.optimizer is not None else 0,
        loss=whole,
        entering=sizes_entering(*batch.entering) if batch.entering else None,
        erased=erased(*batch.entering) if batch.entering else None,
        levelled=alike,
        compares=comparing,
        outputs=outputs,
    )


def wanted(output: OutputFacts) -> Wanted:
    """What is wanted of an output, of which these are the facts."""
    loss, labels = output.loss, output.labels
    instead = ""
    if output.weights.negative:
        instead = "some samples have negative weights, so the loss is least for predictions unlike their labels"
    elif labels.weighted_one_hot and (loss is None or loss.takes != "values"):
        instead = "the targets hold the value of each choice, and not which is right"
    elif loss and loss.aim not in ("", "labels") and not any(metric.minds for metric in output.metrics):
        instead = "the loss is least for other predictions than the targets"
    cut = loss.cut if loss else None
    return Wanted(
        class_numbers=labels.class_numbers,
        instead=instead,
        cut=cut,
        below=loss is not None and loss.opposite and cut is not None,
    )
