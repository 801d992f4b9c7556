"""JSON lines into a table: the plain ones by the database, the others by their format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from psf_audit.columns import plain
from psf_audit.columns.database import literal
from psf_audit.columns.table import STORED, Lines, LogTable
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Event, Item, Loaded
from psf_audit.reading import MAX_LINE_BYTES
from psf_audit.values import stated_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from psf_audit.artifact import Artifact

    Check = Callable[[Iterator[Item]], Iterator[Item]]

_START_LINES = 20


class Reader(Protocol):
    """Reads the lines of one log, those that it is given, in their order."""

    def line(self, number: int, text: bytes | Unreadable) -> Iterator[Item]:
        """What a line says; what it cannot use is counted."""

    def rest(self) -> Iterator[Item]:
        """What can only be said of all lines: which columns they fill, what could not be used."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """How a database reads the JSON lines of a format by itself.

    `keys` are read as text. `values` are SQL expressions over them, one for each column of `events` that the format can
    fill. `doubt` is a condition over the keys for a line that is not as plain as these expressions take it; such a line
    is read by a `reader`, and so is the start of the file. `texts` are the columns that take whatever text there is:
    JSON that is no text is in doubt there. Where `loads` holds, the digest of the arguments is that of a configuration
    file which a running component loaded.
    """

    keys: tuple[str, ...]
    values: Mapping[str, str]
    doubt: str
    texts: tuple[str, ...]
    reader: Callable[[], Reader]
    loads: str = ""
    only: bool = False

    def load(self, artifact: Artifact, log: LogTable, checked: Check) -> list[Item] | None:
        """Add the events of a file to a log, and return what else it says; None where only its format can read it.

        `checked` passes on the items of lines that the format reads.

        Raises:
            Unreadable: the file changed while it was read.
        """
        import duckdb

        part = _Part(self, artifact, log)
        try:
            part.load()
        except (Unreadable, duckdb.Error, OSError):
            # Compressed data that is damaged, a line beyond all bounds: the format says where.
            part.undo()
            return None
        artifact.unchanged()
        items = part.doubtful(checked)
        if items is None or not part.events():
            part.undo()
            return None
        places = Lines(artifact, part.rows)
        log.placed(part.first, part.rows, places)
        return [*items, log.carried(part.first), *part.loaded(places)]


class _Part:
    """One file on its way into the table; used once."""

    def __init__(self, form: JsonLines, artifact: Artifact, log: LogTable) -> None:
        self.first = log.last
        self.rows = 0
        self._form = form
        self._artifact = artifact
        self._log = log
        self._run = log.database.run
        self._mine = f'"{log.name}" WHERE rowid >= {self.first}'

    def load(self) -> None:
        """Let the database read every line."""
        with self._log.database.named(self._artifact, ".jsonl") as file:
            self._insert(file)
        self.rows = self._log.added()

    def _insert(self, file: Path) -> None:
        keys = ", ".join(f"{literal(key)}: 'VARCHAR'" for key in self._form.keys)
        values = ", ".join(
            f'{self._form.values[column.name]} AS "{column.name}"'
            if column.name in self._form.values
            else f'CAST(NULL AS {column.type.value}) AS "{column.name}"'
            for column in STORED
        )
        self._run(
            f'INSERT INTO "{self._log.name}" SELECT {values}, NULL, COALESCE({self._form.doubt}, FALSE) '  # noqa: S608
            f"FROM read_json({literal(str(file))}, format = 'newline_delimited', ignore_errors = true, "
            f"compression = 'none', columns = {{{keys}}}, maximum_object_size = {MAX_LINE_BYTES})",
            what=f"reading {self._artifact.path}",
        )

    def undo(self) -> None:
        """Make none of the rows an event."""
        self._log.forget(self.first)
        self._log.placed(self.first, self.rows, Lines(self._artifact, 0))

    def events(self) -> int:
        """How many of the lines are events."""
        ((events,),) = self._run(f"SELECT COUNT(*) FROM {self._mine} AND NOT doubtful")  # noqa: S608
        return int(events)

    def doubtful(self, checked: Check) -> list[Item] | None:
        """What the first lines and those in doubt say, their events put in their places; None where they are many."""
        mark = f'UPDATE "{self._log.name}" SET doubtful = TRUE WHERE rowid >= {self.first} AND NOT doubtful'  # noqa: S608
        self._run(f"{mark} AND ({plain.no_text(self._form.texts)})")
        ((many,),) = self._run(f"SELECT COUNT(*) FROM {self._mine} AND doubtful")  # noqa: S608
        if plain.are_many(many, self.rows):
            return None
        self._run(f"{mark} AND rowid < {self.first + _START_LINES}")
        items: list[Item] = []
        events: list[Event] = []
        reader = self._form.reader()
        for row, number, text in self._lines_in_doubt():
            for item in checked(reader.line(number, text)):
                if isinstance(item, Event):
                    events.append(Event(row, item.pointer, item.values))
                else:
                    items.append(item)
        self._log.put(events)
        return [*items, *checked(reader.rest())]

    def _lines_in_doubt(self) -> Iterator[tuple[int, int, bytes | Unreadable]]:
        """Each line in doubt: its row in the table, its number, its bytes."""
        found = self._run(f"SELECT rowid FROM {self._mine} AND doubtful ORDER BY rowid")  # noqa: S608
        places = [place - self.first for (place,) in found]
        for place, number, text in self._artifact.lines_at(places, self.rows):
            yield place + self.first, number, text

    def loaded(self, places: Lines) -> Iterator[Loaded]:
        """The files whose digest an event of the start gives: a running component read them."""
        if not self._form.loads:
            return
        digests = self._run(
            f"SELECT args_digest, MIN(rowid) FROM {self._mine} AND NOT doubtful AND {self._form.loads} "  # noqa: S608
            "AND starts_with(args_digest, 'sha256:') GROUP BY args_digest ORDER BY 2"
        )
        for digest, place in digests:
            sha256 = stated_sha256(digest)
            if sha256:
                yield Loaded(sha256, places.of(place - self.first + 1) or "")
