"""State: an optimizer's slots and counters by name, for saving and restoring."""

from collections.abc import Callable

import numpy as np

from gpunn.autograd import Variable
from gpunn.backend import backend_of, host_array
from gpunn.errors import ArgumentError, NotBuiltError, SerializationError, ShapeError
from gpunn.optimizers.settings import Settings
from gpunn.optimizers.stateless import stateless_apply


class State(Settings):
    """The part of an optimizer that knows its state by name (see `Optimizer`)."""

    _trainable_variables: list
    _parts: list
    _pending: set
    _views: list | None
    _lay_out: Callable[[], None]
    _common_slots: Callable[[], list]
    slot_names: tuple[str, ...]

    def state_dict(self, name_of=None) -> dict[str, np.ndarray]:
        """All that `load_state_dict` needs to go on as if nothing had happened.

        Args:
            name_of: a function from variable to its name here; default: its `path`.

        Returns:
            Host copies: "iterations", "learning_rate" (unless it is scheduled), and each slot as
            "SLOT/VARIABLE", for example "velocity/dense/kernel".
        """
        state = {"iterations": self._iterations.array.copy()}
        if isinstance(self._learning_rate, Variable):
            state["learning_rate"] = self._learning_rate.array.copy()
        if self.built:
            state.update(self._slot_arrays(name_of))
        return state

    def load_state_dict(self, state: dict, name_of=None) -> None:
        """Restore a state that `state_dict` gave.

        Args:
            state: arrays by name; the optimizer must be built for variables of the same names.
            name_of: as for `state_dict`.

        Raises:
            NotBuiltError: if the state has slots and the optimizer was not built.
            SerializationError: if names or shapes differ; all are listed and nothing is changed.
        """
        own = self.state_dict(name_of)
        if not self.built and len(state) > len(own):
            raise NotBuiltError(
                "load_state_dict() before build(): call optimizer.build(model.trainable_variables)"
            )
        wrong = [f"missing: {name}" for name in own if name not in state]
        wrong += [f"unexpected: {name}" for name in state if name not in own]
        for name, array in own.items():
            if name in state and np.shape(state[name]) != array.shape:
                wrong.append(f"{name}: expected shape {array.shape}, got {np.shape(state[name])}")
        if wrong:
            raise SerializationError(
                f"the state does not fit this {type(self).__name__}; nothing was changed:\n  "
                + "\n  ".join(wrong)
            )
        self._restore(state, name_of)

    def _restore(self, state: dict, name_of=None) -> None:
        """Restore a state that fits."""
        self._iterations.assign(state["iterations"])
        if isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(state["learning_rate"])
        if self.built:
            self._restore_slots(state, name_of)

    def _slots(self, name_of=None) -> dict:
        """Every slot's raw array by name, in Keras' order: the rule's slots come last, together."""
        views = {id(v): (part, i) for part in self._parts for i, v in enumerate(part.variables)}
        paths, taken = [], {}
        for v in self._trainable_variables:
            path = name_of(v) if name_of else v.path
            count = taken[path] = taken.get(path, 0) + 1
            paths.append(path if count == 1 else f"{path}_{count - 1}")  # several of one name
        found = {}
        for slots in (*[[name] for name in self._common_slots()], self.slot_names):
            for v, path in zip(self._trainable_variables, paths, strict=True):
                part, i = views[id(v)]
                for slot in slots:
                    if part.views[slot][i] is not None:
                        found[f"{slot}/{path}"] = part.views[slot][i]
        return found

    def _slot_arrays(self, name_of=None) -> dict[str, np.ndarray]:
        return {name: np.array(host_array(a)) for name, a in self._slots(name_of).items()}

    def _restore_slots(self, state: dict, name_of=None) -> None:
        """Fill the slots; with accumulation, every variable may have gradients pending."""
        for name, array in self._slots(name_of).items():
            be = backend_of(array)
            be.copyto(array, be.asarray(host_array(state[name]), array.dtype))
        self._all_pending()

    def _all_pending(self) -> None:
        """With values from outside, every variable may have gradients in the accumulators."""
        steps = self.gradient_accumulation_steps
        if steps:
            due = not self._iterations.array.item() % steps
            self._pending = set() if due else set(range(len(self._trainable_variables)))

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """A step as a function: the new values of all variables, of which none is changed.

        Args:
            optimizer_variables: values, one for each of `variables`.
            grads: a gradient for each variable the optimizer was built for; None for none.
            trainable_variables: the values of these.

        Returns:
            The new values of the trainable variables and of the optimizer's.

        Raises:
            NotBuiltError: before `build`.
            ArgumentError, ShapeError: if values do not fit the variables.

        Source: keras.optimizers.Optimizer.stateless_apply.

        >>> optimizer = gpunn.optimizers.SGD(0.5)
        >>> optimizer.build([gpunn.Variable([1.0])])
        >>> (w,), state = optimizer.stateless_apply(optimizer.variables, [[4.0]], [[3.0]])
        >>> w.tolist(), optimizer.iterations.item()
        ([1.0], 0)
        """
        trained = self._trainable_variables if self.built else []
        return stateless_apply(self, trained, optimizer_variables, grads, trainable_variables)

    # --- copies and pickles: without the flat memory, which is laid out anew ---

    def __getstate__(self) -> dict:
        laid_out = ("_parts", "_plans", "_whole", "_watch", "_views", "_index", "_undecayed_ids")
        state = {name: value for name, value in vars(self).items() if name not in laid_out}
        variables = self._trainable_variables if self.built else []
        undecayed = [i for i, v in enumerate(variables) if id(v) in self._undecayed_ids]
        return {"settings": state, "slots": self.state_dict(), "undecayed": undecayed}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state["settings"])
        variables = self._trainable_variables if self.built else []
        self._undecayed_ids = {id(variables[i]) for i in state["undecayed"]}
        if self.built:
            self._index = {id(v): i for i, v in enumerate(variables)}
            self._lay_out()
            self._restore_slots(state["slots"])

    # --- Keras' access, by position ---

    @property
    def variables(self) -> list[Variable]:
        """The state as variables: iteration, learning rate (unless scheduled), then all slots.

        The slots' arrays are views of the optimizer's memory.
        """
        own = [self._iterations]
        if isinstance(self._learning_rate, Variable):
            own.append(self._learning_rate)
        for variable in own:
            variable.path = f"{self.name}/{variable.name}"
        if not self.built:
            return own
        if self._views is None:
            self._views = views = []
            for key, array in self._slots().items():
                slot, _, path = key.partition("/")
                name = f"{path.replace('/', '_')}_{slot}"
                view = Variable(array, trainable=False, name=name, device=backend_of(array).device)
                view.array = array
                view.path = f"{self.name}/{name}"
                views.append(view)
        return own + list(self._views)

    def set_weights(self, weights) -> None:
        """Assign arrays to `variables`, one for each in their order.

        Raises:
            NotBuiltError: before `build`.
            ArgumentError: if their number differs.
            ShapeError: if shapes differ; all are listed and nothing is changed.
        """
        if not self.built:
            raise NotBuiltError("set_weights() before build(): call optimizer.build(variables)")
        weights, variables = list(weights), self.variables
        if len(weights) != len(variables):
            raise ArgumentError(f"got {len(weights)} weights for {len(variables)} variables")
        wrong = [
            f"{v.path}: expected shape {v.shape}, got {np.shape(w)}"
            for v, w in zip(variables, weights, strict=True)
            if np.shape(w) != v.shape
        ]
        if wrong:
            raise ShapeError("weights do not fit; nothing was changed:\n  " + "\n  ".join(wrong))
        for v, w in zip(variables, weights, strict=True):
            v.assign(w)
