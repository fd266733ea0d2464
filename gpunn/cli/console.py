"""How the commands print: labelled lines, tables, numbers, and the types of their options."""

import argparse
import sys


def say(label: str, text: str, file=None) -> None:
    """A line of a report: a label of at most nine letters, and what there is to say."""
    print(f"{label:<10}{text}", file=file or sys.stdout, flush=True)


def say_all(label: str, lines: list[str], file=None) -> None:
    """Several lines under one label."""
    for i, line in enumerate(lines):
        say("" if i else label, line, file)


def table(titles: list[str], rows: list[list[str]]) -> str:
    """Columns under titles: the first is of text, the others are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]

    def line(cells):
        first, *others = zip(cells, widths, strict=True)
        return "  ".join([f"{first[0]:<{first[1]}}", *(f"{c:>{w}}" for c, w in others)]).rstrip()

    return "\n".join([line(titles), "  ".join("-" * w for w in widths), *map(line, rows)])


def count(n: int, what: str) -> str:
    """A number of things: "1 row", "1,797 rows", "3 classes"."""
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{n:,} {what if n == 1 else plural}"


def shown(names: list[str], most: int = 12) -> str:
    """Names with commas between, the first of them if there are many."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f", ... ({rest} more)" if rest > 0 else "")


def whole(least: int):
    """The type of an option that takes an integer of at least `least`."""

    def parse(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no integer of at least {least}")
        return int(text)

    return parse


def positive(text: str) -> float:
    """The type of an option that takes a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def fraction(text: str) -> float:
    """The type of an option that takes a share, at least 0 and less than 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of at least 0 and less than 1")
    return value


def units(text: str) -> list[int]:
    """The type of an option that takes sizes of layers: "64,32", or "none"."""
    if text.strip().lower() in ("none", "0", ""):
        return []
    try:
        return [whole(1)(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} are no sizes of layers: expected one or more as in 64,32, or none"
        ) from None


def names(text: str) -> list[str]:
    """The type of an option that takes names: "a,b"."""
    return [part.strip() for part in text.split(",") if part.strip()]
