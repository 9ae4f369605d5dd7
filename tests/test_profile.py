"""A profile is made of anything that can be called, within a stated time, and leaves nothing behind."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from profiles import examine_function, quick_profile

from diagnose.activation.calling import isolation
from diagnose.activation.calling.spec import resolve
from diagnose.activation.profiling import SECONDS
from diagnose.api import ActivationProfile, profile
from diagnose.comparing import (
    FORMULAS,
    compare_activations,
)
from diagnose.rules.catalogue import ALL_RULES
from diagnose.testing import assert_sound_activation


def finding(found: ActivationProfile, rule: str) -> Any:
    return next(entry for entry in found.findings if entry.rule == rule)


def faults(found: ActivationProfile) -> set[str]:
    return {entry.rule for entry in found.findings if entry.severity != "note"}


# --- functions that do harm ------------------------------------------------------------------------------------------


def test_the_stated_times_are_what_the_documents_say():
    assert isolation.CALL_SECONDS == 5.0 and SECONDS == 10.0


def test_a_function_that_sleeps_is_left_with_a_finding(monkeypatch):
    monkeypatch.setattr(isolation, "CALL_SECONDS", 0.5)
    start = time.monotonic()
    found = profile(lambda z: time.sleep(60) or z)
    assert time.monotonic() - start < 3.0
    assert finding(found, "failing-activation").severity == "critical"
    assert "one call took over 0.5 s" in finding(found, "failing-activation").message
    assert "shape (4, 8)" in finding(found, "failing-activation").message


def test_a_function_that_never_ends_is_stopped():
    running: list[int] = []

    def endless(z: Any) -> Any:
        while True:
            running.append(1)
            time.sleep(0.001)

    found = examine_function(endless, dtype="float32", seconds=0.5)
    assert finding(found, "failing-activation").severity == "critical"
    time.sleep(0.3)
    count = len(running)
    time.sleep(0.2)
    assert len(running) == count


def test_a_slow_function_ends_in_time_with_what_was_found_until_then():
    start = time.monotonic()
    found = examine_function(lambda z: time.sleep(0.3) or tf.tanh(z), dtype="float32", seconds=2.0)
    assert time.monotonic() - start < 4.0
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
    start = time.monotonic()
    found = profile(lambda z: z + tf.reduce_sum(tf.zeros([200_000, 200_000])))
    assert time.monotonic() - start < 2.0
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
    assert "Offending input: float32 tensor of shape (4, 8), values from N(0, 1)." in told.message
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


def test_streams_are_the_users_own_again():
    out, err = sys.stdout, sys.stderr
    profile(lambda z: time.sleep(0.01) or z)
    assert sys.stdout is out and sys.stderr is err


def test_a_profile_kept_in_a_run_is_judged_without_tensorflow(tmp_path):
    kept = tmp_path / "profile.json"
    found = profile(lambda z: tf.tanh(z**5))
    kept.write_text(json.dumps(found.to_dict()))
    code = (
        "import json, sys; from diagnose.activation import ActivationProfile;"
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


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_hidden_nan_is_told_with_its_place_and_construct():
    """exp overflows float32 above ln(3.4e38) = 88.72; `where` takes 0 times that slope."""
    found = profile(lambda z: tf.where(z > 0, z, tf.exp(z) - 1))
    (gap,) = found.numerics[0].backward
    assert gap.low == pytest.approx(math.log(float(np.finfo(np.float32).max)), rel=1e-6) and gap.high == math.inf
    assert gap.construct == "exp in the branch of where that is not selected"
    told = finding(found, "nan-gradient-activation")
    assert "88.72" in told.message and told.severity == "warning" and "safe = where" in told.remedy


def test_a_root_at_zero_is_critical():
    """Zeros are what data holds most of."""
    found = profile(lambda z: tf.sqrt(tf.nn.relu(z)))
    told = finding(found, "nan-gradient-activation")
    assert told.severity == "critical" and "sqrt" in told.message and "epsilon" in told.remedy


def test_what_matters_is_the_dtype_asked_for():
    """exp overflows float16 above ln(65504) = 11.09; with float32 in the layer that is a note."""
    by_hand = lambda z: tf.math.log(1 + tf.exp(0.4 * z))  # noqa: E731
    assert faults(profile(by_hand, dtype="float32")) == set()
    assert "overflowing-activation" not in faults(profile(lambda z: tf.math.log(1 + tf.exp(0.2 * z)), dtype="float16"))
    assert "overflowing-activation" in faults(profile(lambda z: tf.math.log(1 + tf.exp(z)), dtype="float16"))


def test_sixteen_bit_limits_are_exact():
    """Every number of a 16-bit dtype is tried: 11.0859375 is the last float16 whose exp is finite."""
    found = profile("exponential").numerics_in("float16")
    assert found.exhaustive and found.forward[0].low == 11.09375
    with np.errstate(over="ignore"):
        assert np.isfinite(np.exp(np.float16(11.0859375))) and not np.isfinite(np.exp(np.float16(11.09375)))


def test_the_ratio_of_a_wrong_gradient_is_told():
    @tf.custom_gradient
    def halved(z: Any) -> Any:
        return tf.tanh(z), lambda upstream: 0.5 * upstream * (1 - tf.tanh(z) ** 2)

    found = profile(halved)
    assert found.gradient.ratio == pytest.approx(0.5, rel=1e-6)
    assert "by a factor of 0.5" in finding(found, "wrong-gradient-activation").message


def test_a_missing_upstream_factor_is_told():
    @tf.custom_gradient
    def deaf(z: Any) -> Any:
        return tf.tanh(z), lambda upstream: 1 - tf.tanh(z) ** 2

    assert "ignores what arrives" in finding(profile(deaf), "wrong-gradient-activation").message


def test_a_captured_parameter_is_named():
    alpha = keras.Variable(0.25, name="alpha")
    found = profile(lambda z: keras.ops.where(z > 0, z, alpha * z))
    assert found.captured[0].name == "alpha" and found.captured[0].trainable
    assert "reads alpha" in finding(found, "untracked-parameter").message


def test_a_layers_own_parameter_is_no_stray():
    layer = keras.layers.PReLU()
    layer.build((None, 8))
    assert profile(layer).captured == () and profile(layer.call).captured == ()


def test_a_layer_that_differs_by_unit_is_told_so():
    layer = keras.layers.PReLU()
    layer.build((None, 3))
    layer.set_weights([np.array([0.0, 0.1, 2.0], "float32")])
    found = profile(layer)
    assert found.mixing.by_position and found.shape.lowest_slope == pytest.approx(0.1)  # the median unit


def test_a_straight_through_round_is_a_note():
    found = profile(lambda z: z + tf.stop_gradient(tf.round(z) - z))
    assert found.gradient.surrogate and finding(found, "wrong-gradient-activation").severity == "note"


def test_what_the_model_said_of_saving_becomes_a_warning():
    """A function alone is a note, since custom_objects may be given; a model that failed to clone is no guess."""
    from dataclasses import replace

    found = profile(lambda z: tf.tanh(z))
    assert finding(found, "unsavable-activation").severity == "note"
    asked = replace(found, saving=replace(found.saving, model_error="TypeError: Could not locate function"))
    assert finding(asked, "unsavable-activation").severity == "warning"


def test_a_registered_function_can_be_loaded():
    @keras.saving.register_keras_serializable(package="test_profile")
    def registered(z: Any) -> Any:
        return keras.ops.tanh(z)

    found = profile(registered)
    assert found.saving.kind == "registered" and found.saving.loads


def test_mean_field_depths_are_those_of_the_paper():
    """ReLU under He: any q is fixed, chi is 1. Under LeCun each layer halves both (Schoenholz et al. 2017)."""
    he, glorot, lecun = profile("relu").propagation.depths
    assert he.fixed == "any" and he.chi == pytest.approx(1.0, rel=1e-3) and he.signal_layers == 1000
    assert lecun.fixed == "zero" and lecun.after_8 == pytest.approx(0.5**8, rel=1e-3)
    assert lecun.signal_layers == 10 and glorot.signal_layers == 10  # 2**-10 is the first under 1/1000
    assert profile("relu").propagation.suits == "he_normal"


def test_tanh_under_he_has_the_fixed_point_of_scipy():
    from scipy import integrate, optimize

    def excess(q: float) -> float:
        second = integrate.quad(lambda z: math.tanh(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2), -10, 10)[0]
        return 2 * second / math.sqrt(2 * math.pi) - q

    (point,) = profile("tanh").propagation.depths[0].points
    assert point.q == pytest.approx(optimize.brentq(excess, 0.1, 2.0), rel=1e-4) and point.stable


def test_the_fixed_point_of_a_cube_drives_signals_away():
    """q = 15 q^3 at q = 15**-0.5 with gain 1; below it signals vanish, above it they explode."""
    depth = profile(lambda z: z**3).propagation.depths[1]
    (point,) = depth.points
    assert point.q == pytest.approx(15**-0.5, rel=1e-3) and not point.stable and depth.after_8 > 1e3


def test_bad_arguments_are_told_what_would_be_right():
    with pytest.raises(ValueError, match="dtype is 'int8'; profile knows float32"):
        profile(tf.tanh, dtype="int8")
    with pytest.raises(TypeError, match="got an int, which can't be called"):
        profile(3)
    with pytest.raises(TypeError, match=r"pass an instance: profile\(ReLU\(\)\)"):
        profile(keras.layers.ReLU)
    with pytest.raises(ValueError, match="Keras has no activation 'relo'; did you mean relu"):
        profile("relo")


@pytest.mark.parametrize("examine", [profile, compare_activations, assert_sound_activation])
def test_a_whole_model_is_refused_with_what_does_look_at_models(examine):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "relu")], name="digits")
    with pytest.raises(TypeError, match=r"got the model 'digits'.*audit\(model, x, y\).*TrainingMonitor\(\)"):
        examine(model)


def test_a_model_that_serves_as_an_activation_is_examined_in_a_training():
    assert quick_profile(keras.Sequential([keras.layers.ReLU()])).shape.low == 0


def test_another_backend_is_told(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"Keras runs on 'jax'.*KERAS_BACKEND"):
        profile("relu")


# --- views -----------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_and_names_stay_text(tmp_path):
    def evil(z: Any) -> Any:
        return tf.tanh(z**5)

    evil.__name__ = "<script>alert(1)</script>"
    found = profile(evil)
    page = found.to_html(tmp_path / "page.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Flat activation" in page and "<svg" in page
    assert "<script" not in found._repr_html_()


def test_a_page_that_can_not_be_written_is_told(tmp_path):
    with pytest.raises(OSError, match="could not be written"):
        quick_profile(tf.tanh).to_html(tmp_path / "nowhere" / "page.html")


def test_the_text_puts_the_gravest_first():
    text = str(profile(lambda z: tf.tanh(z**5)))
    assert text.startswith("tf.tanh(z ** 5) in float32: 2 findings: flat-activation, unstable-signal")
    assert "36 %" in text and "do: " in text and "wrong if: " in text
    assert str(profile("tanh")).startswith("tanh in float32: sound")


def test_the_json_is_strict():
    data = json.loads(profile("relu").to_json(), parse_constant=lambda constant: pytest.fail(constant))
    assert data["shape"]["high"] == "inf" and data["findings"][0]["rule"] == "off-centre-activation"


def test_the_figure_has_a_panel_for_the_curve_and_one_for_depth():
    figure = profile("gelu").plot()
    assert [axis.get_ylabel() for axis in figure.axes] == [
        "f(z)",
        "second moment of the signal",
        "f'(z)",
        "squared gradient",
    ]


def test_an_exchange_of_channels_that_leaves_the_first_in_its_place_mixes_units():
    class Shuffle(keras.layers.Layer):
        def call(self, x):
            return keras.ops.concatenate([x[..., ::2], x[..., 1::2]], axis=-1)

    found = profile(Shuffle())
    assert found.mixing.units and "gradientless-activation" not in {finding.rule for finding in found.findings}


def test_the_comparison_of_all_of_keras_holds_what_textbooks_say():
    start = time.monotonic()
    table = compare_activations()
    assert time.monotonic() - start < 60
    assert len(table) >= 30 and set(table["findings"]) == {""}
    assert table.loc["relu", ["range", "monotone", "saturates", "can die", "initializer"]].tolist() == [
        "[0, inf)",
        "increasing",
        "below",
        "yes",
        "he_normal",
    ]
    assert table.loc["tanh", ["range", "zero-centred", "saturates", "can die"]].tolist() == [
        "[-1, 1]",
        "yes",
        "both sides",
        "no",
    ]
    assert table.loc["softmax", "monotone"] == "mixes units"
    assert set(table.index[table["formula"] == ""]) <= {"sparsemax"}
    assert len(table.figure().axes) >= 30


def test_formulas_are_those_of_the_functions():
    """Evaluated with NumPy at a few places; those over several units by hand elsewhere."""
    from scipy.special import expit
    from scipy.stats import norm

    z = np.linspace(-4, 4, 17)
    names = {**vars(np), "z": z, "sigma": expit, "Phi": norm.cdf, "abs": np.abs}
    for name, formula in FORMULAS.items():
        if name in ("glu", "softmax", "log_softmax"):
            continue
        f = keras.activations.get(name)
        value = f(z, 1.0, 0.0) if name == "threshold" else f(keras.ops.convert_to_tensor(z))
        np.testing.assert_allclose(eval(formula, names), value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_slope_without_bound_is_told_as_one_and_not_as_the_last_number_met():
    def root(z):
        return tf.sign(z) * tf.sqrt(tf.abs(z))

    found = profile(root)
    assert "grows without bound towards z = 0" in str(found) and "largest" not in str(found).split("Lipschitz")[0]
    assert "away from 0 at z = 0" in finding(found, "steep-activation").remedy
    row = compare_activations(root).loc["root"]
    assert (row["slope"], row["largest slope"]) == ("no bound at 0", math.inf)


def test_the_curve_leaves_out_what_autodiff_picks_at_a_tie():
    """The slope of sign(z) * log(1 + |z|) is 1 on both sides of 0, and autodiff's is 0 at it."""
    curve = profile(lambda z: tf.sign(z) * tf.math.log1p(tf.abs(z))).curve
    assert curve is not None
    assert np.array(curve.slope)[np.abs(curve.z) < 0.01].min() > 0.98


