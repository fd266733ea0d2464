"""LSTM and GRU over whole sequences: one product of the inputs, then two launches a step."""

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, placed
from gpunn.backend.cupy_ import cuda_type, wide
from gpunn.backend.kernels import FLOATS, Placing, kernel

STEP = np.dtype([(name, "i8") for name in ("batch", "units", "steps", "t")])  # `struct Step`


def _lstm_takes(x, h, c, kernel, recurrent, bias=None, mask=None, sequences=True) -> bool:
    return x.size > 0 and recurrent.size > 0


def _gru_takes(x, h, kernel, recurrent, bias=None, mask=None, reset_after=True, sequences=True):
    return reset_after and x.size > 0 and recurrent.size > 0


@kernel("lstm", "cuda", FLOATS, _lstm_takes)
def lstm(be, x, h, c, kernel, recurrent_kernel, bias=None, mask=None, sequences=True):
    call = _Sequence(be, x, h, kernel, recurrent_kernel, bias, mask, sequences)
    cs = be.empty(call.states, call.dtype)
    c = call.vector(c)
    for t in range(call.steps):
        product, h_t = call.product(t)
        before = c if t == 0 else cs[t - 1]
        results = (call.gates[t], cs[t], call.hs[t + 1], call.y)
        call.launch("lstm_step", t, *results, product, call.bias, before, h_t, call.mask)

    def pullback(dy, needs, places):
        *dys, dh, dc = map(call.vector, dy)
        dz, product = be.empty(call.gates.shape, call.dtype), be.empty(dh.shape, dh.dtype)
        passed = None if call.mask is None else be.empty(dh.shape, dh.dtype)
        others = [be.empty(dc.shape, dc.dtype) for _ in range(2)]
        for t in reversed(range(call.steps)):
            before = c if t == 0 else cs[t - 1]
            dc_before, more = others[t % 2], passed is not None and t < call.steps - 1
            given = (call.gates[t], cs[t], before, dys[0] if dys else None, dh, dc, call.mask)
            call.launch("lstm_step_back", t, dz[t], dc_before, passed, *given, np.int32(more))
            dc = dc_before
            if t or needs[1]:
                dh = be.matmul(dz[t], call.recurrent.T, product)
        if needs[1] and passed is not None:
            dh += passed
        weights = call.weights(dz, dz, needs[3:6], places[3:6])
        state = dh if needs[1] else None, dc if needs[2] else None
        return call.inputs(dz) if needs[0] else None, *state, *weights, None

    return call.results(cs[-1]), Placing(pullback)


@kernel("gru", "cuda", FLOATS, _gru_takes)
def gru(be, x, h, kernel, recurrent_kernel, bias=None, mask=None, reset_after=True, sequences=True):
    call = _Sequence(be, x, h, kernel, recurrent_kernel, bias, mask, sequences)
    inner = be.empty(call.states, call.dtype)
    for t in range(call.steps):
        product, h_t = call.product(t)
        results = (call.gates[t], inner[t], call.hs[t + 1], call.y)
        call.launch("gru_step", t, *results, product, call.bias, h_t, call.mask)

    def pullback(dy, needs, places):
        *dys, dh = map(call.vector, dy)
        d_inputs, d_states = (be.empty(call.gates.shape, call.dtype) for _ in range(2))
        passed, product = (be.empty(dh.shape, dh.dtype) for _ in range(2))
        for t in reversed(range(call.steps)):
            more = np.int32(t < call.steps - 1)
            given = (call.gates[t], inner[t], call.state(t), dys[0] if dys else None, dh, call.mask)
            call.launch("gru_step_back", t, d_inputs[t], d_states[t], passed, *given, more)
            if t or needs[1]:
                dh = be.matmul(d_states[t], call.recurrent.T, product)
        if needs[1]:
            dh += passed
        weights = call.weights(d_inputs, d_states, needs[2:5], places[2:5])
        state = dh if needs[1] else None
        return call.inputs(d_inputs) if needs[0] else None, state, *weights, None

    return call.results(), Placing(pullback)


