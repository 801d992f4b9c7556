"""`psf-audit hook`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli import assess
from psf_audit.cli.options import DayOption, ExitZeroOption
from psf_audit.cli.output import complain
from psf_audit.errors import AuditError, ConfigurationError, ExitCode, Unreadable

# Of a manifest that is no YAML as well: that is a mistake to report, not a reason to pass it over.
_MANIFEST = re.compile(rb"""^\s*["']?schema["']?\s*:\s*["']?psf-audit/manifest/""", re.MULTILINE)


def hook(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="The files of a commit.")] = None,
    as_of: DayOption = None,
    fail_on: assess.FailOnOption = None,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Assess each manifest among some files.

    This is what the hook for pre-commit runs. Files that are no manifest are passed over; of the exit codes the highest
    counts.
    """
    codes = [ExitCode.READY.value]
    for path in files or ():
        try:
            if _is_manifest(path):
                assess.assess(path, as_of=as_of, fail_on=fail_on, exit_zero=exit_zero)
        except typer.Exit as exit_:
            codes.append(exit_.exit_code)
        except AuditError as error:
            complain(error)
            codes.append(error.exit_code.value)
    raise typer.Exit(max(codes))


def _is_manifest(path: Path) -> bool:
    from psf_audit.reading import read_bytes

    try:
        return _MANIFEST.search(read_bytes(path)) is not None
    except Unreadable as error:
        raise ConfigurationError(f"{path} {error}") from error
