"""Layers that change images: Keras' numbers, what they draw, errors, on both devices."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import ArgumentError, ArgumentTypeError, GpunnError, ShapeError
from tests.capture.steps import train
from tests.golden.cases_image_layers import (
    CASES,
    CHANNELS_FIRST,
    CLAHE,
    FIRST,
    IMAGES,
    transformed,
)
from tests.harness import assert_close, golden

# arguments for every layer that draws
DRAWN = {
    "RandomFlip": {},
    "RandomRotation": {"factor": 0.2},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.4},
    "RandomShear": {"x_factor": 0.4},
    "RandomCrop": {"height": 3, "width": 4},
    "RandomContrast": {"factor": 0.5},
    "RandomBrightness": {"factor": 0.3},
    "RandomGrayscale": {},
    "RandomColorDegeneration": {"factor": 0.8},
    "RandomSaturation": {"factor": 0.4},
    "RandomHue": {"factor": 0.5},
    "RandomColorJitter": {
        "brightness_factor": 0.2, "contrast_factor": 0.3, "saturation_factor": 0.4,
        "hue_factor": 0.2,
    },
    "RandomSharpness": {"factor": 0.9},
    "RandomGaussianBlur": {},
    "RandomErasing": {},
    "RandomInvert": {},
    "RandomPosterization": {"factor": 5},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.3},
    "RandomPerspective": {"scale": 0.5},
    "RandomElasticTransform": {},
    "MixUp": {},
    "CutMix": {},
    "RandAugment": {},
    "AugMix": {},
}  # fmt: skip
OTHER = {"Resizing", "CenterCrop", "AutoContrast", "Equalization", "Pipeline", CLAHE}
HOST = {"MixUp", "CutMix", "RandAugment", "AugMix", "RandomElasticTransform"}  # draw on it too


def make(name, **options):
    return getattr(layers, name)(**DRAWN.get(name, {}), **options)


def on_device(drawn):
    return drawn and {name: gpunn.Tensor(np.ascontiguousarray(x)) for name, x in drawn.items()}


def test_every_image_layer_has_a_case():
    base = layers.images.base.ImageLayer
    names = {cls.__name__ for cls in layers.REGISTRY.classes if issubclass(cls, base)}
    assert names | {"Pipeline"} == set(DRAWN) | OTHER
    compared = {cls for cls, _, _ in CASES.values()}
    assert names - compared == {"RandomElasticTransform", "RandAugment", "AugMix"}


@pytest.mark.parametrize("case", CASES)
def test_keras_numbers(case, device):
    cls, arguments, drawn = CASES[case]
    layer = getattr(layers, cls)(**arguments)
    x = gpunn.Tensor(IMAGES)
    y = transformed(layer, x, on_device(drawn))
    assert y.device.kind == device and (x.numpy() == IMAGES).all()
    assert_close(y, golden("image_layers")[case], rtol=1e-4, atol=2e-2)
    if case in CHANNELS_FIRST:
        layer = getattr(layers, cls)(**arguments, **FIRST)
        first = on_device(
            drawn and {n: np.moveaxis(v, -1, 1) if n == "batch_masks" else v
                       for n, v in drawn.items()}
        )  # fmt: skip
        y = transformed(layer, gpunn.Tensor(IMAGES.transpose(0, 3, 1, 2)), first)
        assert_close(y, golden("image_layers")[f"{case}/first"], rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("case", [name for name, (_, _, drawn) in CASES.items() if drawn is None])
def test_single_images_of_bytes(case, device):
    cls, arguments, _ = CASES[case]
    layer = getattr(layers, cls)(**arguments)
    single = gpunn.Tensor(IMAGES[1].astype("uint8"))
    y, batch = layer(single), layer(ops.cast(ops.expand_dims(single, 0), "float32"))
    assert y.dtype == ("uint8" if cls == "Resizing" else "float32")
    assert_close(ops.cast(y, "float32"), batch.numpy()[0], atol=0.51 if y.dtype == "uint8" else 0)


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_configs(case):
    cls, arguments, _ = CASES[case]
    layer = getattr(layers, cls)(**arguments)
    shape = layer.compute_output_shape((None, 6, 8, 3))
    assert [-1 if n is None else n for n in shape] == golden("image_layers")[
        f"{case}/shape"
    ].tolist()
    assert layer(IMAGES).shape == (3, *shape[1:])
    config = layer.get_config()
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == config and not layer.weights


@pytest.mark.parametrize("name", DRAWN)
def test_draws(name, device):
    """One seed, one result; another at each call; nothing in inference."""
    x = gpunn.Tensor(IMAGES)
    layer, again = make(name, seed=4), make(name, seed=4)
    first, second = layer(x).numpy(), layer(x, training=True).numpy()
    assert (again(x).numpy() == first).all()
    results = [first, second, *(layer(x).numpy() for _ in range(6))]
    assert any((y != first).any() for y in results)
    assert all(np.isfinite(y).all() for y in results)
    still = layer(x, training=False).numpy()
    if name == "RandomCrop":
        assert still.shape == (3, 3, 4, 3)
        assert_close(still, layers.Resizing(3, 4, crop_to_aspect_ratio=True)(x).numpy())
    else:
        assert (still == IMAGES).all()
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    if name not in ("RandomSharpness", "RandomGaussianBlur", "RandomElasticTransform"):
        assert make(name)(np.zeros((0, 6, 8, 3), "float32")).shape[0] == 0


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_on_both_devices(name, cuda):
    there = make(name, seed=4)(gpunn.Tensor(IMAGES, device="cuda"))
    assert there.device.kind == "cuda"
    assert_close(there, make(name, seed=4)(IMAGES).numpy(), rtol=1e-4, atol=5e-2)


def test_draws_are_spread(device):
    """What is drawn has the limits and means that it should."""
    x = gpunn.Tensor(np.zeros((4000, 2, 2, 3), "float32"))
    flips = make("RandomFlip").get_random_transformation(x)["flips"].numpy()
    assert abs(flips.mean() - 0.5) < 0.05
    angles = layers.RandomRotation(0.25).get_random_transformation(x)["angle"].numpy()
    assert -90 <= angles.min() < -85 and 85 < angles.max() <= 90 and abs(angles.mean()) < 5
    zoom = layers.RandomZoom((0.1, 0.4)).get_random_transformation(x)
    assert 1.1 <= zoom["height_zoom"].numpy().min() and zoom["width_zoom"].numpy().max() <= 1.4
    assert (zoom["height_zoom"].numpy() == zoom["width_zoom"].numpy()).all()
    moved = layers.RandomTranslation(0.5, (0.0, 0.25)).get_random_transformation(x)
    right, down = moved["translations"].numpy().T
    assert -1 <= down.min() < -0.9 and 0 <= right.min() and 0.45 < right.max() <= 0.5
    contrast = layers.RandomContrast((0.2, 0.4)).get_random_transformation(x)["contrast_factor"]
    assert 0.8 <= contrast.numpy().min() < 0.82 and 1.38 < contrast.numpy().max() <= 1.4
    chosen = layers.RandomInvert().get_random_transformation(x)["apply_inversion"].numpy()
    assert abs(chosen.mean() - 0.5) < 0.05  # the probability is drawn from 0 to 1
    bits = layers.RandomPosterization((2, 5)).get_random_transformation(x)["shift_factor"].numpy()
    assert sorted(set(bits.ravel())) == [4, 5, 6]


def test_crops_are_parts_of_the_images(device):
    x = np.arange(2 * 9 * 9).reshape(2, 9, 9, 1).astype("float32")
    layer, places = layers.RandomCrop(4, 5, seed=1), set()
    for _ in range(40):
        y = layer(gpunn.Tensor(x)).numpy()
        row, column = divmod(int(y[0, 0, 0, 0]), 9)
        assert (y == x[:, row : row + 4, column : column + 5]).all()
        places.add((row, column))
    assert {r for r, _ in places} == set(range(6)) and {c for _, c in places} == set(range(5))


def test_dicts(device):
    masks = (IMAGES[..., :1] > 128).astype("uint8")
    data = {"images": gpunn.Tensor(IMAGES), "segmentation_masks": gpunn.Tensor(masks)}
    found = layers.RandomRotation((0.25, 0.25))({**data, "labels": np.eye(3)})
    moved = found["segmentation_masks"].numpy()
    assert moved.dtype == "uint8" and set(moved.ravel()) <= {0, 1} and (moved != masks).any()
    assert (found["labels"].numpy() == np.eye(3)).all()
    found = layers.RandomBrightness((0.5, 0.5))(data)
    assert (found["segmentation_masks"].numpy() == masks).all()
    for name in ("MixUp", "CutMix"):
        found = make(name, seed=2)({"images": data["images"], "labels": np.eye(3)})
        assert_close(found["labels"].numpy().sum(1), np.ones(3, "float32"))
    resized = layers.Resizing(3, 4)(data)
    assert resized["segmentation_masks"].shape == (3, 3, 4, 1)
    shapes = {"images": (None, 6, 8, 3), "labels": (None, 3)}
    assert layers.Resizing(3, 4).compute_output_shape(shapes) == {
        "images": (None, 3, 4, 3), "labels": (None, 3)
    }  # fmt: skip


def test_pipeline(device):
    steps = [layers.Resizing(4, 4), layers.RandomFlip(seed=1), layers.Rescaling(1 / 255)]
    pipeline = layers.Pipeline(steps)
    y = pipeline(gpunn.Tensor(IMAGES), training=False)
    assert_close(y, layers.Resizing(4, 4)(IMAGES).numpy() / 255, rtol=1e-4, atol=1e-4)
    assert pipeline.compute_output_shape((None, 6, 8, 3)) == (None, 4, 4, 3)
    again = layers.deserialize(layers.serialize(pipeline))
    assert again.get_config() == pipeline.get_config()
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in steps]


def test_pipeline_passes_a_mask_on():
    pipeline = layers.Pipeline([layers.Dropout(0.5), layers.LSTM(3)])
    x, mask = np.ones((2, 4, 3)), np.array([[True, True, False, False]] * 2)
    y = pipeline(x, mask=mask, training=False)
    assert_close(y, pipeline(x[:, :2], training=False).numpy(), rtol=1e-6)
    for config in ({"name": "p"}, {"name": "p", "layers": None}):
        with pytest.raises(ArgumentError, match="a list 'layers'"):
            layers.Pipeline.from_config(config)


def test_a_factor_of_zero():
    config = layers.RandomTranslation((0.5, 0.5), 0).get_config()
    assert str(tuple(config["width_factor"])) == "(0.0, 0.0)"  # not -0.0
    x = np.ones((2, 4, 4, 3), "float32")
    assert (layers.RandAugment(num_ops=0)(x).numpy() == x).all()


def test_in_a_model(device, tmp_path):
    model = gpunn.Sequential(
        [
            gpunn.Input((6, 8, 3)),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1, seed=2),
            layers.RandomCrop(4, 4, seed=3),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = (IMAGES * 0.9).astype("uint8")
    model.fit(x, np.array([0, 1, 0]), epochs=2, verbose=0)
    before = model.predict(x, verbose=0)
    assert (model.predict(x, verbose=0) == before).all()
    model.save(tmp_path / "model.gpunn")
    assert_close(gpunn.load_model(tmp_path / "model.gpunn").predict(x, verbose=0), before)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: layers.Resizing(0, 2), ArgumentError, "height must be a positive integer"),
        (lambda: layers.Resizing(2, 2, "cubic"), ArgumentError, "bicubic"),
        (lambda: layers.Resizing(2, 2, fill_mode="wrap"), ArgumentError, "constant"),
        (
            lambda: layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            ArgumentError,
            "not both",
        ),
        (lambda: layers.RandomFlip("both"), ArgumentError, "horizontal"),
        (lambda: layers.RandomRotation("x"), ArgumentTypeError, "factor must be a number or two"),
        (lambda: layers.RandomRotation(2), ArgumentError, "between -1.0 and 1.0"),
        (lambda: layers.RandomZoom(0.1, fill_mode="zero"), ArgumentError, "fill_mode"),
        (lambda: layers.RandomZoom(0.1, interpolation="cubic"), ArgumentError, "interpolation"),
        (lambda: layers.RandomShear(-0.5), ArgumentError, "x_factor must lie between"),
        (lambda: layers.RandomContrast(1.5), ArgumentError, "factor must lie between 0.0"),
        (lambda: layers.RandomBrightness(0.1, value_range=3), ArgumentError, "value_range"),
        (lambda: layers.RandomGrayscale(2), ArgumentError, "factor must be"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), ArgumentError, "odd"),
        (lambda: layers.RandomErasing(fill_value="red"), ArgumentTypeError, "fill_value"),
        (lambda: layers.RandomPosterization(9), ArgumentError, "between 1 and 8"),
        (lambda: layers.Equalization(bins=0), ArgumentError, "bins"),
        (lambda: getattr(layers, CLAHE)(clip_limit=-1), ArgumentError, "clip_limit"),
        (lambda: getattr(layers, CLAHE)(tile_grid_size=4), ArgumentError, "two integers"),
        (lambda: layers.RandomPerspective(scale=2), ArgumentError, "scale"),
        (lambda: layers.MixUp(alpha=0), ArgumentError, "alpha must be positive"),
        (lambda: layers.RandAugment(num_ops=-1), ArgumentError, "num_ops"),
        (lambda: layers.Pipeline([3]), ArgumentTypeError, "expected layers"),
        (lambda: layers.RandomFlip(data_format="last"), ArgumentError, "data_format"),
        (lambda: layers.RandomFlip(seed="a"), ArgumentTypeError, "seed must be"),
        (lambda: layers.RandomFlip(bounding_box_format="xyxy"), ArgumentError, "bounding boxes"),
        (lambda: layers.RandomFlip()(np.zeros((2, 3))), ShapeError, "batch of images"),
        (lambda: layers.RandomFlip()({"labels": np.eye(2)}), ArgumentError, "'images'"),
        (lambda: layers.RandomHue(0.1)(np.zeros((2, 3, 3, 1))), ShapeError, "3 channels"),
        (lambda: layers.Resizing(2, 2).compute_output_shape((2, 3)), ShapeError, "3 or 4 axes"),
    ],
)
def test_wrong_arguments(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value) and isinstance(caught.value, GpunnError)


@pytest.mark.parametrize("name", sorted(set(DRAWN) - HOST | OTHER - {"Pipeline"}))
def test_captured(name):
    """A captured step draws and changes as the eager one does, to the bit."""
    sizes = {"height": 3, "width": 4} if name in ("Resizing", "CenterCrop") else {}
    data = [(IMAGES, np.full((3, 2), i, "float32")) for i in range(4)]

    def model():
        parts = [make(name, **sizes), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
        made = gpunn.Sequential([gpunn.Input((6, 8, 3)), *parts])
        made.compile("sgd", "mse")
        return made

    captured = train(model, data)
    assert captured.refused is None and len(captured._steps) == 1


@pytest.mark.parametrize("name", sorted(set(DRAWN) | OTHER - {"Pipeline"}))
def test_in_graph_models(name):
    sizes = {"height": 3, "width": 4} if name in ("Resizing", "CenterCrop") else {}
    inputs = gpunn.Input((6, 8, 3))
    outputs = make(name, **sizes)(inputs)
    model = gpunn.Model(inputs, outputs)
    assert model(IMAGES).shape[1:] == outputs.shape[1:]


# launches of a layer: what it draws (one each), and what it does
LAUNCHES = {
    "RandomFlip": 3, "RandomRotation": 7, "RandomTranslation": 10, "RandomZoom": 4,
    "RandomShear": 14, "RandomCrop": 10, "RandomContrast": 7, "RandomBrightness": 5,
}  # fmt: skip


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_gpu_does_it_in_few_launches(name, cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        layer, x = make(name, seed=1), gpunn.Tensor(IMAGES.astype("float32"))
        layer(x)
        with cudaemu.measure() as counted:
            layer(x)
    assert counted.kernels + counted.cublas <= LAUNCHES[name]
    assert not (counted.d2h or counted.h2d or counted.stream_syncs or counted.device_syncs)


def test_augmented_steps_on_a_gpu_are_one_graph(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        parts = [make(name, seed=1) for name in LAUNCHES]
        model = gpunn.Sequential([gpunn.Input((7, 8, 3)), *parts, layers.Flatten()])
        model.add(layers.Dense(2))
        model.compile("adam", "mse", jit_compile=True)
        x, y = np.ones((40, 7, 8, 3), "float32"), np.ones((40, 2), "float32")
        model.fit(x, y, batch_size=8, verbose=0)
        with cudaemu.measure() as counted:
            model.fit(x, y, batch_size=8, verbose=0)
    assert counted.graph_launches == 5


def test_affine_layers_with_and_without_gradients(device):
    """Without one a kernel of its own does it."""
    for name in ("RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear"):
        layer = make(name, seed=3)
        x = gpunn.Tensor(IMAGES.astype("float32"))
        drawn = layer.get_random_transformation(x)
        plain = layer.transform_images(x, drawn)
        x.requires_grad = True
        assert_close(layer.transform_images(x, drawn), plain.numpy())
