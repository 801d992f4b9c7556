"""Tells a year of the guarded sample: makes its evidence for each chapter, assesses it, and keeps the assessments.

    python tell.py [--out DIR]

The evidence of each chapter is what the agent and its drills of `../guarded` leave behind on that day. What is written
to DIR, by default `assessments/` beside this file, is one assessment a chapter. The same code gives the same bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUARDED = HERE.parent / "guarded"
Change = Callable[[Path], None]
NEW_TOOL = (
    "    - {name: cloud.create_stack, kind: tool, effect: create, reversible: true, via: aws, "
    "cost: {usd: 13.46, per: hour}, max_per_hour: 2, retries: 3}\n"
)
WAIVER = """
waivers:
  - control: CHECK-08
    reason: The owner of the stop runbook is on leave; the stop itself is drilled every week.
    owner: Mara Lindqvist
    approved_by: Ines Caldeira
    expires: 2027-07-15
"""


def _review(*left_out: str, on: str) -> Change:
    """Review every document on a day, but those left out."""

    def change(root: Path) -> None:
        for path in sorted((root / "docs").glob("*.md")):
            if path.name not in left_out:
                text = path.read_text(encoding="utf-8")
                path.write_text(re.sub(r"(?m)^reviewed: .*$", f"reviewed: {on}", text), encoding="utf-8")

    return change


def _collect_again(day: str) -> Change:
    """Collect everything again without making any of it again: no drill is run, no bill compared."""

    def change(root: Path) -> None:
        manifest = root / "manifest.yaml"
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(re.sub(r"collected: \d{4}-\d\d-\d\d", f"collected: {day}", text), encoding="utf-8")

    return change


def _add_tool(root: Path) -> None:
    manifest = root / "manifest.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("  credentials:\n", f"{NEW_TOOL}  credentials:\n", 1), encoding="utf-8")


def _waive(root: Path) -> None:
    manifest = root / "manifest.yaml"
    text = manifest.read_text(encoding="utf-8").replace("require: ready,", "require: ready_with_waivers,")
    manifest.write_text(text + WAIVER, encoding="utf-8")


@dataclass(frozen=True)
class Chapter:
    """One assessment: of which day, by which rubric, and what was done to the deployment before.

    `before` is done before the agent and its drills run on the day `produced`, `after` to what they left behind.
    """

    name: str
    as_of: date
    produced: date
    before: tuple[Change, ...] = ()
    after: tuple[Change, ...] = ()
    rubric: str = "psf-agentic@1.2.0"


MOST_REVIEWED = _review("stop-runbook.md", on="2027-05-14")
CHAPTERS = (
    Chapter("1-launch", date(2026, 11, 22), date(2026, 11, 22)),
    Chapter("2-drill-expired", date(2026, 12, 28), date(2026, 11, 22), after=(_collect_again("2026-12-28"),)),
    Chapter("3-new-tool", date(2027, 2, 3), date(2027, 2, 3), after=(_add_tool,)),
    Chapter("4-tool-withdrawn", date(2027, 2, 10), date(2027, 2, 10)),
    Chapter("5-waived", date(2027, 6, 1), date(2027, 6, 1), before=(MOST_REVIEWED,), after=(_waive,)),
    Chapter("6-waiver-expired", date(2027, 7, 20), date(2027, 7, 20), before=(MOST_REVIEWED,), after=(_waive,)),
    Chapter(
        "7-rubric-upgrade",
        date(2027, 11, 22),
        date(2027, 11, 22),
        before=(_review(on="2027-11-15"),),
        rubric="psf-agentic@1.3.0",
    ),
)


def main() -> None:
    """Write the assessment of each chapter."""
    options = argparse.ArgumentParser(description="Tell a year of the guarded sample.")
    options.add_argument("--out", type=Path, default=HERE / "assessments", metavar="DIR")
    out: Path = options.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for chapter in CHAPTERS:
            tell(chapter, Path(folder) / chapter.name, out / f"{chapter.name}.json")


def tell(chapter: Chapter, root: Path, out: Path) -> None:
    """Make the evidence of a chapter below `root`, and assess it."""
    source = root.parent / f"{root.name}-source"
    shutil.copytree(GUARDED, source, ignore=shutil.ignore_patterns("evidence", "__pycache__"))
    for change in chapter.before:
        change(source)
    produce = [sys.executable, str(source / "produce.py"), "--as-of", chapter.produced.isoformat(), "--out", str(root)]
    subprocess.run(produce, check=True, capture_output=True)
    for change in chapter.after:
        change(root)
    assess = [sys.executable, "-m", "psf_audit", "assess", str(root / "manifest.yaml"), "-f", "json"]
    assess += ["--as-of", chapter.as_of.isoformat(), "--rubric", chapter.rubric]
    done = subprocess.run(assess, capture_output=True, check=False)
    if done.returncode not in {0, 1, 3}:
        raise SystemExit(done.stderr.decode())
    out.write_bytes(done.stdout)
    print(f"{chapter.name}: {done.stderr.decode().strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()
