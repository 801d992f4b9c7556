"""Where reports go: the standard output, and files written all or not at all, never over another unless told to."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import typer

from psf_audit.cli import suggest
from psf_audit.errors import AuditError, ConfigurationError
from psf_audit.plugins import names
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from psf_audit.model import Assessment
    from psf_audit.rendering import ReportFormat, View

Form = TypeVar("Form")

_PIPED_WIDTH = 100

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"What to print: {', '.join(names('psf_audit.report'))}.",
        autocompletion=suggest.report_formats,
    ),
]
OutputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT=PATH",
        help="Also write a report to a file; may be repeated.",
        autocompletion=suggest.outputs,
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace files that are there; a link is replaced, never followed.")
]
_NOT_OVER = "give --force to replace it, or name another file"


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
        self,
        formats: Mapping[str, Form],
        printed: str,
        outputs: Sequence[str] | None,
        inputs: Iterable[Path] = (),
        *,
        force: bool = False,
    ) -> None:
        """Check formats and paths.

        Raises:
            ConfigurationError: an unknown format, an output that is no FORMAT=PATH, twice the same path, a path that is
                an input, or one where a file is already, unless `force` says to replace it.
        """
        self._formats = formats
        self._force = force
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
            check_free(target, force=force)
            taken.add(real)
            self._files.append((self._format(name), target))

    def _format(self, name: str) -> Form:
        if name not in self._formats:
            raise ConfigurationError(f"there is no format {name!r}", hint=f"known: {', '.join(self._formats)}")
        return self._formats[name]

    def deliver(self, render: Callable[[Form, View], str | bytes]) -> None:
        """Write every file, then print; nothing is left half written.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        from psf_audit.rendering import View

        plain = View(width=_PIPED_WIDTH, color=False)
        contents = [(path, render(kind, plain)) for kind, path in self._files]
        for path, content in contents:
            write(path, content, force=self._force)
            typer.echo(f"wrote {safe(one_line(str(path)))}", err=True)
        show(render(self._printed, view()))


def rendered(assessment: Assessment, name: str) -> bytes:
    """The report of an assessment in a format, as it is written to a file."""
    from psf_audit.rendering import View

    return _formats()[name].assessment(assessment, View(width=_PIPED_WIDTH, color=False)).encode("utf-8")


def file_names() -> dict[str, str]:
    """What a report of each format is called as a file."""
    return {name: name + "".join(kind.suffixes[:1]) for name, kind in _formats().items()}


class Reports(Outputs["ReportFormat"]):
    """The reports that a command was asked for, in the formats of assessments and comparisons."""

    def __init__(
        self, printed: str, outputs: Sequence[str] | None, *, inputs: Iterable[Path] = (), force: bool = False
    ) -> None:
        """Check formats and paths; errors as `Outputs`."""
        super().__init__(_formats(), printed, outputs, inputs, force=force)


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


def show(content: str | bytes) -> None:
    """Print text or bytes to the standard output; a reader that went away is no error.

    Raises:
        ConfigurationError: the system refuses.
    """
    if sys.stdout is None:  # a program can be started without any
        raise ConfigurationError("cannot write to the standard output: it is closed")
    try:
        data = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
        sys.stdout.buffer.write(data)
        if isinstance(content, str) and not content.endswith("\n"):
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


def check_free(path: Path, *, force: bool) -> None:
    """Whether a file may be written here; told before the work starts, and held to when it is written.

    Raises:
        ConfigurationError: something is there, a link to nowhere included, and `force` is not given; or it is nothing
            that a file replaces: a folder, a device.
    """
    try:
        there = path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    if stat.S_ISDIR(there.st_mode):
        raise ConfigurationError(f"cannot write {path}: Is a directory", hint="name a file in it")
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)):
        raise ConfigurationError(f"cannot write {path}: it is no file that could be replaced", hint="name another file")
    if not force:
        what = "is a link" if stat.S_ISLNK(there.st_mode) else "is there already"
        raise ConfigurationError(f"{path} {what}", hint=_NOT_OVER)


def keep_inputs(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read, whatever the links between them.

    Raises:
        ConfigurationError: the path is that of an input.
    """
    if _real(path) in {_real(one) for one in inputs}:
        raise ConfigurationError(f"--output {str(path)!r} would overwrite an input", hint="name another file")


def write(path: Path, content: str | bytes, *, force: bool = False) -> None:
    """Write a file all or not at all: to a file beside it first, then in one step in its place.

    Raises:
        ConfigurationError: something is there and `force` is not given, or the system refuses.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with place_for(path, force=force) as temporary:
        try:
            temporary.write_bytes(data)
        except OSError as error:
            raise _cannot(path, error) from error


@contextmanager
def place_for(path: Path, *, force: bool = False) -> Iterator[Path]:
    """An empty file beside a path, to be filled; when the block ends well it takes the path in one step, else it goes.

    A link at the path is never followed: without `force` it is refused like any file, with it the link is replaced.

    Raises:
        ConfigurationError: something is there and `force` is not given, or the system refuses.
    """
    check_free(path, force=force)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    temporary = Path(name)
    try:
        os.close(handle)
        yield temporary
        _put(temporary, path, force=force)
    finally:
        temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path, *, force: bool) -> None:
    """Give a finished file its name; without `force` one that nothing has, which the system decides, not a look."""
    try:
        _to_disk(temporary)
        temporary.chmod(0o666 & ~_umask())
        if force:
            temporary.replace(path)
        else:
            _name(temporary, path)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already", hint=_NOT_OVER) from error
    except OSError as error:
        raise _cannot(path, error) from error


def _name(temporary: Path, path: Path) -> None:
    """Give a file a name that nothing has.

    Raises:
        FileExistsError: something has it.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file has one name only here, as on FAT: take the name with an empty file, then replace that
        path.open("xb").close()
        try:
            temporary.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _cannot(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
