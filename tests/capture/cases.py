"""Code that is not gpunn's, as cases for `test_others.py`."""

from gpunn import layers

CASES: dict = {}


def case(expected=None):
    """Enter a case, a function that gives layers, a loss, a callback and the like by name.

    `expected` is why its steps are not captured (a regular expression), or None if they are; or
    the parts of them that are.
    """

    def enter(make):
        CASES[make.__name__] = make, expected
        return make

    return enter


def of_function(function, **more):
    """A model with a function as a layer."""
    return {"parts": [layers.Lambda(function)], **more}
