"""Processes that assess, one deployment at a time each; one that dies costs the deployment that it was at.

They are started anew (`spawn`): a database must not be forked while it is open.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit.errors import ExitCode
from psf_audit.fleet.portfolio import Failed
from psf_audit.fleet.worker import Done, Job, serve
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_PATIENCE_SECONDS = 2.0


@dataclass(slots=True)
class _Worker:
    """A process, the way to it, and what it is at."""

    process: SpawnProcess
    way: Connection
    at: Path | None = None


def run(paths: Iterable[Path], job: Job, processes: int, told: Callable[[Done], None]) -> None:
    """Assess every manifest; `told` hears of each as it is done. An interrupt ends all processes before it goes on."""
    waiting = deque(paths)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.at is not None for worker in workers):
            while waiting and len(workers) < min(processes, len(waiting) + sum(w.at is not None for w in workers)):
                workers.append(_started(job))
            for worker in workers:
                if worker.at is None and waiting:
                    _give(worker, waiting)
            by_object: dict[object, _Worker] = {}
            for worker in workers:
                by_object |= {worker.way: worker, worker.process.sentinel: worker}
            ready = connection.wait(list(by_object))  # type: ignore[arg-type]
            for worker in {id(by_object[one]): by_object[one] for one in ready}.values():
                if not _hear(worker, told):
                    workers.remove(worker)
    finally:
        _end(workers)


def _started(job: Job) -> _Worker:
    context = multiprocessing.get_context("spawn")
    own, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, job), name="psf-audit-fleet", daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, own)


def _give(worker: _Worker, waiting: deque[Path]) -> None:
    path = waiting.popleft()
    try:
        worker.way.send(path)
    except (BrokenPipeError, OSError):  # it died while it had nothing to do: that is no fault of this one
        waiting.appendleft(path)
        return
    worker.at = path


def _hear(worker: _Worker, told: Callable[[Done], None]) -> bool:
    """Take what a worker says; whether it is still there."""
    with suppress(EOFError, OSError):
        if worker.way.poll():
            done = worker.way.recv()
            worker.at = None
            told(done)
            return True
    if worker.process.is_alive() and not connection.wait([worker.process.sentinel], 0.1):
        return True
    worker.process.join()
    if worker.at is not None:
        told(Done(Failed(safe(one_line(str(worker.at))), ExitCode.CANNOT_ASSESS, (_how(worker.process.exitcode),))))
    worker.way.close()
    return False


def _how(code: int | None) -> str:
    """How a process ended."""
    if code is None or code >= 0:
        return f"the process that assessed it ended with {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    memory = ": perhaps the system had no more memory" if -code == signal.SIGKILL else ""
    return f"the process that assessed it was ended by {name}{memory}"


def _end(workers: list[_Worker]) -> None:
    """Let idle processes go, and end those at work: kindly, so that they clean up, then at once."""
    for worker in workers:
        if worker.at is None:
            with suppress(OSError):
                worker.way.send(None)
        else:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(_PATIENCE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.way.close()
