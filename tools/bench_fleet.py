"""How long a fleet takes, cold and warm, how much memory, and what is left when it is killed at a random moment.

Fleets are generated, the same each time. Every figure is of one run; times and memory never decide the exit code, a
half-written file or other bytes after a kill do.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import fleets  # noqa: E402  the checkout is no installed package
from tools import bench_page  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
PART = re.compile(r"(<!-- measured: bench-fleet -->\n).*?(<!-- end -->)", re.DOTALL)
COLD_GOAL, WARM_GOAL = 60, 5
KILLED = 40  # deployments in the fleet that is killed
_TICK_SECONDS = 0.1
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True)
class Measured:
    """One run: wall and CPU milliseconds for each deployment, peak MiB of the parent and of its largest worker."""

    what: str
    count: int
    wall: float
    processor: float
    parent: int
    worker: int

    def cells(self) -> list[str]:
        """The row of the table."""
        numbers = (f"{self.wall:.1f}", f"{self.processor:.1f}", str(self.parent or ""), str(self.worker or ""))
        return [self.what, f"{self.count:,}", *numbers]


HEADER = ["run", "of", "ms each", "CPU ms each", "peak MiB, parent", "peak MiB, worker"]


def command(fleet: Path, cache: Path, *more: str) -> list[str]:
    """The program under test."""
    fixed = ["--as-of", fleets.AS_OF.isoformat(), "--cache", str(cache), "-f", "json", "--exit-zero"]
    return [sys.executable, "-m", "psf_audit", "fleet", str(fleet), *fixed, *more]


def measured(what: str, count: int, arguments: list[str]) -> Measured:
    """One run with its peaks, read from the system while it runs; ends the benchmark if the run fails."""
    before, started = os.times(), time.perf_counter()
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        peaks: dict[int, int] = {}
        while process.poll() is None:
            for pid in (process.pid, *children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), peak(pid))
            time.sleep(_TICK_SECONDS)
        told = process.stderr.read().decode() if process.stderr else ""
    if process.returncode not in {0, 3}:
        sys.exit(f"{' '.join(arguments)}: exit code {process.returncode}\n{told}")
    elapsed, after = time.perf_counter() - started, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    parent = peaks.pop(process.pid, 0)
    each = 1000 / count
    return Measured(what, count, elapsed * each, spent * each, parent, max(peaks.values(), default=0))


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(number) for number in text.split()]


def peak(pid: int) -> int:
    """The most memory that a process had, in MiB; 0 where it is gone."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except OSError:
        return 0
    return int(found[1]) // 1024 if found else 0


def one_by_one(fleet: Path, most: int = 5) -> Measured:
    """The first deployments of a fleet, each assessed by a program of its own."""
    paths = sorted(fleet.rglob("manifest.yaml"))[:most]
    before, started = os.times(), time.perf_counter()
    for path in paths:
        arguments = [sys.executable, "-m", "psf_audit", "assess", str(path), "--as-of", fleets.AS_OF.isoformat()]
        subprocess.run(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    elapsed, after = time.perf_counter() - started, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    each = 1000 / len(paths)
    return Measured("psf-audit assess, one by one", len(paths), elapsed * each, spent * each, 0, 0)


# --------------------------------------------------------------------------------------------------------------- kills


def unfinished(folder: Path) -> list[Path]:
    """The files that have the name of a whole one and are none."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.startswith("."):
            continue
        text = path.read_text(encoding="utf-8")
        whole = text.endswith("</html>\n") if path.suffix == ".html" else text.rstrip().endswith("}")
        found += [] if whole else [path]
    return found


def killed(folder: Path, times: int, *, seed: int) -> int:
    """Kill runs at random moments, now the program, now one of its workers; how many runs were hit.

    After each kill no file that has its name is half written; in the end one run finishes to the bytes that a run
    which nobody disturbs gives.
    """
    fleet = folder / "fleet"
    fleets.make(fleet, KILLED)
    calm, hit = folder / "calm", folder / "hit"
    outputs = [finished(fleet, calm)]
    chance, struck = random.Random(seed), 0  # noqa: S311  moments, no secrets
    for number in range(times):
        if number % 10 == 0:
            shutil.rmtree(hit, ignore_errors=True)
        arguments = command(fleet, hit / "cache", "--reports", str(hit))
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.2, 3))
            victims = [process.pid] if number % 2 else children(process.pid)
            for victim in victims[:1]:
                struck += process.poll() is None
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            if number % 2 == 0:
                process.terminate()
        if halves := unfinished(hit):
            sys.exit(f"half written after kill {number + 1}: {halves}")
    outputs.append(finished(fleet, hit))
    if outputs[0] != outputs[1]:
        sys.exit("a run that was killed and resumed gave other bytes than one that was not")
    return struck


def finished(fleet: Path, folder: Path) -> dict[str, bytes]:
    """All that a run leaves when nobody disturbs it: the portfolio and every report."""
    done = subprocess.run(
        command(fleet, folder / "cache", "--reports", str(folder)), cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode not in {0, 3}:
        sys.exit(f"exit code {done.returncode}\n{done.stderr.decode()}")
    reports = {path.name: path.read_bytes() for path in folder.glob("*.*") if not path.name.startswith(".")}
    return {"stdout": done.stdout, **reports}


# ---------------------------------------------------------------------------------------------------------------- page


def table(rows: list[Measured], kills: str) -> str:
    """What was measured, as Markdown."""
    machine = ", ".join(f"{name}: {value}" for name, value in bench_page.machine().items())
    lines = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *(row.cells() for row in rows)]
    cells = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{machine}.\n\n{cells}\n\n{kills}\n"


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description="Time and memory of fleets, and what is left when one is killed.")
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000], help="deployments (default: 100 1000)")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="runs to kill (default: 50)")
    parser.add_argument("--docs", action="store_true", help="also write the table into docs/performance.md")
    given = parser.parse_args()
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="psf-audit-fleet-") as name:
        home = Path(name)
        for size in given.sizes:
            fleet, cache = home / f"fleet-{size}", home / f"cache-{size}"
            fleets.make(fleet, size)
            if not rows:
                rows.append(one_by_one(fleet))
            rows += [measured(what, size, command(fleet, cache)) for what in ("fleet, cold", "fleet, warm")]
            print("\n".join(str(row) for row in rows[-3:]), flush=True)
            shutil.rmtree(fleet)
        struck = killed(home, given.kills, seed=1) if given.kills else 0
    kills = (
        f"Killed at random moments {given.kills} times ({struck} of them while it ran): no half-written file, and the "
        "same bytes in the end."
        if given.kills
        else ""
    )
    text = table(rows, kills)
    print(f"\n{text}\ngoals: {COLD_GOAL} ms each cold, {WARM_GOAL} ms each warm")
    if given.docs:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(PART.sub(lambda found: f"{found[1]}{text}{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
