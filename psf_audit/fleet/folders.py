"""Folders that a run writes to: made, and swept of what a killed run left, if no other run is at work there."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCK = ".psf-audit-lock"


@contextmanager
def in_use(folders: Iterable[Path]) -> Iterator[None]:
    """Hold folders while a run writes to them; several runs can, and the first of them sweeps.

    Raises:
        ConfigurationError: one cannot be made or written to.
    """
    with ExitStack() as stack:
        for folder in folders:
            try:
                folder.mkdir(exist_ok=True)
                lock = stack.enter_context((folder / LOCK).open("a"))
                if _alone(lock):
                    _sweep(folder)
                _share(lock)
            except OSError as error:
                raise ConfigurationError(f"cannot write to {folder}: {error.strerror or error}") from error
        yield


def _alone(lock: IO[str]) -> bool:
    """Whether no other run holds the folder; where locks are not known nobody can tell, and nothing is swept."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _share(lock: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(lock, fcntl.LOCK_SH)


# The names of files that were begun and not finished: `cli/output.py` gives them.
_UNFINISHED = re.compile(r"\.(?:[0-9a-f]{64}|.+-[0-9a-f]{8})\.(?:html|json)\.\w{8}\Z")


def _sweep(folder: Path) -> None:
    """Remove the unfinished files of a run that was killed."""
    for path in (*folder.glob(".*"), *folder.glob("??/.*")):
        if _UNFINISHED.match(path.name) and path.is_file():
            path.unlink(missing_ok=True)
