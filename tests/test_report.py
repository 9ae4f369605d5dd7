"""What a user reads says what was found, escapes what came from the model, and stays small however long the run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hand_made import changing
from pages import EVIL, Page
from runs import long_run, sick_diagnosis, sick_run

from diagnose.api import Diagnosis, examine
from diagnose.report.html import render
from diagnose.report.index import Entry, write_index
from diagnose.report.presentation import title_of
from diagnose.rules.catalogue import ALL_RULES
from diagnose.run.run import Run
from diagnose.verdict import Finding, NotMeasured


def nothing_known() -> Diagnosis:
    return Diagnosis("unknown", "nothing was measured.", "nothing measured", (), (), (), Run())


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_cause_number_place_remedy_and_what_would_refute_it():
    text = Page(render(sick_diagnosis())).text
    for words in (
        "Not learning",
        "passes 0.4 % of the gradient",
        "Saturated activation in dense_1",
        "92 % sure",
        "since step 0",
        "saturated share 0.912",
        "or multiply its inputs by 2",
        "The share falls below 50 % when the inputs are doubled.",
        "Which leads to critical Vanishing gradient",
        "Fits as well: small updates",
        "Unfinished training",
        "the loss takes the logits, so no gradient passes the softmax",
        "3.15.1",
        "learning_rate",
    ):
        assert words in text, words


def test_a_page_needs_nothing_but_itself():
    """No script, nothing fetched: it can be mailed, and opened in a train."""
    page = render(sick_diagnosis())
    read = Page(page)
    assert "script" not in read.tags
    assert not {tag for tag in read.tags if tag in ("link", "img", "iframe", "object", "embed", "use", "image")}
    assert all(value.startswith("#") for name, value in read.attributes if name in ("href", "src"))
    assert "http://" not in page and "https://" not in page and "url(" not in page and "@import" not in page


def test_names_from_the_users_model_stay_text():
    """In names, values, units, errors, histories: a layer called <script> is a layer called <script>."""
    run = sick_run(hidden=(EVIL, f"{EVIL}/2"), function=EVIL)
    with changing(run) as meta:
        meta["model"]["name"] = EVIL
        meta["loss"] = {"name": {EVIL: EVIL}}
    run.history[EVIL] = [1.0, 2.0]
    run.notes.append(EVIL)
    run.add_column(EVIL, EVIL, np.arange(3), np.ones(3))
    cause = Finding(
        EVIL, EVIL, "critical", ("loss",), 0, {EVIL: EVIL}, EVIL, EVIL, 0.5, rivals=(EVIL,), rule=f"rule-{EVIL}"
    )
    diagnosis = Diagnosis(
        "not-learning", EVIL, EVIL, (cause,), (cause,), (NotMeasured(EVIL, EVIL, EVIL),), run, ((cause,),)
    )
    for page in (render(diagnosis), diagnosis._repr_html_()):
        read = Page(page)
        assert "script" not in read.tags
        assert not [name for name, _ in read.attributes if name.startswith("on")]
        assert "alert('x')" in read.text


def test_what_the_json_and_the_terminal_show_of_strange_names_is_whole():
    cause = Finding("a\x1b[31mb", "broken\x07 text", rule="dead-units")
    diagnosis = Diagnosis("unknown", "", "", (cause,), (cause,), (), Run())
    assert "\x1b" not in str(diagnosis) and "\x07" not in str(diagnosis)
    assert json.loads(diagnosis.to_json())["causes"][0]["where"] == "a\x1b[31mb"


def test_the_picture_of_the_suspect_stands_in_its_cause():
    page = render(sick_diagnosis())
    card = page.split('class="cause"')[1]
    assert "f&#39;(z)" in card and 'class="bars histogram"' in card and 'class="area flat"' in card


def test_a_run_of_nothing_says_so_everywhere():
    text = Page(render(nothing_known())).text
    for words in (
        "Nothing was observed, so no check could run.",
        "Not drawn: the run holds no curve",
        "Not measured in this run: saturated share, dead units, gate gain, gradient size.",
        "Not drawn: no metrics and no loss on held samples were measured",
        "Nothing is known of the model and its settings.",
    ):
        assert words in text
    assert "<svg" not in render(nothing_known())


def test_a_run_of_nan_alone_is_shown_without_complaint():
    run = sick_run()
    broken = Run(run.meta)
    for quantity in run.quantities:
        for where in run.places(quantity):
            series = run.series(quantity, where)
            broken.add_column(quantity, where, series.steps, np.full(len(series), np.nan))
    for quantity, where, step, values in run.all_arrays():
        broken.add_array(quantity, where, step, np.full_like(values, np.nan))
    broken.history = {"loss": [float("nan")] * 3, "accuracy": [float("inf"), float("nan")]}
    text = Page(render(replace(sick_diagnosis(), run=broken))).text
    assert "not finite" in text and "NaN" in text


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-308, 5e-324, 1.7e308, -1.7e308, float("inf")])
def test_numbers_at_the_edge_of_floats_are_drawn(value):
    run = sick_run()
    for quantity in ("gradient.rms", "activation.gate_gain", "loss.train", "skill.train", "batch.loss"):
        where = run.places(quantity)[0]
        run.add_column(quantity, where, np.array([2_000]), np.array([value]))
    run.add_array("preactivation.histogram", "dense", 2_000, np.array([[value, value], [1.0, 1.0]]))
    run.add_array("activation.curve", "dense", 2_000, np.array([[0.0, 1.0], [value, -value], [value, value]]))
    assert "nan" not in re.sub(r"<style>.*?</style>", "", render(sick_diagnosis(run)), flags=re.S).split("<main>")[1]


def test_the_same_diagnosis_gives_the_same_page():
    assert render(sick_diagnosis()) == render(sick_diagnosis())


def test_a_page_is_written_where_it_was_asked_for_or_says_why_not(tmp_path):
    assert sick_diagnosis().to_html(tmp_path / "a.html") == tmp_path / "a.html"
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(OSError, match=r"could not be written to .*missing.*pass another path"):
        sick_diagnosis().to_html(tmp_path / "missing" / "a.html")


def test_a_million_measurements_make_a_page_of_three_megabytes(tmp_path):
    run = long_run()
    assert sum(len(run.series(name, where)) for name in run.quantities for where in run.places(name)) > 1_000_000
    page = sick_diagnosis(run).to_html(tmp_path / "long.html")
    assert page.stat().st_size < 3_000_000


def test_a_model_of_two_thousand_layers_makes_a_page_that_can_be_read(tmp_path):
    run = sick_run(hidden=tuple(f"layer_{k}" for k in range(2_000)))
    page = sick_diagnosis(run).to_html(tmp_path / "wide.html")
    assert page.stat().st_size < 3_000_000
    assert "more places not shown" in page.read_text(encoding="utf-8")


def test_a_report_loads_neither_tensorflow_nor_a_plotting_library():
    code = (
        "import sys; sys.path.insert(0, 'tests'); from runs import sick_diagnosis; d = sick_diagnosis();"
        "d._repr_html_(); str(d); d.to_json(); d.to_html(sys.argv[1]);"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'pandas') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, "/dev/null"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_what_the_function_is_by_itself_stands_beside_what_it_did():
    """Once a page, though four layers have the same function; a profile of another version is passed over."""
    run = sick_run()
    with changing(run) as meta:
        meta["profiles"] = {"tanh_of_fifth_power": profile_of_fifth_power()}
    text = Page(render(sick_diagnosis(run))).text
    assert text.count("By itself: tanh_x5 is nearly flat around z = 0") == 1
    with changing(run) as meta:
        meta["profiles"] = {"tanh_of_fifth_power": {"format": 10_000}}
    assert "By itself" not in render(sick_diagnosis(run))


def profile_of_fifth_power() -> dict[str, object]:
    from keras import ops

    from diagnose.api import profile

    def tanh_x5(x):
        return ops.tanh(x**5)

    return profile(tanh_x5).to_dict()


def test_the_first_batch_is_shown_as_the_audit_saw_it():
    run = Run({"audit": {"samples": 32, "loss": {"value": 0.25}, "outputs": [FIRST_BATCH, {"name": "bare"}]}})
    run.add_column("batch.loss", "", np.array([0]), np.array([2.5]))
    run.add_column("batch.loss_reported", "", np.array([0]), np.array([0.0]))
    text = Page(render(Diagnosis("unknown", "", "h", (), (), (), run))).text
    for words in (
        "The first batch, before any training, 32 samples",
        "compute_loss is 0.25 for it",
        "step 0 reports a loss of 0; recomputed it is 2.5.",
        "predictions, shape of one (3,) –",
        "predictions, range 0 to 1 –",
        "predictions, sum of a row 1 each –",
        "labels, shape of one () –",
        "labels, type float32",
        "labels, range 0 to 2",
        "labels, distinct values 3",
        "loss mse, takes values none",
        "metric accuracy 0.5",
        "accuracy, the largest entry is the class 50 %",
    ):
        assert words in text, words


FIRST_BATCH = {
    "where": "output",
    "shape": [3],
    "prediction": {"min": 0.0, "max": 1.0, "distribution": True, "row_sum": 1.0},
    "labels": {"given": True, "shape": [], "dtype": "float32", "min": 0.0, "max": 2.0, "distinct": 3},
    "loss": {"name": "mse", "takes": "values", "value": 0.0},
    "metrics": [{"name": "accuracy", "value": 0.5}],
    "accuracies": {"argmax": 0.5},
}


# --- how things are said ----------------------------------------------------------------------------------------------


def test_titles_have_their_hyphens_and_capitals():
    titles = [title_of(name) for name in ("nan-gradient-activation", "non-finite-loss", "one-class-crossentropy")]
    assert titles == ["NaN-gradient activation", "Non-finite loss", "One-class cross-entropy"]


def test_what_does_not_apply_is_a_count_in_the_terminal_and_a_table_on_the_page():
    missed = NotMeasured("a", "seen at 1 observation; 3 are needed", "dead-units")
    idle = NotMeasured("", "the optimizer does not clip", "choked-clipping", applies=False)
    diagnosis = Diagnosis("unknown", "", "h", (), (), (missed, idle), sick_run())
    assert "Not measured (1)\n  - Dead units at a: seen at 1 observation; 3 are needed" in str(diagnosis)
    assert "1 check does not apply to this training: choked-clipping." in str(diagnosis)
    assert "does not clip" not in str(diagnosis)
    counted = replace(diagnosis, looked=90)
    assert f"90 checks ran, 1 does not apply here, {len(ALL_RULES) - 91} could not run." in str(counted)
    text = Page(render(diagnosis)).text
    assert (
        text.index("Could not be measured")
        < text.index("Does not apply to this training")
        < text.index("does not clip")
    )


def test_a_note_of_the_monitor_is_told_once():
    run = sick_run()
    run.notes.append("the disk is full. The training goes on; file is left off.")
    diagnosis = examine(run)
    for text in (str(diagnosis), Page(render(diagnosis)).text):
        assert " ".join(text.split()).count("the disk is full") == 1


def test_nothing_measured_is_no_all_clear():
    for text in (str(nothing_known()), Page(render(nothing_known())).text, nothing_known()._repr_html_()):
        assert "does not mean that the training is healthy" in " ".join(text.split())
        assert "anything to change" not in text


# --- terminal, JSON, notebook, index ---------------------------------------------------------------------------------


def test_the_terminal_text_is_the_verdict_in_words():
    lines = str(sick_diagnosis()).splitlines()
    assert lines[0] == "Not learning"
    assert " 1  Saturated activation in dense_1" in lines
    assert "    critical, 92 % sure, since step 0" in lines
    assert "    leads to   vanishing gradient in dense/kernel; constant predictions" in lines
    assert "From 80 observations of 900 steps." in lines
    assert max(map(len, lines)) <= 92


def test_a_remedy_of_several_lines_keeps_its_lines():
    """So that code in it can be pasted."""
    cause = Finding("", "m", remedy="write:\n    def f(x):\n        return x", rule="dead-units")
    text = str(Diagnosis("unknown", "", "h", (cause,), (cause,), (), Run()))
    assert "write:\n                   def f(x):\n                       return x" in text


def test_a_healthy_run_reads_as_healthy():
    diagnosis = Diagnosis("learning", "skill 0.95.", "healthy: skill 0.95", (), (), (), sick_run())
    assert "No check found anything to change." in str(diagnosis)
    assert "No check found anything to change." in Page(render(diagnosis)).text
    assert json.loads(diagnosis.to_json())["healthy"] is True
    assert json.loads(examine(Run()).to_json())["looked"] == 0  # and then nothing else in it says anything


def test_json_is_standard_json_and_holds_the_whole_verdict():
    run = sick_run()
    run.history["loss"].append(float("nan"))
    diagnosis = sick_diagnosis(run)
    told = json.loads(diagnosis.to_json(), parse_constant=pytest.fail)
    assert [cause["rule"] for cause in told["causes"]] == ["saturated-activation", "dead-units"]
    assert [finding["rule"] for finding in told["causes"][0]["consequences"]] == [
        "vanishing-gradient",
        "constant-predictions",
    ]
    assert told["causes"][0]["evidence"]["gate gain"] == 0.004
    assert len(told["findings"]) == 5 and len(told["not_measured"]) == 2
    assert told["run"]["history"]["loss"][-1] == "NaN"


def test_a_notebook_shows_the_verdict_and_touches_nothing_else():
    """Every rule of its style sheet hangs below its own class."""
    fragment = sick_diagnosis()._repr_html_()
    text = Page(fragment).text
    assert "Saturated activation in dense_1" in text and "or multiply its inputs by 2" in text
    style = re.sub(r"/\*.*?\*/", "", fragment.split("<style>")[1].split("</style>")[0], flags=re.S)
    selectors = re.findall(r"([^{}]+)\{", re.sub(r"@media[^{]+\{", "", style))
    assert [part for rule in selectors for part in rule.split(",") if not part.strip().startswith(".kd")] == []
    assert len(fragment) < 60_000


def test_the_index_sets_trainings_side_by_side(tmp_path):
    entries = [
        Entry("`tanh(x**5)`", "A story.", "a.html", sick_diagnosis()),
        Entry(EVIL, EVIL, "b c.html", nothing_known()),
    ]
    page = write_index(entries, tmp_path / "index.html", title="Two networks", lede=EVIL)
    read = Page(page.read_text(encoding="utf-8"))
    assert "script" not in read.tags
    assert [value for name, value in read.attributes if name == "href"] == ["a.html", "b%20c.html"] * 2
    assert "Saturated activation in dense_1" in read.text and "11 %" in read.text
