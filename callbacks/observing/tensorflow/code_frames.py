"""Which function of the code made some operations of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.src.models import functional
from keras.src.ops import function

_LIBRARIES = tuple(str(Path(package.__file__).parent) for package in (keras, tf))
#: They call one operation of a functional model after the other, as its author wrote it.
_RUNNING = (functional.__file__, function.__file__)


@dataclass(frozen=True)
class Frame:
    """A function in the code. library: it is one of Keras or TensorFlow."""

    name: str
    library: bool


def innermost(operations: Sequence[Any]) -> Frame:
    """The innermost function during whose one call all of the operations were made."""
    stacks = [list(op.traceback) for op in operations]
    found = stacks[0][0]
    for frames in zip(*stacks, strict=False):
        if len({(frame.filename, frame.name) for frame in frames}) > 1:
            break
        found = frames[0]
        if len({frame.lineno for frame in frames}) > 1:
            break
    runs = found.filename in _RUNNING or found.name == "call"  # of operations, two of which look alike from here
    return Frame(found.name, found.filename.startswith(_LIBRARIES) and not runs)
