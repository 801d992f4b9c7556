"""`psf-audit normalize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psf_audit.cli.options import EvidenceFormatOption
from psf_audit.cli.output import ForceOption, place_for
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room
from psf_audit.errors import ConfigurationError


def normalize(
    log: Annotated[Path, typer.Argument(help="The log: a file of any format that holds events, or a folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The Parquet file to write.")],
    format_: EvidenceFormatOption = None,
    force: ForceOption = False,
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Write a log as Parquet, with the columns of the table `events`.

    psf-audit, Spark and DuckDB read that faster than any other form. What was lost in reading stays in its metadata.
    """
    from psf_audit.columns.database import Database
    from psf_audit.normalize import normalize as write
    from psf_audit.text import one_line, plural, safe

    if output.resolve() == log.resolve() or output.is_dir():
        raise ConfigurationError(f"--output {str(output)!r} is the log itself or a folder", hint="name another file")
    if not output.resolve().parent.is_dir():
        raise ConfigurationError(f"--output {str(output)!r}: there is no folder {output.parent}")
    with place_for(output, force=force) as partial, room(memory) as (bounds, watch):
        done = write(log, partial, name=format_, database=Database(bounds.memory_mib, watch))
    typer.echo(f"wrote {safe(one_line(str(output)))}: {plural(done.events, 'event')} of {done.format}")
    for gap in done.gaps:
        typer.echo(safe(one_line(f"{gap.kind}: {gap.what}")), err=True)
    if done.facts:
        typer.echo(
            f"{plural(done.facts, 'fact')} in it that are no events: give the log itself as evidence too", err=True
        )
