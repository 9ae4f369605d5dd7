"""The word during the fit: lines that are printed, fits that are ended, rules that are ignored, copies that travel."""

from __future__ import annotations

import copy
import os
import pickle
import pty
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers
from watched_fits import made_anew, ready

import diagnose
from diagnose import Run
from diagnose.callbacks import SaturationMonitor, TrainingMonitor
from diagnose.cli import main

SAMPLES = 512
rng = np.random.default_rng(0)
X = rng.normal(size=(SAMPLES, 8)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("float32")

fresh = pytest.fixture(autouse=True)(made_anew)


def fit(monitor: Any, *, rate: float = 0.01, epochs: int = 4, verbose: int = 1, activation: str = "relu") -> Any:
    """What Keras logged of a small training of 16 steps an epoch."""
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation), layers.Dense(16, activation), layers.Dense(1, "sigmoid")]
    )
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    ready(model)
    return model.fit(X, Y, batch_size=16, epochs=epochs, verbose=verbose, callbacks=[monitor], validation_split=0.2)


def told(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("keras-diagnose:")]


def test_a_hopeless_rate_is_told_in_the_first_epoch_and_ends_the_fit_if_that_is_wished(capsys):
    monitor = TrainingMonitor(stop_on="critical")
    history = fit(monitor, rate=1e4, epochs=20)
    lines = told(capsys.readouterr().out)
    assert len(history.epoch) == 1
    assert lines[0].startswith("keras-diagnose: step ") and "rate" in lines[0]
    assert "the fit ends here" in lines[1]
    assert monitor.diagnosis.causes[0].severity == "critical"


def test_without_the_wish_a_line_is_all_and_comes_once(capsys):
    history = fit(TrainingMonitor(), rate=1e4, epochs=6)
    lines = told(capsys.readouterr().out)
    assert len(history.epoch) == 6
    assert len(lines) == 2  # the line, and the headline at the end


def test_a_training_that_learns_hears_nothing_until_its_end(capsys):
    history = fit(TrainingMonitor(stop_on="critical"), rate=0.3, epochs=6)
    assert len(history.epoch) == 6
    assert len(told(capsys.readouterr().out)) == 1


def test_weights_that_are_not_finite_end_the_fit_in_the_batch_in_which_that_is_seen(capsys):
    monitor = TrainingMonitor(stop_on="non-finite", every=1)
    fit(monitor, rate=float("inf"), epochs=20)
    lines = told(capsys.readouterr().out)
    assert monitor.run.facts.steps_seen <= 3
    assert any("the fit ends here" in line for line in lines)
    assert monitor.diagnosis.outcome == "diverged"
    assert monitor.diagnosis.causes[0].rule == "non-finite-weights"


@pytest.mark.parametrize(("verbose", "of_fit", "lines"), [(0, 1, 0), (1, 0, 2), ("auto", 0, 0), ("auto", 1, 2)])
def test_verbose_says_whether_anything_is_printed(verbose, of_fit, lines, capsys):
    fit(TrainingMonitor(verbose=verbose), rate=1e4, epochs=2, verbose=of_fit)
    assert len(told(capsys.readouterr().out)) == lines


def test_live_judging_leaves_the_training_as_it_is():
    def weights(*callbacks: Any) -> list[np.ndarray]:
        made_anew()
        return fit(list(callbacks), rate=0.1, epochs=2, verbose=0).model.get_weights()

    for bare, seen in zip(weights(), weights(TrainingMonitor(verbose=1, stop_on="critical")), strict=True):
        np.testing.assert_array_equal(bare, seen)


def test_an_ignored_rule_judges_nothing_and_is_told(tmp_path):
    path = tmp_path / "run.sqlite"
    first = TrainingMonitor(path)
    fit(first, rate=1e4, epochs=2, verbose=0)
    rule = first.diagnosis.causes[0].rule
    without = diagnose.examine(first.run, ignore=rule)
    assert rule not in {finding.rule for finding in without.findings}
    assert [entry.reason for entry in without.not_measured if entry.rule == rule] == ["ignored, as asked"]
    assert "ignored, as asked" in str(without)

    second = TrainingMonitor(path, ignore=[rule.replace("-", "_")])
    fit(second, rate=1e4, epochs=2, verbose=0)
    for diagnosis in (second.diagnosis, diagnose.examine(diagnose.load(path))):
        assert rule not in {finding.rule for finding in diagnosis.findings}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"verbose": 2}, "'auto'"),
        ({"stop_on": "nan"}, "'non-finite'"),
        ({"ignore": "class-imbalanced"}, "did you mean class-imbalance"),
    ],
)
@pytest.mark.parametrize("kind", [TrainingMonitor, SaturationMonitor])
def test_a_bad_argument_is_refused_with_what_would_be_right(kind, arguments, words):
    with pytest.raises(ValueError, match=words):
        kind(**arguments)


def test_a_monitor_without_brackets_is_told_as_that():
    with pytest.raises(TypeError, match="brackets"):
        fit(TrainingMonitor)


