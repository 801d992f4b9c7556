"""Controls as JUnit XML: a suite for each domain, a test for each control, and one test for the gate.

There is no standard: this is what readers have in common (github.com/testmoapp/junitxml, November 2026). GitLab shows
`classname` and `name` and drops the message of a failure, so the reason stands in the text. A gap fails, what could not
be told is an error, what is waived or does not apply is skipped.

Readers take a report with a failure for a failed run. Where the gate is met although gaps are open (not all of them
keep a deployment from being ready), those are skipped, and say so: a pipeline must not show what its exit code denies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from psf_audit import gate, notices, rendering
from psf_audit.errors import ExitCode
from psf_audit.model import Status
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psf_audit.gate import Decision
    from psf_audit.model import Assessment, ControlResult, DomainResult
    from psf_audit.notices import Notice

PREFIX = "psf-audit."
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTCOMES = ("failure", "error", "skipped")


def legal(text: str) -> str:
    """The text without characters that XML 1.0 has no form for, escaped or not."""
    return _ILLEGAL.sub("", clean(text))


def _assessment(assessment: Assessment, view: View) -> str:
    decision = gate.decide(assessment)
    told = {notice.id: notice for notice in notices.notices(assessment, view.folder)}
    root = Element("testsuites", {"name": "psf-audit"})
    _gate(_suite(root, "gate", assessment), assessment, decision)
    for domain in assessment.domains:
        suite = _suite(root, domain.title, assessment)
        for control in domain.controls:
            _case(suite, domain, control, told.get(rendering.line(control.id)), decision)
    for suite in root:
        _count(suite, suite.iter("testcase"))
    _count(root, root.iter("testcase"))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(root: Element, name: str, assessment: Assessment) -> Element:
    day = rendering.day(assessment.as_of)
    return SubElement(root, "testsuite", {"name": legal(name) or "domain", "timestamp": f"{day}T00:00:00"})


def _properties(element: Element, values: dict[str, str]) -> None:
    properties = SubElement(element, "properties")
    for name, value in values.items():
        SubElement(properties, "property", {"name": PREFIX + name, "value": legal(value)})


def _gate(suite: Element, assessment: Assessment, decision: Decision) -> None:
    _properties(suite, notices.statement(assessment))
    case = SubElement(suite, "testcase", {"classname": "psf.gate", "name": notices.GATE_TITLE, "time": "0"})
    if decision.code is not ExitCode.READY:
        outcome = "error" if decision.code is ExitCode.CANNOT_ASSESS else "failure"
        text = f"{assessment.verdict.label}: {decision.reason} (exit code {decision.code.value})"
        _outcome(case, outcome, decision.reason, [text, *assessment.deciding], kind="gate")


def _case(
    suite: Element, domain: DomainResult, control: ControlResult, notice: Notice | None, decision: Decision
) -> None:
    name = rendering.line(f"{control.id} {control.title}")
    classname = rendering.line(f"psf.{domain.id}")
    case = SubElement(suite, "testcase", {"classname": legal(classname), "name": legal(name), "time": "0"})
    waived = notices.waived_words(control) if control.status.is_gap else ""
    said = {"control": control.id, "status": control.status.value, "severity": control.severity.value}
    _properties(case, said | ({"waived": waived} if waived else {}))
    if control.status is Status.NOT_APPLICABLE:
        _outcome(case, "skipped", f"not applicable: {control.reason}", [control.reason], kind="not_applicable")
    elif notice is not None:
        open_still = not waived and decision.code is ExitCode.READY
        allowed = "the gate is met although this gap is open" if open_still else ""
        outcome = "error" if control.status is Status.UNKNOWN else "failure"
        message = waived or allowed or f"{control.status.label}: {control.reason}"
        told = [allowed, notice.text, f"At {notice.place}"]
        _outcome(case, "skipped" if waived or allowed else outcome, message, told, kind=control.status.value)


def _outcome(case: Element, outcome: str, message: str, told: Iterable[str], *, kind: str) -> None:
    attributes = {"message": legal(rendering.line(message))}
    child = SubElement(case, outcome, attributes if outcome == "skipped" else attributes | {"type": kind})
    child.text = "\n".join(legal(line) for line in told if line)


def _count(element: Element, cases: Iterable[Element]) -> None:
    found = [{child.tag for child in case} for case in cases]
    counts = [len(found), *(sum(outcome in tags for tags in found) for outcome in _OUTCOMES)]
    for name, count in zip(("tests", "failures", "errors", "skipped"), counts, strict=True):
        element.set(name, str(count))
    element.set("time", "0")


JUNIT = ReportFormat(
    name="junit",
    title="Controls as JUnit XML, which every CI system shows as tests",
    suffixes=(".junit.xml",),
    assessment=_assessment,
)
