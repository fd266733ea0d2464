"""Node: one recorded op, in the graph that `backward` walks."""


class Node:
    """One result of one op: who its operands are and how a gradient goes back to them.

    A node refers to other nodes and to leaves, never to the tensors in between: so these are freed
    as soon as nobody else holds them (what a pullback needs of them it keeps), and there are no
    reference cycles.
    """

    __slots__ = (
        "id",  # the tick of the clock (`clock.py`): newer nodes have higher ones
        "op",  # the op's name
        "pull",  # the pullback: (dy, needs) -> one gradient per operand
        "parents",  # per operand: its node, the tensor itself if a leaf, None without a gradient
        "needs",  # per operand: whether it needs a gradient
        "shape",  # of the result; of an op with several results, a tuple of shapes
        "dtype",  # likewise
        "recipe",  # (op, the operands that need no gradient, else None or what a leaf is cast to,
        # static parameters)
        "retained",  # a weak reference to the tensor, if `retain_grad` asked for its gradient
        "where",  # what `detect_anomaly` notes: the layer, and checksums of saved arrays
    )

    def __init__(self, id, op, pull, parents, needs, shape, dtype, recipe=None):
        self.id = id
        self.op = op
        self.pull = pull
        self.parents = parents
        self.needs = needs
        self.shape = shape
        self.dtype = dtype
        self.recipe = recipe
        self.retained = None

    def __repr__(self) -> str:
        return f"<{self.op} {self.shape}>"


class Pick:
    """The `pull` of one result of an op with several: hands its gradient to the op's own node."""

    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index
