"""A profile is made of anything that can be called, within a stated time, and leaves nothing behind."""

from __future__ import annotations

import json
import queue
import random
import subprocess
import sys
import threading
import time
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from clock import SteadyClock
from profiles import examine_function, finding, quick_profile

from diagnose.activation.calling import isolation
from diagnose.activation.profiling import SECONDS
from diagnose.api import ActivationProfile, profile
from diagnose.rules.catalogue import ALL_RULES

# --- functions that do harm ------------------------------------------------------------------------------------------


def test_the_stated_times_are_what_the_documents_say():
    assert isolation.CALL_SECONDS == 5.0 and SECONDS == 10.0


def test_a_function_that_sleeps_is_left_with_a_finding(monkeypatch):
    monkeypatch.setattr(isolation, "CALL_SECONDS", 0.5)
    found = profile(lambda z: time.sleep(60) or z)
    assert finding(found, "failing-activation").severity == "critical"
    assert "one call took over 0.5 s" in finding(found, "failing-activation").message
    assert "shape (4, 8)" in finding(found, "failing-activation").message


def test_a_function_that_never_ends_is_stopped():
    """It is noted in a queue which thread runs it: what a list in its closure takes is put back."""
    running: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()

    def endless(z: Any) -> Any:
        running.put(threading.current_thread())
        while True:
            time.sleep(0.001)

    found = examine_function(endless, dtype="float32", seconds=0.5)
    assert finding(found, "failing-activation").severity == "critical"
    thread = running.get_nowait()
    thread.join(60)
    assert not thread.is_alive()


def test_a_slow_function_ends_in_time_with_what_was_found_until_then(monkeypatch):
    clock = SteadyClock()
    monkeypatch.setattr(time, "monotonic", clock)

    def slow(z: Any) -> Any:
        clock.now += 0.3
        return tf.tanh(z)

    found = examine_function(slow, dtype="float32", seconds=2.0)
    assert "one call takes 0.3" in finding(found, "failing-activation").message
    assert "shape" in found.missing


def test_a_function_that_hoards_memory_is_stopped(monkeypatch):
    monkeypatch.setattr(isolation, "MEMORY_GROWTH", 64 * 1024**2)
    hoard: list[np.ndarray] = []

    def hoarding(z: Any) -> Any:
        while True:
            hoard.append(np.ones(250_000))
            time.sleep(0.002)

    found = profile(hoarding)
    hoard.clear()
    assert "memory grew by" in finding(found, "failing-activation").message


def test_an_absurd_tensor_is_refused_before_it_is_made():
    found = profile(lambda z: z + tf.reduce_sum(tf.zeros([200_000, 200_000])))
    assert "149 GiB for 8 rows (not run)" in finding(found, "failing-activation").message


def test_memory_that_grows_with_the_square_of_the_batch_is_told():
    def pairwise(z: Any) -> Any:
        flat = tf.reshape(z, [-1])
        return tf.reshape(flat + 0 * tf.reduce_sum(flat[:, None] * flat[None, :], axis=1), tf.shape(z))

    found = examine_function(pairwise, dtype="float32", seconds=1.0)
    assert "for a batch of 4,096 it needs a tensor of 4 GiB" in finding(found, "failing-activation").message


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (np.tanh, "it returns a NumPy array of shape (4, 8), not a tensor"),
        (lambda z: None, "it returns None, not a tensor"),
        (lambda z: [z, z], "it returns a list, not a tensor"),
        (lambda z: tf.as_string(z), "a tensor of string, not of real numbers"),
        (lambda z: sys.exit(3), "SystemExit: 3"),
        (lambda z, a: z, "missing 1 required positional argument: 'a'"),
        (lambda z: 1 // 0, "ZeroDivisionError"),
    ],
)
def test_what_can_not_be_used_is_told_with_the_offending_input(f, words):
    found = profile(f)
    told = finding(found, "failing-activation")
    assert told.severity == "critical" and words in told.message
    assert "Input: float32 tensor of shape (4, 8), values from N(0, 1)." in told.message
    assert found.shape is None and found.missing["shape"].startswith("f can't be called")
    assert str(found) and found.to_json() and found._repr_html_() and found.plot()


def test_the_inputs_on_which_a_function_raises_are_found():
    """All else is measured on the inputs on which it works."""

    def picky(z: Any) -> Any:
        tf.debugging.assert_less(z, tf.cast(40.0, z.dtype), message="too large")
        return tf.tanh(z)

    found = profile(picky)
    told = finding(found, "failing-activation")
    assert told.severity == "warning" and "too large" in told.message
    assert "z from 40 on" in told.message
    assert found.shape.largest_slope == pytest.approx(1.0) and found.shape.monotone == "increasing"


def test_a_function_that_works_eagerly_only_is_told():
    found = profile(lambda z: z * float(tf.reduce_max(tf.abs(z)) > 0))
    assert "can't be compiled" in finding(found, "failing-activation").message


def test_a_function_that_needs_a_higher_rank_is_measured_there():
    def of_images(z: Any) -> Any:
        if z.shape.rank != 4:
            raise ValueError("expected images")
        return tf.nn.relu(z)

    found = profile(of_images)
    told = finding(found, "failing-activation")
    assert told.severity == "note" and "It works from rank 4 on." in told.message
    assert found.calls.least_rank == 4 and found.shape.largest_slope == 1.0


# --- nothing is left behind ------------------------------------------------------------------------------------------


