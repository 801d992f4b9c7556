"""`psf-audit replay`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli import suggest
from psf_audit.cli.options import day
from psf_audit.cli.output import ForceOption, OutputOption, Outputs
from psf_audit.cli.room import DEFAULT_MEMORY, MemoryOption, room

if TYPE_CHECKING:
    from collections.abc import Callable

    from psf_audit.rendering import View
    from psf_audit.replay.story import Replay


def replay(
    logs: Annotated[
        list[Path] | None, typer.Argument(metavar="LOG", help="The logs; those of the manifest if none is given.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", "-m", help="Try the guardrails of this deployment, and read its records."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="AMOUNT", help="A ceiling: 100usd/session, 3repeats/run, 10..1000usd/run; repeatable."),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(metavar="AMOUNT", help="A person must look: 30m, 50usd, 25actions, stop-request, tool=PATTERN."),
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option(metavar="RATE", help="A rate of calls: 60/min, 20actions/h/tool.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="PATTERNS", help="Only these tools, or target=... only these targets.")
    ] = None,
    deny: Annotated[list[str] | None, typer.Option(metavar="PATTERNS", help="Never these tools or targets.")] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What to print: terminal, markdown, html or json.")
    ] = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="What is dated later is left out, YYYY-MM-DD; today (UTC) if not given."),
    ] = None,
    evidence_root: Annotated[
        Path | None,
        typer.Option(help="Folder that evidence of the manifest may not leave; the manifest's if not given."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Engine that runs the checks.", autocompletion=suggest.engines)
    ] = "duckdb",
    memory: MemoryOption = DEFAULT_MEMORY,
) -> None:
    """Replay a log: when each guardrail would have stopped it, and what that would have saved.

    It exits 0 whatever it finds: a replay tells, and gates nothing.
    """
    from psf_audit.replay import grammar, run

    inputs = [*(logs or []), *([manifest] if manifest is not None else [])]
    outputs = Outputs(_forms(), format_, output, inputs, force=force)
    given = {"--limit": limit, "--gate": gate, "--rate": rate, "--allow": allow, "--deny": deny}
    options = run.Options(
        as_of=day(as_of),
        guardrails=tuple(grammar.guardrails([(name, text) for name, texts in given.items() for text in texts or ()])),
        manifest=manifest,
        evidence_root=evidence_root,
        engine=engine,
    )
    with room(memory) as (bounds, watch):
        told = run.run(logs or [], replace(options, bounds=bounds), watch)
    outputs.deliver(lambda render, view: render(told, view))


def _forms() -> dict[str, Callable[[Replay, View], str]]:
    """Every form of a replay, by name."""
    from psf_audit.replay import html, markdown, terminal, wire
    from psf_audit.wire import dumps

    return {
        "terminal": terminal.text,
        "markdown": markdown.text,
        "html": html.text,
        "json": lambda replay, _: dumps(wire.to_json(replay)),
    }
