"""Gaps as SARIF 2.1.0, as GitHub code scanning takes it.

What GitHub asks beyond the standard was read in November 2026 in its documentation, "SARIF support for code scanning":
each result has a place, required texts are not empty and have at most 1,024 characters, a run has at most 25,000
results, of which 5,000 are shown, and a file at most 10 MB as gzip. It takes alerts for the same where
`primaryLocationLineHash` is the same, and replaces those of a run by those of the next of the same
`automationDetails.id`. It ignores `suppressions` and `kind`: a waived gap would be an open alert, though the exit code
lets it pass, and what is demonstrated an alert as well. So neither is a result here; the properties of the run say
which gaps are waived, until when and why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psf_audit import notices, rendering, wire
from psf_audit.markup import escape, fenced
from psf_audit.model import Severity
from psf_audit.notices import Level, Notice, Place
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import cut, plural

if TYPE_CHECKING:
    from psf_audit.model import Assessment, ControlResult

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "psf-audit/control/v1"
MAX_RESULTS = 5_000
MAX_TEXT = 1_024
_MAX_HELP = 4_000
_TOOL = re.compile(r"psf-audit (\d{1,9}\.\d{1,9}\.\d{1,9})\Z")
_NO_IDENTIFIER = re.compile(r"[^0-9A-Za-z.-]+")
_PROBLEM = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "recommendation"}
_LEVELS = {Severity.BLOCKING: Level.ERROR, Severity.HIGH: Level.WARNING, Severity.MEDIUM: Level.NOTE}


def _assessment(assessment: Assessment, view: View) -> str:
    found = [notice for notice in notices.notices(assessment, view.folder) if not notice.waived]
    shown = found[:MAX_RESULTS]
    rules = {notice.id: _rule(notice) for notice in reversed(shown)}
    indexes = {id_: index for index, id_ in enumerate(rules)}
    said = notices.statement(assessment)
    run = {
        "tool": {
            "driver": {
                "name": "psf-audit",
                "semanticVersion": _version(assessment),
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": _category(assessment)},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(said, len(found) - len(shown))],
        "results": [_result(notice, indexes[notice.id]) for notice in shown],
        "properties": {**said, "waivers": [_waived(one) for one in notices.waived_gaps(assessment)]},
    }
    return wire.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _version(assessment: Assessment) -> str:
    """The version of the tool, with the rubric as build metadata: another rubric finds something else."""
    found = _TOOL.match(assessment.tool)
    rubric = assessment.rubric
    build = (rubric.id, rubric.version, rendering.short(rubric.content_digest))
    parts = (_NO_IDENTIFIER.sub("-", part).strip(".-") or "0" for part in build)
    return f"{found[1] if found else '0.0.0'}+{'.'.join(re.sub(r'[.]{2,}', '.', part) for part in parts)}"


def _category(assessment: Assessment) -> str:
    """What keeps the results of several deployments, and environments of one, apart; it ends where a run's id would."""
    deployment = assessment.deployment
    names = (
        _NO_IDENTIFIER.sub("-", name).strip("-") or "unnamed" for name in (deployment.name, deployment.environment)
    )
    return f"psf-audit/{'/'.join(names)}/"


def _invocation(said: dict[str, str], left_out: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "executionSuccessful": True,
        "exitCode": int(said["exit-code"]),
        "exitCodeDescription": _said(said["gate"]),
    }
    if left_out:
        text = f"{plural(left_out, 'gap')} more than a run may show: see the assessment itself"
        made["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return made


def _said(text: str, otherwise: str = "none") -> str:
    """Text of a length that GitHub takes, and never empty."""
    return cut(rendering.line(text), MAX_TEXT) or otherwise


def _rule(notice: Notice) -> dict[str, Any]:
    control = notice.control
    level = notice.level if control is None else _LEVELS[control.severity]
    return {
        "id": _said(notice.id),
        "shortDescription": {"text": _said(notice.title)},
        "fullDescription": {"text": _said(notice.title if control is None else control.requirement, notice.title)},
        "help": _help(control),
        "defaultConfiguration": {"level": level.value},
        "properties": {
            "precision": "very-high",
            "problem.severity": _PROBLEM[level],
            "tags": _tags(control),
        },
    }


def _tags(control: ControlResult | None) -> list[str]:
    tags = [] if control is None else [f"severity/{control.severity.value}", f"domain/{control.domain}"]
    return ["psf-audit", *(_said(tag) for tag in tags)]


_GATE_HELP = (
    "What the pipeline asks for stands under `gate` in the manifest. The gate is not met while a blocking control is "
    "open, coverage or score is below its floor, or a control has a status that must not be."
)


def _help(control: ControlResult | None) -> dict[str, str]:
    if control is None:
        return {"text": _GATE_HELP, "markdown": _GATE_HELP}
    parts = {
        "What is asked": control.requirement,
        "Why": control.why,
        "What to do": f"{control.remedy.text} ({rendering.effort_words(control.remedy.effort)})",
        "Question to the provider": control.question,
        "References": ", ".join(
            f"{rendering.framework(name)} {entry}" for name, entries in control.references.items() for entry in entries
        ),
    }
    told = {name: rendering.line(text) for name, text in parts.items() if rendering.line(text)}
    snippets = [
        f"**{escape(stack)}**\n\n{fenced(snippet, stack)}" for stack, snippet in control.remedy.snippets.items()
    ]
    markdown = [f"**{name}.** {escape(text)}" for name, text in told.items()]
    while snippets and len("\n\n".join((*markdown, *snippets))) > _MAX_HELP:
        snippets.pop()  # a block that is cut off would not end
    return {
        "text": cut("\n".join(f"{name}: {text}" for name, text in told.items()), _MAX_HELP) or "none",
        "markdown": "\n\n".join((*markdown, *snippets)) or "none",
    }


def _result(notice: Notice, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": _said(notice.id),
        "ruleIndex": index,
        "level": notice.level.value,
        "message": {"text": _said(notice.text)},
        "locations": [_location(notice.place)],
        "partialFingerprints": {"primaryLocationLineHash": f"{notice.key[:16]}:1", FINGERPRINT: notice.key},
        "properties": {"kind": "gate"} if notice.control is None else {"status": notice.control.status.value},
    }
    if notice.related:
        result["relatedLocations"] = [
            {"id": number, **_location(place), "message": {"text": _said(words)}}
            for number, (place, words) in enumerate(notice.related, 1)
        ]
    return result


def _location(place: Place) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": place.uri}, "region": {"startLine": place.line}}}


def _waived(control: ControlResult) -> dict[str, str]:
    return {"control": _said(control.id), "status": control.status.value, "waiver": notices.waived_words(control)}


SARIF = ReportFormat(
    name="sarif",
    title="Gaps as SARIF 2.1.0, for GitHub code scanning and other viewers",
    suffixes=(".sarif",),
    assessment=_assessment,
)
