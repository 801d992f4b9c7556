"""An assessment as OSCAL assessment results 1.2.1, for tools of compliance (pages.nist.gov/OSCAL).

The manifest and each evidence file are observations, each control that applies is a finding, a waived gap is a risk
with a deadline. OSCAL knows satisfied and not satisfied alone: what could not be told is not satisfied, and its reason
says `other`; the status is in the properties. A control that does not apply is among those that were not reviewed. An
observation expires when the first thing in it that a status rests on goes stale.

Identifiers are UUIDs of version 5 made from the assessment, so that the same assessment gives the same document. Titles
and descriptions are Markdown in OSCAL, so text in them is escaped.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from psf_audit import gate, notices, rendering, wire
from psf_audit.errors import ExitCode
from psf_audit.markup import escape
from psf_audit.model import Rest, Status
from psf_audit.rendering import ReportFormat, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psf_audit.model import Assessment, ControlResult, EvidenceEntry, Source, WaiverUse

VERSION = "1.2.1"
# Properties that are this program's own need a namespace; `.invalid` can never be somebody else's (RFC 2606).
NAMESPACE = "https://psf-audit.invalid/ns/oscal"
_UUIDS = uuid5(NAMESPACE_URL, NAMESPACE)
# OSCAL takes any letter; which ones there are differs between versions of Unicode, so only these are left as they are.
_NO_TOKEN = re.compile(r"[^A-Za-z0-9_.-]")
_STARTS = re.compile(r"[A-Za-z_]")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


class _Document:
    """The document of one assessment; used once."""

    def __init__(self, assessment: Assessment, folder: str) -> None:
        self.assessment = assessment
        self.places = notices.Places(assessment, folder)
        self.digest = hashlib.sha256(wire.dumps(wire.to_json(assessment)).encode()).hexdigest()
        self.start = f"{rendering.day(assessment.as_of)}T00:00:00Z"

    def uuid(self, *what: str) -> str:
        """The identifier of a part: the same in every document of this assessment."""
        return str(uuid5(_UUIDS, "\n".join((self.digest, *what))))

    def value(self) -> dict[str, Any]:
        """The whole document."""
        rubric = self.assessment.rubric
        return {
            "assessment-results": {
                "uuid": self.uuid("document"),
                "metadata": {
                    "title": _text(f"psf-audit: {self.assessment.deployment.name}"),
                    "last-modified": self.start,
                    "version": rendering.line(self.assessment.deployment.release) or "none",
                    "oscal-version": VERSION,
                },
                "import-ap": {"href": f"#{self.uuid('rubric')}"},
                "results": [self.result()],
                "back-matter": {
                    "resources": [
                        {
                            "uuid": self.uuid("rubric"),
                            "title": _text(f"Rubric {rubric.id}@{rubric.version}: {rubric.title}"),
                            "description": _text(rubric.about),
                            "props": _props(
                                {"content-digest": rubric.content_digest, "scoring-digest": rubric.scoring_digest}
                            ),
                        },
                        *self.resources(),
                    ]
                },
            }
        }

    def result(self) -> dict[str, Any]:
        """The one result."""
        assessment = self.assessment
        applying = [one for one in assessment.controls if one.status is not Status.NOT_APPLICABLE]
        others = [one for one in assessment.controls if one.status is Status.NOT_APPLICABLE]
        selection: dict[str, Any] = {"description": "The controls of the rubric that apply to the deployment."}
        if applying:
            selection["include-controls"] = [{"control-id": token(one.id)} for one in applying]
        else:  # one of the two has to be there, and no list may be empty
            selection["include-all"] = {}
        if others:
            selection["exclude-controls"] = [{"control-id": token(one.id)} for one in others]
        made: dict[str, Any] = {
            "uuid": self.uuid("result"),
            "title": _text(f"{assessment.deployment.name}: {assessment.verdict.label}"),
            "description": _text(" ".join((assessment.verdict.meaning, *assessment.deciding))),
            "start": self.start,
            "props": _props(notices.statement(assessment)),
            "reviewed-controls": {"control-selections": [selection]},
            "observations": [self.manifest(), *(self.observation(entry) for entry in assessment.evidence)],
            "findings": [self.gate(), *(self.finding(control) for control in applying)],
        }
        risks = [self.risk(control, control.waiver) for control in notices.waived_gaps(assessment) if control.waiver]
        return made | ({"risks": risks} if risks else {})

    def resources(self) -> Iterator[dict[str, Any]]:
        """The manifest and each evidence file, with their digests."""
        sources = [(self.assessment.manifest.evidence, self.assessment.manifest.sha256, self.places.in_manifest(1))]
        sources += [(entry.id, entry.sha256, self.places.file(entry)) for entry in self.assessment.evidence]
        for index, (name, sha256, place) in enumerate(sources):
            found = _SHA256.match(sha256 or "")
            hashes = {"hashes": [{"algorithm": "SHA-256", "value": found[1]}]} if found else {}
            yield {
                "uuid": self.uuid("resource", str(index)),
                "title": _text(name),
                "rlinks": [{"href": place.uri, **hashes}],
            }

    def manifest(self) -> dict[str, Any]:
        """The manifest as an observation: what is claimed."""
        return {
            "uuid": self._observed(self.assessment.manifest.evidence),
            "title": _text(self.assessment.manifest.path),
            "description": "The manifest: what the deployment says of itself. It satisfies nothing.",
            "methods": ["EXAMINE"],
            "relevant-evidence": [self._evidence(self.places.in_manifest(1).uri, self.assessment.manifest.evidence)],
            "collected": self.start,
        }

    def observation(self, entry: EvidenceEntry) -> dict[str, Any]:
        """One evidence file."""
        said = {
            "format": entry.format,
            "release": entry.release,
            "produced-by": entry.produced_by,
            "readable": "yes" if entry.readable else "no",
            "problem": entry.problem,
            "shows": ", ".join(entry.shows),
            "contradicts": ", ".join(entry.contradicts),
            "note": entry.note,
        }
        made: dict[str, Any] = {
            "uuid": self._observed(entry.id),
            "title": _text(entry.path),
            "description": _text(f"Evidence file, {rendering.collected(entry, self.assessment.as_of)}."),
            "props": _props({name: text for name, text in said.items() if text}),
            "methods": ["EXAMINE"],
            "relevant-evidence": [self._evidence(self.places.file(entry).uri, entry.id)],
            "collected": _moment(entry.collected or "", "00:00:00") or self.start,
        }
        expires = self._expires(entry)
        if expires is not None:
            made["expires"] = f"{rendering.day(expires)}T23:59:59Z"
        return made

    def _expires(self, entry: EvidenceEntry) -> date | None:
        """When the first thing in a file that a status rests on goes stale; the assessment's day where none is kept."""
        resting = [
            expiry for control in self.assessment.controls for expiry in control.expiries if expiry.of is not Rest.LOG
        ]
        if not resting:
            return self.assessment.valid_until if entry.shows else None
        own = [one.on for one in resting if one.source is not None and one.source.evidence == entry.id]
        return min(own, default=None)

    def gate(self) -> dict[str, Any]:
        """The gate as a finding, so that whoever counts findings comes to what the exit code says."""
        decision = gate.decide(self.assessment)
        met = decision.code is ExitCode.READY
        return {
            "uuid": self.uuid("finding of the gate"),
            "title": notices.GATE_TITLE,
            "description": _text(f"{rendering.gate_words(self.assessment.gate)}: {decision.reason}"),
            "target": _target(notices.GATE, "pass" if met else "fail", decision.reason, satisfied=met),
        }

    def finding(self, control: ControlResult) -> dict[str, Any]:
        """One control."""
        satisfied = control.status is Status.DEMONSTRATED
        reason = "pass" if satisfied else "other" if control.status is Status.UNKNOWN else "fail"
        observed = dict.fromkeys(self._observed(source.evidence) for source in _sources(control) if self._known(source))
        made: dict[str, Any] = {
            "uuid": self.uuid("finding", control.id),
            "title": _text(f"{control.id} {control.title}"),
            "description": _text(control.requirement),
            "props": _props(
                {"status": control.status.value, "severity": control.severity.value, "domain": control.domain}
            ),
            "target": _target(token(control.id), reason, control.reason, satisfied=satisfied),
        }
        if observed:
            made["related-observations"] = [{"observation-uuid": uuid} for uuid in observed]
        if control in notices.waived_gaps(self.assessment):
            made["related-risks"] = [{"risk-uuid": self.uuid("risk", control.id)}]
        return made

    def risk(self, control: ControlResult, waiver: WaiverUse) -> dict[str, Any]:
        """A waived gap: somebody signed for it, until a day."""
        expires = _moment(waiver.expires, "23:59:59")
        made = {
            "uuid": self.uuid("risk", control.id),
            "title": _text(f"{control.id} {control.title}: waived"),
            "description": _text(f"{control.status.label}: {control.reason}"),
            "statement": _text(notices.waived_words(control)),
            "props": _props({"control": control.id, "owner": waiver.owner}),
            "status": "deviation-approved",
        }
        return made | ({"deadline": expires} if expires else {})

    def _observed(self, evidence: str) -> str:
        return self.uuid("observation", evidence)

    def _known(self, source: Source) -> bool:
        known = {self.assessment.manifest.evidence, *(entry.id for entry in self.assessment.evidence)}
        return source.evidence in known

    def _evidence(self, uri: str, name: str) -> dict[str, str]:
        return {"href": uri, "description": _text(name)}


