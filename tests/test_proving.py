"""`prove`: remedies tried on real programs in other processes, and what is made of the results."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
from click.testing import CliRunner
from fates import DEADLY, SLOW, fate

from diagnose import Finding, load
from diagnose.api import Proof
from diagnose.callbacks import TrainingMonitor, prove
from diagnose.callbacks.proving.program import built, check_build, check_fresh, digest
from diagnose.callbacks.proving.prove import _payload
from diagnose.callbacks.proving.workers import DIED, StoppedError, Workers
from diagnose.cli import main
from diagnose.diagnosis.proof import ProofRecord, Trial, judged
from diagnose.remedy import advice, remedy, together
from diagnose.report.proof.text import to_text

HIDDEN = [f"net/hidden_{depth}" for depth in range(builders.DEPTH)]
CURE = together(remedy("replace-activation", where, "tanh") for where in HIDDEN)
USELESS = remedy("dropout", "net/hidden_0", 0.1)  # there is no dropout
IDLE = remedy("early-stopping", value=50)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """A flat activation, with a cure, a change that does nothing, and one that can't be applied."""
    folder = tmp_path_factory.mktemp("proof")
    remedies = [USELESS, IDLE, CURE]
    with ThreadPoolExecutor(1) as here:  # no process need be started
        found = prove(builders.flat, seeds=2, remedies=remedies, path=folder / "runs", executor=here, progress=False)
    assert load(folder / "runs" / "unchanged-seed1.sqlite").facts.finished == "completed"
    return found


def test_the_remedy_that_cures_is_told_from_those_that_do_nothing(proof: Proof):
    assert proof.fault_reproduced
    assert [(each.remedy, each.verdict) for each in proof.verdicts] == [
        (CURE, "cures"),
        (IDLE, "no effect"),
        (USELESS, "failed"),
    ]
    assert proof.best == CURE
    assert proof.verdicts[0].after - proof.verdicts[0].before > 0.5
    assert "the cause is gone in 2 of 2, 2 of 2 learn" in proof.verdicts[0].reason
    assert "no dropout rate" in proof.verdicts[2].reason


def test_a_remedy_that_does_nothing_on_one_seed_is_not_tried_on_the_others(proof: Proof):
    assert [trial.seed for trial in proof.tried if trial.remedy == IDLE] == [0]
    assert [trial.seed for trial in proof.tried if trial.remedy == CURE] == [0, 1]


def test_the_unchanged_program_is_trained_to_the_very_weights_that_it_has_without_us(proof: Proof):
    for trial in proof.unchanged:
        alone = built(builders.flat, trial.seed)
        alone.fit()
        assert digest([np.asarray(variable) for variable in alone.model.variables]) == trial.weights


def test_all_trainings_are_rows_of_a_table(proof: Proof):
    table = proof.trials
    assert [*table.columns] == ["remedy", "seed", "outcome", "skill_train", "skill_validation", "loss", "seconds"]
    assert len(table) == len(proof.unchanged) + len(proof.tried) == 6
    assert [*table.outcome[:2]] == ["not-learning"] * 2
    assert table[table.remedy == CURE.text].outcome.tolist() == ["learning"] * 2


def test_the_diagnosis_puts_first_what_is_proven(proof: Proof, tmp_path: Path):
    causes = [cause.rule for cause in proof.diagnosis.causes]
    assert proof.badges[causes[0]] == "proven"
    assert "by trials: proven" in str(proof.diagnosis)
    assert "by trials:" in proof.diagnosis.to_html(tmp_path / "report.html").read_text()
    assert sorted(causes) == sorted(cause.rule for cause in proof.examined.causes)


def test_a_proof_is_shown_as_text_page_fragment_and_json(proof: Proof, tmp_path: Path):
    text = str(proof)
    told = "Replace the activation of `hidden_0`, `hidden_1`, `hidden_2` and `hidden_3` by `tanh`: this cures."
    assert " ".join(text.split()).startswith(told)
    assert "model.get_layer(name).activation = keras.activations.tanh" in text
    assert max(map(len, text.splitlines())) <= 92
    page = proof.to_html(tmp_path / "proof.html").read_text()
    assert "<script" not in page and "Remedies tried" in page and "Skill of each training" in page
    assert repr(proof).startswith("<Proof: Replace the activation of") and len(repr(proof)) < 200
    assert "kd-proof" in proof._repr_html_()
    told = json.loads(proof.to_json())
    assert (told["verdicts"][0]["verdict"], told["fault_reproduced"]) == ("cures", True)
    assert len(told["tried"]) == 4


