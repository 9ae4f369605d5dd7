"""What to change, as data: a kind, a place and a value, from which come the sentence, the code, and what `prove` tries.

`remedy_kinds.KINDS` is the closed table of kinds. How one is applied to a model by machine is the business of
`diagnose.callbacks.proving`, which needs Keras.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from diagnose.remedy_kinds import KINDS
from diagnose.wording import named

LAYER = re.compile(r'model\.get_layer\("([^"]*)"\)(?!\.get_layer)')  # at the first level of the model
LOOPED = 3  # layers from which on a loop reads better than a line for each


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change to a program that trains a model.

    kind: one of `KINDS`. where: Keras path of the layer that it changes; "" for the whole program. value: what it is
    changed to, JSON-able; its meaning goes with the kind. text: the change as an imperative sentence without its full
    stop. code: what a user pastes, with their own names in it; "" where nobody can write it for them. automatic:
    whether `prove` can apply it.

    Raises ValueError for an unknown kind, and TypeError for a value that is not JSON-able.
    """

    kind: str
    where: str = ""
    value: Any = None
    text: str = ""
    code: str = ""
    automatic: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; it must be one of {', '.join(sorted(KINDS))}.")
        try:
            json.dumps(self.value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"the value of a remedy must be JSON-able, and is {self.value!r}.") from error

    @property
    def parts(self) -> tuple[Remedy, ...]:
        """The changes that it is made of: those of "together", else itself alone."""
        if self.kind != "together":
            return (self,)
        return tuple(Remedy(**part) for part in self.value)

    @property
    def takes_place(self) -> bool:
        """Whether it changes one layer, and does not say yet which."""
        return KINDS[self.kind].at_layer and not self.where

    def to_dict(self) -> dict[str, Any]:
        """Its fields as plain types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def remedy(kind: str, where: str = "", value: Any = None, *, text: str = "", automatic: bool = True) -> Remedy:
    """A remedy of this kind, with its sentence and its code.

    text: a better sentence than the table's own, where the rule knows more. automatic: False where this one can't be
    applied by a machine, though others of its kind can.

    >>> made = remedy("learning-rate", value=0.01)
    >>> made.text, made.code, made.automatic
    ('Set the learning rate to 0.01', 'model.optimizer.learning_rate = 0.01', True)
    >>> print(remedy("replace-activation", "outer/dense_3", "tanh").code)
    model.get_layer("outer").get_layer("dense_3").activation = keras.activations.tanh
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(sorted(KINDS))}.")
    row = KINDS[kind]
    return Remedy(
        kind,
        where,
        value,
        text or row.text(_named([where]), value),
        row.code(where, value) if automatic else "",
        row.automatic and automatic,
    )


def parsed(text: str) -> Remedy:
    """The remedy that these words name: KIND, KIND=VALUE or KIND=VALUE@LAYER, as on the command line.

    Raises ValueError, saying what is known, for an unknown kind, and where a value is missing.

    >>> parsed("replace-activation=tanh@dense_1").text
    'Replace the activation of `dense_1` by `tanh`'
    >>> parsed("learning-rate=1e-3").value
    0.001
    """
    kind, _, rest = text.partition("=")
    if kind.partition("@")[0] in KINDS and not rest:
        kind, _, where = kind.partition("@")
        value: Any = None
    else:
        rest, _, where = rest.partition("@")
        try:
            value = json.loads(rest)
        except ValueError:
            value = rest
    try:
        return remedy(kind, where, value)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        if kind not in KINDS:
            raise ValueError(
                f"{text!r} names no kind of remedy; it must be one of {', '.join(sorted(KINDS))}."
            ) from None
        raise ValueError(f"{text!r} does not say what {kind} needs: write {kind}=VALUE ({error}).") from None


def advice(text: str, where: str = "", code: str = "") -> Remedy:
    """A change that only a person can make, such as one of the architecture.

    >>> advice("Add a skip connection").automatic
    False
    """
    return Remedy("advice", where, None, text.rstrip("."), code)


def together(remedies: Iterable[Remedy]) -> Remedy:
    """Several changes as one: the same at several layers, or two that help each other. One alone stays as it is.

    >>> both = together([remedy("replace-activation", f"dense_{n}", "tanh") for n in (1, 2)])
    >>> both.text
    'Replace the activation of `dense_1` and `dense_2` by `tanh`'
    >>> together([both, remedy("epochs", value=20)]).text
    'Replace the activation of `dense_1` and `dense_2` by `tanh`, and train for 20 epochs'
    """
    given = [*remedies]
    if len(given) == 1:
        return given[0]
    parts = [part for each in given for part in each.parts]
    return Remedy(
        "together",
        "",
        [part.to_dict() for part in parts],
        _joined_text(given, parts),
        _joined_code(parts),
        all(part.automatic for part in parts),
    )


def sentence_of(remedies: Iterable[Remedy]) -> str:
    """The remedies as one sentence, best first.

    >>> sentence_of([remedy("epochs", value=20), remedy("learning-rate", value=0.1)])
    'Train for 20 epochs, or set the learning rate to 0.1.'
    """
    texts = [each.text for each in remedies]
    return f"{_in_a_row(texts, 'or')}." if texts else ""


def named_for(given: Remedy, model: str) -> Remedy:
    """The remedy with its code written for a model of this name.

    A path within a model begins with the model's name, which `get_layer` does not want.

    >>> named_for(remedy("dropout", "net/drop", 0.2), "net").code
    'model.get_layer("drop").rate = 0.2'
    """
    if not given.code or given.kind == "advice":
        return given
    parts = [
        replace(part, code=KINDS[part.kind].code(part.where.removeprefix(f"{model}/"), part.value))
        for part in given.parts
    ]
    return replace(parts[0] if len(parts) == 1 else together(parts), text=given.text)


def _joined_text(given: list[Remedy], parts: list[Remedy]) -> str:
    """One sentence: what differs in the place alone is said once, with all places."""
    if len({(part.kind, json.dumps(part.value)) for part in parts}) == 1 and all(part.where for part in parts):
        return KINDS[parts[0].kind].text(_named(part.where for part in parts), parts[0].value)
    return _in_a_row([each.text for each in given], "and")


def _joined_code(parts: list[Remedy]) -> str:
    """The code of all parts, each once: what differs in the layer alone as a loop over their names."""
    names: dict[str, list[str]] = {}  # by the code with a variable in the place of the layer's name
    for code in dict.fromkeys(part.code for part in parts if part.code):
        found = LAYER.findall(code)
        body = LAYER.sub("model.get_layer(name)", code) if len(found) == 1 else code
        names.setdefault(body, []).extend(found if len(found) == 1 else [])
    return "\n".join(_looped(body, layers) for body, layers in names.items())


def _looped(body: str, layers: list[str]) -> str:
    """The body for these layers; as it is where it names none."""
    if len(layers) < LOOPED:
        return "\n".join(body.replace("(name)", f'("{layer}")') for layer in layers) or body
    among = ", ".join(f'"{layer}"' for layer in layers)
    return f"for name in ({among}):\n" + "\n".join(f"    {line}" for line in body.splitlines())


def _in_a_row(texts: list[str], word: str) -> str:
    return f", {word} ".join([texts[0], *(text[:1].lower() + text[1:] for text in texts[1:])])


def _named(places: Iterable[str]) -> str:
    """Layers as a sentence has them: the last part of their paths."""
    return named([where.rpartition("/")[2] for where in places if where], 6)
