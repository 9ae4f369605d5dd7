"""A function named in words, as on the command line: `module:function`, `path/to/file.py:function`, or Keras' name.

Each error is one line that says what came in, what would have been right and what there is.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diagnose.activation.calling.naming import with_article

#: How a function of one's own is named.
FORMS = '"module:function" or "path/to/file.py:function"'


class SpecError(ValueError):
    """The words name no function; the message says what to write instead."""


def check_spec(spec: str) -> tuple[str, str]:
    """The place ("" for Keras) and the name that `spec` names, as far as that can be told without running anything.

    Raises SpecError for words of another form, and where there is no such file or module.

    >>> check_spec("math:tanh"), check_spec(" relu")
    (('math', 'tanh'), ('', 'relu'))
    """
    spec = spec.strip()
    if not spec:
        raise SpecError(f"the function is missing: write {FORMS} or a Keras name.")
    place, separator, name = spec.rpartition(":")
    if not separator:
        if spec.endswith(".py"):
            raise SpecError(f'{spec!r} names a file but no function in it: write "{spec}:function".')
        if "." in spec or not spec.isidentifier():
            own = ":".join(spec.rsplit(".", 1)) if all(part.isidentifier() for part in spec.split(".")) else ""
            hint = f"did you mean {own}?" if own else f"for a function of your own write {FORMS}."
            raise SpecError(f"{spec!r} is no name of Keras; {hint}")
        return "", spec
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise SpecError(f"{spec!r} is incomplete: write {FORMS}.")
    if place.endswith(".py"):
        if not Path(place).expanduser().is_file():
            raise SpecError(f"there is no file {place!r}.")
    elif not all(part.isidentifier() for part in place.split(".")):
        raise SpecError(f"{place!r} is neither a module nor a file that ends in .py: write {FORMS}.")
    elif not _is_there(place.partition(".")[0]):
        raise SpecError(_no_module(place))
    return place, name


def resolve(spec: str) -> Any:
    """The function that `spec` names. Raises SpecError (a ValueError) with a one-line message if there is none.

    >>> resolve("relu").__name__
    'relu'
    >>> resolve("math:tanh")
    <built-in function tanh>
    """
    place, name = check_spec(spec)
    if not place:
        return keras_activation(name)
    module = _from_file(Path(place).expanduser()) if place.endswith(".py") else _from_name(place)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise SpecError(f"{place!r} has no {name!r}{_offer(name, _functions(module))}") from None
        except Exception as error:  # a module may load its parts when they are asked for
            raise SpecError(f"{name!r} of {place!r} can't be loaded: {_line(error)}") from error
    if isinstance(found, type):
        found = _instance(found, spec)
    if not callable(found):
        raise SpecError(f"{spec!r} is {with_article(type(found).__name__)}, which can't be called; name a function.")
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
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    try:
        with _found_in(path.resolve().parent):  # a script finds its neighbours
            module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SpecError(f"{str(path)!r} can't be loaded: {_line(error)}") from error
    return module


def _from_name(name: str) -> Any:
    try:
        with _found_in(Path.cwd()):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (name == missing or name.startswith(missing + ".")):
            raise SpecError(_no_module(name)) from error
        raise SpecError(f"module {name!r} can't be imported: {_line(error)}") from error


def _no_module(name: str) -> str:
    return f"there is no module {name!r} in this folder or installed; for a file write path/to/file.py:function."


def _is_there(name: str) -> bool:
    """Whether a module of this name, without dots, could be imported; it is not."""
    with _found_in(Path.cwd()), contextlib.suppress(ValueError):  # a module without a spec, such as __main__
        return name in sys.modules or importlib.util.find_spec(name) is not None
    return False


@contextlib.contextmanager
def _found_in(folder: Path) -> Iterator[None]:
    """Modules are also looked for in this folder, as `python -m` does."""
    added = str(folder)
    sys.path.insert(0, added)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if added in sys.path:
            sys.path.remove(added)


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
    """The last line of the error's traceback, and the line of the user's module that it came from."""
    text = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    steps = [(step.filename, step.lineno) for step in traceback.extract_tb(error.__traceback__)]
    places = [place for place in steps if place[0] not in (__file__, importlib.__file__) and place[0][0] != "<"]
    if isinstance(error, SyntaxError) and error.filename:
        places = [(error.filename, error.lineno)]
    return f"{text} (line {places[0][1]} of {Path(places[0][0]).name})" if places else text
