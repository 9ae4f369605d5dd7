"""What code can reach and change is found, and put back in place; what can't be put back is told."""

from __future__ import annotations

import collections
import functools
import itertools
import random
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.random import uniform as uniform_by_name

from diagnose.activation.calling import held_state
from diagnose.activation.calling.held_state import HeldState
from diagnose.activation.calling.random_numbers import eager_seeds, own_random_numbers
from diagnose.activation.calling.used_names import own_of_libraries, used_names

# --- what is put back: a function that changes something, and what reads that -----------------------------------------

Case = tuple[Callable[[], Any], Callable[[], Any]]
COUNT, NUMBERS = 0, {"a": [1]}


def a_closures_variable() -> Case:
    count = 0

    def f() -> None:
        nonlocal count
        count += 1

    return f, lambda: count


def a_global() -> Case:
    def f() -> None:
        global COUNT
        COUNT += 1

    return f, lambda: COUNT


def a_global_of_a_function_that_it_calls() -> Case:
    def inner() -> None:
        NUMBERS["a"].append(2)
        NUMBERS["b"] = [3]

    def f() -> None:
        inner()

    return f, lambda: repr(NUMBERS)


def a_global_made_meanwhile() -> Case:
    def f() -> None:
        global MADE
        MADE = 1

    return f, lambda: "MADE" in globals()


def a_default_argument() -> Case:
    def f(held: list[int] = []) -> None:  # noqa: B006 - as in many a user's code
        held.append(1)

    return f, lambda: list(f.__defaults__[0])


def a_partials_argument() -> Case:
    held = {1, 2}
    return functools.partial(lambda held: held.add(3), held), held.copy


def a_built_in_method() -> Case:
    held = collections.deque([1, 2], maxlen=2)
    return functools.partial(held.append, 3), lambda: list(held)


def a_counter_of_collections() -> Case:
    held = collections.Counter("aab")
    return lambda: held.update("ab"), held.copy


class Thing:
    total = 0

    def __init__(self, held: Any = None) -> None:
        self.held, self.count = held, 0

    def __call__(self) -> None:
        self._more(2)

    def _more(self, by: int) -> None:
        self.count += by
        self.made = by
        type(self).total += by
        COUNTS.append(by)


COUNTS: list[int] = []


def an_object() -> Case:
    made = Thing()
    return made, lambda: (vars(made).copy(), Thing.total, len(COUNTS))


def an_object_of_an_object() -> Case:
    made = Thing(Thing())
    return lambda: made.held(), lambda: (vars(made.held).copy(), Thing.total)


class Slotted:
    __slots__ = ("__count", "made")

    def __init__(self) -> None:
        self.__count = 0

    def __call__(self) -> None:
        self.__count += 1
        self.made = True

    def read(self) -> Any:
        return self.__count, hasattr(self, "made")


def slots() -> Case:
    made = Slotted()
    return made, made.read


def a_property() -> Case:
    held = [0]

    class Owner:
        @property
        def value(self) -> int:
            held[0] += 1
            return held[0]

    owner = Owner()
    return lambda: owner.value, held.copy


def a_module_of_the_users_own() -> Case:
    module = types.ModuleType("own_module_of_a_user")
    module.count = 0
    sys.modules[module.__name__] = module

    def f() -> None:
        import own_module_of_a_user

        own_module_of_a_user.count += 1

    return f, lambda: module.count


def a_simple_namespace() -> Case:
    held = types.SimpleNamespace(count=0)
    return lambda: setattr(held, "count", 1), lambda: held.count


def an_array() -> Case:
    held = np.zeros((2, 2))
    return lambda: held.__setitem__((0, 1), 5), held.tolist


def numpy_generators() -> Case:
    new, old = np.random.default_rng(1), np.random.RandomState(1)
    return lambda: (new.normal(), old.normal()), lambda: repr((new.bit_generator.state, old.get_state()))


def a_method_of_a_numpy_generator() -> Case:
    draw = np.random.default_rng(1).normal
    return lambda: draw(), lambda: repr(draw.__self__.bit_generator.state)


def a_python_generator() -> Case:
    held = random.Random(1)
    return lambda: held.random(), held.getstate


def a_variable() -> Case:
    held = {"a": [tf.Variable([1.0, 2.0])]}
    return lambda: held["a"][0].assign_add([1.0, 1.0]), lambda: held["a"][0].numpy().tolist()


def a_keras_variable() -> Case:
    held = keras.Variable([1.0, 2.0])
    return lambda: held.assign([3.0, 4.0]), lambda: held.numpy().tolist()


def a_seed_generator() -> Case:
    held = keras.random.SeedGenerator(1)
    return held.next, lambda: held.state.numpy().tolist()


def a_tensorflow_generator() -> Case:
    held = tf.random.Generator.from_seed(1)
    return lambda: held.normal([2]), lambda: held.state.numpy().tolist()


def a_tf_function() -> Case:
    held = [0]

    @tf.function
    def f() -> None:
        held[0] += 1

    return f, held.copy


