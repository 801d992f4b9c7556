"""Gaps as workflow commands, which GitHub shows as annotations of a run and beside the lines of a pull request.

GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest without a word ("Workflow
commands", docs.github.com, November 2026), so the first notice says the verdict and names what is not among them. Text
in a command ends at a line break, and a property at a comma or colon as well: these and the percent sign are encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import gate, notices, rendering
from psf_audit.notices import Level
from psf_audit.rendering import ReportFormat, View

if TYPE_CHECKING:
    from psf_audit.model import Assessment
    from psf_audit.notices import Notice

SHOWN = 10
_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
_DATA = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


def command(name: str, message: str, **properties: str) -> str:
    """A workflow command on one line."""
    told = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{name} {told}::{message.translate(_DATA)}"


def _assessment(assessment: Assessment, view: View) -> str:
    shown: list[Notice] = []
    rest: list[Notice] = []
    room = {Level.ERROR: SHOWN, Level.WARNING: SHOWN, Level.NOTE: SHOWN - 1}  # one is the verdict's
    for notice in notices.notices(assessment, view.folder):
        (shown if room[notice.level] > 0 else rest).append(notice)
        room[notice.level] -= 1
    lines = [command("notice", _summary(assessment, rest), title=f"psf-audit: {assessment.verdict.label}")]
    lines += [_annotation(notice) for notice in shown]
    return "\n".join(lines) + "\n"


def _annotation(notice: Notice) -> str:
    return command(
        _COMMANDS[notice.level],
        notice.text,
        file=notice.place.path,
        line=str(notice.place.line),
        title=f"{'waived: ' if notice.waived else ''}{notice.id} {notice.title}",
    )


def _summary(assessment: Assessment, rest: list[Notice]) -> str:
    decision = gate.decide(assessment)
    parts = [
        f"Gate: {decision.reason} (exit code {decision.code.value}).",
        f"Score {rendering.percentage(assessment.score)}, coverage {rendering.percentage(assessment.coverage)}.",
        f"Controls: {rendering.counts_words(assessment.controls)}.",
    ]
    parts += [f"{notices.told(about).rstrip('.')}." for about in notices.disclosed(assessment, "")]
    if rest:
        parts.append(f"GitHub shows {SHOWN} of each kind; not shown: {', '.join(_named(notice) for notice in rest)}.")
    return rendering.line(" ".join(parts))


def _named(notice: Notice) -> str:
    status = notice.control.status.label if notice.control is not None else "not met"
    return f"{notice.id} ({'waived, ' if notice.waived else ''}{status})"


GITHUB = ReportFormat(
    name="github",
    title="Gaps as GitHub workflow commands: annotations of a run",
    suffixes=(".github.txt",),
    assessment=_assessment,
)
