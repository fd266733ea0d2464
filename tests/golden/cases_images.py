"""Calls of `ops.image` as text that Keras and gpunn both run.

`x` float32 (2, 5, 7, 3) from 0 to 1, `f` the same with channels first, `p` another like x, `u`
uint8 (6, 4, 3), `v` float32 (1, 4, 5, 6, 2), `t` two affine transforms, `a` and `b` four points
for each of two images, `c` float32 (2, 9): coordinates, `g` float32 (5, 7),
`r` x rounded, `big` float32 (2, 13, 12, 2), `s` two
scales and two translations.
"""

import numpy as np

random = np.random.default_rng(5)
INPUTS = {
    "x": random.uniform(0, 1, (2, 5, 7, 3)),
    "p": random.uniform(0, 1, (2, 5, 7, 3)),
    "big": random.uniform(0, 1, (2, 13, 12, 2)),
    "v": random.uniform(-1, 1, (1, 4, 5, 6, 2)),
    "t": np.array([[1.1, 0.2, -0.6, -0.1, 0.9, 0.7, 0, 0], [0.7, -0.3, 1.3, 0.4, 1.2, -0.9, 0, 0]]),
    "a": np.array([[0, 0], [6, 0], [0, 4], [6, 4]]) + random.uniform(-1, 1, (2, 4, 2)),
    "b": np.array([[0, 0], [6, 0], [0, 4], [6, 4]]) + random.uniform(-1, 1, (2, 4, 2)),
    "c": random.uniform(-9, 14, (2, 9)),
    "g": random.uniform(-2, 2, (5, 7)),
    "s": np.array([[0.7, 1.4], [0.3, -1.0]]),
}
INPUTS = {name: x.astype("float32") for name, x in INPUTS.items()}
INPUTS["f"] = INPUTS["x"].transpose(0, 3, 1, 2).copy()
INPUTS["r"] = INPUTS["x"].round()
INPUTS["u"] = random.integers(0, 256, (6, 4, 3)).astype("uint8")

METHODS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
FIRST = "data_format='channels_first'"

CASES = {
    **{f"resize#{m}": f"resize(x, (8, 4), interpolation='{m}')" for m in METHODS},
    **{f"resize#{m}_antialias": f"resize(x, (3, 11), '{m}', antialias=True)" for m in METHODS},
    "resize#first": f"resize(f, (4, 9), {FIRST})",
    "resize#one": "resize(x[0], (2, 2))",
    "resize#uint8": "resize(u, (4, 9))",
    "resize#uint8_cubic": "resize(u, (4, 9), interpolation='bicubic')",
    "resize#uint8_nearest": "resize(u, (4, 9), interpolation='nearest')",
    "resize#crop": "resize(x, (4, 4), crop_to_aspect_ratio=True)",
    "resize#crop_first": f"resize(f, (9, 3), crop_to_aspect_ratio=True, {FIRST})",
    "resize#pad": "resize(x, (4, 4), pad_to_aspect_ratio=True, fill_value=0.5)",
    "resize#pad_wide": "resize(x, (2, 9), pad_to_aspect_ratio=True)",
    "resize#pad_one": "resize(x[0], (9, 4), pad_to_aspect_ratio=True)",
    "affine_transform": "affine_transform(x, t)",
    "affine_transform#one": "affine_transform(x[0], t[0], fill_value=0.5)",
    "affine_transform#first": f"affine_transform(f, t, 'bilinear', 'reflect', {FIRST})",
    "affine_transform#uint8": "affine_transform(u, t[1], fill_mode='nearest')",
    **{f"affine_transform#{m}": f"affine_transform(x, t, 'nearest', '{m}')" for m in MODES},
    **{f"map_coordinates#{m}": f"map_coordinates(g, c, 1, '{m}', 0.3)" for m in MODES},
    **{f"map_coordinates#0{m}": f"map_coordinates(g, c, 0, '{m}', 0.3)" for m in MODES},
    "map_coordinates#uint8": "map_coordinates(u[..., 0], c, 1)",
    "perspective_transform": "perspective_transform(x, a, b)",
    "perspective_transform#one": "perspective_transform(x[0], a[0], b[0], 'nearest', 0.5)",
    "perspective_transform#first": f"perspective_transform(f, a, b, {FIRST})",
    "crop_images": "crop_images(x, 1, 2, target_height=3, target_width=4)",
    "crop_images#first": f"crop_images(f, 1, 2, 1, 0, {FIRST})",
    "pad_images": "pad_images(x, 1, 2, target_height=9, target_width=10)",
    "pad_images#first": f"pad_images(f, 1, 0, 2, 3, {FIRST})",
    "extract_patches": "extract_patches(x, 2)",
    "extract_patches#all": "extract_patches(x, (2, 3), 1, padding='same')",
    "extract_patches#dilated": "extract_patches(x[0], (2, 3), 1, 2)",
    "extract_patches#first": f"extract_patches(f, (2, 3), {FIRST})",
    "extract_patches#volumes": "extract_patches(v, (2, 2, 3))",
    "extract_patches_3d": "extract_patches_3d(v, 2)",
    "rgb_to_grayscale": "rgb_to_grayscale(x)",
    "rgb_to_grayscale#first": f"rgb_to_grayscale(f, {FIRST})",
    "rgb_to_grayscale#uint8": "rgb_to_grayscale(u)",
    "rgb_to_grayscale#gray": "rgb_to_grayscale(x[..., :1])",
    "rgb_to_hsv": "rgb_to_hsv(x)",
    "rgb_to_hsv#first": f"rgb_to_hsv(f, {FIRST})",
    "rgb_to_hsv#edges": "rgb_to_hsv(r)",
    "hsv_to_rgb": "hsv_to_rgb(x)",
    "hsv_to_rgb#first": f"hsv_to_rgb(f[0], {FIRST})",
    "gaussian_blur": "gaussian_blur(x, data_format='channels_last')",
    "gaussian_blur#wide": "gaussian_blur(x, (5, 3), (2.0, 0.7), 'channels_last')",
    "gaussian_blur#first": f"gaussian_blur(f, {FIRST})",
    "gaussian_blur#one": "gaussian_blur(x[0], data_format='channels_last')",
    "sobel_edges": "sobel_edges(x)",
    "sobel_edges#first": f"sobel_edges(f, {FIRST})",
    "ssim": "ssim(big, big * 0.9 + 0.02)",
    "ssim#small": "ssim(x, p, filter_size=3, filter_sigma=1.0, max_val=2.0)",
    "ssim#one": "ssim(x[0], p[0], filter_size=5)",
    **{
        f"scale_and_translate#{m}": f"scale_and_translate(g, (4, 9), s[0], s[1], (0, 1), '{m}')"
        for m in ("linear", "cubic", "lanczos3", "lanczos5")
    },
    "scale_and_translate#plain": "scale_and_translate(x, (2, 3, 7, 3), s[0, :1], s[1, :1], (1,), "
    "'bilinear', antialias=False)",
}  # fmt: skip


def run(image, text: str, inputs: dict):
    """The result of one call."""
    names = {name: getattr(image, name) for name in dir(image) if name[0] != "_"}
    return eval(text, {**names, "np": np, **inputs})
