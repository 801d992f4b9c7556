"""What is signed of an assessment: two in-toto statements in DSSE envelopes, and nothing of how files are read.

The first statement carries the whole assessment, the second is a verification summary for policy engines. Both have the
manifest and every evidence file that has a digest as subjects. Formats: in-toto Statement v1 and attestation bundles
(in-toto attestation framework), SLSA verification summary v1, DSSE v1.0.2, canonical JSON (RFC 8785).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psf_audit import canonical, gate
from psf_audit.errors import ExitCode, IntegrityError, Unreadable
from psf_audit.reading import decode, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psf_audit.model import Assessment

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
# A name and no address: nothing is fetched from it.
ASSESSMENT_TYPE = "urn:psf-audit:attestation:1"
CANONICALIZATION = "RFC8785"
SUFFIX = ".intoto.jsonl"

MAX_BYTES = 64 * 2**20
_ENVELOPES = 2
_RESERVED = re.compile(r"[^A-Za-z0-9._~-]")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file that a statement speaks for: its name, the SHA-256 of its bytes, and what those bytes are.

    `form` is `bytes` for the file as it is, `page` for an HTML report whose place for the signature is empty.
    """

    name: str
    sha256: str
    form: str = "bytes"


@dataclass(frozen=True, slots=True)
class Made:
    """How an attestation was made: when (RFC 3339, UTC), with which version, by whom, and what it is about (URIs)."""

    at: str
    tool: str
    verifier: str
    resource: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope with one signature."""

    payload: bytes
    payload_type: str
    key_id: str
    signature: bytes


# --------------------------------------------------------------------------------------------------------- statements


def subjects(assessment: Mapping[str, Any], files: Sequence[SignedFile]) -> list[dict[str, Any]]:
    """What a statement speaks for: the files that are signed, the manifest, and each evidence file with a digest."""
    named = [(file.name, file.sha256) for file in files]
    named += [(path, digest) for path, digest in evidence(assessment).items() if digest is not None]
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named]


def evidence(assessment: Mapping[str, Any]) -> dict[str, str | None]:
    """The SHA-256 of the manifest and of each evidence file by its path; None where the assessment has none."""
    sources = [assessment["manifest"], *assessment["evidence"]]
    return {source["path"]: bare_digest(source["sha256"]) for source in sources}


def bare_digest(text: str | None) -> str | None:
    """A SHA-256 as 64 hexadecimal digits; None of what is none."""
    found = _DIGEST.match((text or "").lower())
    return found[1] if found else None


def statement(assessment: Mapping[str, Any], files: Sequence[SignedFile], made: Made) -> dict[str, Any]:
    """The in-toto statement that carries an assessment, as its JSON, whole."""
    undigested = [path for path, digest in evidence(assessment).items() if digest is None]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects(assessment, files),
        "predicateType": ASSESSMENT_TYPE,
        "predicate": {
            "canonicalization": CANONICALIZATION,
            "made": {"at": made.at, "tool": made.tool, "verifier": made.verifier, "resource": made.resource},
            "files": [{"name": file.name, "sha256": file.sha256, "form": file.form} for file in files],
            "undigested": undigested,
            "assessment": canonical.doubles(dict(assessment)),
        },
    }


def summary(
    assessment: Assessment, value: Mapping[str, Any], files: Sequence[SignedFile], made: Made, input_sha256: str
) -> dict[str, Any]:
    """The SLSA verification summary of an assessment; `input_sha256` is the digest of the envelope it rests on."""
    passed = gate.decide(assessment).code is ExitCode.READY
    rubric = assessment.rubric
    name, version = made.tool.rpartition(" ")[::2]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects(value, files),
        "predicateType": SUMMARY_TYPE,
        "predicate": {
            "verifier": {"id": made.verifier, "version": {name: version}},
            "timeVerified": made.at,
            "resourceUri": made.resource,
            "policy": {
                "uri": f"urn:psf-audit:rubric:{_quoted(rubric.id)}:{_quoted(rubric.version)}",
                "digest": {"sha256": bare_digest(rubric.content_digest) or ""},
            },
            "inputAttestations": [{"uri": ASSESSMENT_TYPE, "digest": {"sha256": input_sha256}}],
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": [f"PSF_AUDIT_{assessment.verdict.value.upper()}"] if passed else ["FAILED"],
        },
    }


def resource_of(assessment: Assessment) -> str:
    """The URI of a deployment where its owner names no other."""
    deployment = assessment.deployment
    named = (deployment.name, deployment.release, deployment.environment)
    return "urn:psf-audit:deployment:" + ":".join(_quoted(part) for part in named)


def _quoted(text: str) -> str:
    """Text as a part of a URI (RFC 3986): all but letters, digits and `-._~` as percent-encoded UTF-8."""
    return _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


# ---------------------------------------------------------------------------------------------------------- envelopes


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """What DSSE signs of an envelope (its PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_json(envelope: Envelope) -> dict[str, Any]:
    """An envelope as JSON."""
    return {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": envelope.key_id, "sig": base64.b64encode(envelope.signature).decode()}],
    }


def line(envelope: Envelope) -> bytes:
    """An envelope on one line, without its end: canonical JSON."""
    return canonical.dumps(envelope_json(envelope))


def bundle(envelopes: Sequence[Envelope]) -> bytes:
    """Envelopes as an in-toto attestation bundle: JSON Lines."""
    return b"".join(line(envelope) + b"\n" for envelope in envelopes)


def embedded(envelopes: Sequence[Envelope]) -> bytes:
    """Envelopes as they stand in a page: one canonical JSON array, which has no character that HTML would read."""
    return canonical.dumps([envelope_json(envelope) for envelope in envelopes])


def read_bundle(data: bytes) -> tuple[Envelope, ...]:
    """The envelopes of a bundle.

    Raises:
        IntegrityError: it is none of two envelopes, or not byte for byte what a bundle of them is.
    """
    if len(data) > MAX_BYTES:
        raise IntegrityError(f"the attestation is larger than {MAX_BYTES // 2**20} MiB")
    lines = data.split(b"\n")
    found = tuple(_envelope(_json(text)) for text in lines[: _ENVELOPES + 1] if text)
    return _exact(found, bundle(found), data)


def read_embedded(data: bytes) -> tuple[Envelope, ...]:
    """The envelopes that stand in a page; errors as `read_bundle`."""
    values = _json(data)
    if not isinstance(values, list):
        raise IntegrityError("the attestation in the page is no list of envelopes")
    found = tuple(_envelope(value) for value in values[: _ENVELOPES + 1])
    return _exact(found, embedded(found), data)


def _exact(found: tuple[Envelope, ...], written: bytes, data: bytes) -> tuple[Envelope, ...]:
    """Two envelopes, written as they must be: JSON and Base64 have many forms of one value, a signature covers one."""
    if len(found) != _ENVELOPES:
        raise IntegrityError("the attestation does not have two envelopes", hint="give what `psf-audit attest` wrote")
    if written != data:
        raise IntegrityError("the attestation was written again: its bytes are not in the canonical form")
    return found


def _json(data: bytes) -> Any:
    try:
        return parse_json(decode(data))
    except Unreadable as error:
        raise IntegrityError(f"the attestation {error}") from error


def _envelope(value: Any) -> Envelope:
    match value:
        case {"payload": str(payload), "payloadType": str(kind), "signatures": [{"keyid": str(key), "sig": str(sig)}]}:
            return Envelope(_bytes(payload), kind, key, _bytes(sig))
        case _:
            raise IntegrityError("the attestation holds no envelope with one signature")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise IntegrityError("the attestation holds text that is no Base64") from error


def canonical_bytes(value: Any) -> bytes:
    """The canonical JSON (RFC 8785) of a parsed document.

    Raises:
        IntegrityError: it holds a number or text that has no such form.
    """
    try:
        return canonical.dumps(canonical.doubles(value))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"the document has no canonical form: {error}") from error


