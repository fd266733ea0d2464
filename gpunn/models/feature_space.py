"""FeatureSpace: the columns of a table as one vector a row, each by a preprocessing layer."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from gpunn import layers, ops
from gpunn.autograd import KerasTensor
from gpunn.errors import ArgumentError, ArgumentTypeError, NotBuiltError, unknown
from gpunn.layers.categories.host import host_values
from gpunn.naming import auto_name
from gpunn.serialization import deserialize_value, serialize_value
from gpunn.training import files

LAYERS: dict[
    str, tuple[str, Callable]
] = {  # of a kind of feature: its dtype, and what makes its layer
    "float": ("float32", lambda **options: layers.Rescaling(1.0, **options)),
    "float_normalized": ("float32", layers.Normalization),
    "float_rescaled": ("float32", layers.Rescaling),
    "float_discretized": ("float32", layers.Discretization),
    "integer_categorical": ("int32", layers.IntegerLookup),
    "string_categorical": ("string", layers.StringLookup),
    "integer_hashed": ("int32", layers.Hashing),
    "string_hashed": ("string", layers.Hashing),
}


@dataclass
class Feature:
    """How a column is encoded: by a layer, and as "float", "one_hot" or "int" after that."""

    dtype: str
    preprocessor: layers.Layer
    output_mode: str

    def __post_init__(self):
        if self.output_mode not in ("int", "one_hot", "float"):
            raise unknown("output_mode of a feature", self.output_mode, ("int", "one_hot", "float"))


@dataclass
class Cross:
    """Which columns are hashed together into one of `crossing_dim` bins."""

    feature_names: tuple
    crossing_dim: int
    output_mode: str = "one_hot"

    def __post_init__(self):
        self.feature_names = tuple(self.feature_names)
        if self.output_mode not in ("int", "one_hot"):
            raise unknown("output_mode of a cross", self.output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """What the result is called: "a_X_b"."""
        return "_X_".join(self.feature_names)


class FeatureSpace(layers.Layer):
    """A dict of columns as one vector a row, or as a dict of encoded columns.

    Args:
        features: by name: "float", "float_normalized", "float_rescaled", "float_discretized",
            "integer_categorical", "string_categorical", "integer_hashed" or "string_hashed", or
            what the methods of these names give, which take the layer's options; or
            `FeatureSpace.feature(dtype, layer, output_mode)`.
        output_mode: "concat" (default), the features by name and then the crosses; or "dict".
        crosses: tuples of names of features to be hashed together, or `FeatureSpace.cross(...)`.
        crossing_dim, hashing_dim, num_discretization_bins: the sizes where nothing else is said.
            Default: 32.

    Call arguments:
        data: a dict of columns (n,) or (n, 1), or of the values of one row.

    Raises:
        ArgumentError: if an argument is not allowed, or a cross has a feature that is none.
        NotBuiltError: by a call before `adapt`, if a layer has something to learn.

    Source: keras.utils.FeatureSpace.

    >>> space = gpunn.utils.FeatureSpace({"age": "float_normalized", "kind": "string_categorical"})
    >>> data = {"age": [20.0, 40.0], "kind": ["cat", "dog"]}
    >>> space.adapt(data)
    >>> space(data).numpy()
    array([[-1.,  0.,  0.,  1.],
           [ 1.,  0.,  1.,  0.]], dtype=float32)
    """

    def __init__(
        self,
        features,
        output_mode="concat",
        crosses=None,
        crossing_dim=32,
        hashing_dim=32,
        num_discretization_bins=32,
        name=None,
    ):
        super().__init__(name=name)
        if not isinstance(features, dict) or not features:
            raise ArgumentError(f"features must be a dict of kinds by name, got {features!r}")
        if output_mode not in ("concat", "dict"):
            raise unknown("output_mode", output_mode, ("concat", "dict"))
        self.output_mode = output_mode
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {key: self._feature(key, given) for key, given in features.items()}
        self.crosses = [
            given if isinstance(given, Cross) else Cross(given, crossing_dim)
            for given in crosses or ()
        ]
        for cross in self.crosses:
            if missing := [key for key in cross.feature_names if key not in self.features]:
                raise ArgumentError(
                    f"the cross {cross.name!r} has features that are none: {missing}"
                )
        self.preprocessors = {key: f.preprocessor for key, f in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.inputs = {
            key: layers.Input((1,), dtype=f.dtype, name=key) for key, f in self.features.items()
        }
        self.encoded_features = None
        self.one_hot_encoders = {}

    def _feature(self, name: str, given) -> Feature:
        if isinstance(given, Feature):
            return given
        if given not in LAYERS:
            raise unknown(f"kind of the feature {name!r}", given, LAYERS)
        options = {"name": name}
        if given.endswith("_hashed"):
            options["num_bins"] = self.hashing_dim
        if given == "float_discretized":
            options["num_bins"] = self.num_discretization_bins
        return getattr(self, given)(**options)

    # --- kinds of features ---

    @classmethod
    def feature(cls, dtype, preprocessor, output_mode):
        """A feature of a dtype that is encoded by a layer of yours."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def cross(cls, feature_names, crossing_dim, output_mode="one_hot"):
        """Features to be hashed together."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def float(cls, name=None):
        """Numbers as they are."""
        return _made("float", "float", name)

    @classmethod
    def float_rescaled(cls, scale=1.0, offset=0.0, name=None):
        """Numbers times a scale plus an offset, see `Rescaling`."""
        return _made("float_rescaled", "float", name, scale=scale, offset=offset)

    @classmethod
    def float_normalized(cls, name=None):
        """Numbers with mean 0 and deviation 1, see `Normalization`."""
        return _made("float_normalized", "float", name)

    @classmethod
    def float_discretized(cls, num_bins, bin_boundaries=None, output_mode="one_hot", name=None):
        """Numbers as the bins that they lie in, see `Discretization`."""
        sizes = {"num_bins": num_bins} if bin_boundaries is None else {}
        return _made("float_discretized", output_mode, name, bin_boundaries=bin_boundaries, **sizes)

    @classmethod
    def integer_categorical(
        cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None
    ):
        """Integers as their places in a vocabulary, see `IntegerLookup`."""
        options = {"max_tokens": max_tokens, "num_oov_indices": num_oov_indices}
        return _made("integer_categorical", output_mode, name, **options)

    @classmethod
    def string_categorical(
        cls, max_tokens=None, num_oov_indices=1, output_mode="one_hot", name=None
    ):
        """Words as their places in a vocabulary, see `StringLookup`."""
        options = {"max_tokens": max_tokens, "num_oov_indices": num_oov_indices}
        return _made("string_categorical", output_mode, name, **options)

    @classmethod
    def integer_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Integers as one of so many bins, see `Hashing`."""
        return _made("integer_hashed", output_mode, name, num_bins=num_bins)

    @classmethod
    def string_hashed(cls, num_bins, output_mode="one_hot", name=None):
        """Words as one of so many bins, see `Hashing`."""
        return _made("string_hashed", output_mode, name, num_bins=num_bins)

    # --- learning ---

    def adapt(self, dataset) -> None:
        """Learn vocabularies, means and limits.

        Args:
            dataset: a dict of columns; or what gives such dicts, of batches or rows, and can be
                iterated over again: a `gpunn.data.Dataset`, a list.

        Raises:
            ArgumentTypeError: if it gives something else, such as labels beside the columns.
        """
        for name in self._adaptable():
            self.preprocessors[name].adapt(_Column(dataset, name))
        self._finish()

    def _adaptable(self) -> list[str]:
        """The features whose layer learns, and was not given what it could learn."""
        return [
            name
            for name, layer in self.preprocessors.items()
            if hasattr(layer, "adapt")
            and getattr(layer, "input_mean", None) is None
            and not getattr(layer, "_given", False)
            and not (isinstance(layer, layers.Discretization) and layer.num_bins is None)
        ]

    def _finish(self) -> None:
        """Build, by encoding the symbolic inputs."""
        self.one_hot_encoders = {}
        self.encoded_features = self._encoded(self.inputs)
        self.built = True

    def _require_adapted(self) -> None:
        if self.encoded_features is None:
            if learning := self._adaptable():
                raise NotBuiltError(
                    f"{self.name!r} has to learn {', '.join(learning)}: call adapt(data) first"
                )
            self._finish()

    def get_inputs(self) -> dict:
        """The symbolic inputs by name."""
        self._require_adapted()
        return self.inputs

    def get_encoded_features(self):
        """What the symbolic inputs become: a symbolic tensor, or a dict of them."""
        self._require_adapted()
        return self.encoded_features

    # --- encoding ---

    def __call__(self, data):
        """Encode a dict of columns, or of the values of one row."""
        if not isinstance(data, dict):
            raise ArgumentTypeError(f"a FeatureSpace is called with a dict, got {data!r:.200}")
        self._require_adapted()
        if missing := [key for key in self.features if key not in data]:
            raise ArgumentError(f"{self.name!r} lacks the columns {', '.join(map(repr, missing))}")
        columns = {key: _column(data[key]) for key in self.features}
        encoded = self._encoded(columns)
        if any(np.ndim(data[key]) == 0 for key in self.features if not _symbolic(data[key])):
            if self.output_mode == "concat":
                return ops.squeeze(encoded, 0)
            return {key: ops.squeeze(x, 0) for key, x in encoded.items()}
        return encoded

    def _encoded(self, columns: dict):
        """Columns of shape (n, 1), encoded and put together."""
        values = {key: self.preprocessors[key](columns[key]) for key in self.features}
        crossed = {
            cross.name: self.crossers[cross.name]([values[key] for key in cross.feature_names])
            for cross in self.crosses
        }
        specs = self.features | {cross.name: cross for cross in self.crosses}
        ordered = {key: part[key] for part in (values, crossed) for key in sorted(part)}
        encoded = {key: self._one_hot(key, specs[key], x) for key, x in ordered.items()}
        if self.output_mode == "dict":
            return encoded
        for key, x in encoded.items():
            if "float" not in str(x.dtype):
                raise ArgumentError(
                    f"the feature {key!r} is {x.dtype}, not encoded: it cannot be put beside the "
                    "others; use output_mode='dict'"
                )
        return ops.concatenate(list(encoded.values()), axis=-1)

    def _one_hot(self, name: str, spec, x):
        """Vectors in place of indices, where that is asked for."""
        if spec.output_mode != "one_hot":
            return x
        if name not in self.one_hot_encoders:
            layer = self.preprocessors.get(name) or self.crossers[name]
            if hasattr(layer, "vocabulary_size"):
                depth = layer.vocabulary_size()
            else:
                depth = getattr(layer, "num_bins", None) or getattr(layer, "num_tokens", None)
            if depth is None and getattr(layer, "bin_boundaries", None) is not None:
                depth = len(layer.bin_boundaries) + 1
            if depth is None or "int" not in str(x.dtype):
                raise ArgumentError(
                    f"the feature {name!r} cannot be one-hot: how many categories "
                    f"{layer!r} gives is not known, or it gives no integers; use output_mode='int'"
                )
            self.one_hot_encoders[name] = layers.CategoryEncoding(depth)
        return self.one_hot_encoders[name](x)

    # --- saving ---

    def get_config(self) -> dict:
        """The arguments that make one like it, with what its layers have learned but weights."""
        features = {
            key: {**vars(f), "preprocessor": serialize_value(f.preprocessor)}
            for key, f in self.features.items()
        }
        names = ("output_mode", "crossing_dim", "hashing_dim", "num_discretization_bins", "name")
        return {
            "features": features,
            "crosses": [asdict(cross) for cross in self.crosses],
            **{name: getattr(self, name) for name in names},
            "adapted": self.encoded_features is not None,
        }

    @classmethod
    def from_config(cls, config: dict) -> "FeatureSpace":
        """The FeatureSpace of a config."""
        config = dict(config)
        adapted = config.pop("adapted")
        config["features"] = {
            key: Feature(**{**f, "preprocessor": deserialize_value(f["preprocessor"])})
            for key, f in config["features"].items()
        }
        config["crosses"] = [Cross(**cross) for cross in config["crosses"]]
        space = cls(**config)
        if adapted:
            space._finish()
        return space

    def save(self, filepath, overwrite: bool = True) -> None:
        """Write it to a file, which `gpunn.load_model` reads.

        Raises:
            FileExistsError: if the file exists and `overwrite` is False.
        """
        self._require_adapted()
        files.refuse_existing(filepath, overwrite)
        header = {"kind": "model", "model": serialize_value(self, "feature_space")}
        files.write(filepath, files.state_of(self), header)


