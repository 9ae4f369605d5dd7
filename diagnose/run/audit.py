"""What the audit wrote down of configuration and first batch: plain facts, judged by the rules of that part.

`callbacks.auditing` fills these records and the rules read them. Every field has a default, which stands for "nobody
could tell", so that a run made by hand for a test stays short. Numbers are Python's own; what came out as NaN or
infinity is None.

Where the batch is said, its samples that were looked at are meant, at most 256 and spread evenly. A share is of all
such entries, in [0, 1]. A row is what lies along the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnose.run.records import kept


@dataclass(frozen=True, slots=True)
class WholeLoss:
    """The model's own `compute_loss` on the batch, in inference mode.

    value: None where it gave none or no finite one. error: what it raised, or a compiled loss on its own before it, in
    one line; "" for nothing. custom: compute_loss is the user's. extra: number of losses that layers add by add_loss.
    """

    value: float | None = None
    error: str = ""
    custom: bool = False
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Entering:
    """What the first layer with a kernel is given, so behind any Normalization: a table or sequence of numbers.

    where: Keras path of that layer. features: length of the last axis. The size of a feature is the rms of its entries
    that are finite and not 0. least, typical (median), most: sizes of those features whose entries differ in size;
    least_at, most_at: which of all features these are. becomes: rms of what the kernel should make of it, on average
    over random weights of its size; None where the kernel is not known.
    """

    where: str = ""
    features: int = 0
    least: float = 0.0
    typical: float = 0.0
    most: float = 0.0
    least_at: int = 0
    most_at: int = 0
    becomes: float | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """The first layer with a kernel is given one and the same number in all entries of all samples.

    where: Keras path of that layer. value: the number.
    """

    where: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Levelled:
    """The first layer that makes all samples alike: what it is given differs, what it gives does not, whatever its
    trained weights are.

    where: Keras path of that layer. value: the first entry of what it gives. frozen: paths of its variables that are 0
    in all entries and are not trained. single: what it is given has one entry on its last axis.
    """

    where: str = ""
    value: float = 0.0
    frozen: tuple[str, ...] = ()
    single: bool = False


@dataclass(frozen=True, slots=True)
class PredictionFacts:
    """The predictions of an output on the batch.

    min, max: of the finite entries, None without any. finite: share of the entries. unit_interval: there are finite
    entries, and all of them lie in [0, 1]. distribution: rows of two entries or more are probabilities that sum to 1.
    row_sum: mean over the rows, None for a width of 1. other_axis: where rows are no probabilities, the axis (0 is the
    batch) over which the entries are some that sum to 1; None for none. always_one: width 1, and 1 throughout.
    """

    min: float | None = None
    max: float | None = None
    finite: float = 1.0
    unit_interval: bool = False
    distribution: bool = False
    row_sum: float | None = None
    other_axis: int | None = None
    always_one: bool = False


@dataclass(frozen=True, slots=True)
class ReachFacts:
    """What an output can say at all, from its predictions under weights drawn at random.

    draws: how many gave finite numbers only; the other fields are about these. lower, upper: bounds of the entries,
    None where none shows. negative: share of the draws that hold a number under 0, escapes: of those that leave [0, 1];
    None without a draw. always_one: width 1, and 1 in all draws. distribution: rows are probabilities that sum to 1 in
    all draws. What follows is told of distributions only: logit_span: the most by which two logits of a row can differ;
    None where that is not bounded by 2 or less. logit_floor: logits are cut at the bottom (a ReLU). doubled: the logits
    are themselves a distribution.
    """

    draws: int = 0
    lower: float | None = None
    upper: float | None = None
    negative: float | None = None
    escapes: float | None = None
    always_one: bool = False
    distribution: bool = True
    logit_span: float | None = None
    logit_floor: bool = False
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """All labels given for an output, not only those of the batch.

    Of more than a million entries, samples spread evenly are looked at.

    given: whether there are labels that are numbers. shape: of one sample's. dtype: NumPy's name, also of what is no
    number; "" without labels. count: samples looked at. min, max: of all labels given, None without any. finite: share
    of the entries; fractional: share of the finite ones that are no whole numbers. distinct: number of finite values,
    at most 1000. alignment: "vectors" (shaped as the prediction), "flat" ((n,) under (n, 1)), "ids" (one number where
    the prediction has a row) or "other". zero_one: all finite values are 0 or 1. plus_minus_one: all are -1 or 1, and
    one is -1. varied: more than one finite value. is_input: they are equal to an input of the model. unreachable: share
    beyond the bounds of `ReachFacts` by more than a hundredth of their own span.
    class_numbers: aligned as "ids", and the loss or a metric reads them as places on the predictions' last axis; None
    where neither could be asked.

    For rows of two entries or more, else None: one_hot (every row). weighted_one_hot: at most one entry of each row is
    not 0, and those have both signs or many values: what was done, times what it is worth. many_hot: share of the rows
    that hold only 0 and 1 and have another sum than 1; empty_rows: share of rows of zeros. row_sum_min, row_sum_max,
    row_sum_mean: sums of the rows, NaN left out; row_sum_error: standard error of the mean.

    Where the loss reads them as class numbers, else None: outside: share of those of the batch that no unit stands for;
    where the batch has none, share of all that smallest and largest alone make up. outside_refused: the loss gives no
    number for one of them.
    """

    given: bool = False
    shape: tuple[int, ...] = ()
    dtype: str = ""
    count: int = 0
    min: float | None = None
    max: float | None = None
    finite: float = 1.0
    fractional: float = 0.0
    distinct: int = 0
    alignment: str = "other"
    zero_one: bool = False
    plus_minus_one: bool = False
    varied: bool = False
    is_input: bool = False
    unreachable: float = 0.0
    class_numbers: bool | None = None
    one_hot: bool | None = kept(None, optional=True)
    weighted_one_hot: bool | None = kept(None, optional=True)
    many_hot: float | None = kept(None, optional=True)
    empty_rows: float | None = kept(None, optional=True)
    row_sum_min: float | None = kept(None, optional=True)
    row_sum_max: float | None = kept(None, optional=True)
    row_sum_mean: float | None = kept(None, optional=True)
    row_sum_error: float | None = kept(None, optional=True)
    outside: float | None = kept(None, optional=True)
    outside_refused: bool | None = kept(None, optional=True)


@dataclass(frozen=True, slots=True)
class LossFacts:
    """The loss of one output, computed on the batch and on targets and predictions made for the purpose.

    name: as Keras calls it; "compute_loss" for one of the user's own. weight: in the whole loss. value: on the batch,
    with sample weights and mask; None where it gave no finite one. error: what it raised then, in one line; "" for
    nothing. free: its value without sample weights and mask.

    What it takes for granted, see `callbacks.auditing.loss_nature`: takes, over, targets, reason: see `LossNature`.
    pairs_up: how many times larger it is where each target meets the prediction of every sample, see `pairs_up_wrongly`
    and `pairs_all_up`; None where it does not pair up so. repeats: the narrower of targets and predictions is
    repeated. takes_negated: what it would take if its sign were turned; "" where that is no textbook loss, or the loss
    itself is one. takes_exchanged: the same if its arguments were exchanged; None instead of "". rescued: it takes
    logits and is given probabilities, behind which Keras finds the logits.

    Which predictions it is least for, see `callbacks.auditing.loss_optimum`: silent: it is 0 for these targets,
    whatever is predicted (asked of a loss over classes). heeds_labels: other labels change it. heeds_wild_labels: there
    are labels outside [0, 1], and they change it. opposite: labels are 0 and 1, and it wants small predictions for 1.
    aim: what it wants of predictions, see `aim`; "" where it was not asked, since the labels are 0 and 1 or the loss is
    a textbook one that takes no values. cut: of an output without an upper bound that stays over 0, under labels of 0
    and 1 and no textbook loss: the prediction that costs the same for both. positive: it has no value for predictions
    under 0. one_answer: it uses the labels, but one prediction for all samples costs as little as any that does.
    """

    name: str = ""
    weight: float = 1.0
    value: float | None = None
    error: str = ""
    takes: str = "unknown"
    over: str = "unknown"
    targets: str = "unknown"
    reason: str = ""
    free: float | None = None
    rescued: bool = False
    silent: bool = False
    pairs_up: float | None = None
    opposite: bool = False
    repeats: bool = False
    heeds_labels: bool = True
    heeds_wild_labels: bool = True
    aim: str = ""
    cut: float | None = None
    positive: bool = False
    one_answer: bool = False
    takes_negated: str = ""
    takes_exchanged: str | None = kept(None, optional=True)


@dataclass(frozen=True, slots=True)
class MixFacts:
    """How far what is said of a sample depends on the others of the batch.

    difference: the most by which a prediction moves when the others are exchanged, over the standard deviation of the
    predictions; None where even its shape changes. by: Keras path of the first layer that mixes the samples, None
    without a difference or where none was found.
    """

    difference: float | None = 0.0
    by: str | None = None


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """The sample weights.

    given, sum (of their sizes, None without any), negative (some are): of all samples and of all outputs together.
    For one class number (or one-hot row) and one weight a sample of the batch: idle_classes: numbers of those, at most
    20, of which every sample has a weight of 0 while others have not; by_class: mean weight of each class, by its
    number as text; empty where there are more than 20.
    """

    given: bool = False
    sum: float | None = None
    negative: bool = False
    idle_classes: tuple[int, ...] = ()
    by_class: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """A metric, computed for predictions made for the purpose; see `callbacks.auditing.metric_nature`.

    value: on the batch, None where it gave no finite one or time was up. flavours: the keys of `OutputFacts.accuracies`
    that it equals on random predictions. deaf: it reads the same for nearly perfect predictions as for random ones.
    cut: "half" where it tells 0 from 1 at 0.5, "interval" where it ranks but sees nothing outside [0, 1]; else "".
    minds: it tells the labels from twice the labels, and from labels moved by their standard deviation.
    """

    name: str = ""
    value: float | None = None
    flavours: tuple[str, ...] = ()
    deaf: bool = False
    cut: str = ""
    minds: bool = False


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output of the model.

    name: its key in a dict of outputs, else what the model calls it, else its number; "" for a single one without.
    where: Keras path of what ends it, "" where the graph of layers is not known. shape: of one sample's prediction;
    width: of its last axis, 1 where it has none. loss: None where none could be tied to it, or there are no labels.
    mixes: None where that could not be asked. accuracies: of the batch, by the way they decide ("argmax", "half" ...),
    see `callbacks.auditing.metric_nature.accuracies`; those that make sense of the shapes.
    """

    name: str = ""
    where: str = ""
    shape: tuple[int, ...] = ()
    width: int = 1
    prediction: PredictionFacts = PredictionFacts()
    reach: ReachFacts = ReachFacts()
    labels: LabelFacts = LabelFacts()
    loss: LossFacts | None = None
    mixes: MixFacts | None = None
    weights: WeightFacts = field(default_factory=WeightFacts)
    accuracies: dict[str, float] = field(default_factory=dict)
    metrics: tuple[MetricFacts, ...] = kept((), most=200)


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """One audited batch.

    samples: how many were looked at. seconds: what it took. multiplications: that a pass over one sample takes, of
    weights with inputs. iterations: optimizer updates so far. entering, erased, levelled: None where there is nothing
    of the kind. compares: given one and the same in all of its inputs, the model says one thing of all samples.
    outputs: in Keras' order. What a run of an older version does not know is None.
    """

    samples: int = 0
    seconds: float = 0.0
    multiplications: int | None = kept(None, optional=True)
    iterations: int = 0
    loss: WholeLoss = WholeLoss()
    entering: Entering | None = None
    erased: Erased | None = None
    levelled: Levelled | None = None
    compares: bool | None = kept(None, optional=True)
    outputs: tuple[OutputFacts, ...] = kept((), most=200)