def digest(data: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


# ----------------------------------------------------------------------------------------------- statements, read back


@dataclass(frozen=True, slots=True)
class Statements:
    """The two statements of an attestation, as parsed JSON, and the digest of the envelope that the second names."""

    assessment: dict[str, Any]
    summary: dict[str, Any]
    input_sha256: str

    @property
    def predicate(self) -> dict[str, Any]:
        """What the first statement says."""
        found: dict[str, Any] = self.assessment["predicate"]
        return found

    @property
    def made(self) -> Made:
        """How they were made."""
        return Made(**self.predicate["made"])

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The files that they speak for."""
        return tuple(SignedFile(**file) for file in self.predicate["files"])


def read_statements(envelopes: Sequence[Envelope]) -> Statements:
    """The statements in two envelopes: the assessment first, then its summary.

    Raises:
        IntegrityError: a payload, statement or predicate is of another type, or has another form.
    """
    parsed = []
    for envelope, kind in zip(envelopes, (ASSESSMENT_TYPE, SUMMARY_TYPE), strict=True):
        if envelope.payload_type != PAYLOAD_TYPE:
            raise IntegrityError(f"an envelope holds {envelope.payload_type!r}, not {PAYLOAD_TYPE}")
        value = canonical.doubles(_json(envelope.payload))
        for name, wanted in (("_type", STATEMENT_TYPE), ("predicateType", kind)):
            found = value.get(name) if isinstance(value, dict) else None
            if found != wanted:
                raise IntegrityError(f"a statement has the {name} {found!r}, not {wanted}")
        parsed.append(value)
    statements = Statements(parsed[0], parsed[1], digest(line(envelopes[0])))
    if not _has_form(statements):
        raise IntegrityError("the statement does not have the form of its predicate type")
    return statements


def _has_form(statements: Statements) -> bool:
    match statements.assessment:
        case {
            "subject": list(),
            "predicate": {
                "canonicalization": "RFC8785",
                "made": {"at": str(), "tool": str(), "verifier": str(), "resource": str(), **more_made},
                "files": list(files),
                "undigested": list(),
                "assessment": dict(),
                **more,
            },
        }:
            return not more and not more_made and all(_is_file(file) for file in files)
        case _:
            return False


def _is_file(value: Any) -> bool:
    match value:
        case {"name": str(), "sha256": str(sha256), "form": "bytes" | "page", **more}:
            return not more and bare_digest(sha256) == sha256
        case _:
            return False


def disagreements(statements: Statements, assessment: Assessment) -> Iterator[str]:
    """Where the statements do not say what the assessment in them says."""
    value, made = statements.predicate["assessment"], statements.made
    if statements.assessment != statement(value, statements.files, made):
        yield "the subjects of the statement are not those of its assessment"
    if statements.summary != summary(assessment, value, statements.files, made, statements.input_sha256):
        yield "the verification summary is not that of the assessment"