def token(id_: str) -> str:
    """The id of a control as an OSCAL token; one that is none gets a form of its own that no other id has."""
    if id_ and _STARTS.match(id_) and not _NO_TOKEN.search(id_):
        return id_
    digest = hashlib.sha256(id_.encode(errors="surrogatepass")).hexdigest()
    return f"_{_NO_TOKEN.sub('_', id_)}.{digest[:8]}"


def _target(id_: str, reason: str, remarks: str, *, satisfied: bool) -> dict[str, Any]:
    state = "satisfied" if satisfied else "not-satisfied"
    status = {"state": state, "reason": reason, "remarks": _text(remarks)}
    return {"type": "objective-id", "target-id": id_, "status": status}


def _props(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "ns": NAMESPACE, "value": rendering.line(text) or "none"} for name, text in values.items()]


def _text(text: str) -> str:
    return escape(text) or "none"


def _moment(day: str, time: str) -> str | None:
    """A day as OSCAL writes a moment; None where the text is no day."""
    try:
        return f"{rendering.day(date.fromisoformat(day))}T{time}Z"
    except ValueError:
        return None


def _sources(control: ControlResult) -> Iterable[Source]:
    rows = (row for _, findings in control.lists for row in findings.rows)
    return (source for row in rows for source in (row.source, row.against) if source is not None)


def _assessment(assessment: Assessment, view: View) -> str:
    return wire.dumps(_Document(assessment, view.folder).value())


OSCAL = ReportFormat(
    name="oscal",
    title="The assessment as OSCAL assessment results 1.2.1",
    suffixes=(".oscal.json",),
    assessment=_assessment,
)