def test_prints_are_kept_from_the_screen_and_told(capfd):
    def loud(z: Any) -> Any:
        print("first words")
        tf.print("more words")
        return tf.tanh(z)

    found = profile(loud)
    said = capfd.readouterr()
    assert "words" not in said.out and "more words" not in said.err
    assert finding(found, "impure-activation").severity == "note"
    assert "'first words'" in finding(found, "impure-activation").message


def test_prints_of_other_threads_pass(capsys):
    done = threading.Event()

    def chatter() -> None:
        while not done.wait(0.01):
            print("still training")

    thread = threading.Thread(target=chatter)
    thread.start()
    profile(tf.tanh)
    done.set()
    thread.join()
    assert "still training" in capsys.readouterr().out


def test_random_states_are_as_they_were():
    def draws() -> tuple[Any, ...]:
        generator = tf.random.get_global_generator()
        return random.random(), np.random.rand(), float(tf.random.normal([])), float(generator.normal([]))

    def noisy(z: Any) -> Any:
        extra = random.random() + np.random.rand() + tf.random.normal([]) + tf.random.get_global_generator().normal([])
        return z + tf.cast(extra, z.dtype)

    def seeded() -> None:
        random.seed(1)
        np.random.seed(1)
        tf.random.set_seed(1)
        tf.random.set_global_generator(tf.random.Generator.from_seed(1))

    seeded()
    draws()
    undisturbed = draws()
    seeded()
    draws()
    profile(noisy)
    assert draws() == undisturbed


def test_random_numbers_of_other_threads_go_on():
    """A data pipeline draws while the profile is made: its sequence must be that of an undisturbed run."""

    def sequence(meanwhile: Any) -> list[float]:
        random.seed(3)
        drawn: list[float] = []
        done = threading.Event()

        def pipeline() -> None:
            while not done.is_set() or len(drawn) < 100:
                drawn.append(random.random())
                time.sleep(0.002)

        thread = threading.Thread(target=pipeline)
        thread.start()
        meanwhile()
        done.set()
        thread.join()
        return drawn[:100]

    assert sequence(lambda: profile(lambda z: z + random.random())) == sequence(lambda: None)


def test_keras_own_random_state_is_as_it_was():
    def draw() -> float:
        return float(keras.random.normal(()))

    keras.utils.set_random_seed(1)
    draw()
    undisturbed = draw()
    keras.utils.set_random_seed(1)
    draw()
    profile(lambda z: z + keras.random.normal(keras.ops.shape(z), dtype=z.dtype))
    assert draw() == undisturbed


def test_a_layer_is_handed_back_as_it_was():
    unbuilt = keras.layers.PReLU()
    profile(unbuilt)
    assert not unbuilt.built
    norm = keras.layers.BatchNormalization()
    norm.build((None, 8))
    before = [weight.copy() for weight in norm.get_weights()]
    profile(norm)
    for old, new in zip(before, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_variable_that_f_changes_is_put_back_and_told():
    count = tf.Variable(5.0, trainable=False, name="count")

    def counted(z: Any) -> Any:
        count.assign_add(1.0)
        return tf.tanh(z)

    found = profile(counted)
    assert float(count) == 5.0
    assert "changes count" in finding(found, "impure-activation").message


def test_a_state_that_changes_the_answer_is_not_called_noise():
    largest = tf.Variable(1.0, trainable=False, name="largest")

    def normalized(z: Any) -> Any:
        largest.assign(0.9 * largest + 0.1 * tf.reduce_max(tf.abs(z)))
        return tf.tanh(z / largest)

    found = finding(profile(normalized), "impure-activation")
    assert "differ by" in found.message and "each changes largest" in found.message
    assert found.remedy.startswith("Keep what it changes in the weights of a Layer.")
    assert float(largest) == 1.0


def test_streams_are_the_users_own_again():
    out, err = sys.stdout, sys.stderr
    profile(lambda z: time.sleep(0.01) or z)
    assert sys.stdout is out and sys.stderr is err


def test_a_profile_kept_in_a_run_is_judged_without_tensorflow(tmp_path):
    kept = tmp_path / "profile.json"
    found = profile(lambda z: tf.tanh(z**5))
    kept.write_text(json.dumps(found.to_dict()))
    code = (
        "import json, sys; from diagnose.api import ActivationProfile;"
        f"found = ActivationProfile.from_dict(json.load(open({str(kept)!r})));"
        "print([finding.rule for finding in found.findings]); str(found); found._repr_html_();"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [repr([entry.rule for entry in found.findings]), "[]"]


def test_a_profile_of_a_newer_format_is_refused():
    data = quick_profile(tf.tanh).to_dict()
    with pytest.raises(ValueError, match=r"has format 99.*Update keras-diagnose"):
        ActivationProfile.from_dict({**data, "format": 99})


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_rules_about_functions_need_nothing_but_plain_facts():
    """Each judges a profile that came back from JSON as it judged the one that was measured."""
    for f in (tf.tanh, "softmax", lambda z: None, lambda z: tf.where(z > 0, z, tf.exp(z) - 1), tf.round):
        found = quick_profile(f)
        again = ActivationProfile.from_dict(json.loads(json.dumps(found.to_dict())))
        for rule in (rule for rule in ALL_RULES if rule.subject == "profile"):
            assert [*rule.verdicts(again)] == [*rule.verdicts(found)]


def test_each_rule_about_functions_says_one_thing_of_a_function():
    for f in ("relu", "softmax", lambda z: None):
        found = quick_profile(f)
        for rule in (rule for rule in ALL_RULES if rule.subject == "profile"):
            assert len([*rule.verdicts(found)]) == 1
