"""From what readers gave to the rows of the evidence tables.

The store is where a fact gets its number, its age and its binding to the release, where patterns become comparable, and
where undated and future evidence is turned away. It does no I/O and reads no clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.facts import log, patterns
from psf_audit.facts.model import Carries, Event, Fact, Gap, Item, Loaded, Remark, Stated
from psf_audit.facts.tables import TABLES, ColumnType
from psf_audit.values import day_of_milliseconds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

Row = dict[str, Any]

_BASES = frozenset(TABLES["gaps"].column("basis").choices)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = Decimal(10) ** 9
_MOST = _LARGEST - Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One evidence file with everything that was read from it.

    `collected`, `release` and `produced_by` are what the file says of itself, else what the manifest says of it.
    `problem` says why it does not count, or not wholly; `items`, which holds no event, is empty when it could not be
    read. `events` may be very many.
    """

    id: str
    path: str
    format: str | None
    sha256: str | None
    bytes: int
    collected: date | None
    release: str | None
    produced_by: str | None
    items: tuple[Item, ...] = ()
    events: Collection[Event] = ()
    problem: str | None = None
    readable: bool = True
    needs_loading: bool = False


@dataclass(slots=True)
class Dataset:
    """The rows of every evidence table, those of `events` apart, and where each fact came from.

    `renamed` has the ids that facts gave to a control and that are not its id any more.
    """

    tables: dict[str, list[Row]]
    events: Collection[Row]
    places: dict[int, tuple[str, str]]
    event_bases: list[tuple[int, str]]
    event_places: dict[str, log.Placed]
    carried: dict[str, frozenset[str]]
    witnessed_runs: frozenset[str]
    files: tuple[EvidenceFile, ...]
    left_out: dict[str, int] = field(default_factory=dict)
    renamed: frozenset[str] = frozenset()

    def place(self, ref: int) -> tuple[str, str] | None:
        """The evidence id and pointer of a fact or event; None for a number that no fact has."""
        if ref in self.places:
            return self.places[ref]
        index = bisect_right(self.event_bases, (ref, "\U0010ffff")) - 1
        if index < 0:
            return None
        base, source = self.event_bases[index]
        pointer = self.event_places[source].of(ref - base)
        return (source, pointer) if pointer is not None else None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the store needs to know of the assessment: its day, the release, and the rows made elsewhere.

    `aliases` has the ids that controls had before, each with that of today: facts that name the old one get the new.
    """

    as_of: date
    release: str
    deployment: Row
    controls: tuple[Row, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)


def end_of_day(day: date) -> int:
    """The last millisecond (UTC) of a day."""
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH + timedelta(days=1)) // timedelta(
        milliseconds=1
    ) - 1


def build(files: Iterable[EvidenceFile], claims: Sequence[Item], setting: Setting) -> Dataset:
    """The dataset of an assessment: claims of the manifest first, then every file in the order of its id."""
    return _Store(setting).build(sorted(files, key=lambda file: file.id), claims)


class _Store:
    """Collects rows; used once."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.end_ms = end_of_day(setting.as_of)
        self.tables: dict[str, list[Row]] = {name: [] for name in TABLES if name != "events"}
        self.places: dict[int, tuple[str, str]] = {}
        self.loaded: set[str] = set()
        self.left_out: dict[str, int] = defaultdict(int)
        self.renamed: set[str] = set()
        self.next_ref = 1

    def build(self, files: list[EvidenceFile], claims: Sequence[Item]) -> Dataset:
        self.tables["deployment"] = [self.setting.deployment]
        self.tables["controls"] = list(self.setting.controls)
        self.loaded = {item.sha256 for file in files for item in file.items if isinstance(item, Loaded)}
        for item in claims:
            self._claim(item)
        kept = tuple(self._file(file) for file in files)
        self._conclude_tests()
        book = log.gather(
            [log.Source(file.id, file.produced_by, file.release, file.events, _carried(file)) for file in kept],
            log.Leave(
                self._drill_runs(by_hand=False), self.setting.release, self.end_ms, self._drill_runs(by_hand=True)
            ),
            log.Known(self._holders(), self._ways(), self._tested_runs()),
        )
        self.tables |= {"tasks": book.tasks, "addresses": book.addresses, "disagreements": book.disagreements}
        for reason, count in book.left_out.items():
            self.left_out[reason] += count
        return Dataset(
            tables=self.tables,
            events=book.rows,
            places=self.places,
            event_bases=book.bases,
            event_places=book.places,
            carried=book.carried,
            witnessed_runs=frozenset(book.witnessed_runs),
            files=kept,
            left_out=dict(self.left_out),
            renamed=frozenset(self.renamed),
        )

    def _claim(self, item: Item) -> None:
        if isinstance(item, Fact):
            self._add(item.table, item.values, "manifest", item.pointer, basis=item.basis, age=0, bound=True)
        elif isinstance(item, Gap):
            self._gap(item, "manifest", None)

    def _file(self, file: EvidenceFile) -> EvidenceFile:
        """Store what the file gave; the file as the register shows it."""
        problems = [problem for problem in (file.problem,) if problem]
        problems += [item.what for item in file.items if isinstance(item, Remark)]
        in_force = not file.needs_loading or file.sha256 in self.loaded
        if not in_force:
            problems.append("nothing shows that a running component loaded this file")
        counted, undated, future = 0, 0, 0
        for item in file.items:
            if isinstance(item, Gap):
                self._gap(item, file.id, file.collected)
            if not isinstance(item, Fact):
                continue
            day = own_day(item) or file.collected
            if day is None:
                undated += 1
            elif day > self.setting.as_of:
                future += 1
            else:
                counted += 1
                bound = in_force and self._bound(item, file)
                age = (self.setting.as_of - day).days
                self._add(item.table, item.values, file.id, item.pointer, basis=item.basis, age=age, bound=bound)
        if undated or future:
            problems.append(_not_evidence(undated, future, counted))
            self.left_out[log.NOT_EVIDENCE] += undated + future
        problem = "; ".join(problems) or None
        self.tables["evidence"].append(_register_row(file, problem))
        return replace(file, problem=problem)

    def _bound(self, fact: Fact, file: EvidenceFile) -> bool:
        """Whether the fact speaks of this release: tests and records must say so, configuration must not deny it."""
        release = fact.release or file.release
        if release is None:
            return fact.basis not in {"test", "record"}
        return release == self.setting.release

    def _gap(self, gap: Gap, source: str, collected: date | None) -> None:
        age = (self.setting.as_of - collected).days if collected and collected <= self.setting.as_of else 0
        kinds = ", ".join(sorted(gap.kinds)) or None
        values = {"facts": gap.facts, "kind": gap.kind, "control": gap.control, "kinds": kinds, "what": gap.what}
        self._add("gaps", values, source, gap.pointer, basis="record", age=age, bound=True)

    def _add(  # noqa: PLR0913  the common columns of a fact
        self,
        table: str,
        values: Mapping[str, Any],
        source: str,
        pointer: str,
        *,
        basis: str,
        age: int,
        bound: bool,
    ) -> None:
        ref = self.next_ref
        self.next_ref += 1
        row: Row = dict.fromkeys(column.name for column in TABLES[table].columns)
        row |= typed(table, values)
        if row.get("control") in self.setting.aliases:
            self.renamed.add(row["control"])
            row["control"] = self.setting.aliases[row["control"]]
        row |= {
            "ref": ref,
            "source": source,
            "pointer": pointer,
            "basis": basis if basis in _BASES else None,
            "age_days": age,
            "bound": bound,
        }
        self.tables[table].append(row)
        self.places[ref] = (source, pointer)

    def _conclude_tests(self) -> None:
        """A test dated after the day of the assessment is not evidence, whatever the date of its file."""
        for table in ("tests", "records"):
            rows = self.tables[table]
            self.tables[table] = [row for row in rows if row["at_ms"] is None or row["at_ms"] <= self.end_ms]
            late = len(rows) - len(self.tables[table])
            if late:
                self.left_out[log.NOT_EVIDENCE] += late

    def _holders(self) -> dict[str, bool]:
        """Of the credentials whose holder somebody names: whether it is the agent, and the agent alone."""
        found: dict[str, bool] = {}
        for row in self.tables["credentials"]:
            if row["subject"] is not None and (row["holder"] is not None or row["shared"]):
                is_own = row["holder"] == "agent" and not row["shared"]
                found[row["subject"]] = is_own and found.get(row["subject"], True)
        return found

    def _ways(self) -> dict[str, str]:
        """The way that each capability goes, of those that have one only."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.tables["capabilities"]:
            if row["via"] is not None:
                found[row["name"]].add(row["via"])
        return {name: next(iter(ways)) for name, ways in found.items() if len(ways) == 1}

    def _tested_runs(self) -> frozenset[str]:
        return frozenset(row["run"] for row in self.tables["tests"] if row["run"] is not None)

    def _drill_runs(self, *, by_hand: bool) -> frozenset[str]:
        """The runs that tests name: those in records, which are written by hand, or those in results of a test run."""
        return frozenset(
            row["run"]
            for row in self.tables["tests"]
            if row["run"] is not None
            and row["how"] in {"attack", "drill", "functional"}
            and (row["basis"] == "record") is by_hand
        )


def typed(table: str, values: Mapping[str, Any]) -> Row:
    """The values as columns of the table, a `pattern` translated.

    Raises:
        KeyError: a value belongs to no column.
        TypeError: a value is not of its column's type, or not one of its choices.
    """
    row: Row = {}
    for name, value in values.items():
        if name == "pattern":
            row |= _pattern(table, value)
            continue
        if value is None:
            row[name] = None
            continue
        column = TABLES[table].column(name)
        row[name] = _checked(table, column.name, column.type, value)
        if column.choices and row[name] not in column.choices:
            raise TypeError(f"{table}.{name}: {value!r} is not one of {', '.join(column.choices)}")
    return row


def _checked(table: str, name: str, kind: ColumnType, value: Any) -> Any:
    if kind is ColumnType.DECIMAL and isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    expected = {
        ColumnType.TEXT: str,
        ColumnType.INTEGER: int,
        ColumnType.DECIMAL: Decimal,
        ColumnType.BOOLEAN: bool,
    }[kind]
    if not isinstance(value, expected) or (kind is ColumnType.INTEGER and isinstance(value, bool)):
        raise TypeError(f"{table}.{name}: {value!r} is not {kind.value}")
    # What a column cannot hold would become nothing in it, without a word.
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise TypeError(f"{table}.{name}: a number of {value.bit_length()} bits is not {kind.value}")
    if isinstance(value, Decimal):
        if not value.is_finite() or value.copy_abs() > _LARGEST:
            raise TypeError(f"{table}.{name}: {value:.3E} is not {kind.value}")
        return max(min(value, _MOST), -_MOST)
    return value


def _pattern(table: str, pattern: str | None) -> Row:
    if pattern is None:
        return {}
    keys = patterns.key_range(pattern) if table == "boundaries" else None
    return {"pattern": pattern} | ({"lo": keys[0], "hi": keys[1]} if keys else {"like": patterns.like(pattern)})


def own_day(fact: Fact) -> date | None:
    """The day that a fact itself speaks of; None where only its file can be dated."""
    if fact.on is not None:
        return fact.on
    at_ms = fact.values.get("at_ms") if fact.table in {"tests", "records"} else None
    return day_of_milliseconds(at_ms) if isinstance(at_ms, int) else None


def _carried(file: EvidenceFile) -> frozenset[str]:
    return frozenset().union(*(item.columns for item in file.items if isinstance(item, Carries)))


def _not_evidence(undated: int, future: int, counted: int) -> str:
    why = " and ".join(
        text
        for text, count in (("without any date", undated), ("dated after the day of the assessment", future))
        if count
    )
    return f"{'some of it is' if counted else 'is'} {why}: not evidence"


def _register_row(file: EvidenceFile, problem: str | None) -> Row:
    return {
        "id": file.id,
        "path": file.path,
        "format": file.format,
        "sha256": file.sha256,
        "bytes": file.bytes,
        "collected": file.collected.isoformat() if file.collected else None,
        "release": file.release,
        "produced_by": file.produced_by,
        "readable": file.readable,
        "problem": problem,
    }


def stated(items: Iterable[Item]) -> Stated:
    """What a file says of itself; the first statement of each thing stands."""
    collected = release = produced_by = None
    for item in items:
        if isinstance(item, Stated):
            collected = collected or item.collected
            release = release or item.release
            produced_by = produced_by or item.produced_by
    return Stated(collected, release, produced_by)
