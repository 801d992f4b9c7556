"""Where reports go: the standard output, and files written all or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import typer

from psf_audit.errors import AuditError, ConfigurationError
from psf_audit.plugins import names
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from psf_audit.rendering import ReportFormat, View

Form = TypeVar("Form")

_PIPED_WIDTH = 100

FormatOption = Annotated[
    str,
    typer.Option("--format", "-f", metavar="FORMAT", help=f"What to print: {', '.join(names('psf_audit.report'))}."),
]
OutputOption = Annotated[
    list[str] | None,
    typer.Option("--output", "-o", metavar="FORMAT=PATH", help="Also write a report to a file; may be repeated."),
]


def complain(error: AuditError) -> None:
    """Print an error: every problem on its own line, or the message and what to do."""
    if error.problems:
        for problem in error.problems:
            typer.echo(safe(one_line(str(problem))), err=True)
        if len(error.problems) > 1:
            typer.echo(f"psf-audit: {safe(one_line(error.message))}: {len(error.problems)} problems", err=True)
        return
    hint = f"; {error.hint}" if error.hint else ""
    typer.echo(f"psf-audit: {safe(one_line(str(error.message) + hint))}", err=True)


class Outputs(Generic[Form]):
    """What a command was asked to write; made before the work starts, so that a wrong name costs nothing."""

    def __init__(
        self, formats: Mapping[str, Form], printed: str, outputs: Sequence[str] | None, inputs: Iterable[Path] = ()
    ) -> None:
        """Check formats and paths.

        Raises:
            ConfigurationError: an unknown format, an output that is no FORMAT=PATH, twice the same path, or a path that
                is an input.
        """
        self._formats = formats
        self._printed = self._format(printed)
        self._files: list[tuple[Form, Path]] = []
        taken = {_real(path) for path in inputs}
        for output in outputs or ():
            name, separator, path = output.partition("=")
            if not separator or not path:
                raise ConfigurationError(f"--output {output!r} is not FORMAT=PATH", hint="for example html=report.html")
            target = Path(path)
            real = _real(target)
            if real in taken:
                raise ConfigurationError(f"--output {output!r} would overwrite an input or another output")
            if not real.parent.is_dir():
                raise ConfigurationError(f"--output {output!r}: there is no folder {target.parent}")
            taken.add(real)
            self._files.append((self._format(name), target))

    def _format(self, name: str) -> Form:
        if name not in self._formats:
            raise ConfigurationError(f"there is no format {name!r}", hint=f"known: {', '.join(self._formats)}")
        return self._formats[name]

    def deliver(self, render: Callable[[Form, View], str]) -> None:
        """Write every file, then print; nothing is left half written.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        from psf_audit.rendering import View

        plain = View(width=_PIPED_WIDTH, color=False)
        texts = [(path, render(kind, plain)) for kind, path in self._files]
        for path, text in texts:
            write(path, text)
            typer.echo(f"wrote {safe(one_line(str(path)))}", err=True)
        show(render(self._printed, view()))


class Reports(Outputs["ReportFormat"]):
    """The reports that a command was asked for, in the formats of assessments and comparisons."""

    def __init__(self, printed: str, outputs: Sequence[str] | None, *, inputs: Iterable[Path] = ()) -> None:
        """Check formats and paths; errors as `Outputs`."""
        super().__init__(_formats(), printed, outputs, inputs)


def _formats() -> dict[str, ReportFormat]:
    from psf_audit.plugins import discover
    from psf_audit.rendering import ReportFormat

    return discover("psf_audit.report", ReportFormat)


def view() -> View:
    """Where the standard output is read: how wide it is, and whether colour means anything there."""
    from psf_audit.rendering import View

    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size((_PIPED_WIDTH, 24)).columns
    color = bool(os.environ.get("FORCE_COLOR")) or (terminal and not os.environ.get("NO_COLOR"))
    return View(width=max(width, 40), color=color)


def show(text: str) -> None:
    """Print text to the standard output; a reader that went away is no error.

    Raises:
        ConfigurationError: the system refuses.
    """
    if sys.stdout is None:  # a program can be started without any
        raise ConfigurationError("cannot write to the standard output: it is closed")
    try:
        sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
        if not text.endswith("\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _discard_output()
        raise ConfigurationError(f"cannot write to the standard output: {error.strerror or error}") from error


def _discard_output() -> None:
    """The interpreter flushes once more when it ends; what it could not write the first time has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _real(path: Path) -> Path:
    """The path with its links followed; as it stands where they lead nowhere."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path.absolute()


def write(path: Path, text: str) -> None:
    """Write a file all or not at all: to a file beside it first, then in one step in its place.

    Raises:
        ConfigurationError: the system refuses.
    """
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path.resolve() if path.is_symlink() else path)
    except (OSError, RuntimeError, ValueError) as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ConfigurationError: it is there, or the system refuses.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            try:
                stream.write(text)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already", hint="nothing is overwritten") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
