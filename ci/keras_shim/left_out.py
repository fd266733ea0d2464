"""Which of Keras' tests are left out, and why."""

from fnmatch import fnmatch

# reason: files of Keras' tests that are not read (below keras/src), in the style of the shell
FILES = {
    "no integer arithmetic in layers": "quantizers/*",
    "belongs to TensorFlow, JAX, PyTorch, OpenVINO, Grain or Orbax": """
        backend/jax/* backend/numpy/* backend/openvino/* backend/tensorflow/* backend/tests/*
        backend/torch/* callbacks/orbax* export/* saving/orbax* utils/grain* utils/jax_layer_test.py
        utils/tf_utils* utils/torch_utils_test.py layers/preprocessing/data_layer_test.py""",
    "one device trains a model": "distribution/*",
    "a model may train another in its own train_step": "distillation/*",
    "no models with weights to be downloaded": "applications/*",
    "no bounding boxes, no files of sounds, no tf.data pipelines (FeatureSpace's tests)": """
        *bounding_boxes/* utils/audio_dataset* *feature_space*""",
    "private to Keras: its engine, names of files, and tests of its tests": """
        backend/common/* legacy/* ops/function_test.py ops/node_test.py ops/operation_test.py
        ops/operation_utils_test.py ops/symbolic_arguments_test.py saving/file_editor_test.py
        saving/keras_saveable_test.py testing/* utils/backend_utils_test.py utils/code_stats_test.py
        utils/dtype_utils_test.py utils/file_utils_test.py utils/io_utils_test.py
        utils/module_utils_test.py utils/naming_test.py utils/python_utils_test.py
        utils/summary_utils_test.py utils/tracking_test.py wrappers/fixes*""",
}
# reason: names of tests, likewise, and (after !) names that are meant otherwise
TESTS = {
    "no integer arithmetic in layers": "*quantiz* *int4* *int8_* *float8* *gptq* *awq*",
    "tf.data pipelines": "*tf_data*",
    "no ragged tensors": "*ragged*",
    "no TPU": "*_tpu*",
    "belongs to Grain, Orbax or OpenVINO": "*grain* *orbax* *openvino*",
    "one device trains a model": "*distribut*",
    "no bounding boxes": "*bounding_box*",
}
# reason: what a test says itself that it needs
NEEDS = {
    "belongs to TensorFlow, JAX, PyTorch, OpenVINO, Grain or Orbax": """
        another?library *tensorflow* *TensorFlow* *jax* *JAX* *torch* *Torch* TF* *?TF* tf?only
        *tf.data* *legacy?h5*""",
    "no sparse and no ragged tensors": "*sparse* *ragged*",
    "needs a package that is not there": "*requests*required*",
    "skipped by the test itself, or by scikit-learn's checks": "*",
}


def reason_for(name: str, table: dict) -> str | None:
    """Why a file or a test is left out, if it is."""
    for reason, patterns in table.items():
        if any(fnmatch(name, pattern) for pattern in patterns.split()):
            return reason
    return None