def test_two_layers_of_a_class_are_two_rows():
    table = compare_activations(keras.layers.LeakyReLU(0.1), keras.layers.LeakyReLU(0.5))
    assert table.index.tolist() == ["LeakyReLU", "LeakyReLU (2)"]
    assert len(table.figure().axes) == 2


def test_functions_of_ones_own_are_compared():
    table = compare_activations("relu", lambda z: tf.tanh(z**5))
    assert table.index.tolist() == ["relu", "tf.tanh(z ** 5)"]
    assert table.loc["tf.tanh(z ** 5)", "findings"] == "flat-activation, unstable-signal"
    head, rule, relu, power = table.markdown().splitlines()
    assert head.startswith("| activation | formula | range |") and rule.startswith("| --- |")
    assert relu.startswith("| relu | maximum(z, 0) | [0, inf) |") and "flat-activation" in power


def test_a_test_suite_of_ones_own_takes_one_line():
    assert_sound_activation(keras.activations.gelu)
    with pytest.raises(AssertionError, match=r"\[warning\] flat-activation: .*36 %") as told:
        assert_sound_activation(lambda z: tf.tanh(z**5))
    assert "Name a rule in `allow` to accept it." in str(told.value)
    assert_sound_activation(lambda z: tf.tanh(z**5), allow=("flat-activation", "unstable-signal"))
    with pytest.raises(ValueError, match="allow holds 'flat', which is no rule about functions"):
        assert_sound_activation("relu", allow="flat")


