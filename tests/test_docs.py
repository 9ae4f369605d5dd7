"""The pages of docs/ say what the code says, and the README what is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["quantities", "remedies", "rules"])
def test_a_page_is_what_the_code_makes_of_it(make, name):
    assert (ROOT / "docs" / f"{name}.md").read_text() == getattr(make, f"{name}_page")(), "run: python docs/make.py"


def test_every_link_of_the_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", re.sub(r"`[^`]*`", "", (ROOT / "README.md").read_text()))
    assert len(links) > 3
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
