"""What one example costs: floating-point operations, and memory of all results on the way."""

import math

from gpunn import tree
from gpunn.autograd import KerasTensor, no_grad, wrap
from gpunn.autograd.anomaly import current_layer
from gpunn.autograd.mode import Observer, observers
from gpunn.backend import get_backend, is_array, quiet
from gpunn.backend.words import is_words
from gpunn.errors import NotBuiltError
from gpunn.layers.tree import map_shapes


class Cost(Observer):
    """Counts what ops do inside a `with` block.

    A multiplication and an addition are two operations; a product is counted as it is written,
    whatever way it takes; any other op counts one for each value of its result.

    >>> with gpunn.training.cost.Cost() as cost:
    ...     y = gpunn.ops.matmul(np.ones((2, 3)), np.ones((3, 4)))
    >>> cost.flops, cost.nbytes
    (48, 64)
    """

    def __enter__(self):
        self.flops = self.nbytes = 0
        self.by_layer: dict[str, int] = {}  # bytes of results, by the innermost layer's name
        observers.append(self)
        return self

    def __exit__(self, *exc):
        observers.remove(self)

    def forward(self, op, be, operands, results):
        made = [y for y in results if is_array(y)]
        if op not in VIEWS:
            nbytes = sum(y.nbytes for y in made)
            self.nbytes += nbytes
            layer = current_layer.get() or "(no layer)"
            self.by_layer[layer] = self.by_layer.get(layer, 0) + nbytes
        rule = RULES.get(op)
        self.flops += sum(y.size for y in made) if rule is None else rule(made[0], *operands)


def _product(y, a, b, *bias):
    return 2 * y.size * a.shape[-1]


def _convolution(y, x, kernel, *bias):
    return 2 * y.size * math.prod(kernel.shape[:-1])


def _transposed(y, x, kernel, *bias):
    return 2 * x.size * math.prod(kernel.shape[:-1])


def _depthwise(y, x, kernel, *bias):
    return 2 * y.size * math.prod(kernel.shape[:-2])


def _recurrence(y, x, h, kernel, recurrent_kernel, *rest):
    steps = math.prod(x.shape[:-1])
    return 2 * steps * (kernel.size + recurrent_kernel.size)


def _lstm(y, x, h, c, *rest):
    return _recurrence(y, x, h, *rest)


def _attention(y, query, key, value, *rest):
    return 4 * query.size * key.shape[1]


def _nothing(y, *operands):
    return 0


VIEWS = "reshape transpose swapaxes expand_dims squeeze broadcast_to view _basic_item".split()
MOVES = "copy flip tile one_hot _concatenate _take _where _pad_constant _repeat _roll".split()

RULES = {
    "matmul": _product,
    "linear": _product,
    "_convolve": _convolution,
    "_convolve_transposed": _transposed,
    "_convolve_depthwise": _depthwise,
    "simple_rnn": _recurrence,
    "lstm": _lstm,
    "gru": _recurrence,
    "attend": _attention,
    "attend_with_scores": _attention,
    **dict.fromkeys([*VIEWS, *MOVES], _nothing),
}


def cost_of(model) -> Cost | None:
    """The cost of a forward pass on one example; None where it cannot be told.

    That is where another size than the batch is open, and where the model keeps states, takes
    words, or does not take zeros.
    """
    try:
        inputs = model.input
    except NotBuiltError:
        shapes = model._build_shape
        if shapes is None:
            return None
        inputs = map_shapes(lambda shape: KerasTensor(shape, model.compute_dtype), shapes)
    stateful = any(getattr(layer, "stateful", False) for layer in model.walk())
    if stateful or any(None in x.shape[1:] or is_words(x) for x in tree.flatten(inputs)):
        return None
    be = get_backend(model.device)
    zeros = tree.map_structure(
        lambda x: wrap(be.zeros((x.shape[0] or 1, *x.shape[1:]), x.dtype)), inputs
    )
    try:
        with no_grad(), quiet(), Cost() as cost:
            model(zeros, training=False)
    except Exception:  # of a `call` of the user's own: a summary shows what it can
        return None
    finally:
        model.clear_losses()
    return cost
