"""What is known of one activation function, as frozen records. They hold no opinion and no tensor.

A measure that could not be taken is None, and `ActivationProfile.missing` says why. "Mass" is probability under
z ~ N(0, 1), what a sound initialization delivers. "The largest slope" without more words is the largest |f'(z)| over
the working range |z| <= 4, as autodiff gives it: that is what a training gets.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Half-width of the working range of a function on its own.
WORKING = 4.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of z from `low` to `high` (infinite where it has no end), with its mass."""

    low: float
    high: float
    mass: float

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, slots=True)
class Turn:
    """A turning point: f has a local "maximum" or "minimum" at z (the middle, if it is a plateau)."""

    z: float
    value: float
    kind: str


@dataclass(frozen=True, slots=True)
class Kink:
    """The slope of f jumps at z, from `left` to `right`; f itself does not."""

    z: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Jump:
    """f itself jumps at z, from `below` to `above`.

    dead_zone: on one side f is exactly 0, on the other f(z) is a multiple of z, as in a hard shrink: values are
    dropped on purpose and those kept stay true.
    sloped: f has slope beside the jump (else it is a step function there, and a gradient has nothing to follow).
    """

    z: float
    below: float
    above: float
    dead_zone: bool
    sloped: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of the curve, ascending in z, dense where f bends: enough to draw f and f' without calling f again."""

    z: tuple[float, ...]
    value: tuple[float, ...]
    slope: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that did not go well.

    kind: "raises", "returns" (None, a NumPy array, ...: no tensor of numbers), "slow", "memory", "graph" (works eagerly
    but not in a graph), "rank" (works on inputs of higher rank only).
    given: the offending input, in words. told: the error or what came back, in words.
    fatal: no usable call is left; otherwise the function works elsewhere.
    """

    kind: str
    given: str
    told: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Calls:
    """How the function behaves as a thing that is called.

    shape: of the input that was used, without the batch axis. least_rank: the smallest rank (batch counted) that works.
    failures: what went wrong. printed: what it wrote to standard output, shortened; `prints_in_graph`: it has a
    tf.print.
    repeatable: two calls on one input gave the same; `largest_difference` between them, relative to the outputs.
    drifts: after many calls the same input gave another answer. noisy_in_training: a layer whose answer is repeatable
    in inference mode and random with training=True.
    changed: names of the variables that calling changed (restored afterwards).
    output_dtype: by input dtype, the dtype that came back; a dtype that fails is told under failures.
    random_ops: the graph holds random operations. precision: the dtype in which the curve was measured.
    """

    shape: tuple[int, ...]
    least_rank: int
    failures: tuple[Failure, ...] = ()
    printed: str = ""
    prints_in_graph: bool = False
    repeatable: bool | None = None
    largest_difference: float = 0.0
    drifts: bool = False
    noisy_in_training: bool = False
    changed: tuple[str, ...] = ()
    output_dtype: dict[str, str] | None = None
    random_ops: bool = False
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which inputs an output depends on.

    batch: output i depends on input j of another sample. units: of another unit (the last axis). positions: of another
    place (the axes between). normalizes: what is the same all along the mixed axis, if it is mixed on purpose ("sum",
    "log-sum-exp", "sum of squares", ...), "" for none. output_shape: without the batch axis, for `Calls.shape`.
    keeps_shape: input and output have the same shape. by_position: the same z gives other values at other places
    (a PReLU with one slope for each unit); then `spread` is the largest difference over the values' size.
    """

    batch: bool
    units: bool
    positions: bool
    normalizes: str
    output_shape: tuple[int, ...]
    keeps_shape: bool
    by_position: bool = False
    spread: float = 0.0

    @property
    def elementwise(self) -> bool:
        """Each output depends on its own input alone."""
        return self.keeps_shape and not (self.batch or self.units or self.positions)