# --- the gate --------------------------------------------------------------------------------------------------------


@pytest.fixture
def here() -> Iterator[Executor]:
    """An executor of a user's: here one thread, so that no process need be started."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_of_a_healthy_program_nothing_is_tried(here: Executor):
    found = prove(builders.sound, seeds=1, executor=here, progress=False)
    assert (found.fault_reproduced, found.tried, found.verdicts, found.best) == (False, (), (), None)
    assert str(found).startswith("Nothing to cure: the unchanged program showed no cause on 1 seed.")


def test_a_fault_that_no_seed_shows_is_not_reproduced(here: Executor):
    model, arguments = builders.flat(0)
    model.fit(**arguments, verbose=0, callbacks=[monitor := TrainingMonitor()])
    assert monitor.diagnosis.causes
    found = prove(builders.sound, monitor.diagnosis, seeds=1, executor=here, progress=False)
    assert not found.fault_reproduced and found.tried == ()
    assert "Not reproduced" in str(found)


def test_a_cause_that_the_program_does_not_show_any_more_is_not_tried(proof: Proof):
    """A diagnosis of last week, say: what is gone by itself has a badge, too."""
    gone = Finding("", "a class is rare", rule="class-imbalance", blames=("data",))
    other = replace(proof.examined, causes=(gone, *proof.examined.causes))
    assert ProofRecord(True, (), (), None, proof.unchanged, (), other).badges["class-imbalance"] == "not tried"
    assert "Class imbalance: not tried" in to_text(ProofRecord(True, ("x",), (), None, proof.unchanged, (), other))


def test_the_causes_of_a_diagnosis_are_tried_under_the_names_that_a_new_program_has(here: Executor):
    """The layers of a model that a notebook made for the second time have other names."""
    model, arguments = builders.flat(0)
    model.fit(**arguments, verbose=0, callbacks=[monitor := TrainingMonitor()])
    found = prove(builders.flat, monitor.diagnosis, seeds=1, budget=1, executor=here, progress=False)
    assert found.fault_reproduced and len(found.tried) == 1
    assert not any(trial.error for trial in found.tried)
    assert any("the budget of 1 training was spent" in why for _, why in found.untried)


# --- builders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "error", "told"),
    [
        (builders.raising, FileNotFoundError, "no file 'digits.npz'"),
        (builders.not_compiled, TypeError, r"build\(0\) returned a model that is not compiled"),
        (builders.model_alone, TypeError, r"must return a new compiled model and the keyword arguments of its fit"),
        (builders.misspelt, TypeError, "the argument 'epoch', which fit does not take"),
        (builders.generator, TypeError, "a generator for x, which one fit would use up"),
        (builders.same_again, ValueError, "the same model twice"),
    ],
)
def test_a_builder_that_gives_no_new_program_is_told_what_it_gave(build: Any, error: type, told: str):
    with pytest.raises(error, match=told):
        check_fresh(build, 0)


def test_a_builder_is_asked_for_its_seed_before_anything_is_trained():
    with pytest.raises(TypeError, match=r"write it as `def without_seed\(seed\):`"):
        check_build(builders.without_seed)
    with pytest.raises(TypeError, match="it must be a function"):
        prove(builders.model("relu").layers, progress=False)


def test_what_a_builder_raises_in_another_process_comes_back_as_one_error(here: Executor):
    with pytest.raises(ValueError, match="build failed: FileNotFoundError: no file 'digits"):
        prove(builders.raising, seeds=1, executor=here, progress=False)


def test_a_builder_that_can_not_travel_is_refused():
    lock = threading.Lock()

    def held(seed: int) -> Any:
        with lock:
            return builders.sound(seed)

    with pytest.raises(TypeError, match="can't be sent to other processes"):
        prove(held, progress=False)


def test_a_builder_of_a_module_that_no_path_leads_to_travels_with_its_module(tmp_path: Path):
    """As a test module may be imported, or a file that a user loaded by hand."""
    file = tmp_path / "nowhere_to_be_found.py"
    file.write_text("SIZE = 3\n\ndef build(seed):\n    return SIZE + seed\n")
    spec = importlib.util.spec_from_file_location("nowhere_to_be_found", file)
    module = sys.modules["nowhere_to_be_found"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    payload = _payload(module.build)
    del sys.modules["nowhere_to_be_found"]
    assert pickle.loads(payload)(4) == 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seeds": 0}, "seeds is 0; it must be a number from 1 on"),
        ({"seeds": ()}, r"seeds is \(\)"),
        ({"budget": 0}, "budget is 0"),
        ({"remedies": []}, "remedies is empty"),
        ({"remedies": [advice("Think again")]}, "only a person can apply: 'Think again'"),
        ({"executor": 0}, "executor is 0"),
        ({"path": __file__}, "which is a file"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_trained(arguments: dict[str, Any], told: str):
    with pytest.raises((ValueError, TypeError), match=told):
        prove(builders.sound, progress=False, **arguments)


SCRIPT = """
import builders
from diagnose.callbacks import prove
from diagnose.remedy import parsed

