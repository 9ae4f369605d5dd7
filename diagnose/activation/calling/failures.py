"""What went wrong with a call, as a kind and in words."""

from __future__ import annotations

import re

from diagnose.activation.calling.isolation import AteMemoryError, TookTooLongError
from diagnose.activation.facts import Failure


class UnusableError(Exception):
    """No call of f works; the failure says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.told)
        self.failure = failure


class WrongOutputError(Exception):
    """f came back with what is no tensor of numbers."""


def sentence(error: BaseException) -> str:
    """An error as one short line."""
    if isinstance(error, (TookTooLongError, AteMemoryError)):
        return str(error)
    if isinstance(error, WrongOutputError):
        return str(error)
    lines = [re.sub(r"^\{\{[^}]*\}\}\s*", "", line.strip()) for line in str(error).splitlines() if line.strip()]
    text = lines[0].rstrip(" ,;:") if lines else ""
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def kind_of(error: BaseException) -> str:
    """The kind of failure (`Failure.kind`) that an error is."""
    if isinstance(error, TookTooLongError):
        return "slow"
    if isinstance(error, (AteMemoryError, MemoryError)) or type(error).__name__ == "ResourceExhaustedError":
        return "memory"
    return "returns" if isinstance(error, WrongOutputError) else "raises"
