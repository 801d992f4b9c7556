"""Start-up and assessment times, as ratios to a Python that does nothing else.

Each round runs every command once, so that a slow moment of the machine hits all of them; the first round is not
counted. Ratios can be compared between machines, milliseconds only on one.
"""

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sys.executable).with_name("psf-audit"))
NOTHING = (sys.executable, "-c", "pass")
IMPORTS = (sys.executable, "-c", "import duckdb, jinja2, yaml, jsonschema, rich, typer")
HELP_GOAL = 150
ASSESS_GOAL = 600


@dataclass(frozen=True)
class Case:
    """A command, what it is compared with, and the milliseconds it should stay within."""

    name: str
    command: tuple[str, ...]
    baseline: tuple[str, ...]
    goal: int


def cases() -> list[Case]:
    """The help, and one assessment for each sample."""
    found = [Case("--help", (PROGRAM, "--help"), NOTHING, HELP_GOAL)]
    for manifest in sorted(ROOT.glob("samples/*/manifest.yaml")):
        command = (PROGRAM, "assess", "--exit-zero", str(manifest))
        found.append(Case(f"assess {manifest.parent.name}", command, IMPORTS, ASSESS_GOAL))
    return found


def milliseconds(command: tuple[str, ...]) -> float:
    """How long one run of the command takes; ends the benchmark if the command fails."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return elapsed * 1000


def medians(commands: list[tuple[str, ...]], rounds: int) -> dict[tuple[str, ...], float]:
    """The median time of each command over interleaved rounds."""
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in commands}
    for count in range(rounds + 1):
        for command, taken in times.items():
            elapsed = milliseconds(command)
            if count > 0:
                taken.append(elapsed)
    return {command: statistics.median(taken) for command, taken in times.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Start-up and assessment times, as ratios to bare Python.")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="runs of each command (default: 9)")
    rounds = max(1, parser.parse_args().rounds)
    table = cases()
    middle = medians([NOTHING, IMPORTS, *(case.command for case in table)], rounds)
    print(f"median of {rounds} interleaved runs\n")
    print(f"{'command':<28}{'ratio':>8}{'ms':>8}{'goal ms':>9}   compared with")
    for case in table:
        taken, base = middle[case.command], middle[case.baseline]
        against = f"{'python -c pass' if case.baseline is NOTHING else 'importing the libraries'} ({base:.0f} ms)"
        verdict = "" if taken <= case.goal else "   over the goal"
        print(f"{case.name:<28}{taken / base:>7.2f}x{taken:>8.0f}{case.goal:>9}   {against}{verdict}")


if __name__ == "__main__":
    main()
