"""Node: one recorded op, in the graph that `backward` walks."""


class Node:
    """One result of one op: who its operands are and how a gradient goes back to them.

    `parents` holds, per operand position, the operand's node, the leaf tensor itself, or None where
    no gradient is wanted. `recipe` is what it takes to do the op again: its function, the operands
    that want no gradient (None for the others) and its static parameters. Nodes hold no tensor
    that an op made of what wants a gradient, and no cycle exists.
    """

    __slots__ = (
        "id",  # the tick of the clock: what is newer has a higher one
        "op",
        "pull",
        "parents",
        "needs",
        "shape",
        "dtype",
        "recipe",
        "retained",  # a weak reference to the tensor, if `retain_grad` asked for its gradient
        "where",  # what `detect_anomaly` notes of it
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
    """The pull of one of several results of an op: hands its gradient to the common node."""

    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index
