"""`psf-audit report`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Reports


def report(
    assessment: Annotated[Path, typer.Argument(help="An assessment, as `assess -f json` wrote it.")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Its manifest, which formats for pipelines point at; looked for beside it if not given."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Render an assessment again, in any format."""
    from psf_audit import api
    from psf_audit.cli import repository

    reports = Reports(format_, output, inputs=[assessment, *([manifest] if manifest else [])], force=force)
    loaded = api.load(assessment)
    place = repository.folder_of(repository.manifest_of(assessment, loaded.manifest, manifest))
    reports.deliver(lambda kind, view: kind.assessment(loaded, replace(view, folder=place)))
