"""Every example in a docstring runs, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil
import types

import numpy as np
import pytest

import gpunn

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
NEEDS_CUPY = tuple(
    f"gpunn.backend.{name}"
    for name in "cupy_ cuda. cublas elementwise fusing graph noted products shared staging".split()
)


def modules() -> list[types.ModuleType]:
    names = [info.name for info in pkgutil.walk_packages(gpunn.__path__, "gpunn.")]
    usable = [n for n in names if not n.startswith(NEEDS_CUPY) and not n.endswith("__main__")]
    return [gpunn, *map(importlib.import_module, usable)]


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for module in modules():
        given = {**vars(module), "gpunn": gpunn, "np": np}
        for test in finder.find(module, module.__name__, globs=given):
            if test.examples:
                found[test.name] = test
    return list(found.values())


def public() -> dict[str, object]:
    """The names in `__all__` of gpunn and of its public packages and modules."""
    found = {}
    for module in modules():
        if not any(part.startswith("_") for part in module.__name__.split(".")):
            for name in getattr(module, "__all__", ()):
                found[f"{module.__name__}.{name}"] = getattr(module, name)
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_example(example):
    said = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(example, out=said.append)
    if said:
        pytest.fail("".join(said), pytrace=False)


def test_every_public_name_is_documented():
    missing = [
        name
        for name, thing in public().items()
        if (inspect.isroutine(thing) or inspect.isclass(thing) or inspect.ismodule(thing))
        and not inspect.getdoc(thing)
    ]
    assert not missing
