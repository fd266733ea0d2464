"""What a test may name but not use: then it is left out, with the reason."""

import unittest
from types import ModuleType


class Absent:
    """An object, or an attribute of one, that gpunn has nothing for."""

    def __init__(self, name: str, reason: str):
        vars(self).update(_name=name, _reason=reason)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}", self._reason)

    def __call__(self, *args, **kwargs):
        raise unittest.SkipTest(f"{self._name}: {self._reason}")

    def __mro_entries__(self, bases):
        self()

    def __eq__(self, other):
        self()

    def __hash__(self):
        return id(self)

    def __instancecheck__(self, x):
        return False


class Other(ModuleType):
    """TensorFlow and its like: can be imported, but not used."""

    __version__ = "0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}", "another library")


class Library:
    """An optional library, as Keras imports it: not installed."""

    available = False

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name):
        return Absent(f"{self._name}.{name}", "another library")
