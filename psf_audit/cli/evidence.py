"""`psf-audit evidence`."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psf_audit.cli import table
from psf_audit.cli.options import EvidenceFormatOption
from psf_audit.cli.output import show
from psf_audit.errors import ExitCode
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psf_audit.artifact import EvidenceFormat
    from psf_audit.facts.store import EvidenceFile

app = typer.Typer(help="See what psf-audit reads in a file.", no_args_is_help=True, rich_markup_mode=None)

_SHOWN_EVENTS = 10


@app.command("formats")
def formats() -> None:
    """List the evidence formats: what each can speak to, and the tables its facts go to."""
    from psf_audit import collection

    rows = [
        [kind.name, ", ".join(kind.speaks_to), f"{kind.title} ({', '.join(kind.tables)})"]
        for kind in collection.formats().values()
    ]
    show(table.columns(rows, ["format", "speaks to", "what it is (tables)"]))


@app.command("show")
def show_(
    file: Annotated[Path, typer.Argument(help="The evidence file.")],
    format_: EvidenceFormatOption = None,
) -> None:
    """Show the facts in a file, with lines or pointers, and what this kind of file cannot prove."""
    from psf_audit import collection

    read, kind = collection.read_alone(file, format_)
    show("\n\n".join(_paragraphs(read, kind)))
    if not read.readable:
        raise typer.Exit(ExitCode.CANNOT_ASSESS)


def _paragraphs(file: EvidenceFile, kind: EvidenceFormat | None) -> Iterator[str]:
    from psf_audit.facts.model import Fact, Gap, Remark

    path = safe(one_line(file.path))
    yield f"{path}\n  format {file.format or 'unknown'}, {file.bytes} bytes, SHA-256 {file.sha256 or 'unknown'}"
    if file.problem:
        yield table.section("Problem", file.problem)
    stated = [("collected", file.collected), ("release", file.release), ("produced by", file.produced_by)]
    said = ", ".join(f"{name} {value}" for name, value in stated if value is not None)
    yield table.section("The file says of itself", said or "nothing: the manifest has to say when it was collected")
    facts = [item for item in file.items if isinstance(item, Fact)]
    rows = [[fact.table, fact.pointer or "-", fact.basis, _values(fact.values)] for fact in facts]
    yield table.columns(rows, ["table", "where", "basis", "fact"]) if rows else "No facts."
    if file.events:
        rows = [["events", event.pointer, _values(event.values)] for event in islice(file.events, _SHOWN_EVENTS)]
        counted = Counter(str(event.values.get("kind")) for event in file.events)
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
        yield table.columns(rows, ["table", "where", f"event (the first of {len(file.events)}: {kinds})"])
    gaps = [item for item in file.items if isinstance(item, Gap)]
    if gaps:
        yield table.columns([[gap.kind, gap.facts or "any", gap.what] for gap in gaps], ["gap", "in", "what"])
    remarks = [item.what for item in file.items if isinstance(item, Remark)]
    if remarks:
        yield "Said of it in the register\n" + "\n".join(_bullet(remark) for remark in remarks)
    if kind is not None:
        yield table.section("It can speak to", ", ".join(kind.speaks_to))
        yield "It cannot prove\n" + "\n".join(_bullet(text) for text in kind.cannot)


def _bullet(text: str) -> str:
    return table.section("  -", text).replace("-\n  ", "- ")


def _values(values: Mapping[str, Any]) -> str:
    """The columns that are filled, times readable."""
    from psf_audit.assess import moment, plain

    filled = {name: value for name, value in values.items() if value is not None}
    return ", ".join(
        f"{name.removesuffix('_ms')} {moment(value) if name.endswith('_ms') else plain(value)}"
        for name, value in filled.items()
    )