class OwnLayer(keras.layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self._count, self.seen = 0, []

    def call(self, x: Any = None) -> Any:
        self._count += 1
        self.seen.append(self._count)
        return x


def a_layer_of_the_users_own() -> Case:
    made = OwnLayer()
    made.build(())
    return functools.partial(made.call, 1), lambda: (made._count, list(made.seen))


def an_activation_of_a_keras_layer() -> Case:
    made = Thing()
    layer = keras.layers.Dense(2, activation=lambda z=None: made())
    return layer.activation, lambda: vars(made).copy()


def a_loss_of_a_model() -> Case:
    held = [0]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", lambda y, p: held.append(1))
    return functools.partial(model.loss, 1, 2), held.copy


CASES = [value for value in list(globals().values()) if getattr(value, "__annotations__", {}).get("return") == "Case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_a_call_changes_is_put_back(case: Callable[[], Case]):
    f, read = case()
    before = read()
    held = HeldState(f)
    assert held.cannot == ()
    with held.kept():
        f()
        assert repr(read()) != repr(before)
    assert repr(read()) == repr(before)


def test_it_is_put_back_where_the_call_fails():
    made = Thing()
    with pytest.raises(ZeroDivisionError), HeldState(made).kept():
        made()
        raise ZeroDivisionError
    assert made.count == 0


def test_containers_stay_the_same_objects():
    held = Thing([1, {"a": 2}])
    outer, inner = held.held, held.held[1]
    with HeldState(held).kept():
        held.held = []
        inner["a"] = 3
    assert held.held is outer
    assert outer[1] is inner
    assert inner == {"a": 2}


# --- what can't be put back -------------------------------------------------------------------------------------------


def test_an_iterator_and_a_file_are_told(tmp_path: Any):
    counted = itertools.count()
    with (tmp_path / "log").open("w") as log:
        held = HeldState(lambda: (next(counted), log.write("a")))
        assert sorted(held.cannot) == ["it holds an iterator (count)", "it holds an open file"]


def test_what_no_reached_code_asks_for_is_left_alone():
    made = Thing()
    made.beside = iter([1])
    assert HeldState(made).cannot == ()
    assert HeldState(made, lambda: next(made.beside)).cannot == ("it holds an iterator (list_iterator)",)


def test_arrays_beyond_the_bound_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(held_state, "MOST_BYTES", 1 << 20)
    big, fixed = np.zeros(1 << 18), np.zeros(1 << 18)
    fixed.flags.writeable = False
    assert HeldState(lambda: big).cannot == ("it can reach arrays of more than 1 MB",)
    assert HeldState(lambda: fixed).cannot == ()


def test_the_walk_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(held_state, "MOST_OBJECTS", 50)
    many = [[index] for index in range(100)]
    assert HeldState(lambda: many).cannot == ("it can reach more than 50 objects",)


def test_a_global_generator_that_no_stand_in_can_take_the_place_of_is_told():
    told = ("it holds a global generator of random numbers by a name of its own",)
    assert HeldState(functools.partial(np.random.normal, 1.0)).cannot == told
    assert HeldState(lambda: uniform_by_name()).cannot == ()


# --- random numbers ---------------------------------------------------------------------------------------------------


def in_a_thread(task: Callable[[], Any]) -> Any:
    given: list[Any] = []
    thread = threading.Thread(target=lambda: given.append(task()))
    thread.start()
    thread.join()
    return given[0]


def drawn() -> tuple[float, ...]:
    return random.random(), np.random.uniform(), uniform_by_name(), float(tf.random.uniform([]))


def test_only_our_own_thread_draws_from_generators_of_ours():
    """Another thread draws on, before and while we draw, as if we were not there."""
    keras.utils.set_random_seed(3)
    expected = [drawn() for _ in range(4)]
    keras.utils.set_random_seed(3)
    seen = [drawn()]
    with own_random_numbers(), eager_seeds(), HeldState(drawn).kept():
        ours = drawn()
        seen.append(in_a_thread(drawn))
        assert drawn() != ours
        seen.append(in_a_thread(drawn))
    seen.append(drawn())
    assert seen == expected
    assert ours not in expected


def test_random_numbers_of_our_own_can_be_nested():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    original = random.random
    with own_random_numbers():
        with own_random_numbers(set()):
            random.random()
        random.random()
    assert random.random is original
    assert random.random() == expected


def test_tensorflows_global_generator_is_left_alone():
    tf.random.set_global_generator(tf.random.Generator.from_seed(1))
    before = tf.random.get_global_generator().state.numpy().tolist()
    with eager_seeds():
        tf.random.get_global_generator().normal([2])
        in_a_thread(lambda: tf.random.get_global_generator().state.numpy().tolist() == before or pytest.fail())
    assert tf.random.get_global_generator().state.numpy().tolist() == before


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_in_nested_code_are_found():
    def f() -> Any:
        import json as loaded

        def g() -> Any:
            return [COUNT.real for _ in loaded.loads("[]")]

        return g

    used = used_names(f.__code__)
    assert "COUNT" in used.global_names
    assert {"real", "loads"} <= used.attributes
    assert used.imported == {"json"}


def test_what_keras_notes_on_a_layer_is_no_state_of_the_users():
    names = own_of_libraries(OwnLayer)
    assert {"built", "_path", "_called"} <= names
    assert not {"_count", "seen"} & names
