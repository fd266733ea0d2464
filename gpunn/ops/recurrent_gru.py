"""gru: whole sequences in one op, with its gradients through time."""

from gpunn.autograd import primitive
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
    spans_of,
    squash,
    states,
    step_masks,
    with_bias,
)
from gpunn.ops.reduction import wide

__all__ = []  # public through the layers


@primitive(promote="float")
def gru(
    be, x, h, kernel, recurrent_kernel, bias=None, mask=None, /, reset_after=True, sequences=True
):
    """Gated recurrent unit, with tanh and sigmoid.

    z, r = sigmoid(x_t W + h_{t-1} R + b), h_t = z h_{t-1} + (1 - z) g, where
    g = tanh(x_t W_g + b_g + r (h_{t-1} R_g + b'_g)), or without `reset_after`
    g = tanh(x_t W_g + b_g + (r h_{t-1}) R_g).

    Args:
        x: tensor of shape (batch, steps, n).
        h: the first state, of shape (batch, units), or None: zeros.
        kernel: matrix of shape (n, 3 units), the gates in the order z, r, g.
        recurrent_kernel: matrix of shape (units, 3 units).
        bias: of shape (2, 3 units), for inputs and states, or (3 units,) without `reset_after`;
            or None.
        mask: of shape (batch, steps), false where the state stays as it is; or None.
        reset_after: whether r is applied after the product. Default: True.
        sequences: whether the outputs of all steps are wanted. Default: True.

    Returns:
        The outputs (batch, steps, units), if wanted, and the last state.

    Source: keras.layers.GRU; Cho et al., 2014, https://arxiv.org/abs/1406.1078

    >>> w = np.ones((1, 3))
    >>> y, h = gpunn.ops.recurrent_gru.gru(np.ones((1, 2, 1)), None, w, w)
    >>> y.numpy().round(2).tolist()
    [[[0.2], [0.35]]]
    """
    dtype, x, units = x.dtype, wide(x), len(recurrent_kernel)
    sigmoids = 2 * units
    kernel, recurrent = wide(kernel), wide(recurrent_kernel)
    b, b_state = _biases(be, bias, reset_after, sigmoids)
    (batch, count, _), rows = x.shape, 3 * units
    weights = with_bias(be, halved(be, kernel, sigmoids), b)
    transposed = halved(be, recurrent, sigmoids)
    both, candidate = transposed[:sigmoids], transposed[sigmoids:]
    gates = be.empty((count, rows, batch), kernel.dtype)
    hs = states(be, h, (count + 1, units, batch), gates.dtype)
    # of every step: h R_g + b'_g, or r h without reset_after
    inner = be.empty((count, units, batch), gates.dtype)
    masks, sums = step_masks(mask), be.empty((sigmoids, batch), gates.dtype)
    spans = spans_of(be, gates)
    for span in spans:
        projected(be, x[:, span], weights, gates[span])
        counted = kept(be, masks, span, hs)
        for t in range(span.start, span.stop):
            zr, g, h_next = gates[t][:sigmoids], gates[t][sigmoids:], hs[t + 1]
            zr += be.dot(both, hs[t], sums)
            squash(be, zr, sigmoids)
            z, r = zr[:units], zr[units:]
            if reset_after:
                be.dot(candidate, hs[t], inner[t])
                if b_state is not None:
                    be.xp.add(inner[t], b_state, inner[t])
                g += be.xp.multiply(r, inner[t], sums[:units])
            else:
                be.xp.multiply(r, hs[t], inner[t])
                g += be.dot(candidate, inner[t], sums[:units])
            be.xp.tanh(g, g)
            be.xp.subtract(hs[t], g, h_next)
            h_next *= z
            h_next += g
            if counted is not None:
                hold(be, counted[t - span.start], h_next, hs[t])

    def pullback(dy, needs):
        (dh,) = last_gradients(be, dy, 1)
        d = be.empty((rows, batch), gates.dtype)
        dz, dr, dzr, dg = d[:units], d[units:sigmoids], d[:sigmoids], d[sigmoids:]
        back, back_g = be.copy(recurrent[:, :sigmoids]), be.copy(recurrent[:, sigmoids:])
        to_h, sums = (be.empty((units, batch), gates.dtype) for _ in range(2))
        dx = be.empty(x.shape, gates.dtype) if needs[0] else None
        dkernel = of_zr = of_g = dbias = dbias_state = passed = None
        for span in reversed(spans):
            length = span.stop - span.start
            dys = by_step(be, dy[0][:, span]) if sequences else None
            dgates = be.empty((rows, length, batch), gates.dtype)
            dinners = be.empty((units, length, batch), gates.dtype)
            for t in reversed(range(span.start, span.stop)):
                zr, g, h_prev, i = gates[t][:sigmoids], gates[t][sigmoids:], hs[t], t - span.start
                z, r = zr[:units], zr[units:]
                if dys is not None:
                    dh += dys[i]
                if masks is not None:
                    dh, passed = divided(be, masks[t], dh)
                be.xp.subtract(h_prev, g, dz)
                dz *= dh
                be.xp.multiply(dh, 1 - z, dg)
                dg *= 1 - g * g
                if reset_after:
                    be.xp.multiply(dg, inner[t], dr)
                    dinner = dg * r
                    be.copyto(dinners[:, i], dinner)
                    be.dot(back_g, dinner, to_h)
                else:
                    be.dot(back_g, dg, to_h)
                    be.xp.multiply(to_h, h_prev, dr)
                    to_h *= r
                dzr *= zr - zr * zr
                be.copyto(dgates[:, i], d)
                dh = dh * z
                dh += to_h
                dh += be.dot(back, dzr, sums)
                if passed is not None:
                    dh += passed
            flat, inner_flat = dgates.reshape(rows, -1), dinners.reshape(units, -1)
            if needs[0]:
                input_gradient(be, kernel, flat, dx[:, span])
            if needs[2]:
                dkernel = added(dkernel, be.dot(flat, rows_of_inputs(be, x[:, span])))
            if needs[3]:
                before = rows_of_states(be, hs[span])
                of_zr = added(of_zr, be.dot(flat[:sigmoids], before))
                if reset_after:
                    of_g = added(of_g, be.dot(inner_flat, before))
                else:
                    r_h = rows_of_states(be, inner[span])
                    of_g = added(of_g, be.dot(flat[sigmoids:], r_h))
            if needs[4]:
                dbias = added(dbias, row_sums(be, flat))
                if reset_after:
                    dbias_state = added(dbias_state, row_sums(be, inner_flat))
        if needs[4] and reset_after:
            dbias = be.xp.stack([dbias, be.xp.concatenate([dbias[:sigmoids], dbias_state])])
        return (
            dx,
            dh.T if needs[1] else None,
            dkernel.T if needs[2] else None,
            be.xp.concatenate([of_zr, of_g]).T if needs[3] else None,
            dbias if needs[4] else None,
            None,
        )

    return outputs(be, hs, sequences, [hs], dtype), pullback


def _biases(be, bias, reset_after: bool, sigmoids: int) -> tuple:
    """The bias of the inputs' product, with all of z's and r's in it, and that of h R_g."""
    if bias is None:
        return None, None
    bias = wide(bias)
    if not reset_after:
        return halved(be, bias, sigmoids), None
    b, b_state = be.copy(bias[0]), bias[1]
    first = b[:sigmoids]
    first += b_state[:sigmoids]
    return halved(be, b, sigmoids), b_state[sigmoids:, None]
