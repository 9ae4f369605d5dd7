"""A traced function whose every write is undone after each call.

The shadow step runs the user's own `train_step`, which moves metrics, BatchNorm statistics, seeds, and whatever else
its author thought of. What it will touch is not guessed: it is traced first (which runs nothing), and the graph is
read, down into its nested functions. Each resource variable that any operation but a plain read touches is copied
before a call and put back after it, whoever owns it. An operation that acts on the world outside variables
(`numpy_function`, a table, an iterator of its own, a summary writer) can't be undone: then the function is refused,
with the reason. So is one that makes variables: what is to exist, and with which value, is the user's own step's to
say.

Tracing also runs Python, whose effects `model.restoring.pristine` puts back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context as eager_context
from tensorflow.python.framework import op_def_registry

from diagnose.callbacks.model.restoring import CannotUndo

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


class Reversible:
    """A function of tensors, traced once for the given specs, whose writes are undone after each call.

    function: takes tensors nested like `specs` and returns a structure of tensors.
    specs: nested `tf.TypeSpec`, one positional argument each. makes: whether it may make variables.
    Raises CannotUndo where the graph does what can't be undone, and whatever the tracing itself raises.
    """

    def __init__(self, function: Callable[..., Any], *specs: Any, makes: bool = False) -> None:
        refused: list[CannotUndo] = []

        def refuse(*_: Any, **__: Any) -> Any:
            refused.append(CannotUndo("the training step makes variables that were not there after its first call"))
            raise refused[0]

        def without_new_variables(*arguments: Any) -> Any:
            with tf.variable_creator_scope(refuse):
                return function(*arguments)

        traced = tf.function(function if makes else without_new_variables, autograph=False)
        try:
            self._concrete = traced.get_concrete_function(*specs)
        finally:
            if refused:  # whatever the user's own code made of it
                raise refused[0] from None
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
    config = config_pb2.ConfigProto()
    config.CopyFrom(context.config)
    config.allow_soft_placement = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    context.function_call_options = eager_context.FunctionCallOptions(before.executor_type, config)
    try:
        yield
    finally:
        context.function_call_options = before


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
    _walk(graph_def.node, {name: name for name in handles}, library, touched, set())
    written = []
    for name in touched:
        data = getattr(handles[name], "_handle_data", None)
        if data is None or not data.is_set or not data.shape_and_type:
            raise CannotUndo("the training step changes a table, queue or iterator, which cannot be put back")
        written.append((handles[name], tf.as_dtype(data.shape_and_type[0].dtype)))
    return written


def _walk(
    nodes: Iterable[Any], resources: dict[str, str], library: dict[str, Any], touched: set[str], walked: set[Any]
) -> None:
    """Collect in `touched` the captured resources that an operation other than a read takes.

    resources: names of tensors in this graph that are a captured resource -> name of that capture. walked: the
    functions walked so far, each with the resources that it was given.
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
                call = (function.signature.name, *inner.items())
                if call not in walked:
                    walked.add(call)
                    _walk(function.node_def, inner, library, touched, walked)
            continue
        if node.op in _READS:
            continue
        held = [owner for owner in owners if owner]
        touched.update(held)
        definition = op_def_registry.get(node.op)
        if (
            definition is not None
            and (definition.is_stateful or "PyFunc" in node.op)  # Python, whatever its author says of it
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