class _Sequence:
    """Inputs, gates and states of all steps, the steps first: no step's share is copied."""

    def __init__(self, be, x, h, kernel, recurrent, bias, mask, sequences):
        self.be, self.narrow, self.dtype = be, x.dtype, wide(x.dtype)
        x = x.astype(self.dtype, copy=False)
        batch, self.steps, n = x.shape
        self.kernel, self.recurrent, self.bias, self.mask = map(
            self.vector, (kernel, recurrent, bias, mask)
        )
        units, rows = recurrent.shape
        self.x = be.copy(x.transpose(1, 0, 2)).reshape(-1, n)
        self.gates = be.dot(self.x, self.kernel).reshape(self.steps, batch, rows)
        self.states = (self.steps, batch, units)
        self.hs = be.empty((self.steps + 1, batch, units), self.dtype)
        self.starts = h is not None
        if self.starts:
            be.copyto(self.hs[0], h.astype(self.dtype, copy=False))
        self.y = be.empty((batch, self.steps, units), self.dtype) if sequences else None
        self._product = be.empty((batch, rows), self.dtype)
        self.ones = be.ones(len(self.x), self.dtype)
        self._step = np.array((batch, units, self.steps, 0), STEP)

    def vector(self, x):
        """An operand as kernels take it; None stays."""
        return None if x is None else self.be.xp.ascontiguousarray(x, dtype=self.dtype)

    def flat(self, x):
        """All steps of all rows, one below the other."""
        return x.reshape(-1, x.shape[-1])

    def state(self, t: int):
        """What comes into a step; None: zeros."""
        return self.hs[t] if t or self.starts else None

    def product(self, t: int) -> tuple:
        """The state's share of the gates of a step, and the state; None for zeros."""
        h = self.state(t)
        return (None if h is None else self.be.matmul(h, self.recurrent, self._product)), h

    def launch(self, name: str, t: int, *args) -> None:
        self._step["t"] = t
        given = [NOTHING if a is None else a for a in args]
        size = int(self._step["batch"] * self._step["units"])
        name = f"{name}<{cuda_type(self.dtype)}>"
        self.be.launch("recurrent", name, size, (*given, self._step[()]))

    def results(self, *more) -> tuple:
        """The outputs if they are wanted, the last state, and others."""
        found = (self.y, self.hs[-1], *more) if self.y is not None else (self.hs[-1], *more)
        return tuple([y.astype(self.narrow, copy=False) for y in found])

    def inputs(self, d_gates):
        """The gradient of x by that of the gates: (batch, steps, n)."""
        dx = self.be.empty((len(d_gates[0]), self.steps, len(self.kernel)), self.dtype)
        self.be.matmul(d_gates, self.kernel.T, dx.transpose(1, 0, 2))
        return dx

    def weights(self, d_inputs, d_states, needs, places) -> list:
        """The gradients of both kernels and the bias, by those of the gates' two shares."""
        be, flat = self.be, self.flat(d_inputs)
        first = 0 if self.starts else 1
        found: list = [None] * 3
        for i, like in enumerate((self.kernel, self.recurrent, self.bias)):
            if needs[i]:
                kept = places[i] is not None and places[i].dtype == self.dtype
                found[i] = placed(be, places[i] if kept else None, like.shape, self.dtype)
        if needs[0]:
            be.dot(self.x.T, flat, found[0])
        if needs[1]:
            before = self.flat(self.hs[first:-1])
            be.dot(before.T, self.flat(d_states[first:]), found[1])
        if needs[2] and found[2].ndim == 1:
            be.dot(self.ones, flat, found[2])
        elif needs[2]:  # of inputs and of states
            be.dot(self.ones, flat, found[2][0])
            be.dot(self.ones, self.flat(d_states), found[2][1])
        return found
