"""Layers that join several inputs element by element, along an axis, or by a dot product."""

from functools import reduce

from gpunn import ops
from gpunn.autograd import mask_of
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer


class _Merge(Layer):
    """A layer of a list of inputs."""

    supports_masking = True
    count: int | None = None  # how many inputs there must be
    any_batch: frozenset = frozenset({None})  # sizes of a batch that go with every other

    def build(self, input_shape):
        """Check the shapes."""
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        """Join the inputs."""
        if not isinstance(inputs, list | tuple):
            raise self._not_a_list(inputs.shape)
        self.compute_output_shape([x.shape for x in inputs])
        return self._merged(inputs)

    def compute_mask(self, inputs, mask=None):
        """True where the mask of any input is; None unless every input has one."""
        if mask is None or any(m is None for m in self._masks(inputs, mask)):
            return None
        return reduce(ops.logical_or, mask)

    def _masks(self, inputs, mask):
        """The masks, if they are a list of one for each of a list of inputs."""
        for what in (inputs, mask):
            if not isinstance(what, list | tuple):
                raise wrong(self, f"compute_mask() takes lists of inputs and masks, got {what!r}")
        if len(mask) != len(inputs):
            raise wrong(self, f"there must be a mask for each input, {len(inputs)}, or None")
        return mask

    def _checked(self, shapes) -> list:
        """The shapes, if they are a list of as many as there must be, of batches that fit."""
        if not isinstance(shapes, list | tuple) or not shapes or not isinstance(shapes[0], tuple):
            raise self._not_a_list(shapes)
        if self.count not in (None, len(shapes)):
            raise wrong(self, f"expected {self.count} inputs, got {len(shapes)}", ShapeError)
        if len({s[0] for s in shapes if s} - self.any_batch) > 1:
            raise wrong(self, f"the inputs differ in batch size: shapes {list(shapes)}", ShapeError)
        return [tuple(s) for s in shapes]

    def _not_a_list(self, shapes):
        message = f"expected a list of inputs, got one of shape {shapes}: call it on [a, b]"
        return wrong(self, message, ShapeError)


class _Elementwise(_Merge):
    """Inputs of shapes that broadcast; axes are put in after the batch where one has fewer."""

    any_batch = frozenset({None, 1})

    def _merged(self, inputs):
        ndim = max([x.ndim for x in inputs])
        masks = [_widened(x) for x in inputs]
        inputs = [x if x.ndim == ndim else x.reshape(_filled(x.shape, ndim)) for x in inputs]
        if any(m is not None for m in masks):
            return self._joined_under(inputs, masks)
        return self._joined(inputs)

    def _joined_under(self, inputs, masks):
        """The same of inputs with masks, which are of the inputs' shapes or None."""
        return self._joined(inputs)

    def compute_output_shape(self, input_shape):
        """The shape that the inputs' shapes broadcast to."""
        shapes = self._checked(input_shape)
        ndim = max(map(len, shapes))
        sizes = zip(*[_filled(s, ndim) for s in shapes], strict=True)
        try:
            return tuple([_common(n) for n in sizes])
        except ValueError:
            raise wrong(self, f"shapes {shapes} do not broadcast", ShapeError) from None


def _filled(shape, ndim: int) -> tuple:
    """A shape with axes of size 1 after the batch."""
    return (*shape[:1], *[1] * (ndim - len(shape)), *shape[1:])


def _common(sizes):
    """What sizes along one axis broadcast to; None is unknown."""
    known = set(sizes) - {None, 1}
    if len(known) > 1:
        raise ValueError
    if None in sizes:
        return next(iter(known), None)
    return next(iter(known), 1)


def _widened(x):
    """The mask of a tensor with an axis more, so that it goes with the values; or None."""
    mask = mask_of(x)
    return None if mask is None else ops.expand_dims(mask, -1)


class _Extreme(_Elementwise):
    """The largest or smallest of several inputs; where one of two is masked, the other one."""

    def _joined(self, inputs):
        return reduce(self._of_two, inputs)

    def _joined_under(self, inputs, masks):
        y, mask = inputs[0], masks[0]
        for x, own in zip(inputs[1:], masks[1:], strict=True):
            if own is not None:
                x = ops.where(own, x, y)
            if mask is not None:
                y = ops.where(mask, y, x)
            mask = None if mask is None or own is None else ops.logical_or(mask, own)
            y = self._of_two(y, x)
        return y


