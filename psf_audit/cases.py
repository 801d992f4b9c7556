"""The cases of a rubric: facts, and the status that a control must have on them.

They ship beside the rubric (`1.0.0.cases.yaml`). A case starts from the control's `base`, on which the control is
demonstrated; `drop` empties tables, `replace` sets them, `add` adds rows. A passing test and a fresh document of the
control are part of every base that has none of its own. Rows are those of the evidence tables, with `pattern` for a
glob or address, and `at`, `until`, `from`, `to`, `issued`, `expires` and `reviewed` for times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit import audit, validation
from psf_audit.errors import ConfigurationError, Problem, Unreadable
from psf_audit.facts import store
from psf_audit.facts.model import Carries, Event, Fact, Gap, Item
from psf_audit.facts.tables import TABLES, ColumnType
from psf_audit.model import Source, Status
from psf_audit.query import Bounds
from psf_audit.reading import decode, parse_yaml, read_bytes
from psf_audit.values import amount, midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from psf_audit.query import Engine
    from psf_audit.rubric import Control, Rubric

Rows = dict[str, list[dict[str, Any]]]

_TIMES = {
    "at": "at_ms", "until": "until_ms", "from": "from_ms", "to": "to_ms", "issued": "issued_ms",
    "expires": "expires_ms", "reviewed": "reviewed_ms",
}  # fmt: skip
_BASIS = {
    "capabilities": "claim", "people": "claim", "tests": "test", "documents": "document", "records": "record",
}  # fmt: skip
_EVENT_DEFAULTS = {"run": "run-1", "kind": "action", "actor": "agent", "actor_kind": "agent", "outcome": "ok"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case of one control."""

    control: str
    number: int
    status: Status
    name: str
    reason: str
    rows: Rows
    deployment: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case."""

    case: Case
    status: Status
    reason: str

    @property
    def holds(self) -> bool:
        """Whether the control got the status, and the reason, that the case asks for."""
        return self.status is self.case.status and self.case.reason in self.reason


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The cases beside a rubric."""

    as_of: date
    cases: tuple[Case, ...]


def beside(path: Path) -> Path:
    """The file of the cases of a rubric file."""
    return path.with_name(f"{path.stem}.cases.yaml")


def check_sql(rubric: Rubric) -> None:
    """Bind every criterion against the empty tables, which finds unknown columns and wrong types.

    Raises:
        ConfigurationError: with every criterion that cannot be bound.
    """
    setting = store.Setting(date(2000, 1, 1), "0", dict.fromkeys(c.name for c in TABLES["deployment"].columns), ())
    session = audit.engine("duckdb").open(store.build([], [], setting), Bounds())
    problems = []
    for control in rubric.controls:
        for name, sql in control.criteria.items():
            answers = session.ask(sql, control.parameters(name))
            if answers.failure:
                problems.append(Problem(rubric.path, f"{control.id}.{name}: {answers.failure}", control.line))
    session.close()
    if problems:
        raise ConfigurationError(f"{rubric.path} has criteria that cannot be run", problems=tuple(problems))


