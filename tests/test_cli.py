"""The command line: answers at once, exit codes that a script can use, and one line where something is wrong."""

from __future__ import annotations

import functools
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from hand_made import run_of
from keras import layers
from run_files import written
from runs import sick_run

from diagnose import __version__, load
from diagnose.callbacks import TrainingMonitor
from diagnose.cli import main
from diagnose.demo import NETWORKS
from diagnose.rules.catalogue import ALL_RULES
from diagnose.rules.rule import STORY_PARTS
from diagnose.run.store import Store


def keras_diagnose(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def in_one_line(result, words: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("keras-diagnose: ")
    assert re.search(words, result.stderr)


@pytest.fixture
def sick(tmp_path) -> Path:
    store = written(sick_run(), tmp_path / "sick.sqlite")
    store.close()
    return store.path


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom diagnose.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'jinja2') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"
    assert all(command in told.stdout for command in ("activation", "demo", "report", "rules"))


def test_without_a_command_it_helps():
    result = keras_diagnose()
    assert (result.exit_code, "Commands:" in result.stdout) == (0, True)


def test_it_knows_its_version():
    assert keras_diagnose("--version").stdout == f"keras-diagnose, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["repotr"], "No such command 'repotr'"),
        (["report"], "Missing argument 'RUN'. See: "),
        (["report", "--colour"], "No such option"),
        (["--colour"], "No such option"),
        (["report", "nowhere.sqlite"], "there is no run file nowhere.sqlite"),
        (["report", "."], "is a directory"),
        (["rules", "saturated"], "there is no rule 'saturated'; did you mean saturated-activation"),
        (["rules", "xyzzy"], "there is no rule 'xyzzy'; see the list: keras-diagnose rules"),
    ],
)
def test_bad_usage_is_told_in_one_line(arguments, words):
    in_one_line(keras_diagnose(*arguments), words)


# --- report ----------------------------------------------------------------------------------------------------------


def test_a_report_with_a_cause_says_it_and_ends_with_1(sick):
    result = keras_diagnose("report", sick)
    assert result.exit_code == 1
    assert result.stdout.startswith("Not learning\n")
    assert "\x1b" not in result.stdout
    assert "change" in result.stdout


def test_a_report_without_a_cause_ends_with_0(tmp_path):
    healthy = run_of(
        {"skill.train": [0.0, 0.97], "skill.validation": [0.0, 0.95], "batch.loss": np.linspace(2.3, 0.1, 12)},
        layers="az",
        steps=range(0, 1200, 100),
        task={"kind": "categorical", "majority_share": 0.1, "held_samples": 1000},
        steps_seen=1200,
    )
    store = written(healthy, tmp_path / "run.sqlite")
    store.close()
    result = keras_diagnose("report", store.path)
    assert result.exit_code == 0
    assert "No check found anything to change." in result.stdout


def test_a_report_in_which_nothing_was_measured_is_no_all_clear(tmp_path):
    """Its text is shown, with what went wrong while observing; a script must not take it for a healthy training."""
    store = Store.create(tmp_path / "run.sqlite")
    store.close()
    result = keras_diagnose("report", store.path)
    assert result.exit_code == 2
    assert "that no cause was found does not mean that the training is healthy" in " ".join(result.stdout.split())
    assert len(result.stderr.splitlines()) == 1 and "nothing was measured in" in result.stderr


def one_unit(model: Any) -> Any:
    inputs = keras.Input((2,))
    return model(inputs, layers.Dense(1, "sigmoid")(inputs))


def watched(model: Any, run: Path) -> None:
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    with pytest.warns(RuntimeWarning, match="keras-diagnose"):
        model.fit(np.ones((16, 2)), np.arange(16) % 2, verbose=0, callbacks=[TrainingMonitor(run)])


