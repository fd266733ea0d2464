"""NumPy by hand: the training steps of the recurrent nets; see `by_hand_dense.py`.

What the layer makes of each of the 64 tokens is a table: embedding, kernel and bias are multiplied
once. Arrays have a row for each example, for each step after the other. Kernels of sigmoids are
halved: s(2a) = (1 + tanh a) / 2. What is known of a step's gradients before they come is made in
the forward pass, while it is in the cache.
"""

import numpy as np
from by_hand import ONE, Adam, Flat, arrays, left, right, scalar, tiles
from numpy import add, copyto, divide, dot, exp, log, matmul, multiply, subtract, tanh

HALF, QUARTER = scalar(0.5), scalar(0.25)


def laid_out(weights):
    """The weights and their gradients in a vector each."""
    shapes = [a.shape for a in weights]
    w, dw = Flat(shapes), Flat(shapes)
    for a, values in zip(w.views, weights, strict=True):
        a[...] = values
    return w, dw


def classes(h, dh, w, b, dw, db):
    """A function of labels: the loss of the dense layer above h, and all its gradients."""
    rows, units = h.size // len(w), len(w)
    h, dh = h.reshape(rows, units), dh.reshape(rows, units)
    z, top, total, right_ones = arrays((rows, len(b)), (rows, 1), (rows,), (1,))
    ones, column, flat = np.ones(rows, np.float32), total[:, None], z.reshape(-1)

    def run(labels, labels_flat):
        dot(h, w, z)
        add(z, b, z)
        z.max(1, top, True)
        subtract(z, top, z)
        dot(labels_flat, flat, right_ones)
        exp(z, z)
        dot(z, ones[: len(b)], total)
        divide(z, column, z)
        log(total, total)
        loss = (dot(total, ones) - right_ones) / rows
        subtract(z, labels, z)
        dot(h.T, z, dw)
        dot(ones, z, db)
        dot(z, w.T, dh)
        return loss

    return run


def parts(a, part=256):
    """The rows of a for `long_product`."""
    return [left(a[i : i + part].T, 32) for i in range(0, len(a), part)]


def long_product(b, out, part=256, columns=64):
    """A function of parts(a) that puts a.T @ b to `out`: shorter sums are quicker."""
    (piece,) = arrays(out.shape)
    first, other = tiles(out, 32, columns), tiles(piece, 32, columns)
    of_b = [right(b[i : i + part], columns) for i in range(0, len(b), part)]

    def run(of_a):
        matmul(of_a[0], of_b[0], first)
        for x, y in zip(of_a[1:], of_b[1:], strict=True):
            matmul(x, y, other)
            add(out, piece, out)

    return run


def prepared(x, y):
    """Tokens step by step, as numbers and as rows of ones, and labels likewise."""
    one = np.eye(64, dtype=np.float32)
    tokens, labels = x.T.copy(), one[y.T.reshape(-1)]
    return tokens, parts(one[tokens.reshape(-1)]), labels, labels.reshape(1, -1)


