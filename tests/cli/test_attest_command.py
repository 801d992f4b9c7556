"""`psf-audit attest` and `psf-audit verify` as a program."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from psf_audit import __version__, attestation
from psf_audit.cli import main, output
from psf_audit.model import Status
from tests.deployments import AS_OF, guarded
from tests.signatures import KEY, PASSWORD, Files, private_pem

DIGEST = "0" * 64


@pytest.fixture
def files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Files:
    (tmp_path / "deployment").mkdir()
    (tmp_path / "out").mkdir()
    made = Files(guarded(tmp_path / "deployment"), tmp_path / "out")
    capsys.readouterr()
    return made


@pytest.fixture
def signed(files: Files, capsys: pytest.CaptureFixture[str]) -> Path:
    """The page with its attestation in it."""
    target = files.folder / "signed.html"
    assert files.attest(files.html, "-o", str(target)) == 0
    capsys.readouterr()
    return target


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """All that was printed, on one line."""
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return " ".join((told.out + told.err).split())


# -------------------------------------------------------------------------------------------------------------- attest


def test_a_page_is_verified_from_itself_alone(files: Files, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = files.folder / "elsewhere" / "renamed.html"
    alone.parent.mkdir()
    signed.rename(alone)
    assert files.verify(alone) == 0
    told = capsys.readouterr()
    assert told.err == "verified (exit 0)\n"
    for part in ("both statements are signed", "byte for byte", "acme-indexer 2.4.0, production: ready", "PASSED"):
        assert part in " ".join(told.out.split())
    assert "whose key that is" in told.out
    assert "the manifest and the evidence files: give --evidence DIR" in told.out
    assert "wrong" not in told.out.split("\n")


@pytest.mark.parametrize("name", ["json", "html"])
def test_a_sidecar_is_found_beside_its_report(
    files: Files, capsys: pytest.CaptureFixture[str], name: str, tmp_path: Path
) -> None:
    report: Path = getattr(files, name)
    assert files.attest(report) == 0
    sidecar = report.with_name(report.name + ".intoto.jsonl")
    assert f"wrote {sidecar}, signed with the key " in capsys.readouterr().err
    assert files.verify(report) == 0
    moved = sidecar.rename(tmp_path / "moved.jsonl")
    assert files.verify(report) == 4
    assert "not signed: " in printed(capsys)
    assert files.verify(report, "--attestation", str(moved)) == 0


def test_the_same_report_key_and_time_give_the_same_bytes(
    files: Files, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = signed.read_bytes()
    assert files.attest(files.html, "-o", str(signed), "--force") == 0
    assert signed.read_bytes() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")  # 2026-11-22T12:00:00Z
    assert main.run(["attest", str(files.html), "--key", files.path("key.pem"), "-o", str(signed), "--force"]) == 0
    assert signed.read_bytes() == first


def test_a_page_is_signed_in_its_place_only_when_forced(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.attest(files.html, "-o", str(files.html)) == 2
    assert "is there already" in capsys.readouterr().err
    assert files.attest(files.html, "-o", str(files.html), "--force") == 0
    assert files.verify(files.html) == 0
    assert files.attest(files.html, "-o", str(files.html), "--force") == 0  # what was signed is replaced
    assert files.verify(files.html) == 0


def test_a_time_that_is_now_is_written_where_none_is_given(files: Files) -> None:
    assert main.run(["attest", str(files.json), "--key", files.path("key.pem")]) == 0
    sidecar = attestation.read_bundle((files.folder / "assessment.json.intoto.jsonl").read_bytes())
    assert attestation.read_statements(sidecar).made.at > "2026-01-01T00:00:00Z"
    assert attestation.read_statements(sidecar).made.tool == f"psf-audit {__version__}"


def test_a_key_may_have_a_password(
    files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (files.folder / "key.pem").write_bytes(private_pem(KEY, PASSWORD))
    assert files.attest(files.json) == 2
    assert "needs a password; name the environment variable with it: --password-env NAME" in capsys.readouterr().err
    assert files.attest(files.json, "--password-env", "PSF_KEY") == 2
    assert "the environment variable PSF_KEY is not set" in capsys.readouterr().err
    monkeypatch.setenv("PSF_KEY", "wrong")
    assert files.attest(files.json, "--password-env", "PSF_KEY") == 2
    assert "does not open with this password" in capsys.readouterr().err
    monkeypatch.setenv("PSF_KEY", PASSWORD)
    assert files.attest(files.json, "--password-env", "PSF_KEY") == 0
    assert PASSWORD not in printed(capsys)
    (files.folder / "key.pem").write_bytes(private_pem(KEY))
    assert files.attest(files.json, "--password-env", "PSF_KEY", "--force") == 2
    assert "has no password, and one is given" in capsys.readouterr().err


RSA = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "yesterday"), "--at 'yesterday' is no time; write it as 2026-11-22T12:00:00Z"),
        (("--resource", "no uri"), "--resource 'no uri' is no URI"),
        (("--verifier", "https://exa mple"), "--verifier 'https://exa mple' is no URI"),
        (("-o", "{folder}/a.html"), "is no HTML report"),
        (("-o", "{folder}/assessment.json", "--force"), "would overwrite an input"),
        (("-o", "{folder}/key.pem", "--force"), "would overwrite an input"),
        (("-o", "{folder}/none/a.jsonl"), "cannot write"),
        (("--key", "{folder}/none.pem"), "none.pem does not exist"),
        (("--key", "{folder}/key.pub.pem"), "holds no private key that can be read; make one with `openssl"),
        (("--key", "{folder}/assessment.json"), "holds no private key"),
    ],
)
def test_what_cannot_be_signed_with_is_refused(
    files: Files, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    before = sorted(files.folder.iterdir())
    assert files.attest(files.json, *(option.format(folder=files.folder) for option in options)) == 2
    assert message in printed(capsys)
    assert sorted(files.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"# notes", "is not JSON"),
        (b"<p>page</p>", "the page has no place for a signature"),
        (b"{}", "its schema is not psf-audit/assessment/1"),
    ],
)
def test_what_is_no_report_is_not_signed(
    files: Files, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    path = files.folder / "other"
    if content is not None:
        path.write_bytes(content)
    assert files.attest(path) in {2, 4}
    assert message in printed(capsys)


def test_a_page_that_says_something_else_is_not_signed(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.html.write_text(files.html.read_text().replace("Every blocking control", "No control"))
    assert files.attest(files.html) == 4
    assert "the page says 'No control in every domain" in printed(capsys)
    assert not (files.folder / "report.html.intoto.jsonl").exists()


def test_an_assessment_without_a_digest_of_its_manifest_is_not_signed(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    value = json.loads(files.json.read_text())
    value["manifest"]["sha256"] = None
    files.json.write_text(json.dumps(value))
    assert files.attest(files.json) == 2
    assert "the assessment has no digest of its manifest; assess the deployment again" in printed(capsys)


@pytest.mark.parametrize("epoch", ["soon", "1e9", "9" * 30])
def test_an_epoch_that_is_none_is_refused(
    files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, epoch: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert main.run(["attest", str(files.json), "--key", files.path("key.pem")]) == 2
    assert f"SOURCE_DATE_EPOCH {epoch!r} is no time" in printed(capsys)


# -------------------------------------------------------------------------------------------------------------- verify


def test_without_a_key_nothing_passes_by_accident(
    files: Files, signed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.verify(signed, key=None) == 2
    assert "--key is missing; give --key with the public key, or --unsigned" in printed(capsys)
    assert files.verify(signed, "--unsigned") == 2
    assert "--key and --unsigned exclude each other" in printed(capsys)
    assert files.verify(signed, "--unsigned", key=None) == 0
    told = printed(capsys)
    assert "it agrees with itself; nobody's signature was checked (exit 0)" in told
    assert "who made it, and whether somebody wrote all of it anew" in told


def test_a_wrong_key_is_told_from_an_altered_report(
    files: Files, signed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.verify(signed, key="other.pub.pem") == 4
    told = printed(capsys)
    assert "wrong key: it is signed with the key" in told
    assert told.endswith("not verified: wrong key (exit 4)")
    signed.write_text(signed.read_text().replace("Every blocking control", "Each blocking control"))
    assert files.verify(signed) == 4
    told = printed(capsys)
    assert "altered report: signed.html is not the file that was signed, report.html" in told
    assert "the page says 'Each blocking control in every domain" in told
    assert told.endswith("not verified: altered report (exit 4)")
    assert files.verify(signed, key="other.pub.pem") == 4
    assert printed(capsys).endswith("not verified: wrong key, altered report (exit 4)")


def test_an_edited_number_is_caught_without_any_signature(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.verify(files.html, "--unsigned", key=None) == 0
    files.html.write_text(files.html.read_text().replace("score 100%", "score 101%", 1))
    assert files.verify(files.html, "--unsigned", key=None) == 4
    assert "the page says 'score 101%, coverage 100%', the assessment 'score 100%, coverage 100%'" in printed(capsys)


def test_an_assessment_that_contradicts_itself_is_caught(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.json.write_text(files.json.read_text().replace(f'"{Status.DEMONSTRATED}"', '"missing"', 1))
    assert files.verify(files.json, "--unsigned", key=None) == 4
    assert "altered report: is not an assessment: " in printed(capsys)


def test_altered_and_missing_evidence_is_named(files: Files, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = files.deployment.folder
    given = ("--evidence", str(folder))
    assert files.verify(signed, *given) == 0
    assert "5 files of the manifest and the evidence, by digest" in printed(capsys)
    (folder / "config/gateway.yaml").write_text("changed")
    (folder / "docs/runbook.md").unlink()
    assert files.verify(signed, *given) == 4
    told = printed(capsys)
    assert "altered evidence: config/gateway.yaml has the digest" in told
    assert "missing evidence: docs/runbook.md does not exist" in told
    assert told.endswith("not verified: altered evidence, missing evidence (exit 4)")
    assert files.verify(signed, "--evidence", str(folder / "none")) == 2
    assert "is no folder" in printed(capsys)


def test_evidence_may_not_lead_out_of_its_folder(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads(files.json.read_text())
    value["evidence"][0]["path"] = "../../../etc/passwd"
    files.json.write_text(json.dumps(value))
    assert files.attest(files.json) == 0
    assert files.verify(files.json, "--evidence", str(files.deployment.folder)) == 4
    assert "missing evidence: ../../../etc/passwd lies outside the evidence root" in printed(capsys)


def test_a_folder_of_evidence_has_the_digest_of_the_register(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = files.deployment
    log = (deployment.folder / "evidence/log.jsonl").read_text().splitlines(keepends=True)
    deployment.drop("evidence/log.jsonl")
    deployment.manifest["evidence"].append({"path": "logs", "collected": "2026-11-20"})
    for number, line in enumerate(log[1:]):
        deployment.write(f"logs/part-{number}.jsonl", log[0] + line)
    files.assess()
    assert files.attest(files.json) == 0
    assert files.verify(files.json, "--evidence", str(deployment.folder)) == 0
    deployment.write("logs/part-9.jsonl", log[0] + log[1])
    assert files.verify(files.json, "--evidence", str(deployment.folder)) == 4
    assert "altered evidence: logs has the digest" in printed(capsys)
    assert files.pack() == 4
    assert "logs: is not what was assessed" in printed(capsys)
    (deployment.folder / "logs/part-9.jsonl").unlink()
    assert files.pack() == 0
    assert files.verify(files.path("pack.zip")) == 0


def test_what_is_too_old_has_expired(files: Files, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    until = date.fromisoformat(json.loads(files.json.read_text())["valid_until"])
    assert files.verify(signed, "--max-age", "90d", day=until) == 0
    assert files.verify(signed, day=until + timedelta(days=1)) == 4
    told = printed(capsys)
    assert f"expired: the assessment was valid until {until}; it is {until + timedelta(days=1)}" in told
    age = (until - AS_OF).days
    assert files.verify(signed, "--max-age", f"{age}d", day=until) == 0
    assert files.verify(signed, "--max-age", f"{age - 1}d", day=until) == 4
    assert f"expired: the assessment is {age} days old, more than {age - 1} days" in printed(capsys)
    assert files.verify(signed, day=AS_OF - timedelta(days=1)) == 4
    assert f"the assessment is of {AS_OF}, which is after {AS_OF - timedelta(days=1)}" in printed(capsys)


def test_another_rubric_is_named(files: Files, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = json.loads(files.json.read_text())["rubric"]["content_digest"]
    assert files.verify(signed, "--rubric-digest", digest) == 0
    assert files.verify(signed, "--rubric-digest", f"sha256:{digest.upper()}") == 0
    assert files.verify(signed, "--rubric-digest", DIGEST) == 4
    assert f"digest {digest}, not by {DIGEST}" in printed(capsys)


def test_another_deployment_is_named(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.attest(files.json, "--resource", "https://example.com/a", "--verifier", "https://example.com/v") == 0
    assert files.verify(files.json, "--resource", "https://example.com/a") == 0
    assert "for https://example.com/v" in printed(capsys)
    assert files.verify(files.json, "--resource", "https://example.com/b") == 4
    assert "other resource: it is about https://example.com/a, not https://example.com/b" in printed(capsys)
    assert files.verify(files.json, "--resource", "urn:x:y", "--unsigned", key=None) == 4
    assert "nothing signed says what it is about" in printed(capsys)


def test_everything_that_is_wrong_is_listed(files: Files, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files.deployment.folder / "docs/runbook.md").unlink()
    signed.write_text(signed.read_text().replace("Every blocking control", "No control"))
    options = ("--evidence", str(files.deployment.folder), "--rubric-digest", DIGEST, "--resource", "urn:x:y")
    assert files.verify(signed, *options, "--max-age", "1d", key="other.pub.pem", day=date(2030, 1, 1)) == 4
    kinds = "wrong key, altered report, expired, other rubric, other resource, missing evidence"
    assert printed(capsys).endswith(f"not verified: {kinds} (exit 4)")


def test_the_page_of_another_version_rests_on_its_signature(
    files: Files, signed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = output.rendered
    replaced = (b"Every blocking control", b"Each control")
    monkeypatch.setattr("psf_audit.cli.verify.rendered", lambda *given: rendered(*given).replace(*replaced))
    assert files.verify(signed) == 4  # of this version, so somebody who has the key signed another page
    assert "the page says 'Every blocking control" in printed(capsys)
    monkeypatch.setattr("psf_audit.__version__", "9.9.9")
    assert files.verify(signed) == 0
    told = printed(capsys)
    assert f"it was written by psf-audit {__version__}, whose pages psf-audit 9.9.9 does not write" in told
    assert files.verify(signed, "--unsigned", key=None) == 4


def test_shapes_alone_may_come_from_another_version(
    files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = output.rendered
    replaced = (b'<path d="', b'<path d="M9 9')
    monkeypatch.setattr("psf_audit.cli.verify.rendered", lambda *given: rendered(*given).replace(*replaced))
    assert files.verify(files.html, "--unsigned", key=None) == 0
    assert "the shapes in its pictures" in printed(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-age", "90"), "--max-age '90' is no number of days; write it as 90d"),
        (("--rubric-digest", "abc"), "--rubric-digest 'abc' is no SHA-256"),
        (("--attestation", "/no/such/file"), "/no/such/file does not exist"),
        (("--as-of", "soon"), "--as-of 'soon' is no day"),
        (("--key", "{folder}/key.pem"), "holds a private key: only who signs may have it"),
        (("--key", "{folder}/rsa.pem"), "is no Ed25519 key"),
        (("--key", "{folder}/report.html"), "holds no public key that can be read"),
        (("--key", "{folder}/none"), "none does not exist"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    files: Files, signed: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    (files.folder / "rsa.pem").write_text(RSA)
    keyed = [] if "--key" in options else ["--key", files.path("key.pub.pem")]
    given = [option.format(folder=files.folder) for option in options]
    assert main.run(["verify", str(signed), *keyed, *given]) == 2
    assert message in printed(capsys)


@pytest.mark.parametrize("content", [None, b"", b"text", b"<p>", b"\xff\xfe", b"[]", b"PK"])
def test_what_is_no_report_is_not_verified(
    files: Files, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = files.folder / "other"
    if content is not None:
        path.write_bytes(content)
    assert files.verify(path) == (2 if content is None else 4)
    assert printed(capsys)
    assert files.verify(path, "--unsigned", key=None) != 0


def test_a_named_pipe_is_not_waited_for(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(files.path("pipe"))
    assert files.verify(files.path("pipe")) == 2
    assert "is not a regular file" in printed(capsys)
