"""What nobody may read never leaves the program, whatever file it stands in and whatever is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psf_audit.cli import main
from tests.deployments import Deployment, guarded
from tests.everywhere import DATABASE, FILES, SECRETS, fill

PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{SECRETS['pem']}\n-----END RSA PRIVATE KEY-----"
TELLING = {
    "api key": f"used {SECRETS['openai']}",
    "anthropic": f"export ANTHROPIC_API_KEY={SECRETS['anthropic']}",
    "aws": f"aws_access_key_id = {SECRETS['aws id']}",
    "github": f"https://x-access-token:{SECRETS['github']}@github.com/acme/indexer",
    "slack": f"posted with {SECRETS['slack']}",
    "google": f"?key={SECRETS['google']}",
    "jwt": f"Authorization: Bearer {SECRETS['jwt']}",
    "bearer": f"Authorization: Bearer {SECRETS['bearer']}",
    "database": f"connected to {DATABASE}",
    "password": f"password={SECRETS['password']}",
    "json": json.dumps({"password": SECRETS["password"]}),
    "pem": PEM,
    "arn": f"arn:aws:iam::{SECRETS['account']}:role/agent",
}


def leaks(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if secret in text]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


# An address is what stands before a colon: the reader of plans takes JSON apart before anybody can tell what it was.
SHOWN = [(path, kind) for path in FILES for kind in TELLING if (path, kind) != ("config/plan.json", "json")]


@pytest.mark.parametrize(("path", "kind"), SHOWN)
def test_evidence_show_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")  # so that no line break hides a secret from this test
    target = tmp_path / Path(path).name
    target.write_text(FILES[path](TELLING[kind]))
    main.run(["evidence", "show", str(target)])
    printed = capsys.readouterr()
    assert "format unknown" not in printed.out
    assert leaks(printed.out + printed.err) == []


@pytest.mark.parametrize("kind", TELLING)
def test_no_report_holds_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    fill(deployment, TELLING[kind])
    written = [f"{name}={deployment.folder / name}" for name in ("html", "markdown", "json", "terminal")]
    assert deployment.run(*(part for one in written for part in ("-o", one))) in {1, 3}
    printed = capsys.readouterr()
    reports = "".join((deployment.folder / one.partition("=")[0]).read_text() for one in written)
    assert leaks(printed.out + printed.err + reports) == []


@pytest.mark.parametrize("kind", TELLING)
def test_no_error_message_holds_it(deployment: Deployment, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    text = TELLING[kind]
    for change in (
        {"waivers": [{"control": text, "reason": "r", "owner": "a", "approved_by": "b", "expires": "2026-12-01"}]},
        {text: 1},
        {"gate": {"require": text}},
        {"rubric": text},
        {"evidence": [{"path": text}, {"path": text}]},
        {"deployment": {"name": text, "release": 1, "environment": text}},
        {"guardrails": {"limits": [{"resource": text, "amount": text}]}},
    ):
        one = Deployment(deployment.folder, {**deployment.manifest, **change})
        assert one.run() == 2
    if text.startswith("-"):  # then it is an option of whoever types it
        return
    for option in ("--rubric", "--fail-on", "--as-of", "-f", "-o", "--engine"):
        assert deployment.run(option, text) == 2
    for command in (["explain", text], ["schema", text], ["rubric", "show", text]):
        assert main.run(command) == 2
    printed = capsys.readouterr()
    assert leaks(printed.out + printed.err) == []