def killed_before_its_first_step_was_done(run: Path) -> None:
    """In a process of its own, since nothing of it is to be left."""
    program = """
import os, sys, keras, numpy as np
from diagnose.callbacks import TrainingMonitor

class Killed(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        os._exit(0)

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy")
model.fit(np.ones((16, 2)), np.arange(16) % 2, verbose=0, callbacks=[TrainingMonitor(sys.argv[1]), Killed()])
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(run)], check=True, timeout=300)


class Outward(keras.Model):
    def train_step(self, data):
        tf.numpy_function(lambda: np.float32(0), [], tf.float32)
        return super().train_step(data)


def cannot_be_undone(run: Path) -> None:
    watched(one_unit(Outward), run)


def distributed(run: Path) -> None:
    model = one_unit(keras.Model)
    model._distribute_strategy = tf.distribute.get_strategy()
    watched(model, run)


@pytest.mark.parametrize(
    ("training", "why"),
    [
        (killed_before_its_first_step_was_done, "no training step was done yet"),
        (cannot_be_undone, "PyFunc"),
        (distributed, "distributed over devices"),
    ],
)
def test_a_real_training_in_which_nothing_was_measured_is_no_all_clear(tmp_path, training, why):
    """Rules that need no measurement ran, and found nothing: that is no sign of health."""
    training(tmp_path / "run.sqlite")
    told = keras_diagnose("report", tmp_path / "run.sqlite", "--json")
    assert told.exit_code == 2
    assert len(told.stderr.splitlines()) == 1 and "nothing was measured in" in told.stderr and why in told.stderr
    verdict = json.loads(told.stdout)
    assert (verdict["outcome"], verdict["healthy"], verdict["causes"]) == ("unknown", False, [])
    assert verdict["headline"].startswith("nothing measured: ") and why in verdict["headline"]
    assert "no fault" not in verdict["headline"] and why in verdict["outcome_reason"]


def test_a_fault_of_our_own_does_not_end_as_a_standing_warning_does(sick, monkeypatch):
    """A traceback would end with 1."""
    monkeypatch.setattr("diagnose.api.examine", lambda run, ignore: 1 / 0)
    in_one_line(keras_diagnose("report", sick), r"failed by itself.*ZeroDivisionError.*test_cli\.py, line \d+")


def test_a_path_that_steers_a_terminal_is_written_out():
    in_one_line(keras_diagnose("report", "\x1b[2J\u202e"), r"there is no run file \\x1b\[2J\\u202e;")


def test_a_report_is_written_as_a_page(sick, tmp_path):
    result = keras_diagnose("report", sick, "--html", tmp_path / "page.html")
    assert (result.exit_code, result.stdout) == (1, f"report: {tmp_path / 'page.html'}\n")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_report_is_printed_as_json_with_nothing_else(sick, tmp_path):
    """So that it can be piped on, even when a page is written too."""
    result = keras_diagnose("report", sick, "--json", "--html", tmp_path / "page.html")
    assert json.loads(result.stdout)["outcome"] == "not-learning"
    assert (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_is_told_in_one_line(sick, tmp_path):
    in_one_line(keras_diagnose("report", sick, "--html", tmp_path / "no" / "page.html"), "could not be written")


def test_a_file_that_is_no_run_is_told_in_one_line(sick, tmp_path):
    (tmp_path / "thesis.txt").write_text("all my work")
    in_one_line(keras_diagnose("report", tmp_path / "thesis.txt"), "is no run file")
    sick.write_bytes(sick.read_bytes()[:5000])
    in_one_line(keras_diagnose("report", sick), "is damaged or cut short")


# --- rules -----------------------------------------------------------------------------------------------------------


def test_every_rule_is_listed_once_with_its_sentence():
    listed = re.findall(r"^  ([a-z]+(?:-[a-z]+)*) +\S", keras_diagnose("rules").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(rule.name for rule in ALL_RULES)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_every_rule_has_a_page_with_its_whole_story(rule):
    page = keras_diagnose("rules", rule.name)
    assert page.exit_code == 0
    parts = [line.split(" ", 1)[0] for line in page.stdout.splitlines() if not line.startswith(" ")]
    assert [part for part in STORY_PARTS if part not in parts] == []


def test_a_rule_is_found_by_its_title_too():
    assert (
        keras_diagnose("rules", "Saturated activation").stdout == keras_diagnose("rules", "saturated-activation").stdout
    )


def test_a_threshold_is_shown_with_its_value():
    assert "CROWD (0.5)" in keras_diagnose("rules", "saturated-activation").stdout


# --- activation ------------------------------------------------------------------------------------------------------


def test_the_help_says_that_a_file_is_run():
    assert "The file or module is run to get at the function" in " ".join(
        keras_diagnose("activation", "--help").stdout.split()
    )


def test_a_sound_activation_ends_with_0(tmp_path):
    result = keras_diagnose("activation", "gelu", "--html", tmp_path / "gelu.html")
    assert result.exit_code == 0
    assert (tmp_path / "gelu.html").exists()


def test_a_faulty_activation_of_a_file_ends_with_1(tmp_path):
    (tmp_path / "mine.py").write_text("from keras import ops\ndef f(x):\n    return ops.tanh(x**5)\n")
    result = keras_diagnose("activation", f"{tmp_path / 'mine.py'}:f")
    assert result.exit_code == 1
    assert "flat-activation" in result.stdout


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gellu", "Keras has no activation 'gellu'"),
        ("broken.py:f", r"'broken\.py' can't be loaded: ZeroDivisionError: division by zero \(line 1 of broken\.py\)"),
        ("whole.py:model", r"profile takes one activation, and got the model 'whole'"),
    ],
)
def test_a_function_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch, spec, words):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("1 / 0\n")
    Path("whole.py").write_text("import keras\nmodel = keras.Sequential(name='whole')\n")
    in_one_line(keras_diagnose("activation", spec), words)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere.py:f", "there is no file 'nowhere.py'"),
        ("nowhere:f", "there is no module 'nowhere'"),
        ("mine.py", 'write "mine.py:function"'),
        ("mine.f", "is no name of Keras"),
    ],
)
def test_a_slip_of_the_pen_is_answered_before_keras_is_loaded(monkeypatch, spec, words):
    monkeypatch.setattr("diagnose.cli._load_keras", lambda: pytest.fail("Keras was loaded"))
    in_one_line(keras_diagnose("activation", spec), words)


def test_what_a_module_prints_comes_before_its_profile(tmp_path):
    (tmp_path / "mine.py").write_text("import keras\nprint('loading mine')\nf = keras.ops.tanh\n")
    result = keras_diagnose("activation", f"{tmp_path / 'mine.py'}:f")
    assert result.exit_code == 0
    assert result.stdout.startswith("loading mine\ntanh")


def test_ctrl_c_ends_with_130_and_one_line(tmp_path):
    """What is interrupted is the user's file; so a stand-in serves for Keras, which takes seconds to load."""
    (tmp_path / "keras.py").write_text("class ops:\n    zeros = staticmethod(tuple)\n")
    (tmp_path / "slow.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "diagnose.cli", "activation", f"{tmp_path / 'slow.py'}:f"]
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs do not
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=heeding, cwd=tmp_path, **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert (process.communicate()[1], process.returncode) == ("keras-diagnose: interrupted.\n", 130)


# --- demo ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "diagnose.cli", "demo", "--out", str(directory)]
    return directory, subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.shown
def test_the_demo_writes_a_report_for_each_network_and_an_index(demo):
    directory, result = demo
    assert (result.returncode, result.stderr) == (0, "")
    for network in NETWORKS:
        assert load(directory / f"{network.file}.sqlite").observations > 10
        assert f'href="{network.file}.html"' in (directory / "index.html").read_text(encoding="utf-8")
        assert (directory / f"{network.file}.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.shown
def test_the_demo_says_of_each_network_what_was_measured(demo):
    """The report of the run file, made again, says the same."""
    directory, result = demo
    told = " ".join(result.stdout.split())
    for network in NETWORKS:
        again = json.loads(keras_diagnose("report", directory / f"{network.file}.sqlite", "--json").stdout)
        assert " ".join(again["headline"].split()) in told


@pytest.mark.shown
def test_the_demo_tells_the_healthy_from_the_sick(demo):
    directory, _ = demo
    outcomes = {
        network.file: json.loads(keras_diagnose("report", directory / f"{network.file}.sqlite", "--json").stdout)
        for network in NETWORKS
    }
    assert outcomes["healthy"]["healthy"] is True
    assert outcomes["tanh-x5"]["outcome"] == "not-learning"
    assert outcomes["hand-made-elu"]["outcome"] == "diverged"
    assert outcomes["one-unit-softmax"]["causes"][0]["rule"] in ("single-unit-softmax", "one-class-crossentropy")


def test_the_demo_takes_no_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    in_one_line(keras_diagnose("demo", "--out", tmp_path / "file"), "file")
