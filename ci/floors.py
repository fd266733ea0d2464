"""The floor rule: what a file of gpunn may import. `python ci/floors.py [ROOT]` checks it.

The floors are the table in CONTRIBUTING.md. For every file under gpunn/:

1. it imports only from floors below its own, or from its own package;
2. the files of a package do not import each other in a circle;
3. cupy is imported under gpunn/backend/ alone (tests/test_import.py sees to it that the files
   that do so are loaded late);
4. at the top of a file only the standard library, numpy, safetensors and gpunn are imported: every
   other package is optional or slow, and imported in the function that needs it; but for a file
   whose classes are subclasses of such a package's (LATE), which is itself imported late.

Imports in functions count as well (but for rule 4); imports under `if TYPE_CHECKING:` do not.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CUPY = {"cupy", "cupyx", "cupy_backends"}
AT_TOP = {*sys.stdlib_module_names, "numpy", "safetensors", "gpunn"}
LATE = {"gpunn.wrappers.estimators": "sklearn"}
BY_NAME = {"__import__", "import_module", "importlib.import_module"}
# gpunn/__init__.py names everything below the command line, which may use it.
PACKAGE_FLOOR = 8.5


@dataclass(frozen=True)
class Import:
    """One imported module, where, and whether it is imported with the file."""

    module: str
    line: int
    at_top: bool


def floors(table: str) -> dict[str, float]:
    """Each first-level name of gpunn and its floor, from the rows `| 4 | `layers/` `x.py` | ... |`.

    >>> floors("| 0 | `errors.py` | every exception class |")
    {'errors': 0.0}
    """
    rows = re.findall(r"^\| *([\d.]+) *\|([^|]*)\|", table, re.M)
    return {
        name.removesuffix(".py").removesuffix("/"): float(floor)
        for floor, cell in rows
        for name in re.findall(r"`([^`]+)`", cell)
    }


def imports(tree: ast.Module, modules: set[str], package: str) -> Iterator[Import]:
    """Every import of a file that lies in `package`, `from p import m` as `p.m` if that exists."""

    def visit(node: ast.AST, at_top: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, node.lineno, at_top)
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parents, *([node.module] if node.module else [])])
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield Import(inner if inner in modules else base, node.lineno, at_top)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(func) in BY_NAME:
                    yield Import(name, node.lineno, at_top)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            children: list[ast.AST] = list(node.orelse)
        else:
            children = list(ast.iter_child_nodes(node))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in children:
            yield from visit(child, at_top and not inside)

    yield from visit(tree, True)


def module_name(path: Path, root: Path) -> str:
    """`gpunn/ops/__init__.py` is `gpunn.ops`, `gpunn/ops/shape.py` is `gpunn.ops.shape`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circle(edges: dict[str, dict[str, int]]) -> list[str] | None:
    """A path of modules that ends where it begins, if there is one."""
    done: set[str] = set()
    path: list[str] = []

    def walk(module: str) -> list[str] | None:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        path.append(module)
        for target in sorted(edges.get(module, ())):
            if found := walk(target):
                return found
        done.add(path.pop())
        return None

    return next((found for module in sorted(edges) if (found := walk(module))), None)


def check(root: Path) -> list[str]:
    """The violations under `root`, one line each."""
    floor_of = floors((root / "CONTRIBUTING.md").read_text("utf-8"))
    paths = {module_name(p, root): p for p in sorted((root / "gpunn").rglob("*.py"))}
    problems: list[str] = []
    edges: dict[str, dict[str, dict[str, int]]] = {}  # package: file: imported file: line

    def first(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    def floor(module: str) -> float | None:
        return floor_of.get(first(module)) if first(module) else PACKAGE_FLOOR

    for module, path in paths.items():
        shown = path.relative_to(root)
        mine = floor(module)
        if mine is None:
            problems.append(
                f"{shown}: on no floor: add `{first(module)}` to the table in CONTRIBUTING.md"
            )
            continue
        is_package = path.name == "__init__.py"
        package = module if is_package else module.rpartition(".")[0]
        tree = ast.parse(path.read_text("utf-8"), str(path))
        for found in imports(tree, set(paths), package):
            where = f"{shown}:{found.line}"
            top = found.module.split(".")[0]
            if top in CUPY:
                if first(module) != "backend":
                    problems.append(f"{where}: imports {top}: only gpunn/backend/ may")
            elif found.at_top and top not in AT_TOP and top != LATE.get(module):
                problems.append(
                    f"{where}: imports {top} at the top: import it in the function that needs it"
                )
            if top != "gpunn":
                continue
            target = found.module
            while target not in paths and "." in target:  # a name in a module
                target = target.rpartition(".")[0]
            theirs = floor(found.module)
            if first(found.module) == first(module):
                if target != module:
                    edges.setdefault(first(module), {}).setdefault(module, {})[target] = found.line
            elif theirs is None or theirs >= mine:
                problems.append(
                    f"{where}: {module} (floor {mine:g}) imports {target} "
                    f"(floor {'?' if theirs is None else format(theirs, 'g')}): "
                    f"only floors below its own are allowed"
                )
    for package_edges in edges.values():
        if found_circle := circle(package_edges):
            a, b, *_ = found_circle
            problems.append(
                f"{paths[a].relative_to(root)}:{package_edges[a][b]}: "
                f"imports in a circle: {' -> '.join(found_circle)}"
            )
    return list(dict.fromkeys(problems))


def main(argv: list[str]) -> int:
    root = Path(argv[0]) if argv else Path(__file__).resolve().parents[1]
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"floors: {len(problems)} violations" if problems else "floors: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
