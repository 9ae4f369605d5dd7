"""A function named in words is found, or one line says what to write instead."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from diagnose.activation.calling.spec import resolve


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
