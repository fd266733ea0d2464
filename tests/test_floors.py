import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TABLE = """
| floor | package | what lives there |
|---|---|---|
| 0 | `errors.py` | errors |
| 1 | `backend/` | arrays |
| 3 | `ops/` | functions |
| 4 | `losses/` `random.py` | more |
| 9 | `cli/` | the command line |
"""

GOOD = {
    "__init__.py": "from gpunn import losses, ops\nfrom gpunn.ops import a\n",
    "errors.py": "class E(Exception): pass\n",
    "random.py": "from gpunn.ops import a\n",
    "backend/__init__.py": "from gpunn.errors import E\nfrom gpunn.backend.cuda import f\n",
    "backend/cuda.py": "import numpy as np\ndef f():\n    import cupy\n",
    "ops/__init__.py": "from gpunn.ops.a import f\nfrom gpunn.ops.b import g\n",
    "ops/a.py": "from ..backend import f\n",
    "ops/b.py": "from . import a\nfrom .a import f\ndef g():\n    import tqdm\n",
    "losses/__init__.py": "from gpunn.ops import a\n",
    "cli/__init__.py": "import gpunn\nfrom gpunn import losses\n",
}


def run(root, files, table=TABLE):
    (root / "CONTRIBUTING.md").write_text(table)
    for name, text in files.items():
        path = root / "gpunn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    command = [sys.executable, str(ROOT / "ci" / "floors.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout


def test_this_project_keeps_the_rule():
    command = [sys.executable, str(ROOT / "ci" / "floors.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_good_files_pass(tmp_path):
    assert run(tmp_path, GOOD) == (0, "floors: ok\n")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ops/a.py", "from gpunn.losses import x\n", "ops/a.py:1: gpunn.ops.a (floor 3) imports"),
        ("ops/a.py", "def f():\n    from ..losses import x\n", "ops/a.py:2: gpunn.ops.a (floor 3)"),
        ("ops/a.py", "import gpunn.losses as x\n", "only floors below its own"),
        ("ops/a.py", "from gpunn import losses\n", "imports gpunn.losses (floor 4)"),
        ("ops/a.py", "import gpunn\n", "imports gpunn (floor 8.5)"),
        ("ops/a.py", "import importlib\nx = importlib.import_module('gpunn.cli')\n", "floor 9"),
        ("losses/__init__.py", "from gpunn.random import x\n", "imports gpunn.random (floor 4)"),
        ("ops/a.py", "from gpunn.ops.b import g\n", "gpunn.ops.a -> gpunn.ops.b -> gpunn.ops.a"),
        ("ops/a.py", "def f():\n    from .b import g\n", "ops/a.py:2: imports in a circle"),
        ("ops/a.py", "from gpunn.ops import f\n", "gpunn.ops -> gpunn.ops.a -> gpunn.ops"),
        ("ops/a.py", "def f():\n    import cupyx.scipy\n", "imports cupyx: only gpunn/backend/"),
        (
            "cli/__init__.py",
            "try:\n    import pandas as pd\nexcept ImportError: pass\n",
            "at the top",
        ),
        (
            "ops/a.py",
            "class A:\n    from tqdm import tqdm\n",
            "ops/a.py:2: imports tqdm at the top",
        ),
        ("extra.py", "", "gpunn/extra.py: on no floor: add `extra` to the table"),
    ],
)
def test_violations_are_named(tmp_path, name, text, message):
    code, out = run(tmp_path, {**GOOD, name: text})
    assert code == 1
    assert message in out
    assert out.endswith("floors: 1 violations\n")


def test_a_file_of_subclasses_may_import_their_package_at_the_top(tmp_path):
    table = TABLE + "| 8 | `wrappers/` | estimators |\n"
    text = "from sklearn.base import BaseEstimator\n"
    files = {**GOOD, "wrappers/__init__.py": "", "wrappers/estimators.py": text}
    assert run(tmp_path, files, table) == (0, "floors: ok\n")
    files["wrappers/__init__.py"] = text
    assert "wrappers/__init__.py:1: imports sklearn at the top" in run(tmp_path, files, table)[1]


def test_imports_for_types_are_free(tmp_path):
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from gpunn.losses import x\n    import cupy\n"
    )
    assert run(tmp_path, {**GOOD, "ops/a.py": text})[0] == 0
