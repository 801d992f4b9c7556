"""What nobody may read never leaves the program, whatever file it stands in and whatever is printed."""

from __future__ import annotations

import json
import zipfile
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import settings

from psf_audit import attestation
from psf_audit.cli import main, sample
from psf_audit.facts.tables import TABLES, ColumnType
from psf_audit.plugins import discover
from psf_audit.rendering import ReportFormat
from tests import deployments
from tests.deployments import Deployment, guarded
from tests.everywhere import DATABASE, FILES, SECRETS, fill
from tests.fixtures import EVERY, Fixture
from tests.signatures import Files

FORMATS = tuple(discover("psf_audit.report", ReportFormat))
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
    "account": f"{SECRETS['account']}.dkr.ecr.eu-west-1.amazonaws.com/agent",
    "mail": f"{SECRETS['mail']}@corp.example",
}


# Those that are known by themselves, without what stands before them.
ALONE = ("openai", "litellm", "anthropic", "aws id", "github", "slack", "google", "jwt")


def leaks(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if secret in text]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


SHOWN = [(path, kind) for path in FILES for kind in TELLING]


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
    written = [f"{name}={deployment.folder / f'report.{name}'}" for name in FORMATS]
    assert deployment.run(*(part for one in written for part in ("-o", one))) in {1, 3}
    printed = capsys.readouterr()
    reports = "".join(Path(one.partition("=")[2]).read_text() for one in written)
    assert leaks(printed.out + printed.err + reports) == []


@pytest.mark.parametrize("kind", TELLING)
def test_no_answer_and_no_explanation_holds_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    fill(deployment, TELLING[kind])
    given = [str(deployment.save()), "--as-of", "2026-11-22", "--rubric", str(deployment.folder / "rubric.yaml")]
    page = f"html={deployment.folder / 'page.html'}"
    assert main.run(["questions", *given, "-o", page]) == 0
    for control in deployments.IDS:
        explained = f"markdown={deployment.folder / control}"
        assert main.run(["explain", control, "-m", *given, "-o", explained]) == 0
    printed = capsys.readouterr()
    written = "".join((deployment.folder / name).read_text() for name in ("page.html", *deployments.IDS))
    assert "What was found" in written
    assert leaks(printed.out + printed.err + written) == []


@pytest.mark.parametrize("kind", TELLING)
def test_no_attestation_or_redacted_pack_holds_it(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    fill(deployment, TELLING[kind])
    (tmp_path / "out").mkdir()
    files = Files(deployment, tmp_path / "out")
    assert files.attest(files.json) == 0
    assert files.pack(None, "--redact") == 0
    assert files.verify(files.path("pack.zip")) == 0
    printed = capsys.readouterr()
    envelopes = attestation.read_bundle((files.folder / "assessment.json.intoto.jsonl").read_bytes())
    signed = [envelope.payload.decode() for envelope in envelopes]
    with zipfile.ZipFile(files.path("pack.zip")) as archive:
        packed = [archive.read(name).decode() for name in archive.namelist()]
    assert leaks("".join([printed.out, printed.err, *signed, *packed])) == []


@pytest.mark.parametrize("kind", TELLING)
def test_no_worksheet_holds_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where somebody put it into the file of the assessment by hand."""
    monkeypatch.setenv("COLUMNS", "4000")
    fill(deployment, TELLING[kind])
    made = deployment.folder / "assessment.json"
    assert deployment.run("-o", f"json={made}") in {1, 3}
    value = json.loads(made.read_text())
    for domain in value["domains"]:
        for control in domain["controls"]:
            control["reason"] = control["title"] = TELLING[kind]
    made.write_text(json.dumps(value))
    for name in sample.forms():
        assert main.run(["sample", str(made), "--seed", "1", "--count", "1000", "-f", name]) == 0
    printed = capsys.readouterr()
    assert leaks(printed.out + printed.err) == []


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
    for command in (["explain", text], ["questions", text], ["schema", text], ["rubric", "show", text]):
        assert main.run(command) == 2
    printed = capsys.readouterr()
    assert leaks(printed.out + printed.err) == []


# ------------------------------------------------------------------------------------------- the files of every format

PLANTS = [*TELLING.values(), *(SECRETS[name] for name in ALONE)]
# One leaf in so many is tried alone; `make fuzz` tries all of them.
STRIDE = 1 if settings().max_examples > 100 else 5
EACH = pytest.mark.parametrize("fixture", EVERY, ids=[fixture.id for fixture in EVERY])


def shown(fixture: Fixture, data: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `psf-audit evidence show` prints of a file of a format."""
    target = folder / fixture.path.name
    target.write_bytes(data)
    assert main.run(["evidence", "show", str(target), "--format", fixture.kind.name]) in {0, 3}
    printed = capsys.readouterr()
    return printed.out + printed.err


@EACH
def test_evidence_show_keeps_what_stands_wherever_text_can_stand(
    fixture: Fixture, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    for text in PLANTS:
        data = fixture.tree.write(dict.fromkeys(fixture.open_places, text))
        assert leaks(shown(fixture, data, tmp_path, capsys)) == [], text


@EACH
def test_evidence_show_keeps_what_stands_in_one_place(
    fixture: Fixture, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    texts = cycle(PLANTS)
    for address in fixture.tree.texts[::STRIDE]:
        text = next(texts)
        printed = shown(fixture, fixture.tree.write({address: text}), tmp_path, capsys)
        assert leaks(printed) == [], (address, text)


def telling_all() -> str:
    """A rubric that shows every text that any evidence table holds."""
    columns = [
        (table, column.name)
        for table in TABLES.values()
        if table.facts or table.name == "events"
        for column in table.columns
        if column.type is ColumnType.TEXT and not column.choices and column.name not in {"source", "pointer"}
    ]
    query = 'SELECT min(ref) AS ref, "{0}" AS what FROM {1} WHERE "{0}" IS NOT NULL GROUP BY "{0}"'
    controls = [
        {
            "id": f"SPEND-{number:02}",
            "domain": "spend",
            "title": f"{table.name}.{name}",
            "severity": "medium",
            "shows": query.format(name, table.name),
        }
        for number, (table, name) in enumerate(columns)
    ]
    return deployments.rubric_text(*controls)


@pytest.mark.parametrize("text", PLANTS)
def test_no_report_on_files_of_every_format_holds_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    deployment.rubric = telling_all()
    for fixture in EVERY:
        data = fixture.tree.write(dict.fromkeys(fixture.open_places, text))
        deployment.put(f"{fixture.kind.name}/{fixture.path.name}", data, format=fixture.kind.name)
    written = [f"{name}={deployment.folder / f'report.{name}'}" for name in FORMATS]
    assert deployment.run(*(part for one in written for part in ("-o", one))) in {0, 1, 3}
    printed = capsys.readouterr()
    reports = "".join(Path(one.partition("=")[2]).read_text() for one in written)
    assert "[" in reports
    assert leaks(printed.out + printed.err + reports) == []
