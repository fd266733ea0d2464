"""Checkpoints that are written while a GPU works: the same files in any order of its streams."""

import numpy as np
import pytest

import gpunn
from gpunn import layers

try:
    import cudaemu
except ImportError:
    cudaemu = None

X = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 40)


def train(folder, epochs=2):
    """Train with a checkpoint of all after each batch, and a backup; the files and the model."""
    gpunn.utils.set_random_seed(0)
    model = gpunn.Sequential(
        [gpunn.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(3)]
    )
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=True)
    callbacks = [
        gpunn.callbacks.ModelCheckpoint(f"{folder}/{{epoch}}-{{batch}}.gpunn", save_freq=1),
        gpunn.callbacks.BackupAndRestore(f"{folder}/backup", delete_checkpoint=False),
    ]
    history = model.fit(
        X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks, validation_split=0.2
    )
    return history.history, model


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_checkpoints_in_any_order_of_streams(seed, cuda, tmp_path):
    if cudaemu is None:
        pytest.skip("only the emulated device can change the order")
    with gpunn.device("cuda"):
        wanted, _ = train(tmp_path / "in_order")
        with cudaemu.modes(async_=seed):
            got, _ = train(tmp_path / "other")
            assert got == wanted
            files = sorted(p.name for p in (tmp_path / "other").glob("*.gpunn"))
            assert len(files) == 8
            for name in files:
                pair = [gpunn.load_model(tmp_path / f / name) for f in ("in_order", "other")]
                for a, b in zip(*(m.get_weights() for m in pair), strict=True):
                    np.testing.assert_array_equal(a, b)
                states = [m.optimizer.state_dict() for m in pair]
                for a, b in zip(*(s.values() for s in states), strict=True):
                    np.testing.assert_array_equal(a, b)
            resumed, more = train(tmp_path / "other", epochs=3)  # one epoch after the backup
        whole, straight = train(tmp_path / "whole", epochs=3)
        assert resumed["loss"] == whole["loss"][2:]
        for a, b in zip(more.get_weights(), straight.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
