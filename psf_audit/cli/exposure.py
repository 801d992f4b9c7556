"""`psf-audit exposure`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Reports
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, memory_mib, progress
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from psf_audit.exposure import Exposure
    from psf_audit.rendering import ReportFormat, View


def exposure(
    manifest: Annotated[Path, typer.Argument(help="The deployment manifest (YAML).")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day of the assessment, YYYY-MM-DD; today (UTC) if not given.")
    ] = None,
    evidence_root: Annotated[
        Path | None, typer.Option(help="Folder that evidence may not leave; the manifest's if not given.")
    ] = None,
    engine: Annotated[str, typer.Option(help="Engine that reads the log.")] = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Work out the most that a launch can cost.

    Before a human must look: from what is enforced, and from the claims alone.
    """
    from psf_audit import audit
    from psf_audit import manifest as manifests
    from psf_audit.cli.assess import day, folder
    from psf_audit.query import Bounds

    loaded = manifests.load(manifest)
    home = manifest.resolve().parent
    root = folder(evidence_root or home)
    read = [*(entry.path for entry in loaded.evidence), *loaded.prompts]
    inputs = [manifest, *(home / path for path in read)]
    reports = Reports(format_, output, inputs=inputs, force=force)
    bounds = Bounds(memory_mib=memory_mib(memory))
    with progress() as watch:
        options = audit.Options(as_of=day(as_of), engine=engine, evidence_root=root, bounds=bounds, watch=watch)
        found = audit.exposure_of_manifest(loaded, options)
    reports.deliver(lambda kind, view: _render(kind, found, view))


def _render(kind: ReportFormat, found: Exposure, view: View) -> str:
    if kind.exposure is None:
        raise ConfigurationError(f"the format {kind.name} has no form for an exposure alone")
    return kind.exposure(found, view)
