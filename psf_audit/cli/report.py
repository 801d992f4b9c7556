"""`psf-audit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli.output import FormatOption, OutputOption, Reports


def report(
    assessment: Annotated[Path, typer.Argument(help="An assessment, as `assess -f json` wrote it.")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
) -> None:
    """Render an assessment again, in any format."""
    from psf_audit.cli import stored

    reports = Reports(format_, output, inputs=[assessment])
    loaded = stored.load(assessment)
    reports.deliver(lambda kind, view: kind.assessment(loaded, view))
