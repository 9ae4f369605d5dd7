"""What a user gets who installs the package: its door is light, and it takes no name that is theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "pandas", "matplotlib", "jinja2")


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


def test_the_packages_listed_are_the_packages_there():
    import configparser

    root = Path(__file__).parent.parent
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {".".join(init.parent.relative_to(root).parts) for init in root.joinpath("diagnose").rglob("__init__.py")}
    assert listed == there | {"diagnose.callbacks"}