def build(seed):
    print("loading data")
    return builders.flat(seed)

print(prove(build, seeds=1, remedies=[parsed("learning-rate=0.5")], progress=False).trials.to_csv())
"""


@pytest.mark.shown
def test_a_script_without_a_main_guard_can_prove(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4  # once a header, two trainings and an empty line: nothing ran twice
    assert "Set the learning rate to 0.5,0," in done.stdout


# --- where trials run ------------------------------------------------------------------------------------------------


def test_a_job_that_kills_its_process_fails_alone_and_the_others_are_done():
    with Workers(jobs=2) as workers:
        results = workers.run(fate, [1, SLOW, DEADLY, 2], died=lambda job, why: f"job {job}: {why}")
    assert results == ["job 1 done", f"job {SLOW} done", f"job {DEADLY}: {DIED}", "job 2 done"]


def test_an_interruption_keeps_what_is_done():
    def interrupting() -> None:
        raise KeyboardInterrupt

    with Workers(jobs=1) as workers, pytest.raises(StoppedError, match="interrupted") as stopped:
        workers.run(fate, [1, 2], died=lambda job, why: "", done=interrupting)
    assert sum(result is not None for result in stopped.value.results) == 1


class Mortal(Executor):
    """Runs so many jobs at once, and is no more."""

    def __init__(self, jobs: int) -> None:
        self.left = jobs

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.left -= 1
        if self.left < 0:
            future.set_exception(BrokenExecutor("all workers are gone"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


class Stopped(Mortal):
    """One at which the user pressed Ctrl-C."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise KeyboardInterrupt


def test_an_interruption_before_anything_was_trained_is_an_interruption():
    with pytest.raises(KeyboardInterrupt):
        prove(builders.flat, seeds=1, executor=Stopped(1), progress=False)


def test_an_executor_that_dies_ends_the_proof_and_keeps_what_is_done():
    found = prove(builders.flat, seeds=1, remedies=[CURE, IDLE], executor=Mortal(3), progress=False)
    assert "the executor (Mortal) failed: BrokenExecutor: all workers are gone" in found.interrupted
    assert [trial.remedy for trial in found.tried] == [CURE]
    assert "Ended before its time" in str(found)


def test_an_executor_that_dies_before_the_fault_was_seen_is_an_error():
    with pytest.raises(RuntimeError, match="could not be trained: the executor"):
        prove(builders.flat, seeds=1, executor=Mortal(1), progress=False)


@pytest.mark.shown
def test_trials_run_on_a_cluster_of_dask_and_again_where_a_worker_was_killed():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(_find, str(Path(__file__).parent))
        first = min(cluster.workers.values(), key=lambda worker: worker.name)
        killer = threading.Timer(6.0, lambda: os.kill(first.pid, 9))
        killer.start()
        found = prove(builders.flat, seeds=2, remedies=[CURE], executor=client.get_executor(), progress=False)
        killer.join()
    assert found.interrupted == ""
    assert [each.verdict for each in found.verdicts] == ["cures"]


def _find(folder: str) -> None:
    sys.path.insert(0, folder)


# --- what is made of results -----------------------------------------------------------------------------------------


FLAT = Finding("a", "flat", rule="flat-activation", blames=("activation",))
TOLD = Finding("", "told wrong", rule="wrong-accuracy-flavour", blames=("metric",))


def trials(change: Any, *skills: float, sick: bool, rule: str = "flat-activation", error: str = "") -> list[Trial]:
    outcome: Any = "not-learning" if sick else "learning"
    warned = (rule,) if sick else ()
    return [Trial(change, seed, outcome, skill, skill, warned=warned, error=error) for seed, skill in enumerate(skills)]


