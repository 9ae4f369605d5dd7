"""What a function is called in a report: its own name, or the code of a lambda."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from types import CodeType
from typing import Any

#: Longest piece of code that serves as a name.
LONGEST = 60


def name_of(f: Any) -> str:
    """A short name for people.

    >>> import math
    >>> name_of(math.tanh), name_of(functools.partial(math.pow, 2.0))
    ('tanh', 'partial(pow, 2.0)')
    """
    if isinstance(f, str):
        return f
    if isinstance(f, functools.partial):
        bound = [repr(argument) for argument in f.args] + [f"{key}={value!r}" for key, value in f.keywords.items()]
        return _shortened(f"partial({', '.join([name_of(f.func), *bound])})")
    if hasattr(f, "add_weight"):  # a Keras layer: its own name is a number, its class says more
        return type(f).__name__
    name = str(getattr(f, "__name__", "") or getattr(f, "name", "") or type(f).__name__)
    return (_lambda_code(f) or "<lambda>") if name == "<lambda>" else name


def with_article(noun: str) -> str:
    """The noun behind its article, by its first letter.

    >>> with_article("int"), with_article("list")
    ('an int', 'a list')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _shortened(code: str) -> str:
    code = " ".join(code.split())
    return code if len(code) <= LONGEST else code[: LONGEST - 3] + "..."


def _lambda_code(f: Any) -> str:
    """The body of a lambda, if its source can be read and tells which of several it is."""
    code = getattr(inspect.unwrap(f), "__code__", None)
    if code is None:
        return ""
    lines = linecache.getlines(code.co_filename)
    if not lines:
        with_source = inspect.getsourcefile(f) if not code.co_filename.startswith("<") else None
        lines = linecache.getlines(with_source) if with_source else []
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return ""
    found = {
        ast.unparse(node.body)
        if len(node.args.args) == 1 and _uses(node.body, node.args.args[0].arg)
        else ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno and _fits(node, code)
    }
    return _shortened(found.pop()) if len(found) == 1 else ""


def _uses(body: ast.expr, name: str) -> bool:
    """The body has the argument in it, and does something to it: else it would not read as a formula."""
    return not isinstance(body, ast.Name) and any(
        isinstance(node, ast.Name) and node.id == name for node in ast.walk(body)
    )


def _fits(node: ast.Lambda, code: CodeType) -> bool:
    """The lambda has the names and constants that the code object has."""
    try:
        module = compile(ast.Expression(body=node), "<lambda>", "eval")
    except (SyntaxError, ValueError):
        return False
    mine = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    used = {*code.co_names, *code.co_freevars}
    return (
        mine.co_varnames == code.co_varnames
        and {*mine.co_names, *mine.co_freevars} == used
        and [c for c in mine.co_consts if not isinstance(c, CodeType)]
        == [c for c in code.co_consts if not isinstance(c, CodeType)]
    )
