"""No text that a user reads brings back a word of our own making (section 14 of the style guide, `plain_words.py`).

Texts are read where they are written: messages, errors, rule pages, templates, README and notebooks. What they say with
numbers filled in is checked where trained findings are at hand, in the tests of the twins.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from plain_words import explains_skill, odd_words

from diagnose.outcome.figures import SCALE
from diagnose.rules.catalogue import ALL_RULES

ROOT = Path(__file__).parent.parent
CODE = [path for folder in ("diagnose", "callbacks") for path in (ROOT / folder).rglob("*.py")]
PAGES = [
    *(ROOT / "diagnose" / "report" / "templates").glob("*.html"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "notebooks").glob("*.ipynb"),
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
]


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                yield first.value


def _messages(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string with more than one word; the parts of an f-string as one, without what they show.

    Docstrings are for those who read the code.
    """
    tree = ast.parse(source)
    skip = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skip |= {id(part) for part in node.values}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skip:
            yield node.lineno, re.sub(r"\{[^}]*\}", "0", node.value)  # a place of str.format


def _page(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    if path.suffix == ".html":  # without what the template fills in
        return re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    return text


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_message_uses_the_words_of_the_field(path):
    told = {
        f"line {line}: {odd}" for line, text in _messages(path.read_text()) if " " in text for odd in odd_words(text)
    }
    assert sorted(told) == []


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_the_page_of_a_rule_uses_the_words_of_the_field(rule):
    assert odd_words(rule.story) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_uses_the_words_of_the_field(path):
    assert odd_words(_page(path)) == []


@pytest.mark.parametrize(
    "path", [ROOT / "docs" / "rules.md", ROOT / "docs" / "quantities.md"], ids=lambda path: path.name
)
def test_a_page_that_speaks_of_skill_says_what_it_is(path):
    assert explains_skill(path.read_text())


@pytest.mark.parametrize(
    "text", ["It heeds no label.", "It passes 7.7e-19 % of the gradient.", "scale what enters it up by 42"]
)
def test_a_word_of_the_list_is_found(text):
    assert odd_words(text)


def test_skill_is_explained_by_its_scale():
    assert not explains_skill("the skill is 0.39") and explains_skill(f"the skill ({SCALE}) is 0.39")
