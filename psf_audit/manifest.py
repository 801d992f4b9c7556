"""The deployment manifest: what a deployment says of itself, and where the files are that can prove it.

Nothing in a manifest ever satisfies a control. Its guardrails become facts with the basis `claim`, which reports show
beside what the evidence shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit import validation
from psf_audit.errors import ConfigurationError, Problem, Unreadable
from psf_audit.facts.model import Fact, Gap
from psf_audit.facts.rows import row_facts, row_problems
from psf_audit.model import Gate, Status, Verdict
from psf_audit.reading import decode, parse_yaml, pointer, read_bytes
from psf_audit.resources import DEFAULT_RUBRIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from psf_audit.reading import Document

_WILDCARDS = frozenset("*?[")
_CLAIMS = ("limits", "gates", "boundaries", "alerts", "logs")

# Where a manifest says what stands in a table; what no table here holds is shown by evidence alone.
_DECLARED: dict[str, tuple[str, ...]] = {
    **{table: ("guardrails", table) for table in _CLAIMS},
    "capabilities": ("agent", "capabilities"),
    "credentials": ("agent", "credentials"),
    "people": ("people",),
}


@dataclass(frozen=True, slots=True)
class EvidenceReference:
    """One evidence file as the manifest names it."""

    path: str
    line: int
    format: str | None = None
    collected: date | None = None
    release: str | None = None
    produced_by: str | None = None
    controls: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MissingEvidence:
    """Evidence that is known to exist and was not supplied, and the controls it would speak to."""

    what: str
    would_show: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class WaiverRequest:
    """A waiver as written; `environment` and `release` are its scope."""

    control: str
    reason: str
    owner: str
    approved_by: str
    expires: date
    line: int
    environment: str | None = None
    release: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest, checked; `value` is the parsed file and `claims` what it says as facts."""

    path: Path
    sha256: str
    value: dict[str, Any]
    rubric: str
    claims: tuple[Fact | Gap, ...]
    evidence: tuple[EvidenceReference, ...]
    missing: tuple[MissingEvidence, ...]
    waivers: tuple[WaiverRequest, ...]
    gate: Gate
    prompts: tuple[str, ...]
    lines: dict[str, int]

    def line_for(self, tables: Iterable[str]) -> int:
        """The line nearest to which rows of these tables are declared; of `evidence`, or 1, where nothing near is."""
        wanted = set(tables)
        places = [place for table, place in _DECLARED.items() if table in wanted]
        places += [place[:-1] for place in places if len(place) > 1]
        found = (self.lines.get(pointer(place)) for place in (*places, ("evidence",)))
        return next((line for line in found if line is not None), 1)

    @property
    def deployment(self) -> dict[str, Any]:
        """The block `deployment`."""
        block: dict[str, Any] = self.value["deployment"]
        return block

    @property
    def agent(self) -> dict[str, Any]:
        """The block `agent`."""
        block: dict[str, Any] = self.value["agent"]
        return block


