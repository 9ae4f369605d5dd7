"""What is known of a model before anything is measured, as the run's facts hold it."""

from __future__ import annotations

import datetime
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from diagnose._version import __version__
from diagnose.activation.calling.captured_variables import captured_variables
from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.callbacks.model.optimizers import learning_rate_of, optimizers_of, otherwise_trained
from diagnose.run.meta import Facts, LayerFacts, LossName, ModelFacts, OptimizerFacts


def describe(model: Any, facts: Facts) -> Facts:
    """What is known of a run, with versions, model, loss, metrics and optimizer as this model has them now.

    facts: what was known before; all else of it stays, and `created` becomes this moment.
    """
    optimizers = optimizers_of(model)
    return replace(
        facts,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        versions={
            "keras-diagnose": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
        model=describe_layers(model),
        loss=LossName(_name_of(getattr(model, "loss", None))),
        metrics=tuple(_name_of(metric) for metric in getattr(model, "metrics", [])),
        optimizer=_describe_optimizer(optimizers[0]) if optimizers else OptimizerFacts(),
    )


def describe_layers(model: Any, called: Sequence[str] = ()) -> ModelFacts:
    """The model's layers, in the order of the calls: where the model does not tell it (subclassed), that of `called`.

    called: paths of layers as they were seen being called. A layer not among them comes behind the one that Keras
    lists before it. What another layer is made of (a recurrent layer's cell) comes with that layer.
    """
    layers = [layer for layer in leaf_layers(model) if not _is_container(layer)]
    inbound = _inbound(model)
    within = _within([*inbound, *layers], inbound)
    places = {layer: place for place, layer in enumerate(inbound)}
    ordered = [layer for layer in inbound if layer in layers]
    ordered += _by_call([layer for layer in layers if layer not in inbound], called)
    ordered.sort(key=lambda layer: places.get(within.get(layer, layer), len(places)))
    left_out, still_trained = otherwise_trained(model) if model.built else ([], [])
    return ModelFacts(
        name=model.name,
        class_name=type(model).__name__,
        precision=str(getattr(model.dtype_policy, "name", "")),
        parameters=int(sum(_size(variable) for variable in model.weights)) if model.built else None,
        trainable_parameters=int(sum(map(_size, model.trainable_variables))) if model.built else None,
        left_out=tuple(variable.path for variable in left_out),
        still_trained=tuple(variable.path for variable in still_trained),
        layers=tuple(
            _describe_layer(layer, order, inbound.get(layer), within.get(layer)) for order, layer in enumerate(ordered)
        ),
    )


def _describe_layer(layer: Any, order: int, inbound: Sequence[Any] | None, within: Any) -> LayerFacts:
    return LayerFacts(
        path=path_of(layer),
        class_name=type(layer).__name__,
        order=order,
        variables=tuple(variable.path for variable in layer.variables),
        fan_in=_fan_in(layer),
        trainable=bool(layer.trainable),
        units=_static(getattr(layer, "units", None) or getattr(layer, "filters", None)),
        rate=_static(getattr(layer, "rate", None)),
        momentum=_static(getattr(layer, "momentum", None)),
        constraint=type(bound).__name__ if (bound := getattr(layer, "kernel_constraint", None)) else "",
        loose=tuple(getattr(each, "path", each.name) for each in loose_parameters(layer)),
        inbound=None if inbound is None else tuple(path_of(parent) for parent in inbound),
        within=None if within is None else path_of(within),
    )


def _fan_in(layer: Any) -> int | None:
    if isinstance(layer, keras.layers.Embedding):  # its rows are read, not multiplied
        return None
    kernels = (variable.shape for variable in layer.trainable_variables if len(variable.shape) > 1)
    return next((math.prod(shape[:-1]) for shape in kernels), None)


def loose_parameters(layer: Any) -> list[Any]:
    """Trainable variables that a layer reads and Keras does not know of: TensorFlow's own, or its function's."""
    held = [value for value in vars(layer).values() if isinstance(value, tf.Variable)]
    held += captured_variables(layer.function) if isinstance(layer, keras.layers.Lambda) else []
    return [variable for variable in held if variable.trainable and tf.as_dtype(variable.dtype).is_floating]


def _within(layers: Sequence[Any], inbound: Mapping[Any, Any]) -> dict[Any, Any]:
    """For each layer that the graph does not know and that another one holds, the outermost of those."""
    within: dict[Any, Any] = {}
    for layer in layers:
        for inner in leaf_layers(layer) if layer not in within else ():
            if inner not in inbound:
                within[inner] = layer
    return within


def _by_call(layers: list[Any], called: Sequence[str]) -> list[Any]:
    first = {path: order for order, path in reversed(list(enumerate(called)))}
    order, orders = -1, {}
    for layer in layers:
        order = orders[layer] = first.get(path_of(layer), order)
    return sorted(layers, key=lambda layer: orders[layer])


def _inbound(model: Any) -> dict[Any, list[Any]]:
    """For each layer of a functional model, the layers that feed it, through plain operations; in topological order.

    A nested functional model stands for its layers: what it feeds is fed by its last one.
    """
    parents: dict[Any, list[Any]] = {}
    nodes = getattr(model, "_nodes_by_depth", None)
    if not nodes and hasattr(model, "_functional") and model._functional is not None:
        nodes = getattr(model._functional, "_nodes_by_depth", None)
    if not nodes:
        return parents
    sources: dict[Any, list[Any]] = {}
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            operation = node.operation
            feeding: list[Any] = []
            for parent in node.parent_nodes:
                feeding += sources.get(parent.operation, [])
            feeding = list(dict.fromkeys(feeding))
            inner = _inbound(operation) if isinstance(operation, keras.Model) else {}
            if inner:
                for layer, fed_by in inner.items():
                    parents[layer] = list(dict.fromkeys([*fed_by, *([] if fed_by else feeding)]))
                sources[operation] = [list(inner)[-1]]
            elif isinstance(operation, keras.layers.InputLayer):
                sources[operation] = []
            elif isinstance(operation, keras.layers.Layer):
                known = parents.get(operation, [])
                parents[operation] = list(dict.fromkeys([*known, *feeding]))
                sources[operation] = [operation]
            else:
                sources[operation] = feeding
    return parents


def _is_container(layer: Any) -> bool:
    return isinstance(layer, (keras.Model, keras.layers.InputLayer))


def _describe_optimizer(optimizer: Any) -> OptimizerFacts:
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    try:
        rate = learning_rate_of(inner)
    except Exception:  # a schedule that needs a built optimizer; the rate is measured at each observation anyway
        rate = None

    def setting(name: str) -> Any:
        value = getattr(inner, name, None)
        return value if isinstance(value, (int, float, bool)) else None

    return OptimizerFacts(
        class_name=type(inner).__name__,
        loss_scaling=inner is not optimizer,
        clipnorm=setting("clipnorm"),
        global_clipnorm=setting("global_clipnorm"),
        clipvalue=setting("clipvalue"),
        weight_decay=setting("weight_decay"),
        momentum=setting("momentum"),
        use_ema=setting("use_ema"),
        gradient_accumulation_steps=getattr(inner, "gradient_accumulation_steps", None),
        learning_rate=rate,
    )


def _name_of(thing: Any) -> Any:
    if thing is None or isinstance(thing, str):
        return thing
    if isinstance(thing, dict):
        return {str(key): _name_of(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_name_of(value) for value in thing]
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__)


def _static(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _size(variable: Any) -> int:
    size = 1
    for axis in variable.shape:
        size *= int(axis or 0)
    return size