class Add(_Elementwise):
    """The sum of several inputs.

    Call arguments:
        inputs: a list of tensors whose shapes broadcast.

    Raises:
        ShapeError: if the inputs are no list, or do not fit.

    Source: keras.layers.Add.

    >>> gpunn.layers.Add()([np.ones((2, 3)), np.ones((2, 3))]).numpy()[0]
    array([2., 2., 2.], dtype=float32)
    """

    def _joined(self, inputs):
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Average(Add):
    """The mean of several inputs.

    Call arguments and Raises: as of `Add`.

    Source: keras.layers.Average.

    >>> gpunn.layers.Average()([np.ones((2, 3)), np.zeros((2, 3))]).numpy()[0]
    array([0.5, 0.5, 0.5], dtype=float32)
    """

    def _joined(self, inputs):
        return super()._joined(inputs) / len(inputs)


class Subtract(_Elementwise):
    """The first of two inputs minus the second.

    Call arguments and Raises: as of `Add`.

    Source: keras.layers.Subtract.

    >>> gpunn.layers.Subtract()([np.ones((2, 3)), np.ones((2, 3))]).numpy()[0]
    array([0., 0., 0.], dtype=float32)
    """

    count = 2

    def _joined(self, inputs):
        return inputs[0] - inputs[1]


class Multiply(_Elementwise):
    """The product of several inputs, element by element; what is masked counts as 1.

    Call arguments and Raises: as of `Add`.

    Source: keras.layers.Multiply.

    >>> gpunn.layers.Multiply()([np.full((2, 1), 2.0), np.full((2, 3), 3.0)]).numpy()[0]
    array([6., 6., 6.], dtype=float32)
    """

    def _joined(self, inputs):
        product = inputs[0]
        for x in inputs[1:]:
            product = product * x
        return product

    def _joined_under(self, inputs, masks):
        kept = [x if m is None else ops.where(m, x, 1) for x, m in zip(inputs, masks, strict=True)]
        product = self._joined(kept)
        if any(m is None for m in masks):
            return product
        return ops.where(reduce(ops.logical_or, masks), product, 0)


class Maximum(_Extreme):
    """The largest of several inputs, element by element; what is masked does not count.

    Call arguments and Raises: as of `Add`.

    Source: keras.layers.Maximum.

    >>> gpunn.layers.Maximum()([np.ones((2, 2)), np.zeros((2, 2))]).numpy()[0]
    array([1., 1.], dtype=float32)
    """

    _of_two = staticmethod(ops.maximum)


class Minimum(_Extreme):
    """The smallest of several inputs, element by element; what is masked does not count.

    Call arguments and Raises: as of `Add`.

    Source: keras.layers.Minimum.

    >>> gpunn.layers.Minimum()([np.ones((2, 2)), np.zeros((2, 2))]).numpy()[0]
    array([0., 0.], dtype=float32)
    """

    _of_two = staticmethod(ops.minimum)


class Concatenate(_Merge):
    """Several inputs one after the other along an axis.

    Args:
        axis: which axis. Default: the last.

    Call arguments:
        inputs: a list of tensors, equal in shape but for the axis.

    Raises:
        ArgumentTypeError: if axis is no integer.
        ShapeError: if the inputs are no list, or do not fit.

    Source: keras.layers.Concatenate.

    >>> gpunn.layers.Concatenate()([np.ones((2, 3)), np.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise wrong(self, f"axis must be an integer, got {axis!r}", ArgumentTypeError)
        self.axis = axis

    def _checked(self, shapes):
        if not isinstance(shapes, list | tuple) or not all(isinstance(s, tuple) for s in shapes):
            raise self._not_a_list(shapes)
        ndim, axis = len(shapes[0]), self.axis
        if not -ndim <= axis < ndim:
            raise wrong(self, f"axis {axis} is out of range for shape {shapes[0]}", ShapeError)
        others = [i for i in range(ndim) if i != axis % ndim]
        fits = all(len(s) == ndim for s in shapes) and all(
            len({s[i] for s in shapes} - {None}) < 2 for i in others
        )
        if not fits:
            message = f"shapes {list(shapes)} differ in more than axis {axis}"
            raise wrong(self, message, ShapeError)
        return [tuple(s) for s in shapes]

    def _merged(self, inputs):
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs, mask=None):
        """The masks one after the other, all True for an input without; None if none has one."""
        if mask is None or all(m is None for m in self._masks(inputs, mask)):
            return None
        return ops.any(
            ops.concatenate(
                [_full_mask(x, m) for x, m in zip(inputs, mask, strict=True)], axis=self.axis
            ),
            axis=-1,
        )

    def compute_output_shape(self, input_shape):
        """The inputs' shape, their sizes added along the axis."""
        shapes = self._checked(input_shape)
        shape = [next((n for n in sizes if n is not None), None)
                 for sizes in zip(*shapes, strict=True)]  # fmt: skip
        sizes = [s[self.axis] for s in shapes]
        shape[self.axis] = None if None in sizes else sum(sizes)
        return tuple(shape)


