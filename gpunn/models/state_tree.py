"""All variables of a model, nested by the parts of their paths (Keras: `get_state_tree`)."""

from gpunn.errors import ArgumentError, SerializationError, unknown

FORMATS = ("backend_tensor", "numpy_array")


def groups_of(model) -> dict:
    """The variables of each kind."""
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if model.optimizer is None else model.optimizer.variables,
        "metrics_variables": model.metrics_variables,
    }


def get_state_tree(model, value_format: str) -> dict:
    """See `Model.get_state_tree`."""
    if value_format not in FORMATS:
        raise unknown("value_format", value_format, FORMATS)
    return {kind: _nested(group, value_format) for kind, group in groups_of(model).items()}


def set_state_tree(model, state_tree: dict) -> None:
    """See `Model.set_state_tree`."""
    groups = groups_of(model)
    assignments = []
    for kind, values in state_tree.items():
        if kind not in groups:
            raise unknown("kind of variables", kind, groups)
        known = {v.path: v for v in groups[kind]}
        for path, value in _flat(values):
            if path not in known:
                raise unknown(f"path in {kind}", path, known)
            assignments.append((known[path], value))
    for variable, value in assignments:
        variable.assign(value)


def _nested(variables, value_format: str) -> dict:
    tree: dict = {}
    seen = set()
    for v in variables:
        if v.path in seen:
            raise SerializationError(
                f"two variables have the path {v.path!r}: give layers names that differ"
            )
        seen.add(v.path)
        *parts, last = v.path.split("/")
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {})
            if not isinstance(branch, dict):
                raise ArgumentError(f"{v.path!r} lies below another variable")
        branch[last] = v.numpy() if value_format == "numpy_array" else v
    return tree


def _flat(tree: dict, path: tuple = ()):
    """The leaves of a nested dict with their paths."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, (*path, key))
        else:
            yield "/".join((*path, key)), value
