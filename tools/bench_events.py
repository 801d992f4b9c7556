"""Reading and checking large logs: how long it takes and how much memory, against others that do the same.

For each size a log is generated with violations whose number is known, and read by programs of their own, one after the
other: DuckDB's bare typed reading into a table, psf-audit's whole assessment, and the same checks as a loop over each
event and with pandas. Ratios can be compared between machines, seconds only on one. Goals are printed beside what was
measured and never decide the exit code; findings do: it is 1 where one is missing or was not planted.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from psf_audit.query import Bounds  # noqa: E402  the checkout is no installed package
from tests.planted import log, tenths  # noqa: E402
from tests.planted.terms import Terms  # noqa: E402
from tools import bench_page  # noqa: E402
from tools.bench_process import Run, run  # noqa: E402

PYTHON = sys.executable
READ, ASSESS, LOOP = "DuckDB read_json", "psf-audit assess", "loop with orjson"
PANDAS, ARROW = "pandas", "pandas with Arrow"
ALL = (READ, ASSESS, LOOP, PANDAS, ARROW)
HEAD = f"{'program':<20}{'seconds':>9}{'CPU s':>8}{'of read':>9}{'us/event':>10}{'peak MiB':>10}{'found':>8}"
CAP_MIB = Bounds().memory_mib
MILLION = 10**6
# What lacks is a finding too in these controls: who, what and why of an entry and of an approval.
_LACKS = frozenset({"AUDIT-02", "AUDIT-04"})


@dataclass(frozen=True)
class Row:
    """What one program took for one log, and what it found; `found` is None for one that only reads."""

    events: int
    name: str
    planted: int
    run: Run
    found: Counter[str] | None = None
    wrong: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether it found all that is planted and nothing else."""
        return not self.wrong


def found_by_assessment(text: str) -> Counter[str]:
    """The findings in an assessment by control, however many of them it shows."""
    found: Counter[str] = Counter()
    for domain in json.loads(text)["domains"]:
        for control in domain["controls"]:
            found[control["id"]] = control["breaks"]["count"]
            if control["id"] in _LACKS:
                found[f"{control['id']} lacks"] = control["lacks"]["count"]
    return +found


def differences(planted: Counter[str], found: Counter[str]) -> dict[str, tuple[int, int]]:
    """The keys of which not as many were found as are planted, with both numbers."""
    return {key: (planted[key], found[key]) for key in sorted({*planted, *found}) if planted[key] != found[key]}


def programs(folder: Path) -> dict[str, Sequence[str]]:
    """What is compared on the log in a folder."""
    tools = ROOT / "tools"
    as_of = Terms.read(folder).as_of
    return {
        READ: (PYTHON, str(tools / "bench_read.py"), str(folder)),
        ASSESS: assessing(folder / "manifest.yaml", as_of),
        LOOP: (PYTHON, str(tools / "bench_loop.py"), str(folder)),
        PANDAS: (PYTHON, str(tools / "bench_pandas.py"), str(folder)),
        ARROW: (PYTHON, str(tools / "bench_pandas.py"), str(folder), "--pyarrow"),
    }


def assessing(manifest: Path, as_of: str) -> Sequence[str]:
    """The command that assesses a manifest."""
    return (PYTHON, "-m", "psf_audit", "assess", str(manifest), "-f", "json", "--as-of", as_of, "--exit-zero")


def measure(folder: Path, written: log.Written, only: Sequence[str]) -> Iterator[Row]:
    """What each program takes for the log in a folder."""
    for name, command in programs(folder).items():
        if name not in only:
            continue
        done = run(command)
        if done.failure or name == READ:
            yield Row(written.lines, name, written.findings.total(), done)
            continue
        found = found_by_assessment(done.output) if name == ASSESS else Counter(json.loads(done.output))
        yield Row(written.lines, name, written.findings.total(), done, found, differences(written.findings, found))


def one_size(events: int, seed: int, only: Sequence[str], *, planted: bool) -> list[Row]:
    """Generate a log, measure what it takes, and print it."""
    with tempfile.TemporaryDirectory(prefix="psf-audit-bench-") as name:
        folder = Path(name)
        started = time.perf_counter()
        written = log.write(folder, events, seed, planted=planted)
        taken, size = time.perf_counter() - started, folder.joinpath("events.jsonl").stat().st_size
        what = f"{written.findings.total()} violations planted" if planted else "nothing planted"
        print(f"\n{written.lines:,} lines, {size / MILLION:,.0f} MB, {what}, generated in {taken:.0f} s\n")
        print(HEAD, flush=True)
        rows: list[Row] = []
        for row in measure(folder, written, only):
            rows.append(row)
            print(_line(row, rows[0]), flush=True)
    return rows


def _line(row: Row, read: Row) -> str:
    if row.run.failure:
        return f"{row.name:<20}skipped: {row.run.failure}"
    of_read = f"{row.run.seconds / read.run.seconds:.2f}x" if read.name == READ else ""
    per_event = row.run.seconds / row.events * MILLION
    found = "" if row.found is None else str(row.found.total())
    numbers = f"{row.run.seconds:>9.2f}{row.run.cpu:>8.2f}{of_read:>9}{per_event:>10.2f}{row.run.mib:>10.0f}{found:>8}"
    wrong = "".join(f"\n    {key}: {planted} planted, {found} found" for key, (planted, found) in row.wrong.items())
    return f"{row.name:<20}{numbers}{wrong}"


