"""From a log of any format to the canonical Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit import collection
from psf_audit.columns import parquet
from psf_audit.columns.database import Database
from psf_audit.columns.table import LogTable
from psf_audit.errors import CannotAssess
from psf_audit.facts.model import Fact, Gap, Stated

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Normalized:
    """What was written: the format of the log, its events, what was lost, and the facts that are no events."""

    format: str
    events: int
    gaps: tuple[Gap, ...]
    facts: int


def normalize(log: Path, target: Path, *, name: str | None = None, database: Database | None = None) -> Normalized:
    """Write the events of a log, or of a folder with one, as Parquet.

    Raises:
        CannotAssess: the log cannot be read or holds no event, or the system refuses to write.
    """
    database = database or Database()
    file, _ = collection.read_alone(log, name, database)
    if not file.readable:
        raise CannotAssess(f"{log} {file.problem}")
    if not file.events:
        raise CannotAssess(f"{log} holds no event", hint=f"it was read as {file.format}; a log of calls is expected")
    table = file.events
    if not isinstance(table, LogTable):
        table = LogTable(database)
        table.append(file.events)
    parquet.write(table, file.items, Stated(file.collected, file.release, file.produced_by), target)
    return Normalized(
        format=file.format or "",
        events=len(table),
        gaps=tuple(item for item in file.items if isinstance(item, Gap)),
        facts=sum(isinstance(item, Fact) for item in file.items),
    )
