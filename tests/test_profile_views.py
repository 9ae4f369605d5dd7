"""A profile is shown as a page, as text, as JSON and as a figure, alone or beside others, and in one line of a test."""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from profiles import finding, quick_profile

from diagnose.api import profile
from diagnose.comparing import (
    FORMULAS,
    compare_activations,
)
from diagnose.testing import assert_sound_activation


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


@pytest.mark.sweep
def test_the_comparison_of_all_of_keras_holds_what_textbooks_say():
    table = compare_activations()
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
