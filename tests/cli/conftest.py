"""What the tests of the command line share: running a command, and CSV files to run it on."""

import random

import pytest

from gpunn.cli import main


@pytest.fixture
def gpunn_(capsys):
    """Runs a command in this process; gives its exit code, output and error output."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def write(tmp_path):
    """Writes a file of lines, and gives its path."""

    def write_(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write_


@pytest.fixture
def flats(write):
    """A CSV file: price depends on size, city and garden; `big` on the size alone."""
    draw = random.Random(5)
    lines = ["number,size,city,garden,price,big"]
    for i in range(200):
        size, city, garden = draw.uniform(20, 200), draw.choice("ABC"), draw.random() < 0.5
        price = 3000 * size + {"A": 0, "B": 50_000, "C": 100_000}[city] + 30_000 * garden
        shown = "" if i % 20 == 3 else f"{size:.2f}"
        garden_ = "?" if i % 50 == 7 else "yes" if garden else "no"
        price_ = "NA" if i % 100 == 11 else f"{price:.2f}"
        lines.append(f"f{i},{shown},{city},{garden_},{price_},{'large' if size > 110 else 'small'}")
    return write("flats.csv", *lines)
