"""The image layers that are compared with Keras, and what they are given.

Layers that draw at random get limits that are equal, or the numbers that they would draw.
"""

import numpy as np

random = np.random.default_rng(3)
IMAGES = random.uniform(0, 255, (3, 6, 8, 3)).astype("float32")
IMAGES[2] = IMAGES[2].round(-2)  # many equal values


def per_image(*values):
    """One number for each image: (n, 1, 1, 1)."""
    return np.array(values, "float32").reshape(-1, 1, 1, 1)


SOME = np.array([True, False, True])
NUMBERS = np.array([0.2, 0.5, 0.9], "float32")
CORNERS = np.array([[[0, 0], [7, 0], [0, 5], [7, 5]]] * 3, "float32")
MOVED = (CORNERS + random.uniform(-1, 1, (3, 4, 2))).astype("float32")
MASKS = np.zeros((3, 6, 8, 3), bool)
MASKS[0, 1:4, 2:5] = MASKS[2, :, 5:] = True
FIRST = {"data_format": "channels_first"}

# name: class, arguments, what is drawn (None: nothing, or it is certain)
CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"
CASES = {
    "resizing": ("Resizing", {"height": 4, "width": 11}, None),
    "resizing_nearest": ("Resizing", {"height": 4, "width": 5, "interpolation": "nearest"}, None),
    "resizing_bicubic": (
        "Resizing", {"height": 9, "width": 5, "interpolation": "bicubic", "antialias": True}, None
    ),
    "resizing_crop": ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}, None),
    "resizing_pad": (
        "Resizing", {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 9.0}, None
    ),
    "center_crop": ("CenterCrop", {"height": 3, "width": 5}, None),
    "center_crop_small": ("CenterCrop", {"height": 9, "width": 5}, None),
    "random_crop_small": ("RandomCrop", {"height": 4, "width": 10}, None),
    "flip": ("RandomFlip", {}, {"flips": SOME.reshape(3, 1, 1, 1)}),
    "flip_horizontal": (
        "RandomFlip", {"mode": "horizontal"}, {"flips": SOME.reshape(3, 1, 1, 1)}
    ),
    "flip_vertical": ("RandomFlip", {"mode": "vertical"}, {"flips": SOME.reshape(3, 1, 1, 1)}),
    "rotation": ("RandomRotation", {"factor": [0.07, 0.07]}, None),
    "rotation_wrap": (
        "RandomRotation",
        {"factor": [-0.2, -0.2], "fill_mode": "wrap", "interpolation": "nearest"},
        None,
    ),
    "rotation_constant": (
        "RandomRotation",
        {"factor": [0.31, 0.31], "fill_mode": "constant", "fill_value": 7.0},
        None,
    ),
    "translation": (
        "RandomTranslation", {"height_factor": [0.23, 0.23], "width_factor": [-0.41, -0.41]}, None
    ),
    "translation_nearest": (
        "RandomTranslation",
        {"height_factor": [-0.3, -0.3], "width_factor": [0.17, 0.17], "fill_mode": "nearest"},
        None,
    ),
    "zoom": ("RandomZoom", {"height_factor": [0.3, 0.3]}, None),
    "zoom_both": (
        "RandomZoom",
        {"height_factor": [-0.4, -0.4], "width_factor": [0.2, 0.2], "fill_mode": "constant"},
        None,
    ),
    "shear": (
        "RandomShear",
        {"x_factor": 0.3, "y_factor": 0.2},
        {"shear_factor": np.array([[0.2, 0.1], [-0.3, 0.0], [0.05, -0.17]], "float32")},
    ),
    "contrast": ("RandomContrast", {"factor": 0.5}, {"contrast_factor": per_image(0.3, 1.0, 1.9)}),
    "brightness": ("RandomBrightness", {"factor": [0.2, 0.2]}, None),
    "brightness_range": (
        "RandomBrightness", {"factor": [-0.3, -0.3], "value_range": [-100, 300]}, None
    ),
    "grayscale": ("RandomGrayscale", {"factor": 1.0}, None),
    "degeneration": (
        "RandomColorDegeneration", {"factor": 0.5}, {"factor": per_image(0.1, 0.5, 1.0)}
    ),
    "saturation": ("RandomSaturation", {"factor": 0.5}, {"factor": NUMBERS * 2}),
    "hue": ("RandomHue", {"factor": 0.5}, {"factor": NUMBERS - 0.6}),
    "jitter": ("RandomColorJitter", {"brightness_factor": [0.1, 0.1]}, None),
    "sharpness": ("RandomSharpness", {"factor": 0.5}, {"factor": NUMBERS}),
    "blur": (
        "RandomGaussianBlur",
        {"kernel_size": 5},
        {"should_apply_blur": SOME, "blur_factor": np.array([0.4, 0.9], "float32")},
    ),
    "erasing": (
        "RandomErasing",
        {},
        {"apply_erasing": SOME, "batch_masks": MASKS, "fill_value": IMAGES[::-1] * 0.5},
    ),
    "invert": ("RandomInvert", {"value_range": [0, 200]}, {"apply_inversion": SOME}),
    "posterization": (
        "RandomPosterization", {"factor": 3}, {"shift_factor": np.array([1, 4, 7], "uint8")}
    ),
    "posterization_range": (
        "RandomPosterization", {"factor": [3, 3], "value_range": [0, 300]}, None
    ),
    "solarization": (
        "Solarization",
        {},
        {"additions": per_image(0, 30, 90), "thresholds": per_image(0, 128, 200)},
    ),
    "solarization_range": (
        "Solarization",
        {"value_range": [0, 300]},
        {"additions": per_image(0, 30, 90), "thresholds": per_image(0, 128, 200)},
    ),
    "auto_contrast": ("AutoContrast", {}, None),
    "auto_contrast_range": ("AutoContrast", {"value_range": [0, 300]}, None),
    "equalization": ("Equalization", {}, None),
    "equalization_bins": ("Equalization", {"bins": 16}, None),
    "local_contrast": (CLAHE, {"tile_grid_size": [2, 3]}, None),
    "local_contrast_range": (
        CLAHE, {"tile_grid_size": [3, 2], "clip_limit": 0, "value_range": [0, 300]}, None
    ),
    "local_contrast_small": (CLAHE, {"clip_limit": 60.0}, None),
    "perspective": (
        "RandomPerspective",
        {"fill_value": 3.0},
        {"apply_perspective": SOME, "start_points": CORNERS, "end_points": MOVED},
    ),
    "mix_up": (
        "MixUp",
        {},
        {"mix_weight": NUMBERS, "permutation_order": np.array([2, 0, 1], "int32")},
    ),
    "cut_mix": (
        "CutMix",
        {},
        {
            "permutation_order": np.array([2, 0, 1], "int32"),
            "batch_masks": MASKS,
            "mix_weight": NUMBERS,
        },
    ),
}  # fmt: skip
# those that are also compared on images with channels first
CHANNELS_FIRST = (
    "resizing_crop", "center_crop", "flip_horizontal", "rotation", "translation", "zoom_both",
    "shear", "contrast", "brightness", "degeneration", "saturation", "hue", "sharpness",
    "blur", "equalization", "local_contrast", "mix_up", "posterization",
)  # fmt: skip


def transformed(layer, images, drawn):
    """The images changed by what is drawn, or by a call."""
    if drawn is None:
        return layer(images, training=True)
    return layer.transform_images(images, drawn, training=True)
