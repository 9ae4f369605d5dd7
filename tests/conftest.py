"""What holds for all tests: one process for what is trained once, a clock that no busy machine moves, a small heap."""

import gc
import os
import time
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import tensorflow as tf
from clock import SteadyClock

# Two logical devices, for the distributed training; to be said before TensorFlow is first used.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups into the tests' names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that look at one trained run stay in one process (`pytest -n 4 --dist loadgroup`); others go anywhere.

    They name their group themselves, share a module's fixture, or are those of one file with the same parameters.
    """
    for item in items:
        fixtures, case = getattr(item, "_fixtureinfo", None), getattr(item, "callspec", None)
        definitions = fixtures.name2fixturedefs.values() if fixtures else ()
        if item.get_closest_marker("xdist_group"):
            continue
        if any(each[-1].scope == "module" for each in definitions):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
        elif case is not None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.name} {case.id}"))


def pytest_collection_finish() -> None:
    """Keras' `clear_session` collects garbage; it need not look each time at all that TensorFlow loaded (0.4 s).

    Between these, tracing makes objects by the ten thousand, of which next to none is garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def steady_clock() -> Iterator[SteadyClock]:
    """Time as the budget and the audit see it, by `time.perf_counter`.

    What they look at depends on what looking costs. By this clock it is the same on a fast machine, on a slow one, and
    on one that does other things too. The time limits on strange functions go by `time.monotonic`, and are real.
    """
    clock = SteadyClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter", clock)
        yield clock