def load(path: Path, rubric: Rubric, only: Sequence[str] | None = None) -> CaseFile:
    """The cases in a file, or those of some controls.

    Raises:
        ConfigurationError: with every problem in it.
    """
    name = str(path)
    try:
        document = parse_yaml(decode(read_bytes(path)))
    except Unreadable as error:
        raise ConfigurationError(f"{name}: {error}") from error
    problems = validation.problems(document, validation.schema("cases"), name)
    if not problems:
        for control in document.value["controls"]:
            if rubric.control(control) is None:
                position = document.position(("controls", control))
                problems.append(Problem(name, f"the rubric has no control {control}", position.line, position.column))
    if problems:
        raise ConfigurationError(f"{name} holds no sound cases", problems=tuple(problems))
    value = document.value
    cases = [
        _case(_Place(control, index + 1, document.position(("controls", control, "cases", index)).line),
              block["base"], entry, value["deployment"])
        for control, block in value["controls"].items()
        if not only or control in only
        for index, entry in enumerate(block["cases"])
    ]  # fmt: skip
    return CaseFile(date.fromisoformat(value["as_of"]), tuple(cases))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a case stands."""

    control: str
    number: int
    line: int


def _case(place: _Place, base: Rows, entry: dict[str, Any], deployment: dict[str, Any]) -> Case:
    control = place.control
    standard: Rows = {
        "tests": [{"suite": "drills", "name": f"test of {control}", "how": "attack", "outcome": "passed",
                   "adversarial": True, "control": control, "link": "artifact", "run": "drill-1"}],
        "documents": [{"kind": "runbook", "title": "Runbook", "owner": "R. Okafor", "control": control}],
    }  # fmt: skip
    rows: Rows = {table: list(own) for table, own in (standard | base).items()}
    for table in entry.get("drop", ()):
        rows[table] = []
    for table, own in entry.get("replace", {}).items():
        rows[table] = list(own)
    for table, own in entry.get("add", {}).items():
        rows[table] = [*rows.get(table, []), *own]
    return Case(
        control=control,
        number=place.number,
        status=Status(entry["status"]),
        name=entry.get("name", entry["status"]),
        reason=entry.get("reason", ""),
        rows=rows,
        deployment=deployment | entry.get("deployment", {}),
        line=place.line,
    )


def run(rubric: Rubric, case_file: CaseFile, engine: Engine) -> Iterator[Outcome]:
    """What becomes of each case, one after the other."""
    for case in case_file.cases:
        control = rubric.control(case.control)
        if control is not None:
            yield run_one(rubric, control, case, case_file.as_of, engine)


def run_one(rubric: Rubric, control: Control, case: Case, as_of: date, engine: Engine) -> Outcome:
    """What becomes of one case.

    Raises:
        ConfigurationError: a row of the case fits no table.
    """
    try:
        dataset = _dataset(rubric, case, as_of)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{case.control} case {case.number} (line {case.line}): {error}") from error
    session = engine.open(dataset, Bounds())
    try:
        session.results([_values("results", row, as_of) for row in case.rows.get("results", [])])
        known = {file.id: Source(file.id, file.path, "", file.sha256) for file in dataset.files}
        known["manifest"] = Source("manifest", "manifest", "", None)
        result = audit.Bench(rubric, dataset, session, as_of, known)(control)
    finally:
        session.close()
    return Outcome(case, result.status, result.reason)


def _dataset(rubric: Rubric, case: Case, as_of: date) -> store.Dataset:
    release = str(case.deployment["release"])
    claims: list[Item] = []
    items: dict[str, list[Item]] = {"case": []}
    events: dict[str, list[Event]] = {}
    controls: tuple[dict[str, Any], ...] = audit.control_rows(rubric)
    for table, rows in case.rows.items():
        if table not in TABLES:
            raise KeyError(f"there is no table {table!r}")
        if table == "controls":
            controls = tuple(_values(table, row, as_of) for row in rows)
        elif table == "events":
            for number, row in enumerate(rows, 1):
                producer = str(row.get("produced_by", "gateway"))
                events.setdefault(producer, []).append(_event(number, row, as_of))
                items.setdefault(producer, []).append(Carries(frozenset(row) - {"produced_by"}))
        elif table == "gaps":
            items["case"] += [
                Gap(row.get("kind", "unreadable"), row.get("what", "a file"), row.get("facts"), "", row.get("control"))
                for row in rows
            ]
        elif table != "results":
            for number, row in enumerate(rows, 1):
                fact = _fact(table, number, row, as_of, release)
                (claims if fact.basis == "claim" else items["case"]).append(fact)
    files = [
        store.EvidenceFile(
            id=name, path=f"{name}.yaml", format="case", sha256=None, bytes=0, collected=as_of,
            release=release, produced_by="gateway" if name == "case" else name, items=tuple(own),
            events=tuple(events.get(name, ())),
        )
        for name, own in items.items()
    ]  # fmt: skip
    deployment = dict.fromkeys(column.name for column in TABLES["deployment"].columns) | case.deployment
    setting = store.Setting(as_of, release, deployment | {"as_of_ms": store.end_of_day(as_of)}, controls)
    # Drills are witnessed: the standard test names a run that the gateway's log holds.
    drill = Event(1, "line 1", {"run": "drill-1", "kind": "start", "actor_kind": "system"})
    witness = store.EvidenceFile(
        id="witness", path="witness.jsonl", format="case", sha256=None, bytes=0, collected=as_of, release=release,
        produced_by="gateway", events=(drill,),
    )  # fmt: skip
    return store.build([*files, witness], claims, setting)


def _event(number: int, row: dict[str, Any], as_of: date) -> Event:
    given = {name: value for name, value in row.items() if name != "produced_by"}
    return Event(number, f"line {number}", store.typed("events", _values("events", _EVENT_DEFAULTS | given, as_of)))


def _fact(table: str, number: int, row: dict[str, Any], as_of: date, release: str) -> Fact:
    row = dict(row)
    age = row.pop("age_days", 1)
    bound = row.pop("bound", True)
    basis = row.pop("basis", _BASIS.get(table, "config"))
    on = as_of - timedelta(days=age)
    values = _values(table, row, as_of)
    for column in ("at_ms", "reviewed_ms"):
        if any(known.name == column for known in TABLES[table].columns) and column not in values:
            values[column] = midnight(on.isoformat())
    return Fact(table, f"row {number}", values, basis, on, release if bound else "another release")


def _values(table: str, row: dict[str, Any], as_of: date) -> dict[str, Any]:
    """A row as written in a case, as values of the table's columns."""
    values: dict[str, Any] = {}
    for key, value in row.items():
        name = _TIMES.get(key, key)
        if key in _TIMES:
            values[name] = _moment(value, as_of)
        elif name != "pattern" and TABLES[table].column(name).type is ColumnType.DECIMAL:
            values[name] = amount(value) if value is not None else None
        elif isinstance(value, Decimal):
            raise TypeError(f"{table}.{name} is no decimal number")
        else:
            values[name] = value
    return values


def _moment(value: Any, as_of: date) -> int | None:
    """A date or time; `HH:MM:SS` is a time of the day before the assessment."""
    if value is None:
        return None
    text = str(value)
    if len(text) <= len("00:00:00"):
        text = f"{as_of - timedelta(days=1)}T{text}Z"
    moment = midnight(text)
    if moment is None:
        raise ValueError(f"{value!r} is no date or time with zone")
    return moment
