"""Where a file stands in its repository, for formats that name files as a pipeline does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psf_audit.errors import ConfigurationError, Unreadable

if TYPE_CHECKING:
    from psf_audit.model import Source


def folder_of(path: Path) -> str:
    """The folder of a file, its links followed, below the top of its repository.

    Where there is no repository, below the working folder; empty at the top, and where the file is below neither.
    """
    folder = path.resolve().parent
    top = next((above for above in (folder, *folder.parents) if (above / ".git").exists()), Path.cwd().resolve())
    return folder.relative_to(top).as_posix().removeprefix(".") if folder.is_relative_to(top) else ""


def manifest_of(assessment: Path, source: Source, given: Path | None) -> Path:
    """The manifest of a stored assessment: the one that is given, else the one beside it, whether it is there or not.

    Raises:
        ConfigurationError: the one that is given is not what was assessed, so that its lines would be wrong.
    """
    if given is None:
        return assessment.parent / source.path.rpartition("/")[2]
    import hashlib

    from psf_audit.reading import read_bytes

    try:
        sha256 = hashlib.sha256(read_bytes(given)).hexdigest()
    except Unreadable as error:
        raise ConfigurationError(f"--manifest {str(given)!r} {error.message}", hint=error.hint) from error
    if sha256 != source.sha256:
        hint = "give the manifest as it was then, or assess it again"
        raise ConfigurationError(f"--manifest {str(given)!r} is not the manifest that was assessed", hint=hint)
    return given
