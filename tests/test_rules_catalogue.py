"""The list of rules checks itself: no file forgotten, no section missing, no explanation of what does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made import kinds

import diagnose.rules.catalogue
from diagnose.rules.catalogue import ALL_RULES
from diagnose.rules.rule import PARTS, STORY_PARTS, Rule
from diagnose.run.run import Run

RULES_DIR = Path(diagnose.rules.__file__).parent
NAMES = {rule.name for rule in ALL_RULES}
BY_NAME = pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)


def test_no_rule_file_is_forgotten_and_each_lies_in_the_folder_of_its_part():
    files = {
        (file.parent.name, file.stem.replace("_", "-")) for part in PARTS for file in RULES_DIR.glob(f"{part}/[!_]*")
    }
    assert files == {(rule.part, rule.name) for rule in ALL_RULES}


@pytest.mark.parametrize(
    ("trait", "error"),
    [
        ({"explain": ("dead-units",)}, TypeError),
        ({"flow": "backwards"}, ValueError),
        ({"subject": "function"}, ValueError),
        ({"at_work": "sometimes"}, ValueError),
        ({"part": "activations"}, ValueError),
    ],
)
def test_a_misspelt_trait_is_an_error_at_import(trait: dict, error: type[Exception]):
    page = "Title: a sentence.\n\n" + "\n\n".join(f"{part}: something." for part in STORY_PARTS)
    declared = {"part": "data", "judge": lambda case: ()}
    assert Rule("rules.data.made_up", page, **declared).name == "made-up"
    with pytest.raises(error, match=next(iter(trait))):
        Rule("rules.data.made_up", page, **{**declared, **trait})


def test_a_page_without_one_of_its_paragraphs_is_an_error_at_import():
    with pytest.raises(ValueError, match="its page has no paragraph 'Harm'"):
        Rule("rules.data.made_up", "Title: a sentence.\n\nSees: something.", part="data", judge=lambda case: ())


def test_the_diagnosis_names_no_rule():
    """What sets a rule apart is a trait that it declares itself, so that a new rule needs no change elsewhere."""
    room = RULES_DIR.parent / "diagnosis"
    code = "".join(file.read_text(encoding="utf-8") for file in room.glob("*.py"))
    assert [name for name in NAMES if f'"{name}"' in code] == []


def test_no_rule_is_listed_twice():
    assert len(NAMES) == len(ALL_RULES)


@BY_NAME
def test_a_rule_tells_its_whole_story(rule):
    assert [part for part in STORY_PARTS if f"\n{part}: " not in rule.story] == []


@BY_NAME
def test_a_rule_has_a_title_and_says_in_a_sentence_what_it_is(rule):
    name, _, sentence = rule.title.partition(": ")
    assert name and name[0].isupper()
    assert sentence.endswith(".")


@BY_NAME
def test_a_rule_belongs_to_a_part_of_the_catalogue(rule):
    assert rule.part in PARTS


@BY_NAME
def test_a_rule_explains_only_rules_that_exist_and_never_itself(rule):
    assert set(rule.explains) <= NAMES - {rule.name}


@BY_NAME
def test_a_rule_says_of_an_empty_run_that_it_could_not_look(rule):
    if rule.subject == "run":
        assert kinds(rule.name, Run()) == {"NotMeasured"}