@dataclass(frozen=True)
class Goal:
    """A ratio, or a number of MiB, with what it should be: at most, or at least."""

    what: str
    measured: float
    goal: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is as it should be."""
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal


def goals(rows: Sequence[Row]) -> Iterator[Goal]:
    """The goals that can be held against what was measured."""
    by_size: dict[int, dict[str, Row]] = {}
    for row in rows:
        if not row.run.failure:
            by_size.setdefault(row.events, {})[row.name] = row
    for events, found in by_size.items():
        assess = found.get(ASSESS)
        if assess is None:
            continue
        size = f"{events / MILLION:.2g} million: "
        if READ in found:
            yield Goal(f"{size}assessment / bare reading", assess.run.seconds / found[READ].run.seconds, 2)
        yield Goal(f"{size}peak of the assessment, MiB", assess.run.mib, CAP_MIB + 256)
        for name, least in ((LOOP, 4), (PANDAS, 15)):
            if name in found:
                ratio = found[name].run.seconds / assess.run.seconds
                yield Goal(f"{size}{name} / assessment", ratio, least, at_least=True)
    assessed = [found[ASSESS] for _, found in sorted(by_size.items()) if ASSESS in found]
    if len(assessed) > 1:
        first, last = assessed[0], assessed[-1]
        ratio = (last.run.seconds / last.events) / (first.run.seconds / first.events)
        yield Goal("time an event, largest log / smallest log", ratio, 1.2)


def sum_of_tenths(count: int) -> tuple[Run, Decimal | None]:
    """Assess a log of calls that cost a tenth of a dollar each; what they cost together."""
    with tempfile.TemporaryDirectory(prefix="psf-audit-bench-") as name:
        done = run(assessing(tenths.write(Path(name), count), tenths.DAY))
        return done, None if done.failure else tenths.total(json.loads(done.output, parse_float=Decimal))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time and memory of large logs, against others that do the same.")
    sizes = "sizes of the logs in millions of events (default: 0.2 2; 20 needs 12 GB of disk)"
    parser.add_argument(
        "millions", nargs="*", type=Decimal, default=[Decimal("0.2"), Decimal(2)], metavar="N", help=sizes
    )
    parser.add_argument("--seed", type=int, default=1, help="of the generated logs (default: 1)")
    parser.add_argument("--without", nargs="*", default=[], choices=[LOOP, PANDAS, ARROW], help="programs to leave out")
    of_tenths = "how many millions of tenths of a dollar to sum; 0 for none (default: 10)"
    parser.add_argument("--tenths", type=Decimal, default=Decimal(10), metavar="N", help=of_tenths)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was measured to this file")
    parser.add_argument("--docs", action="store_true", help="also write the table of docs/performance.md")
    return parser.parse_args()


def _report(rows: Sequence[Row], measured: Sequence[Goal], given: argparse.Namespace) -> None:
    document: dict[str, Any] = {
        "machine": bench_page.machine(),
        "rows": [
            {
                "events": row.events,
                "program": row.name,
                "planted": row.planted,
                "found": None if row.found is None else row.found.total(),
                "wrong": row.wrong,
                "seconds": row.run.seconds,
                "cpu": row.run.cpu,
                "mib": row.run.mib,
                "failure": row.run.failure,
            }
            for row in rows
        ],
        "goals": [{**asdict(goal), "is_met": goal.is_met} for goal in measured],
    }  # fmt: skip
    if given.json:
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if given.docs:
        bench_page.write(document)


def main() -> int:
    """Measure and print; 1 where findings are not those that are planted, or a sum is not exact."""
    given = _arguments()
    for name, value in bench_page.machine().items():
        print(f"{name:<10}{value}")
    only = [name for name in ALL if name not in given.without]
    sizes = sorted(int(millions * MILLION) for millions in given.millions)
    rows = [row for events in sizes for row in one_size(events, given.seed, only, planted=True)]
    clean = one_size(sizes[0], given.seed, only, planted=False)
    measured = list(goals(rows))
    print(f"\n{'goal':<52}{'measured':>10}{'goal':>10}")
    for goal in measured:
        sign = ">=" if goal.at_least else "<="
        print(f"{goal.what:<52}{goal.measured:>10.2f}{sign:>5}{goal.goal:>5g}{'' if goal.is_met else '   not met'}")
    is_exact = True
    if count := int(given.tenths * MILLION):
        done, total = sum_of_tenths(count)
        is_exact = total == Decimal(count) / 10
        how = "exact" if is_exact else f"NOT exact {done.failure}"
        print(f"\n{count:,} tenths of a dollar: {total} in {done.seconds:.1f} s, {how}")
    _report(rows, measured, given)
    return int(not is_exact or not all(row.is_right for row in (*rows, *clean)))


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
