"""Trainings that several tests look at are run once a session."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import tensorflow as tf

# Two logical devices, for the distributed training; to be said before TensorFlow is first used.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups into the tests' names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that look at one trained run stay in one process (`pytest -n 2 --dist loadgroup`); others go anywhere.

    They share a module's fixture, or are those of one file with the same parameters (the runs of twins are cached).
    """
    for item in items:
        fixtures, case = getattr(item, "_fixtureinfo", None), getattr(item, "callspec", None)
        definitions = fixtures.name2fixturedefs.values() if fixtures else ()
        if any(each[-1].scope == "module" for each in definitions):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
        elif case is not None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.name} {case.id}"))