@dataclass(frozen=True, slots=True)
class Shape:
    """The curve of an elementwise function.

    low, high: range of f over all z (infinite if it grows without end; a bound may be approached only).
    value_at_zero: f(0). mean, std: of f(z), z ~ N(0, 1); second_moment: E f(z)^2.
    largest_slope: the largest |f'|, at `steepest` (|z| <= 4); largest_slope_near: over |z| <= 3.
    reference_slope: the largest |f'| over |z| <= 4 that holds over a width of 0.002, so that a spike does not make all
    else look flat; "flat" is measured against it.
    lipschitz: the largest |f'| over |z| <= 128 and beyond, infinite where f jumps or the slope grows without end.
    lowest_slope, highest_slope: of f' over |z| <= 128, with sign.
    tail_slopes: |f'| at z = -128 and at z = 128.
    monotone: "increasing", "decreasing", "constant" or "no".
    turns: over |z| <= 8, at most 64; turn_count counts them all. falling_share: share of the mass of |f'| on the lesser
    of the rising and the falling branches. folds: turning points within |z| <= 3.
    flats: where |f'| is at most 1 % of the reference slope, tails included. lower_tail, upper_tail: ends of the flat
    tails: f is flat for all z below lower_tail (-inf: no such tail) and above upper_tail (inf: none).
    dark: likewise where the slope is exactly 0. centre: the stretch around 0 where |f'| is under 10 % of the reference
    slope over |z| <= 3, None if 0 is not in one.
    kinks, jumps, singular (where the slope has no bound: roots and poles): over |z| <= 128, at most 64 of each;
    `jump_count` counts all.
    step_share: share of the mass where f's true slope is 0 while f varies: 1 for round and sign.
    relative_growth: the largest |f'| / |f| among places of |z| <= 4 where |f'| > 10 (0 if there are none); 1 for exp.
    variation: max f - min f over |z| <= 3; size_near: the largest |f| there.
    """

    low: float
    high: float
    value_at_zero: float
    mean: float
    std: float
    second_moment: float
    largest_slope: float
    steepest: float
    largest_slope_near: float
    reference_slope: float
    lipschitz: float
    lowest_slope: float
    highest_slope: float
    tail_slopes: tuple[float, float]
    monotone: str
    turns: tuple[Turn, ...]
    turn_count: int
    falling_share: float
    folds: int
    flats: tuple[Interval, ...]
    lower_tail: float
    upper_tail: float
    dark: tuple[float, float]
    centre: Interval | None
    kinks: tuple[Kink, ...]
    jumps: tuple[Jump, ...]
    jump_count: int
    singular: tuple[float, ...]
    step_share: float
    relative_growth: float
    variation: float
    size_near: float

    @property
    def bounded(self) -> bool:
        """The range is finite on both sides."""
        return self.low > float("-inf") and self.high < float("inf")

    @property
    def vertical(self) -> tuple[float, ...]:
        """Places within |z| <= 4 where the slope has no bound: there is no largest one then."""
        return tuple(z for z in self.singular if abs(z) <= WORKING)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of z, ends included, where f (or its slope) is not finite; a single point if the ends are equal.

    kind: "nan", "inf" or "-inf", as it is at the end nearest to 0. beside: the finite number next to it (towards 0, if
    there is one). construct: which operation does it, in words; "" where that is not known.
    """

    low: float
    high: float
    kind: str
    beside: float
    construct: str = ""

    @property
    def nearest(self) -> float:
        """The z of the stretch that is nearest to 0."""
        return min((self.low, self.high), key=abs) if self.low * self.high > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Numerics:
    """Where f is finite in one dtype: forward (values) and backward (slopes, where the value is finite).

    forward, backward: the gaps, at most 8 each, nearest to 0 first. largest: the largest finite number of the dtype.
    exhaustive: every number of the dtype was tried (16-bit dtypes), not only searched for.
    """

    dtype: str
    forward: tuple[Gap, ...]
    backward: tuple[Gap, ...]
    largest: float
    exhaustive: bool

    @property
    def finite_within(self) -> float:
        """f and f' are finite for all |z| below this."""
        return min((abs(gap.nearest) for gap in self.forward + self.backward), default=float("inf"))


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """Autodiff against central differences of f itself.

    answer: what autodiff gives: "slopes", "zero" (0 everywhere) or "none". varies: f itself varies.
    compared: number of places compared (kinks left out); worst: the largest difference over the largest true slope, at
    `where`, and there `autodiff` and `differences`. ratio: median of autodiff / differences where they differ.
    wrong_share: share of the places that are off by over 1 %.
    upstream: "scales" if what arrives is handed on in proportion, as the chain rule wants, "ignored" or "wrong" if not.
    surrogate: f is a step function, so a slope that differs is a deliberate stand-in.
    """

    answer: str
    varies: bool
    compared: int = 0
    worst: float = 0.0
    where: float = 0.0
    autodiff: float = 0.0
    differences: float = 0.0
    ratio: float = 1.0
    wrong_share: float = 0.0
    upstream: str = "scales"
    surrogate: bool = False


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """q with q = gain * E f(sqrt(q) z)^2: layers leave the size of the signal as it is. stable: and they lead there."""

    q: float
    stable: bool


@dataclass(frozen=True, slots=True)
class Depth:
    """A signal on its way through square layers with one initialization (mean-field theory; `propagation`).

    initializer: "he_normal", "glorot_normal" or "lecun_normal"; gain: fan-in times the variance of a weight (2, 1, 1).
    fixed: "none", "zero", "one", "several" or "any" (every q is one); points: those above 0.
    chi: gain * E f'(sqrt(q) z)^2 at the stable fixed point (or where the signal ends up): what a squared gradient is
    multiplied with at each layer. after_8: second moment of the activations after 8 layers, for unit input.
    signal_layers, gradient_layers: layers until the second moment of the signal, or of the gradient, has changed by
    1000 (1000 at most). correlation_layers: layers over which two inputs can be told apart, -1 / ln chi (inf from chi 1
    on).
    path: second moment of the activations after each of the first 32 layers; gradient_path: the squared gradient's
    size.
    """

    initializer: str
    gain: float
    fixed: str
    points: tuple[FixedPoint, ...]
    chi: float
    after_8: float
    signal_layers: int
    gradient_layers: int
    correlation_layers: float
    path: tuple[float, ...]
    gradient_path: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Propagation:
    """What depth makes of a signal and of a gradient.

    slope_moment: E f'(z)^2 for z ~ N(0, 1). depths: for He, Glorot and LeCun. suits: the initializer that keeps signal
    and gradient longest, "" if none keeps them over 8 layers. best_gain: 1 / E f(z)^2, the gain that keeps a unit
    signal.
    """

    slope_moment: float
    depths: tuple[Depth, ...]
    suits: str
    best_gain: float


@dataclass(frozen=True, slots=True)
class Captured:
    """A variable that the function reads and that no layer which f is, or is bound to, owns.

    owner: the layer of the model that owns it after all, where the model is known; "" elsewhere.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Saving:
    """What serialization makes of the function on its own.

    kind: "name" (Keras' own), "registered", "function", "lambda", "layer", "object". loads: `from_config(get_config())`
    gives a function with the same values; `told` is the error if not. model_error: what clone_model or saving said,
    where the function was examined in a model; "" if it was not, or all went well.
    """

    kind: str
    loads: bool
    told: str = ""
    model_error: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time of f forward and backward, compiled, on the CPU, for 65,536 numbers; relative: over that of relu."""

    relative: float
    microseconds: float
