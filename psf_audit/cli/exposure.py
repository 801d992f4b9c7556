"""`psf-audit exposure`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli import suggest
from psf_audit.cli.options import DayOption, RootOption, day, folder
from psf_audit.cli.output import ForceOption, FormatOption, OutputOption, Reports
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room


def exposure(
    manifest: Annotated[Path, typer.Argument(help="The deployment manifest (YAML).")],
    format_: FormatOption = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: DayOption = None,
    evidence_root: RootOption = None,
    engine: Annotated[str, typer.Option(help="Engine that reads the log.", autocompletion=suggest.engines)] = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Work out the most that a launch can cost.

    Before a human must look: from what is enforced, and from the claims alone.
    """
    from psf_audit import api, audit
    from psf_audit import manifest as manifests

    loaded = manifests.load(manifest)
    home = manifest.resolve().parent
    root = folder(evidence_root or home)
    read = [*(entry.path for entry in loaded.evidence), *loaded.prompts]
    reports = Reports(format_, output, inputs=[manifest, *(home / path for path in read)], force=force)
    options = audit.Options(as_of=day(as_of), engine=engine, evidence_root=root)
    with room(memory) as (bounds, watch):
        found = audit.exposure_of_manifest(loaded, replace(options, bounds=bounds, watch=watch))
    reports.deliver(lambda kind, view: api.render(found, kind.name, view))
