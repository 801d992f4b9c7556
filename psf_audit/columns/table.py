"""One log in a table, and what all logs of an assessment come to: collections that read from the database."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from psf_audit.columns.database import LOGS, literal
from psf_audit.columns.rows import definition, insert
from psf_audit.errors import Unreadable
from psf_audit.facts.log import Book, Held, Known, Leave, Placed, Source
from psf_audit.facts.model import Carries, Event
from psf_audit.facts.tables import TABLES, Column, ColumnType

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Sequence

    from psf_audit.artifact import Artifact
    from psf_audit.columns.database import Database

# What the file is and where an event stands in it is known of each table as a whole.
STORED = tuple(column for column in TABLES["events"].columns if column.name not in {"ref", "source", "ord"})
POINTER = Column("pointer", ColumnType.TEXT, "where in its file the event stands, where that is not its line")
_PLACE = Column("psf_place", ColumnType.INTEGER, "where in the table an event belongs")
_DOUBTFUL = Column("doubtful", ColumnType.BOOLEAN, "true for a line that is no event, or none yet")
_EMPTY: dict[str, Any] = dict.fromkeys(column.name for column in STORED)


class LogTable(Held):
    """The events of one file, or of the files of a folder one after the other.

    The rows, from 1, are the lines that are not blank, or whatever else a file has; not each of them is an event.
    """

    row = "rowid + 1"

    def __init__(self, database: Database) -> None:
        """An empty table; `part` is the file of a folder that is read into it."""
        self.database = database
        self.name = database.name("log")
        self.last = 0
        self.part = ""
        self.relation = f'(SELECT rowid, * FROM {LOGS}.main."{self.name}" WHERE NOT doubtful)'  # noqa: S608
        self._parts: list[tuple[int, Where]] = []
        database.run(f'CREATE TABLE "{self.name}" ({definition((*STORED, POINTER, _DOUBTFUL))})')

    def append(self, events: Iterable[Event]) -> None:
        """Add events that a format read."""
        rows = (
            {**_EMPTY, **event.values, POINTER.name: self._pointer(event.pointer), _DOUBTFUL.name: False}
            for event in events
        )
        insert(self.database.logs, self.name, (*STORED, POINTER, _DOUBTFUL), rows)
        self.placed_by_pointers()

    def added(self) -> int:
        """How many rows were added since the last ones were placed."""
        ((rows,),) = self.database.run(f'SELECT COUNT(*) FROM "{self.name}"')  # noqa: S608
        return int(rows) - self.last

    def placed_by_pointers(self) -> None:
        """Note that the rows that were added have pointers stored with them, or stand where their numbers say."""
        first, rows = self.last, self.added()
        self.placed(first, rows, Pointers(self, first, rows))

    def carried(self, first: int) -> Carries:
        """The columns that some event after the `first` rows fills."""
        # A column that is filled at all is mostly filled at once: to look for one value is less than to count them.
        events = f'"{self.name}" WHERE rowid >= {first} AND NOT doubtful'
        filled = (
            column.name
            for column in STORED
            if self.database.run(f'SELECT 1 FROM {events} AND "{column.name}" IS NOT NULL LIMIT 1')  # noqa: S608
        )
        return Carries(frozenset(filled))

    def placed(self, first: int, rows: int, places: Where) -> None:
        """Note that the rows after the `first` ones, so many, stand where `places` says; there they count from 1."""
        # Pointers that are stored name the part already.
        is_within = self.part and not isinstance(places, Pointers)
        self._parts.append((first, Within(self.part, places) if is_within else places))
        self.last = first + rows
        self.__dict__.pop("_count", None)

    def forget(self, first: int) -> None:
        """Make no event of the rows after the `first` ones; to delete them would change the places of later ones."""
        self.database.run(f'UPDATE "{self.name}" SET doubtful = TRUE WHERE rowid >= {first}')  # noqa: S608
        self.__dict__.pop("_count", None)

    def _pointer(self, pointer: str) -> str:
        return f"{self.part} {pointer}" if self.part else pointer

    def put(self, events: Sequence[Event]) -> None:
        """Put events into rows that are in doubt; the row of such an event is the place in the table, from 0."""
        staged = self.database.name("staged")
        columns = (*STORED, _PLACE)
        self.database.run(f'CREATE TABLE "{staged}" ({definition(columns)})')
        rows = ({**_EMPTY, **event.values, _PLACE.name: event.row} for event in events)
        insert(self.database.logs, staged, columns, rows)
        changes = ", ".join(f'"{column.name}" = s."{column.name}"' for column in STORED)
        moved = f'SET {changes}, doubtful = FALSE FROM "{staged}" AS s WHERE "{self.name}".rowid = s.{_PLACE.name}'
        self.database.run(f'UPDATE "{self.name}" {moved}')
        self.database.run(f'DROP TABLE "{staged}"')

    @cached_property
    def _count(self) -> int:
        ((count,),) = self.database.run(f"SELECT COUNT(*) FROM {self.relation}")  # noqa: S608
        return int(count)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Event]:
        columns = ", ".join(f'"{column.name}"' for column in STORED)
        for values in self.database.rows(f"SELECT {self.row} AS {_PLACE.name}, {columns} FROM {self.relation}"):  # noqa: S608
            row = values.pop(_PLACE.name)
            yield Event(row, self.of(row) or "", {name: value for name, value in values.items() if value is not None})

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
        first, places = self._parts[bisect_right(self._parts, row - 1, key=lambda part: part[0]) - 1]
        return places.of(row - first)

    def pointer(self, row: int) -> str | None:
        """The pointer that is stored with a row."""
        found = self.database.run(f'SELECT pointer FROM "{self.name}" WHERE rowid = {row - 1}')  # noqa: S608
        return found[0][0] if found else None

    def pointers(self) -> str:
        """The pointers of all rows in SQL."""
        cases = " ".join(
            f"WHEN rowid >= {first} THEN {places.sql(f'rowid - {first} + 1')}"
            for first, places in reversed(self._parts)
        )
        return f"COALESCE(pointer, CASE {cases} END)" if cases else "pointer"


class Where(Placed, Protocol):
    """Where the rows of one file stand, in SQL as well."""

    def sql(self, row: str) -> str:
        """The pointer in SQL, over the row in the file."""


class Pointers:
    """Where the rows of one file stand whose pointers are stored with them; a row without one has its number."""

    def __init__(self, log: LogTable, first: int, rows: int) -> None:
        """The rows are those of a log after the `first` ones, so many."""
        self._log = log
        self._first = first
        self._rows = rows

    def of(self, row: int) -> str | None:
        """The pointer of a row; None for a number that no row has."""
        return self._log.pointer(self._first + row) or f"row {row}" if 0 < row <= self._rows else None

    def sql(self, row: str) -> str:
        """The pointer in SQL, over the row in the file."""
        return f"'row ' || ({row})"


class Lines:
    """Where the rows of one file stand that are its lines, without the blank ones."""

    def __init__(self, artifact: Artifact, rows: int) -> None:
        """The file has so many lines that are not blank."""
        self._artifact = artifact
        self._rows = rows

    def of(self, row: int) -> str | None:
        """The pointer of a row; None for a number that no row has."""
        if not 0 < row <= self._rows:
            return None
        blanks = self._blanks
        if blanks is None:
            return f"entry {row}"
        # The line of a row is the row and all the blank lines before it; each step can only bring more of them.
        line = row
        while (moved := row + bisect_right(blanks, line)) != line:
            line = moved
        return f"line {line}"

    def sql(self, row: str) -> str:
        """The pointer in SQL, over the row in the file."""
        blanks = self._blanks
        if blanks is None:
            return f"'entry ' || ({row})"
        # The first row after each blank line, by its own number.
        moves = ", ".join(str(line - index) for index, line in enumerate(blanks))
        return f"'line ' || ({row}" + (f" + len(list_filter([{moves}], lambda x: x <= {row})))" if moves else ")")

    @cached_property
    def _blanks(self) -> array[int] | None:
        """The numbers of the blank lines; None where the file is no longer the one that was read."""
        try:
            self._artifact.unchanged()
            return self._artifact.blank_lines(self._rows)
        except Unreadable:
            return None


class Within:
    """Where the rows of one file of a folder stand."""

    def __init__(self, path: str, places: Where) -> None:
        """The path is that of the file in the folder."""
        self._path = path
        self._places = places

    def of(self, row: int) -> str | None:
        """The pointer of a row with the file before it; None for a number that no row has."""
        pointer = self._places.of(row)
        return None if pointer is None else f"{self._path} {pointer}"

    def sql(self, row: str) -> str:
        """The pointer in SQL, over the row in the file."""
        return f"{literal(self._path + ' ')} || {self._places.sql(row)}"


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