def gru(weights, workload, given):
    """Embedding of 64, GRU of 256, dense layer of 64 classes at each of 64 steps."""
    n, steps, units = workload.batch, *workload.shape, 256
    w, dw = laid_out(weights)
    embedding, kernel, recurrent, bias, *_ = w.views
    d_embedding, d_kernel, d_recurrent, d_bias, *_ = dw.views
    (hidden,), ones = arrays((steps + 1, n, units)), np.ones(n * steps, np.float32)
    table, d_table, halved, turned = arrays(*[(64, 768)] * 2, (256, 768), (768, 256))
    inputs, gates = arrays((steps, n, 768), (steps, n, 512))
    candidates, of_update, of_reset, of_candidate, d_hidden, d_candidates = arrays(
        *[(steps, n, units)] * 6
    )
    inner, slopes, work, dh, dh_next = arrays((n, 768), (n, 512), *[(n, units)] * 3)
    d_inner = inputs  # which are not needed then
    scale = np.repeat(np.array([0.5, 0.5, 1], np.float32), units)
    columns, inner_tiles = right(halved, 128), tiles(inner, 16, 128)
    back_columns, back_tiles = right(turned, 64), tiles(dh_next, 16, 64)
    inner_gates, inner_last, bias_last = inner[:, :512], inner[:, 512:], bias[1, 512:]
    slope_update, slope_reset = slopes[:, :256], slopes[:, 256:]
    of_labels = classes(hidden[1:], d_hidden, *w.views[4:], *dw.views[4:])
    d_rows = d_inner.reshape(-1, 768)
    before = parts(hidden[:-1].reshape(-1, units))
    sum_recurrent, sum_table = long_product(d_rows, d_recurrent), long_product(d_rows, d_table)
    adam = Adam(w, dw, workload.rate, scale=n * steps)
    forward = [
        (
            left(hidden[t], 16), hidden[t], hidden[t + 1], inputs[t, :, :512], inputs[t, :, 512:],
            gates[t], gates[t, :, :256], gates[t, :, 256:], candidates[t], of_update[t],
            of_reset[t], of_candidate[t],
        )
        for t in range(steps)
    ]  # fmt: skip
    backward = [
        (
            d_hidden[t], left(d_inner[t], 16), *(d_inner[t, :, i : i + 256] for i in (0, 256, 512)),
            d_candidates[t], gates[t, :, :256], gates[t, :, 256:], of_update[t], of_reset[t],
            of_candidate[t],
        )
        for t in reversed(range(steps))
    ]  # fmt: skip

    def step(tokens, onehot, labels, labels_flat):
        dot(embedding, kernel, table)
        add(table, bias[0], table)
        add(table[:, :512], bias[1, :512], table[:, :512])
        multiply(table, scale, table)
        multiply(recurrent, scale, halved)
        copyto(turned, recurrent.T)
        table.take(tokens, 0, inputs, "clip")
        for h_rows, h, h_after, x_gates, x_last, both, update, reset, c, fu, fr, fc in forward:
            matmul(h_rows, columns, inner_tiles)
            add(inner_gates, x_gates, both)
            tanh(both, both)
            multiply(both, both, slopes)
            subtract(ONE, slopes, slopes)
            multiply(slopes, QUARTER, slopes)
            multiply(both, HALF, both)
            add(both, HALF, both)
            add(inner_last, bias_last, work)
            multiply(slope_reset, work, fr)
            multiply(work, reset, c)
            add(c, x_last, c)
            tanh(c, c)
            subtract(h, c, work)
            multiply(work, slope_update, fu)
            multiply(work, update, work)
            add(c, work, h_after)
            multiply(c, c, fc)
            subtract(ONE, fc, fc)
            subtract(ONE, update, work)
            multiply(fc, work, fc)
        loss = of_labels(labels, labels_flat)
        dh.fill(0)
        for dy, da_rows, d_update, d_reset, d_last, dc, update, reset, fu, fr, fc in backward:
            add(dh, dy, dh)
            multiply(dh, fu, d_update)
            multiply(dh, fc, dc)
            multiply(dc, fr, d_reset)
            multiply(dc, reset, d_last)
            matmul(da_rows, back_columns, back_tiles)
            multiply(dh, update, dh)
            add(dh, dh_next, dh)
        sum_recurrent(before)
        dot(ones, d_rows, d_bias[1])
        copyto(d_inner[:, :, 512:], d_candidates)
        sum_table(onehot)
        dot(ones[:64], d_table, d_bias[0])
        dot(embedding.T, d_table, d_kernel)
        dot(d_table, kernel.T, d_embedding)
        adam.step()
        return loss

    return step, [prepared(x, y) for x, y in given]


