"""What README.md, CONTRIBUTING.md and docs/ show runs, block after block in one namespace."""

import re
from pathlib import Path

import numpy as np
import pytest

import gpunn
from gpunn.autograd import primitive

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/reading.md", "docs/speed.md"]


def blocks(document: str, language: str) -> list[tuple[int, str]]:
    """Line number and text of each block that is fenced as ```language."""
    text = (ROOT / document).read_text("utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, m.start()) + 1, m[1]) for m in found]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_blocks_run(document, tmp_path, monkeypatch, device):
    monkeypatch.chdir(tmp_path)
    names = {"gpunn": gpunn, "np": np, "primitive": primitive}
    found = blocks(document, "python")
    assert found or document == "docs/speed.md"
    for line, code in found:
        exec(compile("\n" * line + code, str(ROOT / document), "exec"), names)


def test_readme_opens_with_the_two_commands():
    (_, first), *_ = blocks("README.md", "sh")
    commands = [line.partition("#")[0].strip() for line in first.splitlines()]
    assert commands == [
        "pip install -e . && gpunn train digits",
        "pip install -e '.[test]' && pytest",
    ]


def test_ci_runs_what_readme_says():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    shown = [code for _, code in blocks("README.md", "sh")]
    first, emulator = shown[0], next(code for code in shown if "cuda-emu" in code)
    for line in (*first.splitlines(), *emulator.splitlines()):
        command = line.partition("#")[0].strip()
        assert command.replace(".venv", '"$venv"') in script


def test_what_documents_name_exists():
    for document in DOCUMENTS:
        text = (ROOT / document).read_text("utf-8")
        for path in re.findall(r"`((?:ci|docs|examples|gpunn|tests|\.ci)/[\w./-]*)`", text):
            assert (ROOT / path).exists() or "FAMILY" in path, f"{document}: {path}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    here = ROOT / document
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", here.read_text("utf-8")):
        path, _, heading = link.partition("#")
        target = here.parent / path if path else here
        assert target.exists(), f"{document}: {link}"
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
            anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
            assert heading in anchors, f"{document}: {link}"
