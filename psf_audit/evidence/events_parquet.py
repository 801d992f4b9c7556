"""The native action log as Parquet: what `psf-audit normalize` writes, or anything with columns of an event log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.artifact import Artifact, EvidenceFormat
from psf_audit.columns.database import Database
from psf_audit.columns.parquet import MAGIC, ParquetLog
from psf_audit.columns.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.facts.model import Item

_PARQUET = ParquetLog()


def _sniff(artifact: Artifact) -> bool:
    return artifact.start.startswith(MAGIC)


def _read(artifact: Artifact) -> Iterator[Item]:
    log = LogTable(Database())
    yield from _PARQUET.load(artifact, log, lambda items: items) or ()
    yield from log


EVENTS_PARQUET = EvidenceFormat(
    name="events-parquet",
    title="action log (Parquet)",
    suffixes=(".parquet",),
    tables=("events",),
    speaks_to=("held",),
    cannot=(
        "That the log is complete: what was never written leaves no trace, and rows can be taken out unseen.",
        "That it says what its source said: whoever converted it could change it. Keep the source beside it.",
    ),
    sniff=_sniff,
    read=_read,
    stack="psf-audit, Spark, DuckDB",
    reads=(
        "one event a row: the columns of the table `events`, of which `at_ms` and `kind` must be there",
        "`pointer`: where the event stood in the log that was converted",
        "metadata of `psf-audit normalize`: who wrote the log, for which release, what it lacks, what was lost",
    ),
    proves=(
        "What was done, by whom, with whose approval and at what cost, as far as its writer can be trusted.",
        "That a limit, gate or boundary acted, or that work went on past it.",
    ),
    export=("psf-audit normalize LOG --output events.parquet",),
    columnar=_PARQUET,
)
