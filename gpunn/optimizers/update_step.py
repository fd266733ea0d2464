"""UpdateStep: optimizers whose rule is written in tensors, one variable at a time, as in Keras."""

from gpunn.autograd import Variable, no_grad, wrap
from gpunn.backend import backend_of
from gpunn.errors import ArgumentError
from gpunn.naming import free_name
from gpunn.optimizers.state import State


class UpdateStep(State):
    """The part of an optimizer that runs Keras' kind of rule, `update_step` (see `Optimizer`).

    Such a rule makes its state with `add_variable_from_reference` in `build` and changes it, and
    the variables, with `assign`, `assign_add` and `assign_sub`.
    """

    elementwise: bool
    _index: dict
    _added: tuple = ()  # (name, the variable it is like or None, Variable), as they were made

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "update_step" in vars(cls):
            cls.elementwise = False

    @property
    def has_update_step(self) -> bool:
        """Whether the rule is an `update_step`."""
        return type(self).update_step is not UpdateStep.update_step

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Change a variable by its gradient; to be written by subclasses that write no `update`.

        Source: keras.optimizers.Optimizer.update_step.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define update_step(gradient, variable, learning_rate), or "
            "update() on arrays"
        )

    def update(self, be, p, g, slots, h, scratch) -> None:
        """The update of the variable whose array p is, by `update_step`."""
        variable = next((v for v in self._trainable_variables if v.array is p), None)
        with no_grad():
            gradient, rate = (wrap(be.asarray(x, p.dtype)) for x in (g, h[0]))
            self.update_step(gradient, variable, rate)

    # --- state ---

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", name=None):
        """Make a variable that belongs to the optimizer: it is saved and restored with it.

        Args:
            shape: its shape.
            initializer: what it starts with.
            dtype: default: `floatx`.
            aggregation: taken for Keras' sake.
            name: default: "variable".

        Source: keras.optimizers.Optimizer.add_variable.
        """
        return self._add(name or "variable", None, initializer, tuple(shape), dtype, None)

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """Make a variable of the shape, dtype and device of another, for example a momentum.

        Source: keras.optimizers.Optimizer.add_variable_from_reference.
        """
        like = reference_variable
        device = backend_of(like.array).device
        return self._add(name or "variable", like, initializer, like.shape, like.dtype, device)

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """A list of variables like those given; of several names, a tuple of such lists.

        Source: keras.optimizers.Optimizer.add_optimizer_variables.
        """
        if isinstance(name, str):
            like = self.add_variable_from_reference
            return [like(v, name, initializer) for v in trainable_variables]
        starts = [initializer] * len(name) if isinstance(initializer, str) else initializer
        return tuple(
            self.add_optimizer_variables(trainable_variables, n, start)
            for n, start in zip(name, starts, strict=True)
        )

    def _add(self, name, like, initializer, shape, dtype, device):
        full = name if like is None else f"{like.name}_{name}"
        made = Variable(initializer, shape, dtype, trainable=False, name=full, device=device)
        self._added = (*self._added, (name, like, made))
        self._views = None
        return made

    def _slots(self, name_of=None) -> dict:
        found = super()._slots(name_of)
        for name, like, made in self._added:
            path = "optimizer" if like is None else name_of(like) if name_of else like.path
            found[free_name(f"{name}/{path}", found)] = made.array
        return found

    def _move_added(self) -> None:
        """Bring the variables to where those are that they are like."""
        for _, like, made in self._added:
            if like is not None:
                made.move(backend_of(like.array).device)

    # --- what a rule calls ---

    def _get_variable_index(self, variable) -> int:
        """The position of a variable among those that are trained."""
        found = self._index.get(id(variable))
        if found is None:
            raise ArgumentError(f"this {type(self).__name__} was not built for {variable!r}")
        return found

    def assign(self, variable: Variable, value) -> None:
        """variable = value"""
        variable.assign(value)

    def assign_add(self, variable: Variable, value) -> None:
        """variable = variable + value"""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value) -> None:
        """variable = variable - value"""
        variable.assign_sub(value)
