"""What the audit wrote down of configuration and first batch: plain facts, judged by the rules of that part.

`callbacks.auditing` fills these records and the rules read them. Every field has a default, which stands for "nobody
could tell", so that a run made by hand for a test stays short.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnose.run.records import kept


@dataclass(frozen=True, slots=True)
class WholeLoss:
    """The model's own `compute_loss` on the batch, in inference mode.

    value: None where it gave none, `error` then says why. custom: compute_loss is the user's. extra: number of losses
    by add_loss.
    """

    value: float | None = None
    error: str = ""
    custom: bool = False
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Entering:
    """What the first layer with a kernel is given, so behind any Normalization: a table or sequence of numbers.

    where: that layer. features: of the last axis; the size of one is the rms of its entries that are not 0. least,
    typical (median), most: sizes of the features; least_at, most_at: which. becomes: size of what the kernel should
    make of it; None where that is not known.
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
    """What the first layer with a kernel, at `where`, is given: one number in all entries of all samples."""

    where: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class PredictionFacts:
    """An output on the batch.

    min, max: of its finite entries, None without any. finite: share of the entries. unit_interval: all lie in [0, 1].
    distribution: rows are probabilities that sum to 1. row_sum: mean, None for a width of 1. other_axis: where rows are
    not, the axis (0 is the batch) over which they are probabilities that sum to 1; None for none. always_one: width 1,
    and 1 throughout.
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

    draws: how many gave finite numbers. lower, upper: bounds of its entries, None where none shows. negative: share of
    the draws that hold a number under 0. escapes: share of them that leave [0, 1]. always_one: width 1, and 1 under any
    weights. distribution: rows sum to 1 under all weights drawn. logit_span: the most by which two logits of a row can
    differ, where that is bounded by 2 or less. logit_floor: logits are cut at the bottom (a ReLU). doubled: the logits
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

    given: whether there are labels that are numbers. shape: of one sample's. count: samples. min, max: finite or not,
    None without any. finite: share of the entries. fractional: share of entries that are no whole numbers. distinct:
    number of values, at most 1000. alignment: "vectors" (as the prediction), "ids", "flat" ((n,) under (n, 1)) or
    "other". zero_one, plus_minus_one: the only values. varied: more than one value. is_input: they are an input.
    unreachable: share beyond the bounds of `ReachFacts`.
    class_numbers: the loss or a metric reads them as places on the predictions' last axis; None where none could tell.

    For rows, else None: one_hot (every row); weighted_one_hot (at most one entry of each row is not 0, and those have
    both signs or many values: what was done, times what it is worth); many_hot (share of rows of 0 and 1 with another
    sum than 1); empty_rows (share of rows of zeros); row_sum_min, row_sum_max, row_sum_mean, and its standard error
    row_sum_error. For class numbers, else None: outside (share that no unit stands for), outside_refused (the loss
    fails on them).
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
    """The loss of one output, asked on the batch and on predictions made for the purpose.

    value: on the batch, None where it gave no finite one; `error` then says why. weight: in the whole loss. takes,
    over, targets, reason: what it takes for granted, see `callbacks.auditing.loss_nature.LossNature`. free: its value
    without sample weights and mask. rescued: Keras takes the logits behind the probabilities. silent: 0 for these
    targets, whatever is predicted. pairs_up: the axis-growing pairing of `pairs_up_wrongly` and `pairs_all_up`, None
    where it does not pair up wrongly. opposite: labels of 0 and 1, and it asks for the opposite. repeats: the narrower
    of targets and predictions is repeated. heeds_labels, heeds_wild_labels (those outside [0, 1]): they change it.
    one_answer: one answer to all samples satisfies it. aim: what it wants of the predictions. positive: it wants
    positive predictions. cut: of an output without an upper bound that stays over 0, the even answer. takes_negated:
    see `takes_negated`.
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


@dataclass(frozen=True, slots=True)
class MixFacts:
    """What is said of a sample depends on the others of the batch.

    difference: over the spread of the outputs. by: the layer that does it, None where none was found.
    """

    difference: float = 0.0
    by: str | None = None


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """The sample weights. sum: of their sizes, None without any. negative: some are. idle_classes: those of which every
    sample has a weight of 0, of one label and weight a sample. by_class: mean weight of each class, by its number."""

    given: bool = False
    sum: float | None = None
    negative: bool = False
    idle_classes: tuple[int, ...] = ()
    by_class: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """A metric, asked with predictions made for the purpose; see `callbacks.auditing.metric_nature`.

    flavours: the accuracies that it equals. deaf: it reads the same for nearly perfect predictions as for random ones.
    cut: "half" where it tells 0 from 1 at 0.5, "interval" where it ranks but sees nothing outside [0, 1]; else "".
    minds: it tells the labels from others.
    """

    name: str = ""
    value: float | None = None
    flavours: tuple[str, ...] = ()
    deaf: bool = False
    cut: str = ""
    minds: bool = False


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One output of the model, in Keras' order.

    name: "" for a single one. where: Keras path of what ends it. shape: of one sample; width: of its last axis.
    loss: None where none could be tied to it. mixes: None where it was not asked. accuracies: of this batch, by the way
    they decide, see `callbacks.auditing.metric_nature.accuracies`.
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
    metrics: tuple[MetricFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """One audited batch.

    samples: of the batch looked at. seconds: what it took. iterations: optimizer updates so far. entering, erased: None
    where there is nothing of the kind.
    """

    samples: int = 0
    seconds: float = 0.0
    iterations: int = 0
    loss: WholeLoss = WholeLoss()
    entering: Entering | None = None
    erased: Erased | None = None
    outputs: tuple[OutputFacts, ...] = ()
