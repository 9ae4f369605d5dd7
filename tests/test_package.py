"""What a user gets who installs the package: its door is light, and it takes no name that is theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "pandas", "matplotlib", "jinja2", "rich", "sklearn")


@pytest.mark.parametrize(
    "what", ["import diagnose", "import diagnose.cli; diagnose.cli.main(['--help'], standalone_mode=False)"]
)
def test_the_door_is_light(what):
    """TensorFlow takes seconds to load; nobody should wait for it who only asks for help or reads a run."""
    code = f"{what}\nimport sys\nprint('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.splitlines()[-1].strip() == "LOADED"


def test_no_package_named_callbacks_gets_in_a_users_way(tmp_path):
    (tmp_path / "callbacks.py").write_text("mine = True\n")
    code = "import callbacks, diagnose.callbacks; print(callbacks.mine)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert out.strip().endswith("True")


def test_every_public_name_is_there():
    import diagnose
    import diagnose.callbacks

    for module in (diagnose, diagnose.callbacks):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_room_is_installed():
    """`packages = find:` takes a folder only where it finds an `__init__.py`, also behind the link to callbacks/."""
    package = Path(__file__).parent.parent / "diagnose"
    holding = {folder: files for folder, _, files in os.walk(package, followlinks=True) if has_code(files)}
    assert str(package / "callbacks" / "watching") in holding
    assert [folder for folder, files in holding.items() if "__init__.py" not in files] == []


def has_code(files: list[str]) -> bool:
    return any(file.endswith(".py") for file in files)
