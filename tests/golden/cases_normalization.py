"""More normalizing layers that are compared with Keras, as `cases_layers` has them."""

BATCH, GROUP = "BatchNormalization", "GroupNormalization"

# name: (class, arguments, inputs)
CASES = {
    "group_norm": (GROUP, {"groups": 2}, (3, 6)),
    "group_norm_images": (GROUP, {"groups": 3, "epsilon": 0.1}, (2, 3, 4, 6)),
    "group_norm_first": (GROUP, {"groups": 2, "axis": 1}, (2, 4, 3, 3)),
    "group_norm_middle": (GROUP, {"groups": 2, "axis": 2}, (2, 3, 4, 5)),
    "group_norm_negative": (GROUP, {"groups": 2, "axis": -2}, (2, 3, 4, 5)),
    "group_norm_one": (GROUP, {"groups": 1}, (2, 5, 4)),
    "group_norm_instance": (GROUP, {"groups": -1}, (2, 5, 4)),
    "group_norm_no_scale": (GROUP, {"groups": 2, "scale": False}, (2, 5, 4)),
    "group_norm_no_center": (GROUP, {"groups": 2, "center": False}, (2, 5, 4)),
    "group_norm_plain": (GROUP, {"groups": 2, "center": False, "scale": False}, (2, 5, 4)),
    "batch_renorm": (BATCH, {"renorm": True}, (6, 4)),
    "batch_renorm_images": (
        BATCH,
        {"renorm": True, "axis": 1, "momentum": 0.9, "renorm_momentum": 0.8, "scale": False},
        (2, 4, 3, 3),
    ),
    "batch_renorm_clipped": (
        BATCH,
        {"renorm": True, "renorm_clipping": {"rmin": 0.5, "rmax": 1.5, "dmax": 0.4}},
        (6, 4),
    ),
    "batch_renorm_plain": (BATCH, {"renorm": True, "center": False, "scale": False}, (6, 4)),
    "rms_norm": ("RMSNormalization", {}, (3, 5)),
    "rms_norm_axes": ("RMSNormalization", {"axis": [2, 1]}, (2, 3, 4)),
    "unit_norm": ("UnitNormalization", {}, (3, 5)),
    "unit_norm_axis1": ("UnitNormalization", {"axis": 1}, (2, 3, 4)),
    "unit_norm_axes": ("UnitNormalization", {"axis": [1, 2]}, (2, 3, 4)),
}

# name: (what makes the layer of the module `k`, inputs), for SpectralNormalization
SPECTRAL = {
    "dense": (lambda k: k.SpectralNormalization(k.Dense(4, "tanh")), (3, 5)),
    "iterations": (lambda k: k.SpectralNormalization(k.Dense(4), power_iterations=3), (3, 5)),
    "convolution": (lambda k: k.SpectralNormalization(k.Conv2D(3, 2)), (2, 4, 4, 2)),
}