def load(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        ConfigurationError: with every problem in it, each as file:line:column.
    """
    name = str(path)
    try:
        data = read_bytes(path)
        document = parse_yaml(decode(data))
    except Unreadable as error:
        problem = Problem(name, error.message, error.line, error.column, error.hint)
        raise ConfigurationError(str(problem), problems=(problem,)) from error
    problems = validation.problems(document, validation.schema("manifest"), name)
    known = {(problem.line, problem.column) for problem in problems}
    problems += [
        problem for problem in _further_problems(document, name) if (problem.line, problem.column) not in known
    ]
    if problems:
        problems.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
        raise ConfigurationError(f"{name} is not a manifest", problems=tuple(problems))
    return _manifest(path, hashlib.sha256(data).hexdigest(), document)


def _further_problems(document: Document, name: str) -> Iterator[Problem]:
    """What the schema cannot say: rows, dates that are none, the same evidence or waiver twice."""

    def problem(path: tuple[str | int, ...], message: str, hint: str | None = None) -> Problem:
        position = document.position(path)
        return Problem(name, message, position.line, position.column, hint)

    value = document.value
    for table, row, path in _rows(value):
        for key, message in row_problems(table, row):
            yield problem((*path, key) if key else path, f"{key} {message}" if key else f"the row {message}")
    for block, key in (("evidence", "collected"), ("waivers", "expires")):
        for index, entry in _entries(value, block):
            if isinstance(entry.get(key), str) and _day(entry[key]) is None:
                yield problem((block, index, key), f"{entry[key]} is no day of the calendar")
    yield from _twice(_entries(value, "evidence"), "path", ("evidence",), problem)
    yield from _waiver_problems(_entries(value, "waivers"), problem)
    capabilities = _entries(_block(value, "agent"), "capabilities")
    yield from _twice(capabilities, "name", ("agent", "capabilities"), problem)


def _block(value: Any, key: str) -> Any:
    """What stands under a key: before a manifest is checked, anything may stand anywhere."""
    return value.get(key) if isinstance(value, dict) else None


def _entries(value: Any, key: str) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in a list under a key, with their places."""
    entries = _block(value, key)
    found = enumerate(entries) if isinstance(entries, list) else ()
    return [(index, entry) for index, entry in found if isinstance(entry, dict)]


def _twice(
    entries: list[tuple[int, dict[str, Any]]], key: str, path: tuple[str, ...], problem: Any
) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in entries:
        name = entry.get(key)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield problem((*path, index, key), f"{name!r} stands here a second time", "keep one")
        seen.add(name)


def _waiver_problems(entries: list[tuple[int, dict[str, Any]]], problem: Any) -> Iterator[Problem]:
    """A waiver that names more than one control, limits nothing by its scope, or repeats another one."""
    seen: set[tuple[str, ...]] = set()
    for index, entry in entries:
        control, scope = entry.get("control"), _block(entry, "scope")
        named = {name: text for name in ("environment", "release") if isinstance(text := _block(scope, name), str)}
        for name, text in named.items():
            if text and (not text.strip("*") if name == "release" else "*" in text):
                message = f"{text!r} is no {name}: a scope names what it is for"
                yield problem(("waivers", index, "scope", name), message, "leave it out to mean any")
        if not isinstance(control, str):
            continue
        if _WILDCARDS.intersection(control):
            message = f"{control!r} is no control: a waiver covers one, never all that fit a pattern"
            yield problem(("waivers", index, "control"), message, "write one waiver for each control")
        key = (control, *(f"{name}: {text}" for name, text in named.items()))
        if key in seen:
            message = f"{control!r} stands here a second time"
            yield problem(("waivers", index, "control"), message, "keep one, or give each a scope of its own")
        seen.add(key)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _manifest(path: Path, sha256: str, document: Document) -> Manifest:
    value = document.value
    evidence, missing = [], []
    for index, entry in enumerate(value.get("evidence", [])):
        line = document.position(("evidence", index)).line
        if "missing" in entry:
            missing.append(MissingEvidence(entry["missing"], tuple(entry.get("would_show", ())), line))
        else:
            evidence.append(_reference(entry, line))
    gate = value.get("gate", {})
    return Manifest(
        path=path,
        sha256=sha256,
        value=value,
        rubric=value.get("rubric", DEFAULT_RUBRIC),
        claims=tuple(_claims(document)),
        evidence=tuple(evidence),
        missing=tuple(missing),
        waivers=tuple(
            WaiverRequest(
                control=entry["control"],
                reason=entry["reason"],
                owner=entry["owner"],
                approved_by=entry["approved_by"],
                expires=date.fromisoformat(entry["expires"]),
                line=document.position(("waivers", index)).line,
                **entry.get("scope", {}),
            )
            for index, entry in enumerate(value.get("waivers", []))
        ),
        gate=Gate(
            require=Verdict(gate.get("require", Verdict.READY)),
            min_coverage=gate.get("min_coverage", 100),
            min_score=gate.get("min_score"),
            fail_on=tuple(Status(status) for status in gate.get("fail_on", ())),
            manifest_line=document.position(("gate",)).line if gate else None,
        ),
        prompts=tuple(value["agent"].get("prompts", ())),
        lines={pointer(where): position.line for where, position in document.positions.items()},
    )


def _reference(entry: dict[str, Any], line: int) -> EvidenceReference:
    return EvidenceReference(
        path=entry["path"],
        line=line,
        format=entry.get("format"),
        collected=date.fromisoformat(entry["collected"]) if "collected" in entry else None,
        release=entry.get("release"),
        produced_by=entry.get("produced_by"),
        controls={control: tuple(globs) for control, globs in entry.get("controls", {}).items()},
    )


def _claims(document: Document) -> Iterator[Fact | Gap]:
    """What the manifest says, as facts with the basis `claim`."""
    for table, path, values in _claimed_rows(document.value):
        yield Fact(table, f"line {document.position(path).line}", values, basis="claim")
    for index, entry in enumerate(document.value.get("evidence", [])):
        if "missing" in entry:
            line = document.position(("evidence", index)).line
            for control in entry.get("would_show") or [None]:
                yield Gap("not_supplied", entry["missing"], pointer=f"line {line}", control=control)


def _claimed_rows(value: dict[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...], dict[str, Any]]]:
    """Table, path in the manifest and columns of every claim."""
    agent = value["agent"]
    for index, person in enumerate(value.get("people", [])):
        yield "people", ("people", index), _person(person)
    for index, capability in enumerate(agent["capabilities"]):
        yield "capabilities", ("agent", "capabilities", index), _capability(capability)
    declared = {capability["name"] for capability in agent["capabilities"]}
    for index, model in enumerate(agent.get("models", [])):
        if model["name"] not in declared:
            values = {"name": model["name"], "kind": "model", "effect": "read", "via": model.get("via")}
            yield "capabilities", ("agent", "models", index), values
    for table, row, path in _rows(value):
        for values in row_facts(table, row):
            yield table, path, values


def _rows(value: Any) -> Iterator[tuple[str, dict[str, Any], tuple[str | int, ...]]]:
    """Table, row and path of the rows that are written with the columns of the tables."""
    for index, row in _entries(_block(value, "agent"), "credentials"):
        yield "credentials", row, ("agent", "credentials", index)
    for table in _CLAIMS:
        for index, row in _entries(_block(value, "guardrails"), table):
            yield table, row, ("guardrails", table, index)


def _person(entry: dict[str, Any]) -> dict[str, Any]:
    unknown = entry["name"].strip().casefold() == "unknown"
    return {
        "name": None if unknown else entry["name"],
        "role": entry["role"],
        "org": entry.get("org"),
        "contact": entry.get("contact"),
    }


def _capability(entry: dict[str, Any]) -> dict[str, Any]:
    cost = entry["cost"]
    priced = isinstance(cost, dict)
    return {
        "name": entry["name"],
        "kind": entry.get("kind"),
        "effect": entry.get("effect"),
        "via": entry.get("via"),
        "reversible": entry.get("reversible"),
        "cost_usd": Decimal(cost["usd"]) if priced else Decimal(0) if cost == "free" else None,
        "cost_per": cost["per"] if priced else None,
        "max_per_hour": entry.get("max_per_hour"),
        "retries": entry.get("retries"),
    }
