"""What is signed, in which form, and that nothing of it can be changed."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from securesystemslib.dsse import Envelope as Theirs
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from psf_audit import attestation, canonical, schemas, signing, wire
from psf_audit.attestation import SignedFile
from psf_audit.errors import IntegrityError
from psf_audit.verification import Given, Kind
from tests import signatures
from tests.deployments import guarded
from tests.signatures import AT, KEY, OTHER, faults, passes, signed, signed_json, signed_page

MUTATIONS = 2_000


@pytest.fixture(scope="module")
def value(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return wire.to_json(guarded(tmp_path_factory.mktemp("deployment")).assess())


@pytest.fixture(scope="module")
def envelopes(value: dict[str, Any]) -> tuple[attestation.Envelope, ...]:
    return signed(value, SignedFile("assessment.json", "a" * 64))


def payloads(envelopes: tuple[attestation.Envelope, ...]) -> list[dict[str, Any]]:
    return [json.loads(envelope.payload) for envelope in envelopes]


# --------------------------------------------------------------------------------------------------------- statements


def test_the_statement_carries_the_assessment_and_digests_of_all_that_it_rests_on(
    value: dict[str, Any], envelopes: tuple[attestation.Envelope, ...]
) -> None:
    statement, _ = payloads(envelopes)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:psf-audit:attestation:1"
    subjects = {subject["name"]: subject["digest"] for subject in statement["subject"]}
    expected = {entry["path"]: {"sha256": entry["sha256"]} for entry in value["evidence"]}
    assert len(expected) == 4
    assert subjects == {
        "assessment.json": {"sha256": "a" * 64},
        "manifest.yaml": {"sha256": value["manifest"]["sha256"]},
        **expected,
    }
    assert statement["predicate"]["assessment"] == value
    assert statement["predicate"]["undigested"] == []
    assert not list(Draft202012Validator(schemas.load("attestation")).iter_errors(statement["predicate"]))


def test_what_has_no_digest_is_named(value: dict[str, Any]) -> None:
    entry = {**value["evidence"][0], "sha256": None, "readable": False, "problem": "does not exist"}
    changed = {**value, "evidence": [entry, *value["evidence"][1:]]}
    statement, _ = payloads(signed(changed, SignedFile("a", "a" * 64)))
    assert statement["predicate"]["undigested"] == [entry["path"]]
    assert entry["path"] not in {subject["name"] for subject in statement["subject"]}


def test_payloads_are_canonical(envelopes: tuple[attestation.Envelope, ...]) -> None:
    for envelope in envelopes:
        assert envelope.payload == canonical.dumps(json.loads(envelope.payload))
        assert envelope.payload_type == "application/vnd.in-toto+json"


def test_the_summary_has_the_fields_of_the_slsa_specification(
    value: dict[str, Any], envelopes: tuple[attestation.Envelope, ...]
) -> None:
    statement, summary = payloads(envelopes)
    assert summary["_type"] == "https://in-toto.io/Statement/v1"
    assert summary["subject"] == statement["subject"]
    assert summary["predicateType"] == "https://slsa.dev/verification_summary/v1"
    rubric = value["rubric"]
    assert summary["predicate"] == {
        "verifier": {"id": "urn:test:verifier", "version": {"psf-audit": "0.1.0"}},
        "timeVerified": AT,
        "resourceUri": "urn:test:deployment",
        "policy": {
            "uri": f"urn:psf-audit:rubric:{rubric['id']}:{rubric['version']}",
            "digest": {"sha256": rubric["content_digest"]},
        },
        "inputAttestations": [
            {
                "uri": "urn:psf-audit:attestation:1",
                "digest": {"sha256": attestation.digest(attestation.bundle(envelopes).split(b"\n")[0])},
            }
        ],
        "verificationResult": "PASSED",
        "verifiedLevels": ["PSF_AUDIT_READY"],
    }


def test_the_summary_of_what_does_not_meet_its_gate_failed(tmp_path: Path) -> None:
    deployment = guarded(tmp_path)
    deployment.drop("evidence/drills.xml")
    value = wire.to_json(deployment.assess())
    _, summary = payloads(signed(value, SignedFile("a", "a" * 64)))
    assert summary["predicate"]["verificationResult"] == "FAILED"
    assert summary["predicate"]["verifiedLevels"] == ["FAILED"]


def test_names_become_parts_of_a_uri(tmp_path: Path) -> None:
    deployment = guarded(tmp_path)
    deployment.manifest["deployment"]["name"] = "Zürich: one/two"
    assert attestation.resource_of(deployment.assess()) == (
        "urn:psf-audit:deployment:Z%C3%BCrich%3A%20one%2Ftwo:2.4.0:production"
    )


# ---------------------------------------------------------------------------------------------------- with others' code


def test_securesystemslib_verifies_what_is_signed_here(envelopes: tuple[attestation.Envelope, ...]) -> None:
    key = SSlibKey.from_crypto(KEY.public_key())
    for line in attestation.bundle(envelopes).splitlines():
        theirs = Theirs.from_dict(json.loads(line))
        assert theirs.verify([key], 1) == {key.keyid: key}
        with pytest.raises(VerificationError):
            theirs.verify([SSlibKey.from_crypto(OTHER.public_key())], 1)


def test_what_securesystemslib_signs_is_verified_here(value: dict[str, Any]) -> None:
    data, ours = signed_json(value)
    signer, written = CryptoSigner(KEY), []
    for line in ours.splitlines():
        envelope = json.loads(line)
        theirs = Theirs(base64.b64decode(envelope["payload"]), envelope["payloadType"], {})
        theirs.sign(signer)
        written.append(canonical.dumps(theirs.to_dict()) + b"\n")
    assert passes(Given("assessment.json", data, b"".join(written)))


def test_the_bytes_that_are_signed_are_those_of_the_dsse_example() -> None:
    # github.com/secure-systems-lab/dsse, protocol.md, test vectors
    wanted = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert attestation.pre_authentication("http://example.com/HelloWorld", b"hello world") == wanted


# ----------------------------------------------------------------------------------------------------------- mutations


def mutated(data: bytes, count: int) -> list[bytes]:
    """The bytes with one of them changed: places and values are drawn, the same ones each time."""
    drawn = random.Random(20261122)  # noqa: S311
    places = [drawn.randrange(len(data)) for _ in range(count)]
    return [data[:at] + bytes([data[at] ^ drawn.randrange(1, 256)]) + data[at + 1 :] for at in places]


def test_no_sidecar_passes_with_any_byte_changed(value: dict[str, Any]) -> None:
    data, sidecar = signed_json(value)
    assert passes(Given("assessment.json", data, sidecar))
    assert not [one for one in mutated(sidecar, MUTATIONS) if passes(Given("assessment.json", data, one))]


def test_no_assessment_passes_with_any_byte_changed(value: dict[str, Any]) -> None:
    data, sidecar = signed_json(value)
    assert not [one for one in mutated(data, MUTATIONS) if passes(Given("assessment.json", one, sidecar))]


def test_no_page_passes_with_any_byte_changed(value: dict[str, Any]) -> None:
    page = signed_page(value)
    assert passes(Given("report.html", page))
    assert not [one for one in mutated(page, MUTATIONS) if passes(Given("report.html", one))]


def test_every_byte_around_the_signature_of_a_page_counts(value: dict[str, Any]) -> None:
    page = signed_page(value)
    start = page.index(b'<script type="application/json" id="psf-attestation">')
    for place in [*range(start - 20, start + 200), *range(len(page) - 200, len(page))]:
        for bit in (1, 32):
            changed = page[:place] + bytes([page[place] ^ bit]) + page[place + 1 :]
            assert not passes(Given("report.html", changed)), place


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b'","payloadType', b'", "payloadType'),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b'"keyid"', b'"key\\u0069d"'),
        lambda data: data.replace(b'{"payload"', b'{"more":1,"payload"'),
        lambda data: data.replace(b'{"payload":', b'{"payload":"","payload":', 1),
        lambda data: data.replace(b'"signatures":[', b'"signatures":[{"keyid":"","sig":""},'),
        lambda data: b"\n".join(data.split(b"\n")[1::-1]) + b"\n",
        lambda data: data.split(b"\n")[0] + b"\n",
        lambda data: data.split(b"\n")[0] + b"\n" + data.split(b"\n")[0] + b"\n",
        lambda data: data + data,
        lambda data: data.replace(b"vnd.in-toto+json", b"json"),
    ],
)
def test_other_forms_of_the_same_attestation_do_not_pass(value: dict[str, Any], change: Any) -> None:
    data, sidecar = signed_json(value)
    assert change(sidecar) != sidecar
    found = faults(Given("assessment.json", data, change(sidecar)))
    assert {note.kind for note in found} <= {Kind.BAD_SIGNATURE, Kind.WRONG_KEY}
    assert found


@pytest.mark.parametrize(
    ("sidecar", "text"),
    [
        (b"", "does not have two envelopes"),
        (b"null\n", "holds no envelope with one signature"),
        (b"[]\n{}\n", "holds no envelope with one signature"),
        (b"\xff\n", "is not UTF-8 text"),
        (b"NaN\nNaN\n", "holds NaN"),
        (b'{"payload":"\xc3\xa4","payloadType":"","signatures":[{"keyid":"","sig":""}]}\n', "is no Base64"),
        (b'{"payload":"*","payloadType":"","signatures":[{"keyid":"","sig":""}]}\n', "is no Base64"),
        (b" " * (attestation.MAX_BYTES + 1), "is larger than 64 MiB"),
    ],
)
def test_what_is_no_attestation_is_named(value: dict[str, Any], sidecar: bytes, text: str) -> None:
    data, _ = signed_json(value)
    (found,) = faults(Given("assessment.json", data, sidecar))
    assert found.kind is Kind.BAD_SIGNATURE
    assert text in found.text


def test_base64_with_other_unused_bits_does_not_pass(value: dict[str, Any]) -> None:
    data, sidecar = signed_json(value)
    at = sidecar.index(b'=="')  # the character before two pads carries four bits that mean nothing
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = letters[letters.index(sidecar[at - 1]) ^ 1]
    changed = sidecar[: at - 1] + bytes([other]) + sidecar[at:]
    assert [note.text for note in faults(Given("assessment.json", data, changed))] == [
        "the attestation was written again: its bytes are not in the canonical form"
    ]


# ---------------------------------------------------------------------------------- statements that say something else


def resigned(sidecar: bytes, first: Any = None, second: Any = None) -> bytes:
    """An attestation whose statements were changed by who has the key."""
    made = []
    for line, change in zip(sidecar.splitlines(), (first, second), strict=True):
        statement = json.loads(base64.b64decode(json.loads(line)["payload"]))
        made.append(signing.sign(change(statement) if change else statement, KEY))
    return attestation.bundle(made)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (lambda one: {**one, "_type": "https://in-toto.io/Statement/v0.1"}, None, "has the _type"),
        (lambda one: {**one, "predicateType": attestation.SUMMARY_TYPE}, None, "has the predicateType"),
        (lambda one: {**one, "predicate": {}}, None, "does not have the form"),
        (lambda one: {**one, "predicate": {**one["predicate"], "more": 1}}, None, "does not have the form"),
        (lambda one: {**one, "subject": one["subject"][:-1]}, None, "subjects of the statement are not"),
        (lambda one: [one], None, "has the _type None"),
        (None, lambda one: {**one, "subject": []}, "summary is not that of the assessment"),
        (
            None,
            lambda one: {**one, "predicate": {**one["predicate"], "verificationResult": "FAILED"}},
            "summary is not that of the assessment",
        ),
        (lambda one: {**one, "more": 1}, None, "subjects of the statement are not"),
    ],
)
def test_statements_that_do_not_follow_from_the_assessment_do_not_pass(
    value: dict[str, Any], first: Any, second: Any, text: str
) -> None:
    data, sidecar = signed_json(value)
    found = faults(Given("assessment.json", data, resigned(sidecar, first, second)))
    assert {note.kind for note in found} == {Kind.BAD_SIGNATURE}
    assert text in found[0].text


def test_a_statement_of_another_assessment_does_not_pass(value: dict[str, Any]) -> None:
    data, _ = signed_json(value)
    changed = {**value, "fingerprint": "0" * 64}
    other = attestation.bundle(signed(changed, SignedFile("assessment.json", attestation.digest(data))))
    found = faults(Given("assessment.json", data, other))
    assert [note.text for note in found] == ["the assessment in the report is not the one that was signed"]


def test_a_number_without_canonical_form_is_refused(value: dict[str, Any]) -> None:
    changed = {**value, "evidence": [{**value["evidence"][0], "bytes": 10**30}, *value["evidence"][1:]]}
    with pytest.raises(IntegrityError, match="no canonical form"):
        signed_json(changed)
    _, sidecar = signed_json(value)
    found = faults(Given("assessment.json", wire.dumps(changed).encode(), sidecar))
    assert "no canonical form" in found[-1].text


def test_wrong_key_and_altered_signature_are_told_apart(value: dict[str, Any]) -> None:
    data, sidecar = signed_json(value)
    found = faults(Given("assessment.json", data, sidecar), key=OTHER)
    assert {note.kind for note in found} == {Kind.WRONG_KEY}
    ours, theirs = (signing.key_id(key.public_key()) for key in (KEY, OTHER))
    assert found[0].text == f"it is signed with the key {ours}, not with {theirs}"
    first, second = attestation.read_bundle(sidecar)
    moved = attestation.Envelope(first.payload, first.payload_type, first.key_id, second.signature)
    found = faults(Given("assessment.json", data, attestation.bundle([moved, second])))
    assert Kind.WRONG_KEY not in {note.kind for note in found}
    assert "the signature of the key" in found[0].text
    renamed = attestation.Envelope(first.payload, first.payload_type, theirs, first.signature)
    found = faults(Given("assessment.json", data, attestation.bundle([renamed, second])))
    assert found[0].kind is Kind.BAD_SIGNATURE


def test_an_unsigned_report_never_passes_with_a_key(value: dict[str, Any]) -> None:
    data, _ = signed_json(value)
    assert [note.kind for note in faults(Given("assessment.json", data))] == [Kind.NOT_SIGNED]
    assert faults(Given("assessment.json", data), key=None) == []


def test_keys_are_those_that_openssl_writes() -> None:
    assert signing.private_key(signatures.private_pem(), None, "key").private_bytes_raw() == bytes(range(32))
    assert signing.public_key(signatures.public_pem(), "key") == KEY.public_key()
