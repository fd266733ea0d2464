"""Ftrl: follow the regularized leader."""

from gpunn.checks import check_number
from gpunn.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse linear models (Keras: `optimizers.Ftrl`).

    `n = a + g**2; s = (n**-power - a**-power) / lr; z += g + 2 * shrinkage * w - s * w;`
    `w = (clip(z, -l1, l1) - z) / (n**-power / lr + 2 * l2 + beta / lr); a = n`

    Args:
        learning_rate: a number, a schedule or a function without arguments; above 0.
        learning_rate_power: power, at most 0; 0 for a fixed learning rate.
        initial_accumulator_value: what a starts with; not negative.
        l1_regularization_strength: l1, not negative.
        l2_regularization_strength: l2, not negative.
        l2_shrinkage_regularization_strength: shrinkage, not negative.
        beta: beta of the paper.
        **options: what all optimizers take, see `Optimizer`.

    Raises:
        ArgumentError: for a value out of range.

    Source: McMahan et al., Ad click prediction, 2013.

    >>> w = gpunn.Variable([1.0])
    >>> gpunn.optimizers.Ftrl(learning_rate=0.1).apply([np.array([3.0])], [w])
    >>> w.numpy().round(4)
    array([0.7957], dtype=float32)
    """

    scratch = 2
    slot_names = ("accumulator", "linear")
    hyperparameters = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
        **options,
    ):
        super().__init__(learning_rate, **options)
        check_number("learning_rate_power", learning_rate_power, high=0)
        check_number("initial_accumulator_value", initial_accumulator_value, low=0)
        check_number("l1_regularization_strength", l1_regularization_strength, low=0)
        check_number("l2_regularization_strength", l2_regularization_strength, low=0)
        check_number(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength, low=0
        )
        check_number("beta", beta)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def slot_initial(self, name):
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def numbers(self, t, lr):
        return (
            lr,
            2 * self.l2_shrinkage_regularization_strength,
            2 * self.l2_regularization_strength + self.beta / lr,
        )

    def update(self, be, p, g, slots, h, scratch):
        xp = be.xp
        lr, shrinkage, l2 = h
        total, linear = slots
        power, work = scratch
        l1 = self.l1_regularization_strength
        self._power(xp, total, power)
        xp.multiply(g, g, out=work)
        xp.add(total, work, out=total)
        self._power(xp, total, work)
        xp.subtract(work, power, out=power)
        xp.divide(power, lr, out=power)
        xp.multiply(power, p, out=power)
        xp.subtract(linear, power, out=linear)
        xp.add(linear, g, out=linear)
        if self.l2_shrinkage_regularization_strength:
            xp.multiply(p, shrinkage, out=power)
            xp.add(linear, power, out=linear)
        xp.divide(work, lr, out=work)
        xp.add(work, l2, out=work)
        xp.clip(linear, -l1, l1, out=power)
        xp.subtract(power, linear, out=power)
        xp.divide(power, work, out=p)

    def _power(self, xp, x, out):
        """x ** -learning_rate_power"""
        if self.learning_rate_power == -0.5:
            xp.sqrt(x, out=out)
        else:
            xp.power(x, -self.learning_rate_power, out=out)
