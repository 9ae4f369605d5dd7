"""The list of rules checks itself: no file forgotten, no section missing, no explanation of what does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made import kinds

import diagnose.rules.catalogue
from diagnose.rules.catalogue import ALL_RULES
from diagnose.rules.rule import PARTS, STORY_PARTS
from diagnose.run.run import Run

RULES_DIR = Path(diagnose.rules.__file__).parent
NAMES = {rule.name for rule in ALL_RULES}
BY_NAME = pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)


def test_no_rule_file_is_forgotten():
    assert {file.stem.replace("_", "-") for file in RULES_DIR.glob("[!_]*.py")} == NAMES


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
