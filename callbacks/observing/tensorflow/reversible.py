"""A traced function whose every write is undone after each call.

The shadow step runs the user's own `train_step`, which moves metrics, BatchNorm statistics, seeds, and whatever else
its author thought of. What it will touch is not guessed: it is traced first (which runs nothing), and the graph is
read, down into its nested functions. Each resource variable that any operation but a plain read touches is copied
before a call and put back after it, whoever owns it. An operation that acts on the world outside variables
(`numpy_function`, a table, an iterator of its own, a summary writer) can't be undone: then the function is refused,
with the reason.

Tracing also runs Python: it may count attributes up and draw from Python's, NumPy's and TensorFlow's eager generators.
`pristine` puts those back.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context as eager_context
from tensorflow.python.framework import op_def_registry

#: Operations that only read a variable or table.
_READS = frozenset(
    {
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VariableShape",
        "VarIsInitializedOp",
        "LookupTableFindV2",
        "LookupTableSizeV2",
    }
)
#: Stateful operations that leave nothing behind: their state is the operation's own, or lives within one call.
_HARMLESS_PREFIXES = (
    "Assert",
    "CheckNumerics",
    "CudnnRNN",
    "Multinomial",
    "Parameterized",
    "Placeholder",
    "Print",
    "Random",
    "Stack",
    "TensorArray",
    "TensorList",
    "TruncatedNormal",
    "VarHandleOp",
    "DestroyResourceOp",
    "XlaLaunch",
    "_",
)
#: Where an operation that calls functions keeps their names, and how many of its inputs come before their arguments.
_FUNCTION_ATTRIBUTES = {
    "f": 0,
    "body": 0,
    "cond": 0,
    "then_branch": 1,
    "else_branch": 1,
    "branches": 1,
    "function": 0,
    "forward_fn": 0,
}


class CannotUndo(Exception):  # noqa: N818 - a reason for not observing, not an error of the user's
    """The function does something that could not be put back; the message says what, for the user."""


class Reversible:
    """A function of tensors, traced once for the given specs, whose writes are undone after each call.

    function: takes tensors nested like `specs` and returns a structure of tensors.
    specs: nested `tf.TypeSpec`, one positional argument each.
    Raises CannotUndo where the graph does what can't be undone, and whatever the tracing itself raises.
    """

    def __init__(self, function: Callable[..., Any], *specs: Any) -> None:
        traced = tf.function(function, autograph=False)
        self._concrete = traced.get_concrete_function(*specs)
        self._written = _written_variables(self._concrete)

    def __call__(self, *arguments: Any) -> Any:
        """The function's result; every variable it wrote is as it was before, also when it raises."""
        before = [tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype) for handle, dtype in self._written]
        try:
            with _unoptimized():
                return self._concrete(*arguments)
        finally:
            for (handle, _), value in zip(self._written, before, strict=True):
                tf.raw_ops.AssignVariableOp(resource=handle, value=value)


@contextlib.contextmanager
def _unoptimized() -> Iterator[None]:
    """Functions called in the body are run as they were traced, without TensorFlow's graph optimizer.

    It is at work for half of a first call, and a function that is called now and then never earns that back.
    """
    context = eager_context.context()
    before = context.function_call_options
    context.function_call_options = eager_context.FunctionCallOptions(before.executor_type, _as_traced())
    try:
        yield
    finally:
        context.function_call_options = before


@functools.cache
def _as_traced() -> Any:
    config = config_pb2.ConfigProto()
    config.CopyFrom(eager_context.context().config)
    config.allow_soft_placement = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def _written_variables(concrete: Any) -> list[tuple[Any, Any]]:
    """Handle and dtype of each variable that the function may write; raises CannotUndo for any other effect."""
    graph_def = concrete.graph.as_graph_def()
    library = {function.signature.name: function for function in graph_def.library.function}
    handles = {
        placeholder.op.name: capture
        for capture, placeholder in concrete.graph.captures
        if placeholder.dtype == tf.resource
    }
    touched: set[str] = set()
    _walk(graph_def.node, {name: name for name in handles}, library, touched)
    written = []
    for name in touched:
        data = getattr(handles[name], "_handle_data", None)
        if data is None or not data.is_set or not data.shape_and_type:
            raise CannotUndo("the training step changes a table, queue or iterator, which cannot be put back")
        written.append((handles[name], tf.as_dtype(data.shape_and_type[0].dtype)))
    return written


