"""Who may import whom is a contract (setup.cfg), and the contract sees what it speaks of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the contract in a tree."""
    command = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False
    )


def test_a_planted_import_is_seen_wherever_it_hides(tmp_path: Path):
    """Behind the link to callbacks/, inside a function, and for types alone."""
    shutil.copytree(ROOT / "diagnose", tmp_path / "diagnose", ignore=shutil.ignore_patterns("callbacks", "__pycache__"))
    shutil.copytree(ROOT / "callbacks", tmp_path / "callbacks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "diagnose" / "callbacks").symlink_to("../callbacks")
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    planted = {
        "callbacks/model/arrays.py": "from diagnose.callbacks.watching import session\n",
        "diagnose/run/layout.py": "def late():\n    from diagnose.rules import catalogue\n",
        "diagnose/outcome/outcome.py": "if TYPE_CHECKING:\n    from diagnose.api import Diagnosis\n",
    }
    for file, line in planted.items():
        with (tmp_path / file).open("a", encoding="utf-8") as code:
            code.write(line)
    found = lint(tmp_path)
    said = " ".join(found.stdout.split())
    assert found.returncode == 1
    assert "diagnose.callbacks.model.arrays -> diagnose.callbacks.watching.session" in said
    assert "diagnose.run.layout -> diagnose.rules.catalogue" in said
    assert "diagnose.outcome.outcome -> diagnose.api" in said