def _full_mask(x, mask):
    """A mask of the shape of x."""
    if mask is not None and mask.ndim == x.ndim:
        return mask
    everything = ops.ones_like(x, dtype="bool")
    return everything if mask is None else ops.logical_and(ops.expand_dims(mask, -1), everything)


class Dot(_Merge):
    """The dot product of two inputs along an axis of each, example by example.

    Args:
        axes: the axis, or a pair of them, one of each input; not the batch.
        normalize: whether the vectors are first made unit vectors. Default: False.

    Call arguments:
        inputs: a list of two tensors, equal in size along the axes.

    Shapes: (batch, the other axes of the first, the other axes of the second); (batch, 1) if there
    are none.

    Raises:
        ArgumentTypeError: if axes is neither an integer nor a pair of them.
        ShapeError: if the inputs are no list of two, or do not fit.

    Source: keras.layers.Dot.

    >>> gpunn.layers.Dot(axes=(1, 2))([np.ones((2, 3, 5)), np.ones((2, 4, 3))]).shape
    (2, 5, 4)
    """

    count = 2

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        pair = list(axes) if isinstance(axes, list | tuple) else [axes, axes]
        if len(pair) != 2 or not all(type(a) is int for a in pair):
            message = f"axes must be an integer or two of them, got {axes!r}"
            raise wrong(self, message, ArgumentTypeError)
        self.axes = axes
        self.normalize = normalize

    def compute_mask(self, inputs, mask=None):
        """None: there are no steps any more."""
        return None

    def _axes(self, shapes) -> list:
        """The axis of each input, counted from the front."""
        axes = self.axes if isinstance(self.axes, list | tuple) else [self.axes, self.axes]
        if any(not -len(s) <= a < len(s) or a % len(s) == 0
               for a, s in zip(axes, shapes, strict=True)):  # fmt: skip
            message = f"axes {self.axes} must be axes after the batch of shapes {shapes}"
            raise wrong(self, message, ShapeError)
        return [a % len(s) for a, s in zip(axes, shapes, strict=True)]

    def _merged(self, inputs):
        axes = self._axes([x.shape for x in inputs])
        a, b = inputs
        if self.normalize:
            a, b = ops.normalize(a, axis=axes[0]), ops.normalize(b, axis=axes[1])
        shape = self.compute_output_shape([a.shape, b.shape])
        # as products of matrices (batch, rest, n) and (batch, n, rest)
        a, b = ops.moveaxis(a, axes[0], -1), ops.moveaxis(b, axes[1], 1)
        batch, n = a.shape[0], a.shape[-1]
        rows, columns = a.size // max(batch * n, 1), b.size // max(batch * n, 1)
        y = ops.matmul(a.reshape(batch, rows, n), b.reshape(batch, n, columns))
        return y.reshape(shape)

    def compute_output_shape(self, input_shape):
        """(batch, the first's other axes, the second's other axes)."""
        first, second = shapes = self._checked(input_shape)
        i, j = self._axes(shapes)
        if first[i] != second[j] and None not in (first[i], second[j]):
            message = (
                f"the inputs differ along axes {(i, j)}: {first[i]} and {second[j]}, "
                f"shapes {shapes}"
            )
            raise wrong(self, message, ShapeError)
        rest = (*first[1:i], *first[i + 1 :], *second[1:j], *second[j + 1 :])
        return (first[0] if second[0] is None else second[0], *(rest or (1,)))
