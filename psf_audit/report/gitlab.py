"""Gaps as a GitLab code quality report: a list of findings, each in a file at a line.

The keys are those that GitLab documents under "Code Quality report format" (docs.gitlab.com, November 2026). It has no
place for a verdict: a gate that is not met is a finding of its own, and an empty list says that there is no gap. Each
waiver, and what an overlay loosened, is one too, that informs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from psf_audit import notices
from psf_audit.model import Severity
from psf_audit.rendering import ReportFormat, View

if TYPE_CHECKING:
    from psf_audit.model import Assessment
    from psf_audit.notices import Notice

_SEVERITIES = {Severity.BLOCKING: "blocker", Severity.HIGH: "major", Severity.MEDIUM: "minor"}


def _assessment(assessment: Assessment, view: View) -> str:
    found = [
        {
            "description": f"{notice.id} {notice.title}: {notice.text}",
            "check_name": notice.id,
            "fingerprint": notice.key,
            "severity": _severity(notice),
            "location": {"path": notice.place.path, "lines": {"begin": notice.place.line}},
        }
        for notice in notices.notices(assessment, view.folder)
    ]
    found += [
        {
            "description": notices.told(about),
            "check_name": notices.DISCLOSED,
            "fingerprint": notices.key(assessment, f"{notices.DISCLOSED} {number}"),
            "severity": "info",
            "location": {"path": about.place.path, "lines": {"begin": about.place.line}},
        }
        for number, about in enumerate(notices.disclosed(assessment, view.folder), 1)
    ]
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _severity(notice: Notice) -> str:
    """The gate blocks; what is waived informs; else the severity of the control."""
    if notice.control is None:
        return "blocker"
    return "info" if notice.waived else _SEVERITIES[notice.control.severity]


GITLAB = ReportFormat(
    name="gitlab",
    title="Gaps as a GitLab code quality report",
    suffixes=(".gitlab.json",),
    assessment=_assessment,
)