@pytest.mark.parametrize("travel", [copy.deepcopy, copy.copy, lambda monitor: pickle.loads(pickle.dumps(monitor))])
def test_a_used_monitor_travels_with_its_run_and_without_the_model(travel):
    monitor = TrainingMonitor(every=2, ignore="class-imbalance")
    fit(monitor, epochs=1, verbose=0)
    again = travel(monitor)
    assert again.run.observations == monitor.run.observations > 0
    assert again.diagnosis.headline == monitor.diagnosis.headline
    assert (again.every, again.ignore) == (2, ("class-imbalance",))
    fit(again, epochs=1, verbose=0)
    assert again.run.facts.steps_seen == monitor.run.facts.steps_seen  # another model, another run


def test_monitors_and_runs_say_what_they_hold():
    monitor = TrainingMonitor()
    assert repr(monitor) == "<TrainingMonitor: 0 observations, in memory>"
    fit(monitor, epochs=1, verbose=0)
    seen = f"{monitor.run.observations} observations of 26 steps"
    assert repr(monitor.run) == f"<Run: {seen}>"
    assert repr(monitor) == f"<TrainingMonitor: {seen}, in memory>"
    assert repr(Run()) == "<Run: 0 observations>"


def test_evaluate_and_predict_say_once_that_they_are_not_watched(capsys):
    monitor = TrainingMonitor()
    model = fit(monitor, epochs=1, verbose=0).model
    for _ in range(2):
        model.evaluate(X, Y, verbose=0, callbacks=[monitor])
    assert told(capsys.readouterr().out) == []
    model.evaluate(X, Y, verbose=1, callbacks=[monitor])
    model.evaluate(X, Y, verbose=1, callbacks=[monitor])
    model.predict(X, verbose=1, callbacks=[monitor])
    lines = told(capsys.readouterr().out)
    assert [line.split("`")[1] for line in lines] == ["evaluate", "predict"]


def test_a_run_file_is_gone_on_in(tmp_path):
    path = tmp_path / "run.sqlite"
    fit(TrainingMonitor(path), epochs=2, verbose=0)
    before = diagnose.load(path)
    further = TrainingMonitor(path, append=True)
    fit(further, epochs=3, verbose=0)
    both = diagnose.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["run.sqlite"]
    assert both.steps == 5 * 26 and len(both.history["loss"]) == 5
    assert both.history["loss"][:2] == before.history["loss"]
    assert {*before.observed_steps} < {*both.observed_steps} and max(both.observed_steps) >= 52
    assert both.series("batch.loss").values.tolist() == further.run.series("batch.loss").values.tolist()
    assert further.run.steps == both.steps


def test_there_need_be_no_run_to_go_on_in_but_a_path(tmp_path):
    fit(TrainingMonitor(tmp_path / "new.sqlite", append=True), epochs=1, verbose=0)
    assert diagnose.load(tmp_path / "new.sqlite").steps == 26
    with pytest.raises(ValueError, match="no path"):
        TrainingMonitor(append=True)


def watch(path: Any) -> tuple[int, str]:
    """What `keras-diagnose watch` prints of a run where it is no terminal, and its exit code."""
    result = CliRunner().invoke(main, ["watch", str(path)])
    return result.exit_code, " ".join(result.output.split())


def test_watch_shows_a_fit_that_goes_on_and_one_that_has_ended(tmp_path):
    path, seen = tmp_path / "run.sqlite", []
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(watch(path)))
    fit([TrainingMonitor(path), look], rate=1e4, epochs=2, verbose=0)
    assert "step 26, epoch 1 of 2, the fit goes on" in seen[0][1]
    code, text = watch(path)
    assert code == 1
    assert "epoch 2 of 2, the fit has ended" in text
    assert "critical" in text and "skill, validation" in text and "relu" in text


def test_watch_says_how_long_nothing_was_written(tmp_path):
    path = tmp_path / "run.sqlite"
    monitor = TrainingMonitor(path)

    def killed(epoch: int, logs: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit([monitor, keras.callbacks.LambdaCallback(on_epoch_end=killed)], rate=0.3, verbose=0)
    assert "the fit goes on" in watch(path)[1]
    os.utime(path, (0, 0))
    assert "the fit stands still, or was killed" in watch(path)[1]


def test_watch_waits_in_a_terminal_for_a_fit_that_is_not_begun(tmp_path):
    path = tmp_path / "run.sqlite"
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "diagnose", "watch", str(path), "--every", "0.2"]
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        fit(TrainingMonitor(path), rate=0.3, epochs=4, verbose=0)
        shown = b""
        while chunk := _read(terminal):
            shown += chunk
    os.close(terminal)
    assert process.returncode == 0
    assert "the fit has ended" in shown.decode()


def _read(terminal: int) -> bytes:
    """What comes from a terminal; nothing once nobody writes to it any more."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_watch_refuses_what_is_no_run(tmp_path):
    (tmp_path / "notes.txt").write_text("no run")
    assert watch(tmp_path / "notes.txt")[0] == 2
    assert watch(tmp_path / "nothing.sqlite")[0] == 2
