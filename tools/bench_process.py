"""A program run for a benchmark: what it printed, and the time and memory that it took."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SHARE = 0.8  # of the free memory that a program may take, so that it fails before the machine does


@dataclass(frozen=True)
class Run:
    """What a program printed and took; `failure` says why there is no output, and is empty where it ended well."""

    output: str
    seconds: float
    cpu: float
    mib: float
    failure: str = ""


def run(command: Sequence[str]) -> Run:
    """Run a program to its end, with the packages of the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=errors) as running:
            # The usage of this child alone: `getrusage` has the largest of all that were waited for.
            _, status, usage = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        taken = (seconds, usage.ru_utime + usage.ru_stime, mib)
        if running.returncode:
            said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            how = f"exit code {running.returncode} after {seconds:.0f} s and {mib:.0f} MiB"
            return Run("", *taken, f"{how}: {said[-1][:200]}")
        return Run(output.read().decode(), *taken)


def stay_within_free_memory() -> None:
    """Let this program fail before it takes more memory than is free; does nothing where that is not known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    free_kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    limit = round(free_kib * 2**10 * _SHARE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
