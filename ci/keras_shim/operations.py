"""Keras' classes of operations (`ops.numpy.Arccos(axis)(x)`), private to it, made of functions.

Each calls the public function of its name with the static arguments of its constructor; the names
of arguments are read off Keras' source.
"""

import ast
import functools
import re

from gpunn import ops

FILES = ("core", "numpy", "nn", "math", "linalg", "image")  # of keras/src/ops

RENAMED = {
    "batch_norm": "batch_normalization",
    "rms_norm": "rms_normalization",
    "layer_norm": "layer_normalization",
    "search_sorted": "searchsorted",
    "i_rfft": "irfft",
    "is_in": "isin",
}


@functools.cache
def operation(keras, module: str, name: str) -> type | None:
    """The class `name` of `keras.src.ops.<module>`; None if there is none."""
    classes, functions = _definitions(keras, module)
    if name not in classes:
        return None
    wanted = RENAMED.get(_snake(name), _snake(name))
    alike = [f for f in functions if f.replace("_", "") == wanted.replace("_", "")]
    if not alike:
        return None
    function = wanted if wanted in functions else alike[0]
    static = _constructor(classes, name)
    signature = _names(functions[function])
    variadic = functions[function].args.vararg is not None
    space = getattr(ops, module, None) if module in ("image", "linalg") else None
    called = getattr(space, function, None) or getattr(ops, function)

    class Made:
        def __init__(self, *args, name=None, **kwargs):
            self.static = {**dict(zip(static, args)), **kwargs}

        def __call__(self, *args, **kwargs):
            given, args, lead = dict(self.static), list(args), []
            for n in signature:  # static ones that the function has before the others
                if n in given:
                    lead.append(given.pop(n))
                elif args and not variadic and any(m in given for m in signature[len(lead) :]):
                    lead.append(args.pop(0))
                else:
                    break
            return called(*lead, *args, **given, **kwargs)

        symbolic_call = compute_output_spec = call = __call__

        def __getattr__(self, attribute):
            if attribute in vars(self).get("static", {}):
                return self.static[attribute]
            raise AttributeError(attribute)

    Made.__name__ = name
    return Made


def _snake(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


@functools.cache
def _definitions(keras, module: str) -> tuple[dict, dict]:
    """The classes and functions of a file of Keras."""
    file = keras / "src" / "ops" / f"{module}.py"
    body = ast.parse(file.read_text("utf-8")).body if file.exists() else []
    kinds = (ast.ClassDef, ast.FunctionDef)
    return tuple({n.name: n for n in body if isinstance(n, kind)} for kind in kinds)


def _constructor(classes: dict, name: str) -> list[str]:
    """The names of the arguments of a class's constructor, or its base's."""
    while name in classes:
        for method in classes[name].body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                return _names(method)
        base = classes[name].bases
        name = base[0].id if base and isinstance(base[0], ast.Name) else ""
    return []


def _names(function: ast.FunctionDef) -> list[str]:
    given = function.args.posonlyargs + function.args.args
    return [a.arg for a in given if a.arg != "self"]
