"""SimpleRNN, LSTM and GRU over sequences: one product of the inputs, then two launches a step.

A GRU without `reset_after`, whose second product takes what the gates leave of the state, has four.
"""

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, placed
from gpunn.backend.cupy_ import cuda_type, wide
from gpunn.backend.kernels import FLOATS, Placing, kernel

STEP = np.dtype([(name, "i8") for name in ("batch", "units", "steps", "t")])  # `struct Step`


def _lstm_takes(x, h, c, kernel, recurrent, bias=None, mask=None, sequences=True) -> bool:
    return x.size > 0 and recurrent.size > 0


def _takes(x, h, kernel, recurrent, bias=None, mask=None, **static) -> bool:
    return x.size > 0 and recurrent.size > 0


@kernel("simple_rnn", "cuda", FLOATS, _takes)
def simple_rnn(
    be, x, h, kernel, recurrent_kernel, bias=None, mask=None, activation="tanh", sequences=True
):
    call = _Sequence(be, x, h, kernel, recurrent_kernel, bias, mask, sequences)
    relu = "true" if activation == "relu" else "false"
    for t in range(call.steps):
        product, h_t = call.product(t)
        results = call.gates[t], call.hs[t + 1], call.y
        call.launch("rnn_step", t, *results, product, call.bias, h_t, call.mask, more=relu)

    def pullback(dy, needs, places):
        *dys, dh = map(call.vector, dy)
        dz, product = be.empty(call.gates.shape, call.dtype), be.empty(dh.shape, dh.dtype)
        passed = None if call.mask is None else be.empty(dh.shape, dh.dtype)
        for t in reversed(range(call.steps)):
            has_passed = np.int32(passed is not None and t < call.steps - 1)
            given = call.gates[t], dys[0] if dys else None, dh, call.mask, has_passed
            call.launch("rnn_step_back", t, dz[t], passed, *given, more=relu)
            if t or needs[1]:
                dh = be.matmul(dz[t], call.recurrent.T, product)
        if needs[1] and passed is not None:
            dh += passed
        weights = call.weights(dz, dz, needs[2:5], places[2:5])
        return call.inputs(dz) if needs[0] else None, dh if needs[1] else None, *weights, None

    return call.results(), Placing(pullback)


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


@kernel("gru", "cuda", FLOATS, _takes)
def gru(be, x, h, kernel, recurrent_kernel, bias=None, mask=None, reset_after=True, sequences=True):
    call = _Sequence(be, x, h, kernel, recurrent_kernel, bias, mask, sequences)
    if not reset_after:
        return _gru_reset_before(be, call)
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


def _gru_reset_before(be, call):
    """A GRU whose candidate is made of r h: h is the same product for z and r alone."""
    gates = call.recurrent.shape[1] // 3 * 2
    of_gates, of_candidate = call.recurrent[:, :gates], call.recurrent[:, gates:]
    reset = be.empty(call.states, call.dtype)
    shape = call.states[1:]
    products = be.empty((shape[0], gates), call.dtype), be.empty(shape, call.dtype)
    for t in range(call.steps):
        h, product, share = call.state(t), None, None
        if h is not None:
            product = be.matmul(h, of_gates, products[0])
        call.launch("gru_reset", t, call.gates[t], reset[t], product, call.bias, h)
        if h is not None:
            share = be.matmul(reset[t], of_candidate, products[1])
        results = call.gates[t], call.hs[t + 1], call.y
        call.launch("gru_candidate", t, *results, share, call.bias, h, call.mask)

    def pullback(dy, needs, places):
        *dys, dh = map(call.vector, dy)
        dz = be.empty(call.gates.shape, call.dtype)
        passed, product, d_reset = (be.empty(shape, call.dtype) for _ in range(3))
        for t in reversed(range(call.steps)):
            more, h = np.int32(t < call.steps - 1), call.state(t)
            given = call.gates[t], h, dys[0] if dys else None, dh, call.mask, more
            call.launch("gru_candidate_back", t, dz[t], passed, *given)
            be.matmul(dz[t][:, gates:], of_candidate.T, d_reset)
            call.launch("gru_reset_back", t, dz[t], passed, d_reset, call.gates[t], h)
            if t or needs[1]:
                dh = be.matmul(dz[t][:, :gates], of_gates.T, product)
        if needs[1]:
            dh += passed
        dkernel, _, dbias = call.weights(dz, dz, (needs[2], False, needs[4]), places[2:5])
        drecurrent = None
        if needs[3]:
            drecurrent, flat = be.empty(call.recurrent.shape, call.dtype), call.flat(dz)
            first = len(flat) - shape[0] * (call.steps - (0 if call.starts else 1))
            before = call.flat(call.hs[:-1])[first:], call.flat(reset)[first:]
            be.dot(before[0].T, flat[first:, :gates], drecurrent[:, :gates])
            be.dot(before[1].T, flat[first:, gates:], drecurrent[:, gates:])
        dx = call.inputs(dz) if needs[0] else None
        return dx, dh if needs[1] else None, dkernel, drecurrent, dbias, None

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

    def launch(self, name: str, t: int, *args, more: str = "") -> None:
        self._step["t"] = t
        given = [NOTHING if a is None else a for a in args]
        size = int(self._step["batch"] * self._step["units"])
        name = f"{name}<{cuda_type(self.dtype)}{', ' * bool(more)}{more}>"
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
