"""An earlier assessment by psf-audit itself: that the deployment was assessed, when, as what, and with which verdict.

Of the schema `psf-audit/assessment/1` only what identifies the assessment is read. Its statuses are findings about
other evidence, so they show nothing here: a file that says of itself that a control was demonstrated is a claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit.artifact import Artifact, EvidenceFormat
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Fact, Item, Stated
from psf_audit.values import day_of, mapping_of, midnight

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = "psf-audit/assessment/1"
_VERDICTS = ("ready", "ready_with_waivers", "incomplete", "not_ready")


def _sniff(artifact: Artifact) -> bool:
    return artifact.schema.startswith("psf-audit/assessment/")


def _read(artifact: Artifact) -> Iterator[Item]:
    document = artifact.json
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise Unreadable(f"is not written in {_SCHEMA}", hint="give a file that `psf-audit assess -f json` wrote")
    made = day_of(document.get("as_of"))
    deployment = mapping_of(document.get("deployment"))
    fingerprint, verdict = document.get("fingerprint"), document.get("verdict")
    name, release = deployment.get("name"), deployment.get("release")
    if made is None or verdict not in _VERDICTS or not all(_is_text(one) for one in (fingerprint, name, release)):
        raise Unreadable(
            "does not say which deployment it is of, on which day, or with which verdict",
            hint="give a file that `psf-audit assess -f json` wrote, unchanged",
        )
    yield Stated(collected=made, release=release)
    yield Fact(
        "records",
        "/fingerprint",
        {
            "kind": "assessment",
            "at_ms": midnight(document["as_of"]),
            "person": _assessor(deployment.get("people")),
            "role": "assessor",
            "subject": name,
            "decision": verdict,
            "fingerprint": fingerprint,
        },
        basis="record",
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _assessor(people: Any) -> str | None:
    """The first person that the assessment names as assessor."""
    known = [mapping_of(person) for person in people] if isinstance(people, list) else []
    names = [person.get("name") for person in known if person.get("role") == "assessor"]
    return next((name for name in names if isinstance(name, str) and name), None)


PSF_AUDIT_ASSESSMENT = EvidenceFormat(
    name="psf-audit-assessment",
    title="earlier assessment (native)",
    suffixes=(".json",),
    tables=("records",),
    speaks_to=("held",),
    cannot=(
        "That what it found was so: its statuses rest on evidence that is not looked at again.",
        "That nobody changed it since: `psf-audit verify` shows that, where it is signed.",
    ),
    sniff=_sniff,
    read=_read,
    gives={"records": ("assessment",)},
    stack="psf-audit",
    reads=("which deployment was assessed, by its fingerprint, on which day, and with which verdict",),
    proves=("That this very deployment was assessed, and when, so that a change since is seen.",),
    export=("psf-audit assess manifest.yaml -o json=assessment.json",),
)
