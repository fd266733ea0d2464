"""`keras` and `keras.src.*` made of gpunn's public names, for Keras' own tests: ../keras_tests.py.

`modules.py` finds a name that a test imports, `private.py` stands in for what only Keras' own code
uses, `operations.py` for its classes of operations, `plugin.py` says what is left out.
"""
