"""What commands share: options, what their values mean, and how a command ends with a decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from psf_audit.cli import suggest
from psf_audit.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from datetime import date

    from psf_audit.gate import Decision

YEARS = range(2000, 2100)

DayOption = Annotated[
    str | None, typer.Option(metavar="DAY", help="Day of the assessment, YYYY-MM-DD; today (UTC) if not given.")
]
RootOption = Annotated[
    Path | None, typer.Option(help="Folder that evidence may not leave; the manifest's if not given.")
]
EngineOption = Annotated[str, typer.Option(help="Engine that runs the criteria.", autocompletion=suggest.engines)]
ExitZeroOption = Annotated[bool, typer.Option("--exit-zero", help="Exit 0 instead of 1; other codes stay as they are.")]
EvidenceFormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Read it as this format; recognised if not given.",
        autocompletion=suggest.evidence_formats,
    ),
]


def day(text: str | None) -> date:
    """The day a command is for; only here the clock is read.

    Raises:
        ConfigurationError: the text is no day.
    """
    from datetime import UTC, date, datetime

    if text is None:
        return datetime.now(UTC).date()
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--as-of {text!r} is no day", hint="write it as YYYY-MM-DD") from None
    if found.year not in YEARS:
        raise ConfigurationError(f"--as-of {text} cannot apply", hint="evidence is dated in the years 2000 to 2099")
    return found


def folder(root: Path) -> Path:
    """The folder, if it is one.

    Raises:
        ConfigurationError: it is none.
    """
    if not root.is_dir():
        raise ConfigurationError(f"--evidence-root {str(root)!r} is no folder")
    return root


def leave(decision: Decision, said: str, *, exit_zero: bool) -> NoReturn:
    """End a command with the code of a decision, and with its last line: what was said, and the code."""
    code = ExitCode.READY if exit_zero and decision.code is ExitCode.GATE_NOT_MET else decision.code
    typer.echo(f"{said} (exit {code.value})", err=True)
    raise typer.Exit(code.value)
