"""simple_rnn and lstm: whole sequences in one op, with their gradients through time."""

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError
from gpunn.ops.recurrence import (
    added,
    by_step,
    divided,
    halved,
    hold,
    input_gradient,
    kept,
    last_gradients,
    outputs,
    projected,
    row_sums,
    rows_of_inputs,
    rows_of_states,
    slope,
    spans_of,
    squash,
    states,
    step_masks,
    with_bias,
)
from gpunn.ops.reduction import wide

__all__ = []  # public through the layers


@primitive(promote="float")
def simple_rnn(
    be, x, h, kernel, recurrent_kernel, bias=None, mask=None, /, activation="tanh", sequences=True
):
    """h_t = activation(x_t kernel + h_{t-1} recurrent_kernel + bias).

    Args:
        x: tensor of shape (batch, steps, n).
        h: the first state, of shape (batch, units), or None: zeros.
        kernel: matrix of shape (n, units).
        recurrent_kernel: matrix of shape (units, units).
        bias: vector of `units` values, or None.
        mask: of shape (batch, steps), false where the state stays as it is; or None.
        activation: "tanh" (default) or "relu".
        sequences: whether the outputs of all steps are wanted. Default: True.

    Returns:
        The outputs (batch, steps, units), if wanted, and the last state.

    Source: keras.layers.SimpleRNN.

    >>> w = np.ones((1, 1))
    >>> y, h = gpunn.ops.recurrent.simple_rnn(np.ones((1, 2, 1)), None, w, w)
    >>> y.numpy().round(2).tolist(), h.numpy().round(2).tolist()
    ([[[0.76], [0.94]]], [[0.94]])
    """
    if activation not in ("tanh", "relu"):
        raise ArgumentError(f"simple_rnn: activation must be 'tanh' or 'relu', not {activation!r}")
    dtype, x, kernel, recurrent = x.dtype, wide(x), wide(kernel), wide(recurrent_kernel)
    (batch, count, _), units = x.shape, len(recurrent)
    b = None if bias is None else wide(bias)
    z = be.empty((count, units, batch), kernel.dtype)
    hs = states(be, h, (count + 1, units, batch), z.dtype)
    weights = with_bias(be, be.copy(kernel.T), b)
    transposed = be.copy(recurrent.T)
    masks, sums = step_masks(mask), be.empty((units, batch), z.dtype)
    spans = spans_of(be, z)
    for span in spans:
        projected(be, x[:, span], weights, z[span])
        counted = kept(be, masks, span, hs)
        for t in range(span.start, span.stop):
            y = z[t]
            y += be.dot(transposed, hs[t], sums)
            if activation == "tanh":
                be.xp.tanh(y, y)
            else:
                be.xp.maximum(y, 0, out=y)
            be.copyto(hs[t + 1], y)
            if counted is not None:
                hold(be, counted[t - span.start], hs[t + 1], hs[t])

    def pullback(dy, needs):
        (dh,) = last_gradients(be, dy, 1)
        dx = be.empty(x.shape, z.dtype) if needs[0] else None
        dkernel = drecurrent = dbias = passed = None
        for span in reversed(spans):
            dys = by_step(be, dy[0][:, span]) if sequences else None
            dzs = be.empty((units, span.stop - span.start, batch), z.dtype)
            for t in reversed(range(span.start, span.stop)):
                if dys is not None:
                    dh += dys[t - span.start]
                if masks is not None:
                    dh, passed = divided(be, masks[t], dh)
                dh *= 1 - z[t] * z[t] if activation == "tanh" else z[t] > 0
                be.copyto(dzs[:, t - span.start], dh)
                dh = be.dot(recurrent, dh)
                if passed is not None:
                    dh += passed
            flat = dzs.reshape(units, -1)
            if needs[0]:
                input_gradient(be, kernel, flat, dx[:, span])
            if needs[2]:
                dkernel = added(dkernel, be.dot(flat, rows_of_inputs(be, x[:, span])))
            if needs[3]:
                drecurrent = added(drecurrent, be.dot(flat, rows_of_states(be, hs[span])))
            if needs[4]:
                dbias = added(dbias, row_sums(be, flat))
        dkernel, drecurrent = (None if dw is None else dw.T for dw in (dkernel, drecurrent))
        return dx, dh.T if needs[1] else None, dkernel, drecurrent, dbias, None

    return outputs(be, hs, sequences, [hs], dtype), pullback


