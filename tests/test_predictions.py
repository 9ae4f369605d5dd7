"""What a run keeps of the predictions, class by class: counted again on another road, and shown where it tells much."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hand_made import changing, findings, run_of, verdicts
from keras import layers
from trainings import Training, dense_stack, several

from diagnose import examine, load
from diagnose.callbacks import TrainingMonitor
from diagnose.outcome.predictions import class_predictions, classes_tell, residuals, residuals_tell
from diagnose.report.figures import class_figures, residual_charts
from diagnose.report.figures.predictions import ROWS
from diagnose.run.run import Run
from diagnose.verdict import Healthy, NotMeasured

EPOCHS = 3
SIZE = 300


def fitted(model, x, y, validation, path=None, epochs=EPOCHS):
    """A run whose held set is all of x: every step of the first epoch is observed."""
    monitor = TrainingMonitor(path, every=1)
    model.fit(x, y, batch_size=50, epochs=epochs, validation_data=validation, verbose=0, callbacks=[monitor])
    return monitor.run


@pytest.fixture(scope="module")
def two_outputs(tmp_path_factory):
    """A model that names the quadrant of a point and its product, with its run and its run file."""
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2 * SIZE, 2)).astype("float32")
    quadrant, product = 2 * (x[:, 0] > 0) + (x[:, 1] > 0), 3 * x[:, :1] * x[:, 1:]
    inputs = keras.Input((2,))
    hidden = layers.Dense(32, "tanh")(inputs)
    model = keras.Model(
        inputs, [layers.Dense(4, "softmax", name="which")(hidden), layers.Dense(1, name="size")(hidden)]
    )
    model.compile(keras.optimizers.Adam(0.02), ["sparse_categorical_crossentropy", "mse"])
    path = tmp_path_factory.mktemp("answers") / "run.sqlite"
    train, held_back = (x[:SIZE], [quadrant[:SIZE], product[:SIZE]]), (x[SIZE:], [quadrant[SIZE:], product[SIZE:]])
    run = fitted(model, *train, held_back, path)
    return model, run, load(path), {"train": train, "validation": held_back}


@pytest.mark.parametrize("side", ["train", "validation"])
def test_each_class_is_counted_as_numpy_counts_it(two_outputs, side):
    model, run, _, data = two_outputs
    x, (truth, _) = data[side]
    answered = model.predict(x, verbose=0)[0].argmax(axis=1)
    counted = class_predictions(run, side, "which")
    assert counted.classes.tolist() == [0, 1, 2, 3]
    for name in range(4):
        mine = truth == name
        assert counted.samples[name] == mine.sum()
        assert counted.right[name] == (answered[mine] == name).sum()
        assert counted.predicted[name] == (answered == name).sum()
        wrong = np.bincount(answered[mine & (answered != name)], minlength=4)
        taken = counted.taken_for[name]
        assert wrong[taken] == wrong.max() if wrong.any() else taken == -1


@pytest.mark.parametrize("side", ["train", "validation"])
def test_the_residuals_are_those_of_predict_in_spreads_of_the_targets(two_outputs, side):
    model, run, _, data = two_outputs
    x, (_, truth) = data[side]
    apart = (model.predict(x, verbose=0)[1] - truth) / truth.std()
    centres, counts = residuals(run, side, "size")
    assert counts.sum() == SIZE
    half = (centres[1] - centres[0]) / 2
    for place in (18, 20, 23):
        low, high = centres[place] - half, centres[place] + half
        assert counts[place] == pytest.approx(((apart >= low) & (apart < high)).sum(), abs=1)


def test_of_all_evaluations_the_last_answers_are_kept_in_memory_and_in_the_file(two_outputs):
    _, run, loaded, _ = two_outputs
    assert len(run.series("skill.train", "which")) == EPOCHS
    for seen in (run, loaded):
        kept = [(name, step) for name, _, step, _ in seen.all_arrays() if name.startswith(("classes", "residuals"))]
        assert {step for _, step in kept} == {EPOCHS * SIZE // 50 - 1}
        assert sorted(name for name, _ in kept) == sorted(
            f"{kind}.{side}" for kind in ("classes", "residuals") for side in ("train", "validation")
        )
    np.testing.assert_array_equal(*(seen.arrays("classes.train", "which").popitem()[1] for seen in (run, loaded)))


@pytest.mark.parametrize(
    ("loss", "metrics", "kind"),
    [
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), None, "categorical"),
        (lambda y, answered: keras.ops.mean(answered**2, axis=-1), ["accuracy"], "categorical"),
        (lambda y, answered: keras.ops.mean(answered**2, axis=-1), None, "unknown"),
    ],
    ids=["the loss reads class numbers", "the accuracy does", "neither does"],
)
def test_whole_numbers_are_classes_where_the_loss_or_an_accuracy_reads_them_so(loss, metrics, kind):
    """The predictions are no probabilities, so that they say nothing themselves."""
    keras.utils.set_random_seed(2)
    x = np.random.default_rng(2).normal(size=(100, 2)).astype("float32")
    y = (x[:, 0] > 0).astype("float32") + (x[:, 1] > 0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    model.compile("adam", loss, metrics=metrics)
    run = fitted(model, x, y, (x, y), epochs=1)
    assert run.meta["task"]["kind"] == kind
    assert (
        (class_predictions(run, "train") is not None) == (len(run.series("batch.accuracy")) > 0) == (kind != "unknown")
    )


def test_of_many_labels_at_once_each_is_counted_for_itself():
    training = Training(data=several, epochs=1)
    keras.utils.set_random_seed(1)
    data = several(np.random.default_rng(1))
    model = dense_stack(training, data)
    model.compile("adam", "binary_crossentropy")
    run = fitted(model, data.x, data.y, (data.x_validation, data.y_validation), epochs=1)
    counted, answered = class_predictions(run, "train"), model.predict(data.x, verbose=0) > 0.5
    assert counted.samples.tolist() == data.y.sum(axis=0).tolist()
    assert counted.right.tolist() == (answered & (data.y > 0)).sum(axis=0).tolist()


# --- a rare class that is never found ---------------------------------------------------------------------------------


def answering(samples: list[int], right: list[int]) -> Run:
    """A run of which each class has so many held training samples, and so many of them answered right."""
    share = max(samples) / sum(samples)
    task = {"kind": "categorical", "majority_share": share, "held_samples": sum(samples)}
    run = run_of({"skill.train": [0.0, 0.0]}, task=task, steps_seen=1000)
    lost = [-1] * len(samples)
    run.add_array("classes.train", "", 1, np.array([list(range(len(samples))), samples, right, right, lost]))
    return run


def test_a_rare_class_that_is_never_found_is_told_with_its_recall():
    (finding,) = findings("class-imbalance", answering([950, 50], [950, 0]))
    assert "of the 50 training samples of class 1 looked at none is predicted correctly" in finding.message
    assert finding.evidence["recall of class 1"] == 0.0
    assert "by 19 (`class_weight={1: 19}` in fit)" in finding.remedy


def test_a_class_that_is_never_found_is_the_harm_itself_whatever_else_was_achieved():
    """0.95 of the answers are right, and the loss is under that of the best constant answer: a note would hide it."""
    run = answering([950, 50], [950, 3])
    run.add_column("loss.train", "", np.array([0, 1]), np.array([0.3, 0.15]))
    run.add_column("loss.constant", "", np.array([1]), np.array([0.2]))
    diagnosis = examine(run)
    assert diagnosis.outcome == "learning"
    assert [(cause.rule, cause.severity) for cause in diagnosis.causes] == [("class-imbalance", "warning")]


def test_a_rare_class_that_is_being_found_better_and_better_is_given_time():
    run = answering([950, 50], [950, 4])
    at = np.arange(6)
    run.add_column("skill.balanced", "", at, np.array([0.0, 0.0, 0.0, 0.0, 0.02, 0.08]))
    assert findings("class-imbalance", run) == []  # grown by 0.08 in the last third
    still = answering([950, 50], [950, 4])
    still.add_column("skill.balanced", "", at, np.array([0.0, 0.0, 0.05, 0.06, 0.07, 0.08]))
    assert len(findings("class-imbalance", still)) == 1


def test_a_class_that_is_never_the_answer_is_told_whatever_its_share():
    """The mean recall of the others is (98 + 95) / 200 = 0.965; at 0.8 the model is good at them."""
    (finding,) = findings("class-imbalance", answering([100, 100, 100], [98, 95, 0]))
    assert (
        finding.message.startswith("Class 2 is never predicted, though 100 training samples")
        and finding.severity == "warning"
    )
    assert not findings("class-imbalance", answering([100, 100, 100], [79, 80, 0]))
    assert not findings("class-imbalance", answering([100, 100, 100], [98, 95, 1]))
    assert not findings("class-imbalance", answering([12, 12, 9], [12, 12, 0]))


def test_a_class_that_is_never_the_answer_may_be_padding_where_a_sample_has_many_labels():
    run = answering([100, 100, 100], [98, 95, 0])
    with changing(run) as meta:
        meta["task"]["held_samples"] = 30
    assert not findings("class-imbalance", run)


def test_a_class_of_weight_0_is_told_with_its_weight():
    run = answering([150, 150], [150, 0])
    assert not findings("class-imbalance", run)  # one class answered always says nothing of the other
    with changing(run) as meta:
        meta["audit"] = {"outputs": [{"name": "output_0", "loss": None, "weights": {"idle_classes": [1]}}]}
    (finding,) = findings("class-imbalance", run)
    assert finding.severity == "critical" and "a weight over 0" in finding.remedy


def test_zeros_of_many_labels_at_once_are_no_class():
    run = answering([910, 90], [910, 0])
    with changing(run) as meta:
        meta["task"]["kind"] = "multilabel"
    assert [type(verdict) for verdict in verdicts("class-imbalance", run)] == [NotMeasured]


def test_a_rare_class_that_is_found_is_no_imbalance_whatever_the_accuracy():
    """Weighed classes cost accuracy, and the skill with it; the rare class is found all the same."""
    assert verdicts("class-imbalance", answering([950, 50], [700, 45])) == [Healthy("", "class-imbalance")]


def test_a_class_ten_times_as_rare_as_the_commonest_counts_among_many():
    assert findings("class-imbalance", answering([500, 50, 450], [480, 4, 440]))
    assert not findings("class-imbalance", answering([500, 51, 449], [480, 4, 440]))
    assert not findings("class-imbalance", answering([500, 50, 450], [480, 5, 440]))


def test_weights_that_make_a_rare_class_rarer_are_told():
    run = answering([500, 100, 400], [480, 4, 390])
    assert not findings("class-imbalance", run)  # five times as rare
    weights = {"by_class": {"0": 2.0, "1": 0.5, "2": 2.0}}
    with changing(run) as meta:
        meta["audit"] = {"outputs": [{"name": "output_0", "loss": None, "weights": weights}]}
    (finding,) = findings("class-imbalance", run)
    assert "each weighs 0.25 times as much" in finding.message and finding.severity == "critical"


def test_a_model_that_does_not_answer_the_commonest_class_has_another_fault():
    assert not findings("class-imbalance", answering([950, 50], [0, 0]))


# --- on the page ------------------------------------------------------------------------------------------------------


def test_classes_that_are_all_found_tell_nothing():
    assert not classes_tell(answering([100, 100], [90, 85]))
    assert classes_tell(answering([100, 100], [90, 40]))  # less than half as often as on the mean
    assert classes_tell(answering([100, 100], [70, 70]))
    assert not classes_tell(answering([100, 4], [90, 0]))  # four samples are too few to say


def test_residuals_tell_something_where_the_answers_are_not_good():
    run = Run()
    assert not residuals_tell(run)
    run.add_column("skill.validation", "", np.array([1]), np.array([0.5]))
    assert residuals_tell(run)


def test_the_worst_classes_are_shown_and_the_rest_is_counted():
    samples = [50] * 30
    (figure,) = class_figures(answering(samples, list(range(30))))
    assert [row.name for row in figure.rows] == [f"class {k}" for k in range(ROWS)]
    assert figure.hidden == "10 more classes, each predicted correctly in 40 % of the cases or more"
    assert (figure.rows[5].found, figure.rows[5].samples) == (("10 %",), ("50",))
    assert figure.rows[5].bars == (("train", "M0 0.12H100V0.88H0Z"),)


def test_a_class_that_one_side_lacks_has_a_dash_there():
    run = answering([10, 10], [2, 0])
    run.add_array("classes.validation", "", 1, np.array([[0], [10], [1], [1], [-1]]))
    (figure,) = class_figures(run)
    assert [row.found for row in figure.rows] == [("20 %", "10 %"), ("0 %", "–")]
    assert figure.rows[1].bars[1][1] == ""


def test_residuals_are_drawn_about_zero_in_steps():
    run = Run()
    run.add_column("skill.train", "", np.array([1]), np.array([0.1]))
    run.add_array("residuals.train", "", 1, np.array([np.linspace(-4, 4, 41), np.eye(41)[20] * 8]))
    (chart,) = residual_charts(run)
    assert [tick.text for tick in chart.x_ticks] == ["≤ −4", "−2", "0", "2", "≥ 4"]
    assert chart.key == (("train", "line", "training, 8 values"),)


def test_arrays_that_are_no_tables_are_passed_over():
    """Of another version, or damaged: the page stands without them."""
    run = answering([10, 10], [2, 0])
    for step, values in enumerate((np.full((5, 2), np.nan), np.ones(5), np.empty((5, 0)), np.ones((4, 2))), start=2):
        run.add_array("classes.train", "", step, values)
    assert class_predictions(run, "train").right.tolist() == [2, 0]
    for step, values in enumerate((np.full((2, 3), np.nan), np.ones((2, 1)), np.zeros((2, 9)))):
        run.add_array("residuals.train", "", step, values)
    assert residuals(run, "train") is None
    assert residual_charts(run) == ()


class OwnLoss(keras.Model):
    """A step with a loss of its own on logits, which nobody can ask how it reads its targets."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": tf.reduce_mean(loss)}


@pytest.mark.parametrize(("width", "outcome"), [(4, "learning"), (16, "unknown")])
def test_of_a_loss_that_nobody_can_ask_the_class_numbers_must_fill_the_output(width, outcome):
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(3).normal(size=(SIZE, 2)).astype("float32")
    inputs = keras.Input((2,))
    model = OwnLoss(inputs, layers.Dense(width)(layers.Dense(16, "tanh")(inputs)))
    model.compile(keras.optimizers.Adam(0.02))
    run = fitted(model, x, 2 * (x[:, 0] > 0) + (x[:, 1] > 0), None, epochs=10)
    assert examine(run).outcome == outcome