# --- names on the command line ---------------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(
        "import keras\ndef mine(z):\n    return keras.ops.tanh(z)\n"
        "class Mine(keras.layers.Layer):\n    def call(self, z):\n        return z\nnumber = 3\n"
    )
    return file


def test_a_function_is_found_by_file_module_or_keras_name(script):
    assert resolve(f"{script}:mine").__name__ == "mine"
    assert isinstance(resolve(f"{script}:Mine"), keras.layers.Layer)
    assert resolve("keras.activations:relu") is keras.activations.relu
    assert resolve("gelu") is keras.activations.gelu


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "the function is missing"),
        ("no_such_file.py:f", "there is no file 'no_such_file.py'"),
        ("{script}", "names a file but no function"),
        ("{script}:min", "has no 'min'; did you mean mine"),
        ("{script}:number", "is an int, which can't be called"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
        ("keras.no_such_module:f", "there is no module 'keras.no_such_module'"),
        ("keras.activations:", "is incomplete"),
        ("my.module.f", "is no name of Keras; did you mean my.module:f?"),
        ("my/module", 'is no name of Keras; for a function of your own write "module:function"'),
        ("my/notes.txt:f", "is neither a module nor a file that ends in .py"),
        ("gelo", "did you mean gelu"),
    ],
)
def test_a_wrong_name_is_answered_in_one_line(spec, words, script):
    with pytest.raises(ValueError, match=r".") as told:
        resolve(spec.format(script=script))
    assert words in str(told.value) and "\n" not in str(told.value)