def _walk(nodes: Iterable[Any], resources: dict[str, str], library: dict[str, Any], touched: set[str]) -> None:
    """Collect in `touched` the captured resources that an operation other than a read takes.

    resources: names of tensors in this graph that are a captured resource -> name of that capture.
    """
    resources = dict(resources)
    for node in nodes:
        inputs = [name.split(":")[0] for name in node.input if not name.startswith("^")]
        owners = [resources.get(name) for name in inputs]
        if node.op in ("Identity", "Enter", "Switch") and owners and owners[0]:
            resources[node.name] = owners[0]
            continue
        calls = _called_functions(node, library)
        if calls:
            for function, skipped in calls:
                names = [argument.name for argument in function.signature.input_arg]
                inner = {name: owner for name, owner in zip(names, owners[skipped:], strict=False) if owner}
                _walk(function.node_def, inner, library, touched)
            continue
        if node.op in _READS:
            continue
        held = [owner for owner in owners if owner]
        touched.update(held)
        definition = op_def_registry.get(node.op)
        if (
            definition is not None
            and definition.is_stateful
            and not held
            and not node.op.startswith(_HARMLESS_PREFIXES)
        ):
            raise CannotUndo(f"the training step runs the operation {node.op}, whose effect cannot be put back")


def _called_functions(node: Any, library: dict[str, Any]) -> list[tuple[Any, int]]:
    calls = []
    for attribute, skipped in _FUNCTION_ATTRIBUTES.items():
        if attribute in node.attr:
            value = node.attr[attribute]
            for function in [value.func, *value.list.func]:
                if function.name in library:
                    calls.append((library[function.name], skipped))
    if not calls and node.op in library:  # a direct call by the function's own name
        calls.append((library[node.op], 0))
    return calls


@contextlib.contextmanager
def pristine(owners: Iterable[Any], *, building: bool = False) -> Iterator[None]:
    """Put back, at the end, what running Python may have changed.

    owners: objects (model, layers, optimizers) whose own plain attributes are put back: numbers and texts, and the
        members of lists, dicts and sets. Attributes that did not exist before stay, and so does Keras' own bookkeeping.
        The states of Python's, NumPy's and TensorFlow's eager random generators are put back too.
    building: the body builds the model, as the user's own step would have done. Then only numbers are put back (a
        counter of train_step's), since the rest may belong to the build, and the generators stay where it left them.
    """
    plain: list[tuple[dict[str, Any], str, Any]] = []
    containers: list[tuple[Any, list[Any]]] = []
    for owner in owners:
        attributes = getattr(owner, "__dict__", {})
        for name, value in list(attributes.items()):
            keras_own = name.startswith("_")  # of those, only counters: Keras' flags and lists must follow the build
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                plain.append((attributes, name, value))
            elif building or keras_own or name == "built":
                continue
            elif isinstance(value, (bool, str, bytes, complex, type(None))):
                plain.append((attributes, name, value))
            elif isinstance(value, (list, dict, set)):
                containers.append((value, _members(value)))
    states = None if building else _generator_states()
    try:
        yield
    finally:
        for attributes, name, value in plain:
            if name in attributes and attributes[name] is not value:
                attributes[name] = value
        for container, members in containers:
            now = _members(container)
            if len(now) != len(members) or any(x is not y for x, y in zip(now, members, strict=True)):
                _refill(container, members)
        if states is not None:
            _restore_generators(states)


def _members(container: Any) -> list[Any]:
    if isinstance(container, dict):
        return [*container.keys(), *container.values()]
    return list(container)


def _refill(container: Any, members: list[Any]) -> None:
    container.clear()
    if isinstance(container, dict):
        half = len(members) // 2
        container.update(zip(members[:half], members[half:], strict=True))
    elif isinstance(container, set):
        container.update(members)
    else:
        container.extend(members)


def _generator_states() -> tuple[Any, ...]:
    return (
        random.getstate(),
        np.random.get_state(),
        eager_context.context()._rng.getstate() if getattr(eager_context.context(), "_rng", None) else None,
    )


def _restore_generators(states: tuple[Any, ...]) -> None:
    python, numpy_, tensorflow = states
    random.setstate(python)
    np.random.set_state(numpy_)
    if tensorflow is not None:
        eager_context.context()._rng.setstate(tensorflow)
