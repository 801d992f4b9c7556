"""The machine that a benchmark ran on, and the part of docs/performance.md that shows what was measured."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
_PART = re.compile(r"(<!-- measured: bench-events -->\n).*?(<!-- end -->)", re.DOTALL)
_PACKAGES = ("psf-audit", "duckdb", "orjson", "pandas", "pyarrow")


def machine() -> dict[str, str]:
    """What it runs on: processor, cores, memory, system, and the versions that matter."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{pages * page / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, {versions}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def rendered(document: dict[str, Any]) -> str:
    """What was measured, as Markdown."""
    facts = ", ".join(f"{name}: {value}" for name, value in document["machine"].items())
    table = [
        ("events", "program", "seconds", "CPU seconds", "us an event", "peak MiB", "found of planted"),
        ("---:", "---", "---:", "---:", "---:", "---:", "---:"),
        *(_row(row) for row in document["rows"]),
    ]
    goals = [
        ("ratio or peak", "measured", "goal", "met"),
        ("---", "---:", "---:", "---"),
        *(
            (goal["what"], f"{goal['measured']:.2f}", f"{'>=' if goal['at_least'] else '<='} {goal['goal']:g}",
             "yes" if goal["is_met"] else "no")
            for goal in document["goals"]
        ),
    ]  # fmt: skip
    day = datetime.now(UTC).date().isoformat()
    return f"Measured on {day}. {facts}.\n\n{_table(table)}\n\n{_table(goals)}\n"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    start = (f"{row['events']:,}", row["program"])
    if row["failure"]:
        return (*start, "", "", "", "", f"skipped: {row['failure']}")
    found = "" if row["found"] is None else f"{row['found']} of {row['planted']}"
    per_event = row["seconds"] / row["events"] * 10**6
    return (*start, f"{row['seconds']:.1f}", f"{row['cpu']:.1f}", f"{per_event:.2f}", f"{row['mib']:.0f}", found)


def _table(lines: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def write(document: dict[str, Any]) -> None:
    """Put what was measured between the markers of the page."""
    text, count = _PART.subn(
        lambda part: part[1] + rendered(document) + part[2], PAGE.read_text(encoding="utf-8"), count=1
    )
    if not count:
        raise SystemExit(f"{PAGE}: put `<!-- measured: bench-events -->` and `<!-- end -->` where the table goes")
    PAGE.write_text(text, encoding="utf-8")