@primitive(promote="float")
def lstm(be, x, h, c, kernel, recurrent_kernel, bias=None, mask=None, /, sequences=True):
    """Long short-term memory, with tanh and sigmoid.

    i, f, o = sigmoid(x_t W + h_{t-1} R + b), g = tanh(the same with their own columns),
    c_t = f c_{t-1} + i g, h_t = o tanh(c_t).

    Args:
        x: tensor of shape (batch, steps, n).
        h, c: the first states, of shape (batch, units), or None: zeros.
        kernel: matrix of shape (n, 4 units), the gates in the order i, f, g, o.
        recurrent_kernel: matrix of shape (units, 4 units).
        bias: vector of 4 units values, or None.
        mask: of shape (batch, steps), false where the states stay as they are; or None.
        sequences: whether the outputs of all steps are wanted. Default: True.

    Returns:
        The outputs (batch, steps, units), if wanted, and the last h and c.

    Source: keras.layers.LSTM; Hochreiter and Schmidhuber, 1997.

    >>> w = np.ones((1, 4))
    >>> y, h, c = gpunn.ops.recurrent.lstm(np.ones((1, 2, 1)), None, None, w, w)
    >>> y.numpy().round(2).tolist(), c.numpy().round(2).tolist()
    ([[[0.37], [0.65]]], [[1.14]])
    """
    dtype, x, units = x.dtype, wide(x), len(recurrent_kernel)
    sigmoids = 3 * units
    kernel, recurrent = _ordered(be, kernel, units), _ordered(be, recurrent_kernel, units)
    b = None if bias is None else halved(be, _ordered(be, bias, units), sigmoids)
    (batch, count, _), rows = x.shape, 4 * units
    weights = with_bias(be, halved(be, kernel, sigmoids), b)
    transposed = halved(be, recurrent, sigmoids)
    gates = be.empty((count, rows, batch), kernel.dtype)
    hs = states(be, h, (count + 1, units, batch), gates.dtype)
    cs = states(be, c, hs.shape, gates.dtype)
    tanhs = be.empty((count, units, batch), gates.dtype)
    masks, sums = step_masks(mask), be.empty((rows, batch), gates.dtype)
    spans = spans_of(be, gates)
    for span in spans:
        projected(be, x[:, span], weights, gates[span])
        counted = kept(be, masks, span, hs)
        for t in range(span.start, span.stop):
            be.dot(transposed, hs[t], sums)
            lstm_step(be, gates[t], sums, cs[t], cs[t + 1], tanhs[t], hs[t + 1])
            if counted is not None:
                hold(be, counted[t - span.start], hs[t + 1], hs[t])
                hold(be, counted[t - span.start], cs[t + 1], cs[t])

    def pullback(dy, needs):
        dh, dc = last_gradients(be, dy, 2)
        dz, slopes = be.empty((rows, batch), gates.dtype), be.empty((rows, batch), gates.dtype)
        dx = be.empty(x.shape, gates.dtype) if needs[0] else None
        dkernel = drecurrent = dbias = passed_h = passed_c = None
        for span in reversed(spans):
            dys = by_step(be, dy[0][:, span]) if sequences else None
            dzs = be.empty((rows, span.stop - span.start, batch), gates.dtype)
            for t in reversed(range(span.start, span.stop)):
                if dys is not None:
                    dh += dys[t - span.start]
                if masks is not None:
                    dh, passed_h = divided(be, masks[t], dh)
                    dc, passed_c = divided(be, masks[t], dc)
                lstm_step_back(be, gates[t], tanhs[t], cs[t], dh, dc, dz, slopes)
                be.copyto(dzs[:, t - span.start], dz)
                dh = be.dot(recurrent, dz, dh)
                if passed_h is not None:
                    dh += passed_h
                    dc += passed_c
            flat = dzs.reshape(rows, -1)
            if needs[0]:
                input_gradient(be, kernel, flat, dx[:, span])
            if needs[3]:
                dkernel = added(dkernel, be.dot(flat, rows_of_inputs(be, x[:, span])))
            if needs[4]:
                drecurrent = added(drecurrent, be.dot(flat, rows_of_states(be, hs[span])))
            if needs[5]:
                dbias = added(dbias, row_sums(be, flat))
        return (
            dx,
            dh.T if needs[1] else None,
            dc.T if needs[2] else None,
            _ordered(be, dkernel.T, units) if needs[3] else None,
            _ordered(be, drecurrent.T, units) if needs[4] else None,
            _ordered(be, dbias, units) if needs[5] else None,
            None,
        )

    return outputs(be, hs, sequences, [hs, cs], dtype), pullback


def lstm_step(be, gate, sums, c, c_next, tanh_c, h_next):
    """Squash the gates' sums in place, and write the next states and tanh of the next c."""
    units = len(c)
    gate += sums
    squash(be, gate, 3 * units)
    i, f, o, g = _four(gate, units)
    be.xp.multiply(f, c, c_next)
    c_next += be.xp.multiply(i, g, sums[:units])
    be.xp.tanh(c_next, tanh_c)
    be.xp.multiply(o, tanh_c, h_next)


def lstm_step_back(be, gate, tanh_c, c, dh, dc, dz, slopes):
    """Write dz, the gradient of the gates' sums, and make dc that of the step before."""
    units = len(c)
    i, f, o, g = _four(gate, units)
    di, df, do, dg = _four(dz, units)
    spare = slopes[:units]
    be.xp.multiply(dh, tanh_c, do)
    be.xp.multiply(tanh_c, tanh_c, spare)
    be.xp.subtract(1, spare, spare)
    spare *= o
    spare *= dh
    dc += spare
    be.xp.multiply(dc, g, di)
    be.xp.multiply(dc, c, df)
    be.xp.multiply(dc, i, dg)
    dc *= f
    slope(be, gate, 3 * units, slopes)
    dz *= slopes


def _ordered(be, w, units: int):
    """Gates i, f, g, o as i, f, o, g, and the other way round: the sigmoids lie together."""
    w = wide(w)
    parts = [w[..., : 2 * units], w[..., 3 * units :], w[..., 2 * units : 3 * units]]
    return be.xp.concatenate(parts, -1)


def _four(rows, units: int) -> tuple:
    """The rows of each of four gates."""
    return rows[:units], rows[units : 2 * units], rows[2 * units : 3 * units], rows[3 * units :]
