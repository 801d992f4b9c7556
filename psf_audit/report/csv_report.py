"""Every row that a control rests on as CSV (RFC 4180), for a spreadsheet or a database.

A spreadsheet computes no cell of it (`spreadsheet`). Each line carries the verdict and the exit code, so that a line
that was cut out of the file still says what it belongs to. A control without rows has one line, and so has each waiver,
and what an overlay loosened.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psf_audit import gate, notices, rendering, spreadsheet
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.model import Assessment, ControlResult, Finding

HEADER = (
    "deployment", "release", "environment", "as_of", "verdict", "exit_code", "domain", "control", "title", "severity",
    "status", "waived_until", "reason", "list", "rows", "what", "found", "expected", "unit", "at", "file", "line",
    "evidence", "pointer", "sha256",
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d{1,40}(?:\.\d{1,40})?\Z")


def cell(text: str) -> str:
    """Text as one cell that no spreadsheet computes; a number is itself."""
    said = clean(text)
    return said if _NUMBER.match(said) else spreadsheet.cell(said)


def _assessment(assessment: Assessment, view: View) -> str:
    lines = (HEADER, *_lines(assessment, view.folder))
    return "".join(",".join(cell(text) for text in line) + "\r\n" for line in lines)


def _lines(assessment: Assessment, folder: str) -> Iterator[tuple[str, ...]]:
    deployment = assessment.deployment
    whole = (
        deployment.name,
        deployment.release,
        deployment.environment,
        rendering.day(assessment.as_of),
        assessment.verdict.value,
        str(gate.decide(assessment).code.value),
    )
    places = notices.Places(assessment, folder)
    for control in assessment.controls:
        own = (*whole, *_control(control))
        rows = [(name, findings.count, row) for name, findings in control.lists for row in findings.rows]
        for name, count, row in rows:
            yield (*own, name, str(count), *_row(row, places))
        if not rows:
            place = places.in_manifest(control.manifest_line)
            yield (*own, "", "0", "", "", "", "", "", place.path, str(place.line), "", "", "")
    for about in notices.disclosed(assessment, folder):
        of = ("", about.control or "", "", "", "", "", notices.told(about), "disclosed", "", "", "", "", "", "")
        yield (*whole, *of, about.place.path, str(about.place.line), "", "", "")


def _control(control: ControlResult) -> tuple[str, ...]:
    return (
        control.domain,
        control.id,
        control.title,
        control.severity.value,
        control.status.value,
        control.waiver.expires if control.waiver else "",
        control.reason,
    )


def _row(row: Finding, places: notices.Places) -> tuple[str, ...]:
    said = (row.what, row.found or "", row.expected or "", row.unit or "", row.at or "")
    if row.source is None:
        return (*said, "", "", "", "", "")
    place = places.at(row.source)
    source = row.source
    return (*said, place.path, str(place.line), source.evidence, source.pointer, source.sha256 or "")


CSV = ReportFormat(
    name="csv",
    title="Every row that a control rests on as CSV, safe to open in a spreadsheet",
    suffixes=(".csv",),
    assessment=_assessment,
)
