"""How good a model is on data: accuracy and loss of classes, errors and R2 of a quantity."""

import numpy as np

from gpunn.data import Target


def scores(model, target: Target, x, y) -> dict[str, float]:
    """The scores of a compiled model on encoded rows.

    Args:
        model: trained on this target.
        target: what is predicted.
        x, y: as the model takes them.

    Returns:
        accuracy and loss for classes; MAE and RMSE in the target's own units, R2 and loss for a
        quantity. R2 is NaN where all values are equal.
    """
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    if target.classes:
        return {"accuracy": results["accuracy"], "loss": results["loss"]}
    truth = target.values(y)
    error = target.values(model.predict(x, verbose=0)) - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    return {
        "MAE": float(np.abs(error).mean()),
        "RMSE": float(np.sqrt((error**2).mean())),
        "R2": 1 - float((error**2).sum()) / spread if spread else float("nan"),
        "loss": results["loss"],
    }


def described(results: dict[str, float]) -> str:
    """The scores on one line.

    >>> described({"accuracy": 0.96666, "loss": 0.08})
    'accuracy 0.9667, loss 0.0800'
    """
    return ", ".join(
        f"{name} {value:,.6g}" if name in ("MAE", "RMSE") else f"{name} {value:.4f}"
        for name, value in results.items()
    )