def lstm(weights, workload, given):
    """Embedding of 64, LSTM of 256, dense layer of 64 classes at each of 64 steps."""
    n, steps, units = workload.batch, *workload.shape, 256
    w, dw = laid_out(weights)
    embedding, kernel, recurrent, bias, *_ = w.views
    d_embedding, d_kernel, d_recurrent, d_bias, *_ = dw.views
    hidden, cells = arrays(*[(steps + 1, n, units)] * 2)
    table, d_table = arrays(*[(64, 1024)] * 2)
    halved, turned = arrays((1, 8, 256, 128), (1, 8, 1024, 32))  # in blocks of columns
    gates, wide = arrays((steps, n, 4, units), (n * steps, 1040))
    d_rows = wide[:, :1024]  # rows at multiples of 4 KB push each other out of the cache
    d_inner = slopes = d_rows.reshape(steps, n, 4, units)  # slopes are not needed then
    of_cell, d_hidden = arrays(*[(steps, n, units)] * 2)
    work, out, dh, dc = arrays(*[(n, units)] * 4)
    ones = np.ones(64, np.float32)
    halves = np.array([0.5, 0.5, 1, 0.5], np.float32)
    scale, offset = np.repeat(halves, units), np.repeat(1 - halves, units).reshape(4, units)
    offset[2] = 0
    halves_4 = scale.reshape(4, units)
    quarters = halves_4 * halves_4
    columns, turned_columns = right(recurrent, 128), right(recurrent.T, 32)
    back_tiles = tiles(dh, 16, 32)
    scale_columns = right(scale[None], 128)
    dc_thrice = dc[:, None]
    of_labels = classes(hidden[1:], d_hidden, *w.views[4:], *dw.views[4:])
    before = parts(hidden[:-1].reshape(-1, units))
    sum_recurrent, sum_table = long_product(d_rows, d_recurrent), long_product(d_rows, d_table)
    adam = Adam(w, dw, workload.rate, scale=n * steps)
    (inner,) = arrays((n, 4, units))
    inner_tiles = tiles(inner.reshape(n, 1024), 16, 128)
    forward = [
        (
            left(hidden[t], 16), hidden[t + 1], cells[t], cells[t + 1], gates[t],
            *(gates[t, :, i] for i in range(4)), slopes[t], *(slopes[t, :, i] for i in range(4)),
            of_cell[t],
        )
        for t in range(steps)
    ]  # fmt: skip
    backward = [
        (
            d_hidden[t], left(d_rows[t * n : t * n + n], 16), d_inner[t, :, :3], d_inner[t, :, 3],
            gates[t, :, 1], of_cell[t],
        )
        for t in reversed(range(steps))
    ]  # fmt: skip

    def step(tokens, onehot, labels, labels_flat):
        dot(embedding, kernel, table)
        add(table, bias, table)
        multiply(table, scale, table)
        multiply(columns, scale_columns, halved)
        copyto(turned, turned_columns)
        table.take(tokens, 0, gates.reshape(steps, n, 1024), "clip")
        for h, h_after, c, c_after, every, i, f, g, o, slope, si, sf, sg, so, fc in forward:
            matmul(h, halved, inner_tiles)
            add(every, inner, every)
            tanh(every, every)
            multiply(every, every, slope)
            subtract(ONE, slope, slope)
            multiply(slope, quarters, slope)
            multiply(every, halves_4, every)
            add(every, offset, every)
            multiply(sf, c, sf)
            multiply(si, g, si)
            multiply(sg, i, sg)
            multiply(f, c, c_after)
            multiply(i, g, work)
            add(c_after, work, c_after)
            tanh(c_after, out)
            multiply(o, out, h_after)
            multiply(so, out, so)
            multiply(out, out, out)
            subtract(ONE, out, out)
            multiply(o, out, fc)
        loss = of_labels(labels, labels_flat)
        dh.fill(0)
        dc.fill(0)
        for dy, da_rows, da_cell, da_out, f, fc in backward:
            add(dh, dy, dh)
            multiply(dh, fc, work)
            add(dc, work, dc)
            multiply(da_cell, dc_thrice, da_cell)
            multiply(da_out, dh, da_out)
            matmul(da_rows, turned, back_tiles)
            multiply(dc, f, dc)
        sum_recurrent(before)
        sum_table(onehot)
        dot(ones, d_table, d_bias)
        dot(embedding.T, d_table, d_kernel)
        dot(d_table, kernel.T, d_embedding)
        adam.step()
        return loss

    return step, [prepared(x, y) for x, y in given]