def test_a_file_that_does_not_run_is_answered_in_one_line(tmp_path):
    file = tmp_path / "broken.py"
    for code, words in (
        ("\ndef f(:\n", r"SyntaxError: .* \(line 2 of broken\.py\)$"),
        ("import math\n\nmath.log(0)\n", r"ValueError: .* \(line 3 of broken\.py\)$"),
        ("import no_such_module\n", r"ModuleNotFoundError: No module named 'no_such_module' \(line 1 of broken\.py\)$"),
        ("raise SystemExit('use me otherwise\\nplease')", r"SystemExit: use me otherwise \(line 1 of broken\.py\)$"),
    ):
        file.write_text(code)
        with pytest.raises(ValueError, match=f"can't be loaded: {words}"):
            resolve(f"{file}:f")


def test_a_module_that_does_not_import_is_answered_with_the_line_that_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_that_needs.py").write_text("import os\nimport no_such_module\n")
    words = r"'mine_that_needs' can't be imported: .* named 'no_such_module' \(line 2 of mine_that_needs\.py\)$"
    with pytest.raises(ValueError, match=words):
        resolve("mine_that_needs:f")


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


def test_a_profile_takes_less_than_two_seconds():
    """Measured: 0.3 s for most; the first pays for what TensorFlow loads late."""
    quick_profile("gelu")
    for f in (lambda z: tf.tanh(z**5), lambda z: tf.where(z > 0, z, tf.exp(z) - 1)):
        assert min(profile(f).seconds for _ in range(2)) < 2.0
        assert min(quick_profile(f).seconds for _ in range(2)) < 1.0
