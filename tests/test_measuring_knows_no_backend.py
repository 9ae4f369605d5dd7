"""Measuring takes plain arrays and callables: another backend brings its own observer, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import diagnose

CALLBACKS = Path(diagnose.__file__).parent / "callbacks"
#: The package `diagnose.callbacks` itself brings the callbacks, and Keras with them: here it is an empty one.
IMPORT = """
import importlib, sys, types
import diagnose
package = sys.modules["diagnose.callbacks"] = types.ModuleType("diagnose.callbacks")
package.__path__ = [sys.argv[1]]
for name in sys.argv[2:]:
    importlib.import_module(name)
print(*sorted({"tensorflow", "keras", "jax", "torch"} & sys.modules.keys()))
"""


def modules_of(room: str) -> list[str]:
    return [f"diagnose.callbacks.{room}.{file.stem}" for file in sorted((CALLBACKS / room).glob("[!_]*.py"))]


def test_measuring_and_what_observers_hand_over_load_no_backend():
    names = modules_of("measuring") + modules_of("observing")
    assert {"diagnose.callbacks.measuring.observations", "diagnose.callbacks.observing.reading"} <= set(names)
    done = subprocess.run([sys.executable, "-c", IMPORT, str(CALLBACKS), *names], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
