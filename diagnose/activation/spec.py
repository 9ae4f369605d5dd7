"""A function named in words, as on the command line: `module:function`, `path/to/file.py:function`, or Keras' name.

Each error is one line that says what came in, what would have been right and what there is.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """The words name no function; the message says what to write instead."""


def resolve(spec: str) -> Any:
    """The function that `spec` names. Raises SpecError (a ValueError) with a one-line message if there is none.

    >>> resolve("relu").__name__
    'relu'
    >>> resolve("math:tanh")
    <built-in function tanh>
    """
    spec = spec.strip()
    if not spec:
        raise SpecError('the function is missing: write "module:function", "path/to/file.py:function" or a Keras name.')
    place, separator, name = spec.rpartition(":")
    if not separator:
        if spec.endswith(".py"):
            raise SpecError(f'{spec!r} names a file but no function in it: write "{spec}:function".')
        return keras_activation(spec)
    if not place or not name:
        raise SpecError(f'{spec!r} is incomplete: write "module:function" or "path/to/file.py:function".')
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise SpecError(f"{place!r} has no {name!r}{_offer(name, _functions(module))}")
        found = getattr(found, part)
    if isinstance(found, type):
        found = _instance(found, spec)
    if not callable(found):
        raise SpecError(f"{spec!r} is a {type(found).__name__}, which can't be called; name a function.")
    return found


def keras_activation(name: str) -> Any:
    """Keras' activation of this name. Raises SpecError, naming the nearest ones, for an unknown name."""
    import keras

    try:
        found = keras.activations.get(name)
    except ValueError:
        found = None
    if found is None or not callable(found):
        known = sorted(keras_names())
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"Keras has: {', '.join(known)}."
        raise SpecError(f"Keras has no activation {name!r}; {hint}") from None
    return found


def keras_names() -> list[str]:
    """Names of all activations that this Keras has."""
    import keras

    names = [name for name in dir(keras.activations) if not name.startswith("_")]
    return [
        name
        for name in names
        if name not in ("get", "serialize", "deserialize") and callable(getattr(keras.activations, name))
    ]


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise SpecError(f"there is no file {str(path)!r}.")
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # a script finds its neighbours
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SpecError(f"{str(path)!r} can't be loaded: {_line(error)}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def _from_name(name: str) -> Any:
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)  # as `python -m` does: a module of the project one stands in
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(missing + "."):
            raise SpecError(f"there is no module {name!r} here or installed.") from error
        raise SpecError(f"module {name!r} needs {missing!r}, which is not installed.") from error
    except (Exception, SystemExit) as error:
        raise SpecError(f"module {name!r} can't be imported: {_line(error)}") from error
    finally:
        if added and here in sys.path:
            sys.path.remove(here)


def _instance(found: type, spec: str) -> Any:
    """A class named in words is most often a layer without arguments."""
    try:
        return found()
    except Exception as error:
        raise SpecError(
            f"{spec!r} is a class that needs arguments; name an instance of it ({_line(error)})."
        ) from error


def _functions(module: Any) -> list[str]:
    own = getattr(module, "__name__", "")
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and callable(thing) and getattr(thing, "__module__", own) == own
    ]


def _offer(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; it has: {', '.join(sorted(known)[:12])}." if known else "; it defines no function."


def _line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
