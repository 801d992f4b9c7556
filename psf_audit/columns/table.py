"""One log in a table, and what all logs of an assessment come to: collections that read from the database."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psf_audit.errors import Unreadable
from psf_audit.facts.log import Book, Held, Known, Leave, Source
from psf_audit.facts.model import Event
from psf_audit.facts.tables import TABLES, Column, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psf_audit.artifact import Artifact
    from psf_audit.columns.database import Database

# What the file is and where an event stands in it is known of each table as a whole.
STORED = tuple(column for column in TABLES["events"].columns if column.name not in {"ref", "source", "ord"})

ROW = Column("psf_row", ColumnType.INTEGER, "the row of the event in its file")


class LogTable(Held):
    """The events of one file. Their rows are the lines that are not blank, from 1; not every line is an event."""

    row = "rowid + 1"

    def __init__(self, database: Database, name: str, events: int, rows: int, artifact: Artifact) -> None:
        """The table of that name, with so many events in so many rows."""
        self.database = database
        self.relation = f'(SELECT rowid, * FROM memory.main."{name}" WHERE NOT doubtful)'  # noqa: S608
        self.last = rows
        self._events = events
        self._artifact = artifact

    def __len__(self) -> int:
        return self._events

    def __iter__(self) -> Iterator[Event]:
        columns = ", ".join(f'"{column.name}"' for column in STORED)
        for values in self.database.rows(f"SELECT {self.row} AS {ROW.name}, {columns} FROM {self.relation}"):  # noqa: S608
            row = values.pop(ROW.name)
            filled = {name: value for name, value in values.items() if value is not None}
            yield Event(row, self.of(row) or "", filled)

    def __contains__(self, thing: object) -> bool:
        return any(event == thing for event in self)

    def gather(self, sources: Sequence[Source], leave: Leave, known: Known) -> Book:
        """The log of all sources, made by the database; see `psf_audit.facts.log.gather`."""
        from psf_audit.columns.log import gather

        return gather(self.database, sources, leave, known)

    def of(self, row: int) -> str | None:
        """The pointer of a row; None for a number that no row has."""
        if not 0 < row <= self.last:
            return None
        blanks = self._blanks
        if blanks is None:
            return f"entry {row}"
        # The line of a row is the row and all the blank lines before it; each step can only bring more of them.
        line = row
        while (moved := row + bisect_right(blanks, line)) != line:
            line = moved
        return f"line {line}"

    @cached_property
    def _blanks(self) -> array[int] | None:
        """The numbers of the blank lines; None where the file is no longer the one that was read."""
        blanks = array("q")
        try:
            self._artifact.unchanged()
            if self._artifact.count_lines() == self.last:
                return blanks
            last = 0
            for number, _ in self._artifact.raw_lines():
                blanks.extend(range(last + 1, number))
                last = number
        except Unreadable:
            return None
        return blanks


class LogRows(Collection[dict[str, Any]]):
    """The rows of the table `events`, in a relation of the database."""

    def __init__(self, database: Database, relation: str) -> None:
        """The relation has the columns of `events`."""
        self.database = database
        self.relation = relation

    @cached_property
    def _count(self) -> int:
        ((count,),) = self.database.run(f"SELECT COUNT(*) FROM {self.relation}")  # noqa: S608
        return int(count)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.database.rows(f"SELECT * FROM {self.relation}")  # noqa: S608

    def __contains__(self, thing: object) -> bool:
        return any(row == thing for row in self)
