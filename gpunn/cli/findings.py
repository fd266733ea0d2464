"""What `bench` and `doctor --selftest` find: speeds, and a file to attach to a report."""

import json
import platform
from pathlib import Path

import numpy as np

import gpunn
from gpunn.backend.doctor import report
from gpunn.cli.console import table
from gpunn.errors import DataError


def machine() -> dict:
    """What a file of findings starts with: versions, and what they run on."""
    return {
        "gpunn": gpunn.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "report": [{"name": r.name, "ok": r.ok, "detail": r.detail} for r in report()],
    }


def speeds_of(devices: list[str], measures) -> tuple[list[dict], list[str]]:
    """Rows of what was measured, its unit and a number for each device; what could not be.

    Args:
        devices: names.
        measures: functions of `gpunn.cli.speeds`.
    """
    rows: dict[tuple[str, str], dict] = {}
    problems = []
    for device in devices:
        for measure in measures:
            try:
                for what, unit, value in measure(device):
                    row = rows.setdefault((what, unit), {"what": what, "unit": unit})
                    row[device] = value
            except Exception as e:  # whatever a new GPU makes of it belongs to the findings
                what = f"{measure.__name__} of {device} were not measured"
                problems.append(f"{what}: {type(e).__name__}: {e}")
    return list(rows.values()), problems


def speed_table(rows: list[dict], devices: list[str]) -> str:
    """The rows as they are printed."""
    cells = [
        [f"{row['what']}, {row['unit']}", *(f"{row[d]:,.3g}" if d in row else "-" for d in devices)]
        for row in rows
    ]
    return table(["speed, the best of some rounds", *devices], cells)


def write(out: str, document: dict, lines: list[str]) -> None:
    """Write a file.

    Args:
        out: its name: JSON of the document if it ends so, else text: the report, and the lines.

    Raises:
        DataError: if it cannot be written.
    """
    path = Path(out)
    if path.suffix == ".json":
        text = json.dumps(document, indent=2)
    else:
        known = [f"{r['name']}: {r['detail']}" for r in document["report"]]
        text = "\n".join([*known, "", *lines])
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as e:
        raise DataError(f"cannot write {out}: {e.strerror or e}") from None