@pytest.mark.parametrize(
    ("after", "sick", "verdict"),
    [
        ((0.8, 0.9, 0.85), False, "cures"),
        ((0.8, 0.9, 0.85), True, "helps"),  # the cause is still there
        ((0.1, 0.0, 0.05), True, "no effect"),
        ((0.9, 0.0, 0.05), True, "undecided"),
        ((0.9, 0.9), False, "helps"),  # not tried on every seed: no cure
    ],
)
def test_a_cure_is_a_gain_on_every_seed_with_the_cause_gone(after: tuple[float, ...], sick: bool, verdict: str):
    before = trials(None, 0.1, 0.0, 0.05, sick=True)
    found = judged(CURE, FLAT, before, trials(CURE, *after, sick=sick))
    assert found.verdict == verdict


def test_what_makes_a_training_worse_harms():
    before = trials(None, 0.6, 0.5, 0.55, sick=True)
    assert judged(CURE, FLAT, before, trials(CURE, 0.1, 0.0, 0.05, sick=True)).verdict == "harms"


def test_a_gain_within_what_seeds_differ_by_anyhow_is_no_cure():
    before = trials(None, 0.1, 0.5, 0.3, sick=True)
    assert judged(CURE, FLAT, before, trials(CURE, 0.2, 0.6, 0.4, sick=False)).verdict != "cures"


def test_one_seed_alone_proves_nothing():
    found = judged(CURE, FLAT, trials(None, 0.0, sick=True), trials(CURE, 0.9, sick=False))
    assert (found.verdict, "one seed shows no spread" in found.reason) == ("helps", True)


def test_a_flaky_fault_is_compared_on_the_seeds_that_show_it():
    before = [*trials(None, 0.0, 0.05, sick=True), Trial(None, 2, "learning", 0.9, 0.9)]
    found = judged(CURE, FLAT, before, trials(CURE, 0.9, 0.85, 0.9, sick=False))
    assert (found.verdict, found.seeds) == ("cures", (0, 1))


def test_a_metric_that_is_told_right_needs_no_gain():
    before = trials(None, 0.9, 0.85, 0.9, sick=True, rule=TOLD.rule)
    assert judged(CURE, TOLD, before, trials(CURE, 0.9, 0.86, 0.9, sick=False)).verdict == "cures"
    before = trials(None, 0.9, 0.85, 0.9, sick=True)  # of another fault the same numbers are no cure
    assert judged(CURE, FLAT, before, trials(CURE, 0.9, 0.86, 0.9, sick=False)).verdict == "no effect"


def test_a_training_that_broke_has_no_skill_and_one_that_raises_has_failed():
    assert Trial(CURE, 0, "diverged", 0.9, 0.9).skill == 0.0
    assert Trial(CURE, 0, "not-learning", -3.0, -5.0).skill == 0.0  # less than guessing is no worse
    before, after = trials(None, 0.1, sick=True), trials(CURE, 0.1, sick=True, error="ValueError: no")
    assert (judged(CURE, FLAT, before, after).verdict, judged(CURE, FLAT, before, after).reason) == (
        "failed",
        "seed 0: ValueError: no",
    )


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_the_command_tries_what_it_is_told_and_ends_with_1_where_nothing_cures(tmp_path: Path):
    page = tmp_path / "proof.html"
    told = CliRunner().invoke(
        main,
        ["prove", f"{builders.__file__}:flat", "--seeds", "1", "--remedy", "early-stopping=50", "--html", str(page)],
    )
    assert told.exit_code == 1, told.output
    assert "No cure found: 1 remedy tried" in told.output
    assert page.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prove"], "name the function, too: FILE.py:build; or see --skeleton RUN."),
        (["prove", "missing.py:build"], "there is no file 'missing.py'"),
        (["prove", f"{builders.__file__}:flat", "--remedy", "magic=1"], "names no kind of remedy"),
        (["prove", f"{builders.__file__}:without_seed"], "write it as `def without_seed(seed):`"),
        (["prove", "--skeleton", "missing.sqlite"], "missing.sqlite"),
    ],
)
def test_the_command_refuses_bad_usage_in_one_line(arguments: list[str], told: str):
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert told in result.stderr


def test_the_command_prints_a_builder_to_fill_in(tmp_path: Path):
    model, arguments = builders.sound(0)
    model.fit(**arguments, verbose=0, callbacks=[TrainingMonitor(tmp_path / "run.sqlite")])
    result = CliRunner().invoke(main, ["prove", "--skeleton", str(tmp_path / "run.sqlite")])
    assert result.exit_code == 0
    compile(result.stdout, "program.py", "exec")
    assert "keras.optimizers.Adam(0.01)" in result.stdout
    assert "'binary_crossentropy'" in result.stdout and '"epochs": 5' in result.stdout
