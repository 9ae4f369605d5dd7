"""The arithmetic of `benchmarks/mutants.py`, and that each of its mutants can be made.

Its trainings take hours; what is held here is that they would be judged rightly.
"""

import doctest
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import mutation_harm
from mutated_programs import HEALTHY, data_of, model_of
from mutation import OPERATORS, mutants
from mutation_harm import difference

from diagnose.rules.catalogue import ALL_RULES
from diagnose.verdict import BLAMES

PROGRAM = [0.90, 0.92, 0.88, 0.91, 0.89]


def test_the_examples_of_the_arithmetic_run():
    assert doctest.testmod(mutation_harm).failed == 0


@pytest.mark.parametrize(
    ("mutant", "harm"),
    [
        ([0.40, 0.45, 0.38, 0.42, 0.41], "harmful"),
        ([0.86, 0.87, 0.85, 0.86, 0.86], "smaller loss"),
        ([0.91, 0.91, 0.89, 0.90, 0.89], "harmless"),
        ([0.99, 0.98, 0.99, 0.99, 0.98], "harmless"),
        ([0.90, 0.92, 0.88, 0.91, 0.00], "unsure"),
        ([0.80, 0.82, 0.78, 0.81, 0.79], "harmful"),
        (PROGRAM, "harmless"),
    ],
    ids=["worse by half", "worse by a twentieth", "the same but for noise", "better", "one seed fails",
         "each seed worse by the same", "equal"],
)  # fmt: skip
def test_a_mutant_is_harmful_where_seeds_agree_that_it_lost_a_tenth(mutant, harm):
    assert difference(PROGRAM, mutant).harm == harm


def test_a_network_worse_than_guessing_counts_as_one_that_guesses():
    """Else the R squared of one seed that diverged would be all the variance, and no test would find the others."""
    worst = [float("nan"), -1e9, float("-inf"), -3.0, 0.0]
    assert difference(PROGRAM, worst) == difference(PROGRAM, [0.0] * 5)
    assert difference(PROGRAM, worst).harm == "harmful"


def test_skills_of_other_seeds_are_refused():
    with pytest.raises(ValueError, match="the same two or more seeds of both"):
        difference(PROGRAM, PROGRAM[:4])


def test_what_an_operator_should_be_told_as_is_something_that_can_be_told():
    known = {rule.name for rule in ALL_RULES} | BLAMES
    assert {kind for each in OPERATORS for kind in each.kinds} <= known
    assert len({each.name for each in OPERATORS}) == len(OPERATORS)


def test_each_operator_changes_some_program():
    assert {each.name for each in OPERATORS} == {each.name for program in HEALTHY for each, _ in mutants(program)}


def test_each_mutant_of_a_program_can_be_made_and_differs_from_it():
    program = next(each for each in HEALTHY if each.network == "convolution")
    for operator, mutant in mutants(program):
        assert mutant != program
        data = data_of(mutant, seed=1)
        model = model_of(mutant, data)
        assert len(data.x) == len(data.y), operator.name
        assert model(data.x[:2]).shape == (2, data.outputs), operator.name
