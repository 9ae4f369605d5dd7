"""Nested structures as Keras takes them: the names of their leaves."""

from __future__ import annotations

from typing import Any


def named_leaves(structure: Any) -> list[tuple[str, Any]]:
    """The leaves with a name each: the key in a dict, the position in a list, "" for a single one.

    >>> named_leaves({"right": 2, "left": 1}), named_leaves([5]), named_leaves(5)
    ([('left', 1), ('right', 2)], [('0', 5)], [('', 5)])
    """
    if isinstance(structure, dict):
        return [(str(key), value) for key, value in sorted(structure.items(), key=lambda item: str(item[0]))]
    if isinstance(structure, (list, tuple)):
        return [(str(index), value) for index, value in enumerate(structure)]
    return [("", structure)]
