"""summary() and plot_model()."""

import xml.etree.ElementTree as xml

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.training.cost import cost_of


def branched():
    gpunn.clear_session()
    a, b = gpunn.Input((8,), name="a"), gpunn.Input((3,), name="b")
    x = layers.Dense(4, name="first")(a)
    x = ops.relu(layers.concatenate([x, b]))
    return gpunn.Model([a, b], [layers.Dense(2, name="out")(x), x], name="net")


def nested():
    inner = gpunn.Sequential([gpunn.Input((8,)), layers.Dense(3, name="deep")], name="inner")
    inputs = gpunn.Input((8,), name="i")
    return gpunn.Model(inputs, inner(inputs))


def shown(model, **options) -> str:
    said = []
    model.summary(print_fn=said.append, **options)
    return "\n".join(said)


def cells(text: str, start: str) -> list[str]:
    """The cells of the row that starts so."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"│ {start}")]
    return [cell.strip() for cell in row.split("│")[1:-1]]


def test_summary_of_a_graph():
    text = shown(branched(), line_length=110)
    assert text.startswith('Model: "net"\n┏') and len(text.splitlines()[1]) == 110
    assert cells(text, "first") == ["first (Dense)", "(None, 4)", "36", "a[0][0]"]
    connected = cells(text, "concatenate")
    assert connected[1:] == ["(None, 7)", "0", "first[0][0], b[0][0]"]
    assert cells(text, "relu")[0] == "relu (relu)"
    assert "Total params: 52 (208.00 B)" in text
    flops = 2 * 8 * 4 + 2 * 7 * 2 + 7  # with relu, and biases in the products
    assert f"{flops} FLOPs" in text


def test_summary_wraps_what_is_too_long():
    lines = shown(branched(), line_length=60).splitlines()
    assert {len(line) for line in lines if line[0] in "┏┃┡│├└"} == {60}
    with pytest.raises(ValueError, match="too short"):
        shown(branched(), line_length=20)


def test_summary_of_nested_models_and_what_is_trainable():
    model = nested()
    model.get_layer("inner").trainable = False
    assert "deep" not in shown(model)
    text = shown(model, expand_nested=True, show_trainable=True, line_length=110)
    assert cells(text, "   └ deep")[2:] == ["27", "N"]
    assert cells(text, "i (")[-1] == "-"
    assert "Non-trainable params: 27" in text


def test_summary_counts_the_optimizer_and_cuts_a_range():
    model = branched()
    model.compile("adam", "mse")
    model.train_on_batch([np.ones((2, 8)), np.ones((2, 3))], [np.ones((2, 2)), np.ones((2, 7))])
    assert "Optimizer params: 106" in shown(model)  # two slots, the step and the rate
    text = shown(model, layer_range=("first", "relu"))
    assert "concatenate" in text and "out (Dense)" not in text
    with pytest.raises(ValueError, match="thrid"):
        shown(model, layer_range=("thrid", "relu"))


def test_summary_of_a_subclass():
    class Net(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.rnn = layers.LSTM(3, return_sequences=True)
            self.out = layers.Dense(2)

        def call(self, x):
            return self.out(self.rnn(x))

    model = Net()
    assert cells(shown(model), "lstm")[1:] == ["?", "0 (unbuilt)"]
    model(np.ones((2, 5, 4)))
    assert cells(shown(model), "lstm")[1] == "(None, 5, 3)"
    cost = cost_of(model)
    assert cost.flops == 2 * 5 * (4 * 12 + 3 * 12 + 3 * 2) and cost.nbytes > 0
    assert model.losses == []


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_plot_model_draws_every_box_and_line(tmp_path, rankdir):
    path = tmp_path / "model.svg"
    model = branched()
    gpunn.utils.plot_model(
        model, path, show_shapes=True, show_dtype=True, show_layer_names=True, rankdir=rankdir,
        show_layer_activations=True, show_trainable=True,
    )  # fmt: skip
    root = xml.parse(path).getroot()
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for expected in ("Dense", "concatenate", "relu", "out: (None, 2)", "float32", "trainable"):
        assert expected in names
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    assert len(boxes) == 6
    corners = [[float(box.get(k)) for k in ("x", "y", "width", "height")] for box in boxes]
    for i, (x, y, w, h) in enumerate(corners):  # no box lies on another one
        for u, v, p, q in corners[:i]:
            assert x + w <= u or u + p <= x or y + h <= v or v + q <= y


def test_plot_model_expands_models_inside(tmp_path):
    path = tmp_path / "model.svg"
    gpunn.utils.plot_model(nested(), path, show_layer_names=True)
    assert "inner" in path.read_text() and "deep" not in path.read_text()
    gpunn.utils.plot_model(nested(), path, show_layer_names=True, expand_nested=True)
    assert "inner" not in path.read_text() and "deep" in path.read_text()


def test_plot_model_with_matplotlib_and_errors(tmp_path):
    pytest.importorskip("matplotlib")
    gpunn.utils.plot_model(branched(), tmp_path / "model.png", show_shapes=True, dpi=50)
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="rankdir"):
        gpunn.utils.plot_model(branched(), tmp_path / "model.svg", rankdir="up")
    with pytest.raises(RuntimeError, match="no graph"):
        gpunn.utils.plot_model(gpunn.Sequential([layers.Dense(2)]), tmp_path / "model.svg")