def _made(kind: str, output_mode: str, name: str | None, **options) -> Feature:
    dtype, layer = LAYERS[kind]
    name = f"{name or auto_name(kind)}_preprocessor"
    return Feature(dtype, layer(name=name, **options), output_mode)


class _Column:
    """One column of a dataset, to be iterated over batch by batch."""

    def __init__(self, dataset, name: str):
        self.dataset = [dataset] if isinstance(dataset, dict) else dataset
        self.name = name
        if not hasattr(self.dataset, "__iter__") or hasattr(self.dataset, "__next__"):
            raise ArgumentTypeError(
                "adapt() takes a dict of columns, or a Dataset or list that gives such dicts and "
                f"can be iterated over again; got {dataset!r:.200}"
            )

    def __iter__(self):
        for batch in self.dataset:
            if not isinstance(batch, dict):
                raise ArgumentTypeError(
                    f"adapt() takes dicts of columns, got a {type(batch).__name__}; labels are "
                    "left out by dataset.map(lambda x, y: x)"
                )
            yield _column(batch[self.name])


def _symbolic(x) -> bool:
    return isinstance(x, KerasTensor)


def _column(x):
    """A column of shape (n, 1), as an array on the host where it is not symbolic."""
    if _symbolic(x):
        return x
    values = host_values(x)
    if values.dtype.kind == "f":
        values = values.astype(np.float32)  # as Inputs are, so that limits of bins are the same
    return values.reshape(-1, 1) if values.ndim < 2 else values
