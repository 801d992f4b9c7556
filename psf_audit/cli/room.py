"""How much memory a command may take, and how it tells what it is doing while it takes long."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.query import Bounds

    Watch = Callable[[str, float | None], None]

MemoryOption = Annotated[
    str,
    typer.Option("--memory", metavar="SIZE", help="Memory for large logs, as 512MiB or 4GiB; the rest goes to disk."),
]
DEFAULT_MEMORY = "1GiB"
_SIZE = re.compile(r"(\d{1,9})\s*(MiB|GiB)\Z", re.IGNORECASE)
_LEAST_MIB = 128


@contextmanager
def room(memory: str) -> Iterator[tuple[Bounds, Watch | None]]:
    """What a command may use, and what it tells how far it is.

    Raises:
        ConfigurationError: the text is no size, or too small to work with.
    """
    from psf_audit.query import Bounds

    bounds = Bounds(memory_mib=_mib(memory))
    with _progress() as watch:
        yield bounds, watch


def _mib(text: str) -> int:
    """A size in MiB."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise ConfigurationError(f"--memory {text!r} is no size", hint="write it as 512MiB or 4GiB")
    size = int(match[1]) * (1024 if match[2].lower() == "gib" else 1)
    if size < _LEAST_MIB:
        raise ConfigurationError(f"--memory {text} is too little", hint=f"give {_LEAST_MIB}MiB or more")
    return size


def watched() -> bool:
    """Whether somebody sees the standard error while it is written: a terminal, and not one of a CI service."""
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return sys.stderr is not None and sys.stderr.isatty() and not in_ci


@contextmanager
def _progress() -> Iterator[Watch | None]:
    """What shows on a terminal how far a long step is; nothing where nobody watches."""
    if not watched():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from psf_audit.text import one_line, safe

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def watch(what: str, share: float | None) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[what] = bars.add_task(escape(safe(one_line(what))), total=None)
            bars.update(tasks[what], total=None if share is None else 1.0, completed=share or 0)

        yield watch
