"""Runs Keras' own tests against gpunn: `python ci/keras_tests.py [--keras DIR] [FILES ...]`.

The wheel of Keras holds its tests. Only they, `keras.src.testing` and what makes the numbers that
they expect are read from it; every other `import keras...` in them gives gpunn's objects
(keras_shim/). A test fails here if gpunn gives
other numbers, shapes, dtypes, names or classes of errors than Keras; texts of errors are not
compared. Prints how many tests of each family passed, failed and were left out, and why. Fails if a
test fails that is not among the known differences (keras_known.txt), each of which has a reason.

    pip install --no-deps --target /tmp/keras keras==3.15.1
    pip install absl-py              # and jax, torch for the tests that compare with them
    python ci/keras_tests.py --keras /tmp/keras/keras losses metrics/iou_metrics_test.py
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).parent
HOW = "pip install --no-deps --target /tmp/keras keras==3.15.1, then --keras /tmp/keras/keras"
INI = "[pytest]\naddopts = -p keras_shim.plugin -p no:cacheprovider -q --no-header\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras", type=Path, help="the package of an installed Keras")
    parser.add_argument("-n", default="1", help="processes; scikit-learn's checks allow 1 only")
    parser.add_argument("-v", action="store_true", help="show why each unknown test fails")
    parser.add_argument("files", nargs="*", help="below keras/src: losses, ops/nn_test.py")
    given = parser.parse_args()
    keras = given.keras.resolve() if given.keras else installed()
    if keras is None or not (keras / "src" / "testing").is_dir():
        print(f"no tests of Keras in {keras}: {HOW}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        outcomes, log = run(keras, Path(folder), given.files, given.n)
    if not outcomes:
        print(log, file=sys.stderr)
        return 2
    return report(outcomes, known(HERE / "keras_known.txt"), given)


def installed() -> Path | None:
    """Where Keras is, if it can be imported."""
    spec = importlib.util.find_spec("keras")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def run(keras: Path, folder: Path, files: list[str], workers: str) -> tuple[dict, str]:
    """Run tests in a process of their own.

    Returns:
        By the name of a test "losses/loss_test.py::LossTest::test_name": its outcome and why; and
        what pytest printed.
    """
    sys.path.insert(0, str(HERE))
    os.environ.update(KERAS_DIR=str(keras), KERAS_TREE=str(folder))
    from keras_shim.left_out import FILES, reason_for

    source = folder / "keras" / "src"
    chosen = []
    for file in sorted((keras / "src").rglob("*.py")):
        name = file.relative_to(keras / "src").as_posix()
        if not name.startswith("testing/") and (
            not name.endswith("_test.py") or reason_for(name, FILES)
        ):
            continue
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
        if not name.startswith("testing/") and (
            not files or any(name == f or name.startswith(f"{f.rstrip('/')}/") for f in files)
        ):
            chosen.append(str(copy))
    for inner in (folder / "keras").rglob("*"):
        if inner.is_dir():
            (inner / "__init__.py").touch()
    (folder / "keras" / "__init__.py").touch()
    (folder / "pytest.ini").write_text(INI)
    result = folder / "outcomes.json"
    paths = [str(HERE.parent), str(HERE)]
    environment = {
        **os.environ, "KERAS_OUTCOMES": str(result), "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [
        *(sys.executable, "-m", "pytest", "-c", str(folder / "pytest.ini"), "--rootdir"),
        *(str(folder), "-n", workers, "--tb=line", "--timeout=120", "--import-mode=prepend"),
        *("--continue-on-collection-errors", *chosen),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if not result.exists():
        return {}, done.stdout + done.stderr
    found = json.loads(result.read_text("utf-8"))
    return {name.removeprefix("keras/src/"): what for name, what in found.items()}, done.stdout


def known(file: Path) -> dict[str, str]:
    """The reason for each known difference, by a pattern of names of tests."""
    reasons: dict[str, str] = {}
    reason = ""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("# "):
            continue
        if line.startswith("    "):
            reasons.update(dict.fromkeys(line.split(), reason))
        elif line.strip():
            reason = line.strip()
    return reasons


def report(outcomes: dict, differences: dict[str, str], given) -> int:
    """Print what became of the tests; 1 if one fails that is not known to."""
    table: dict[str, Counter] = {}
    left_out: Counter = Counter()
    because: Counter = Counter()
    unknown, needed = [], set()
    for name, (outcome, why) in sorted(outcomes.items()):
        family = name.partition("/")[0]
        if outcome == "failed":
            pattern = next((p for p in differences if fnmatchcase(name, p)), None)
            outcome = "failed" if pattern is None else "known"
            if pattern is None:
                unknown.append(f"{name}\n        {why}" if given.v else name)
            else:
                needed.add(pattern)
                because[differences[pattern]] += 1
        elif outcome == "left out":
            left_out[why] += 1
        table.setdefault(family, Counter())[outcome] += 1
    print(f"{'family':<18}{'passed':>8}{'failed':>8}{'known':>8}{'left out':>10}")
    for family, counts in [*table.items(), ("all", sum(table.values(), Counter()))]:
        row = [counts[key] for key in ("passed", "failed", "known", "left out")]
        print("{:<18}{:>8}{:>8}{:>8}{:>10}".format(family, *row))
    _list("left out", left_out)
    _list("known differences", because)
    if not given.files and (needless := [p for p in differences if p not in needed]):
        print(f"known differences that no test needs any more ({len(needless)}):")
        print(*[f"    {pattern}" for pattern in needless], sep="\n")
    if unknown:
        print(f"failed for no known reason ({len(unknown)}):")
        print(*[f"    {name}" for name in unknown], sep="\n")
    return 1 if unknown else 0


def _list(title: str, counts: Counter) -> None:
    print(f"{title} ({sum(counts.values())}):")
    for reason, count in counts.most_common():
        print(f"    {count:>5}  {reason}")


if __name__ == "__main__":
    sys.exit(main())
