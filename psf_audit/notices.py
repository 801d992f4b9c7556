"""What formats for pipelines show: one notice for each gap, and one for a gate that is not met, at a line of a file.

A notice stands where its evidence does: in the evidence file, where something there decides it; else at the line of the
manifest that should name what is missing. Its key is made of deployment and control alone, so that it stays the same
when lines move. Paths are those of a repository: below its top, with forward slashes. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from psf_audit import gate, rendering
from psf_audit.errors import ExitCode
from psf_audit.model import Severity, percent
from psf_audit.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.model import Assessment, ControlResult, EvidenceEntry, Finding, Source, Status, WaiverUse

GATE = "psf-audit-gate"
DISCLOSED = "psf-audit-disclosed"
GATE_TITLE = "The gate that the pipeline asks for"
MAX_RELATED = 10

# `part` is a file of a folder that is one log.
_LINE = re.compile(r"(?:(?P<part>[^\s\[/][^\s\[]*) )?line (?P<line>[1-9]\d{0,8})\b")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class Level(StrEnum):
    """How loud a notice is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """A file below the top of the repository, and a line in it, from 1."""

    path: str
    line: int

    @property
    def uri(self) -> str:
        """The path as a relative URI reference (RFC 3986): each byte that is no unreserved character is encoded."""
        data = self.path.encode("utf-8", errors="replace")
        return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a pipeline shows; `control` is None for the gate.

    `text` is one line: the status, why, the evidence that shows it best, and what to do. `key` is a SHA-256 in hex.
    """

    id: str
    title: str
    level: Level
    text: str
    place: Place
    related: tuple[tuple[Place, str], ...]
    key: str
    control: ControlResult | None = None

    @property
    def waived(self) -> bool:
        """Whether somebody signed for the gap."""
        return self.control is not None and self.control.waiver is not None


def notices(assessment: Assessment, folder: str) -> tuple[Notice, ...]:
    """The notice of the gate unless it is met, then one of each gap, the first thing to do first.

    `folder` is that of the manifest, below the top of the repository.
    """
    return tuple(_notices(assessment, folder))


def _notices(assessment: Assessment, folder: str) -> Iterator[Notice]:
    places = Places(assessment, folder)
    decision = gate.decide(assessment)
    if decision.code is not ExitCode.READY:
        yield Notice(
            id=GATE,
            title=GATE_TITLE,
            level=Level.ERROR,
            text=rendering.line(f"{assessment.verdict.label}: {decision.reason} (exit code {decision.code.value})."),
            place=places.in_manifest(assessment.gate.manifest_line),
            related=(),
            key=key(assessment, GATE),
        )
    for control in rendering.next_steps(assessment):
        yield Notice(
            id=rendering.line(control.id) or "control",
            title=rendering.line(control.title) or "control",
            level=_level(control),
            text=_text(control),
            place=places.of(control),
            related=places.related(control),
            key=key(assessment, control.id),
            control=control,
        )


def key(assessment: Assessment, what: str) -> str:
    """What a notice is known by: the same for one control of a deployment in an environment, whatever the release."""
    deployment = assessment.deployment
    named = json.dumps(["psf-audit/notice/1", deployment.name, deployment.environment, what])
    return hashlib.sha256(named.encode()).hexdigest()


def _level(control: ControlResult) -> Level:
    if control.waiver is not None:
        return Level.NOTE
    return {Severity.BLOCKING: Level.ERROR, Severity.HIGH: Level.WARNING, Severity.MEDIUM: Level.NOTE}[control.severity]


def waived_gaps(assessment: Assessment) -> tuple[ControlResult, ...]:
    """The gaps that somebody signed for, in the order of the rubric."""
    return tuple(one for one in assessment.controls if one.status.is_gap and one.waiver is not None)


def waived_words(control: ControlResult) -> str:
    """Until when a gap is waived, by whom and why; empty without a waiver."""
    return "" if control.waiver is None else waiver_words(control.waiver)


def waiver_words(waiver: WaiverUse) -> str:
    """A waiver with what became of it, on one line."""
    who = f"owner {waiver.owner}, approved by {waiver.approved_by}"
    told = f"waived until {waiver.expires}, {who}: {waiver.reason.rstrip('.')} ({waiver.state}: {waiver.note})"
    return rendering.line(told)


@dataclass(frozen=True, slots=True)
class About:
    """One thing that a reader has to know of an assessment beside its gaps, in words, and where it stands.

    A waiver is of a control, and `idle` where it is not in force; what an overlay loosened, or that the waivers were
    ignored, is of none.
    """

    control: str | None
    text: str
    place: Place
    idle: bool = False


def disclosed(assessment: Assessment, folder: str) -> tuple[About, ...]:
    """Everything that made passing easier, or could have: what an overlay loosened, and what became of each waiver."""
    by, place = assessment.rubric.overlay, Places(assessment, folder).in_manifest(None)
    loosened = (About(None, f"Loosened by {by}: {clause}", place) for clause in assessment.rubric.loosened)
    return (*loosened, *about_waivers(assessment, folder))


def about_waivers(assessment: Assessment, folder: str) -> tuple[About, ...]:
    """Every waiver with what became of it, in force or not; that they were ignored, where they were."""
    places = Places(assessment, folder)
    ignored = rendering.waiver_notice(assessment) if assessment.waivers_ignored else None
    every = [
        About(one.control, waiver_words(one), places.at(one.source), idle=one.state != "matched")
        for one in assessment.waivers
    ]
    return (*([About(None, ignored, places.in_manifest(None))] if ignored else []), *every)


def _text(control: ControlResult) -> str:
    finding = rendering.first_evidence(control)
    parts = [f"{control.status.label}: {control.reason}", waived_words(control)]
    if finding is not None:
        parts.append(_shown_by(finding, control.reason))
    parts.append(f"To do: {control.remedy.text}")
    return rendering.line(" ".join(f"{part.rstrip('.')}." for part in parts if part))


def _shown_by(finding: Finding, reason: str) -> str:
    """The row that shows it best, without what the reason says already, and where it stands."""
    said = cut(rendering.quantities(finding) if finding.what in reason else rendering.sentence(finding), 300)
    if finding.source is None:
        return said
    where = rendering.place(finding.source)
    return f"{said} ({where})" if said else f"See {where}"


class Places:
    """Where in a repository things of an assessment stand."""

    def __init__(self, assessment: Assessment, folder: str) -> None:
        """Take the lines of the manifest; a name of it that is no path below the top is not used."""
        self._assessment = assessment
        self._folder = folder
        name = assessment.manifest.path.rpartition("/")[2]
        self._manifest = below(folder, name) or "manifest.yaml"
        self._lines = {entry.id: entry.manifest_line for entry in assessment.evidence}

    def in_manifest(self, line: int | None) -> Place:
        """A line of the manifest; the first where it is not known."""
        return Place(self._manifest, line or 1)

    def file(self, entry: EvidenceEntry) -> Place:
        """An evidence file; the line that lists it where it is outside the repository."""
        path = below(self._folder, entry.path)
        return self.in_manifest(entry.manifest_line) if path is None else Place(path, 1)

    def of(self, control: ControlResult) -> Place:
        """Where what decides a control stands; else where the manifest would declare the control."""
        finding = rendering.first_evidence(control)
        if finding is not None and finding.source is not None:
            return self.at(finding.source)
        return self.in_manifest(control.manifest_line)

    def related(self, control: ControlResult) -> tuple[tuple[Place, str], ...]:
        """Further places that a control rests on, each once, and what stands there; as many as a reader will follow."""
        own = self.of(control)
        found: dict[Place, str] = {}
        for _, findings in control.lists:
            for row in findings.rows:
                for source in (row.source, row.against):
                    place = own if source is None else self.at(source)
                    if place != own:
                        found.setdefault(place, rendering.sentence(row) or place.path)
        declared = self.in_manifest(control.manifest_line)
        if declared != own:
            found.setdefault(declared, "where the manifest would declare it")
        return tuple(found.items())[:MAX_RELATED]

    def at(self, source: Source) -> Place:
        """The file and line of a source; of a file outside the repository the line that lists it.

        A pointer that names no line stands for the first.
        """
        found = _LINE.match(source.pointer)
        line = int(found["line"]) if found else 1
        if source.evidence == self._assessment.manifest.evidence and source.path == self._assessment.manifest.path:
            return self.in_manifest(line)
        part = f"/{found['part']}" if found and found["part"] else ""
        path = below(self._folder, source.path + part)
        return self.in_manifest(self._lines.get(source.evidence)) if path is None else Place(path, line)


def below(folder: str, path: str) -> str | None:
    """A path that is relative to a folder, below the top of the repository; None if it is absolute or leads out."""
    if path.startswith("/") or not path.strip():
        return None
    parts: list[str] = []
    for part in (*folder.split("/"), *path.split("/")):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(rendering.line(part) or "_")
    return "/".join(parts) or None


def statement(assessment: Assessment) -> dict[str, str]:
    """What an assessment says as a whole, as short texts: every format that has room for it says the same."""
    decision = gate.decide(assessment)
    waived = [control.id for control in waived_gaps(assessment)]
    words = {
        "tool": assessment.tool,
        "deployment": assessment.deployment.name,
        "release": assessment.deployment.release,
        "environment": assessment.deployment.environment,
        "fingerprint": assessment.fingerprint,
        "rubric": assessment.rubric.name,
        "rubric-digest": assessment.rubric.content_digest,
        "as-of": rendering.day(assessment.as_of),
        "verdict": assessment.verdict.value,
        "exit-code": str(decision.code.value),
        "gate": decision.reason,
        "score-percent": "none" if assessment.score is None else str(percent(assessment.score)),
        "coverage-percent": str(percent(assessment.coverage)),
        "valid-until": rendering.day(assessment.valid_until, "no day"),
        "waived": ", ".join(waived) or "none",
        **{f"controls-{status.value}": str(count) for status, count in _counts(assessment)},
        **{f"disclosed-{number}": told(about) for number, about in enumerate(disclosed(assessment, ""), 1)},
    }
    return {name: rendering.line(text) or "none" for name, text in words.items()}


def told(about: About) -> str:
    """The same as a sentence of its own."""
    return rendering.line(about.text if about.control is None else f"Waiver of {about.control}: {about.text}")


def _counts(assessment: Assessment) -> Iterator[tuple[Status, int]]:
    for status in rendering.STATUSES:
        yield status, len(assessment.by_status(status))
