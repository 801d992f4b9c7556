"""The commands beside `assess`: report, diff, evidence, explain, rubric, schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from psf_audit import collection, rubric, schemas
from psf_audit.cli.repository import folder_of
from psf_audit.plugins import names
from tests import deployments
from tests.commands import keep, said
from tests.deployments import Deployment, event, guarded, log, rubric_text, started


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


@pytest.fixture
def stored(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Path:
    return keep(deployment, capsys)


# --------------------------------------------------------------------------------------------------------------- report


@pytest.mark.parametrize("format_", names("psf_audit.report"))
def test_a_stored_assessment_renders_as_it_did(
    deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    deployment.run("-f", format_)
    first = capsys.readouterr().out
    assert said(capsys, 0, "report", str(stored), "-f", format_)[0] == first


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"schema": "psf-audit/assessment/9"}',
        b'{"schema": "psf-audit/assessment/1"}',
    ],
)
def test_what_is_no_assessment_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    out, err = said(capsys, 2, "report", str(path))
    assert out == ""
    assert str(path) in err


def uris(report: str) -> set[str]:
    """The files that a SARIF report names."""
    results = json.loads(report)["runs"][0]["results"]
    return {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results}


def test_files_are_named_from_the_top_of_the_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployments.bare(tmp_path / "deploy" / "agent")
    deployment.folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    path = deployment.save()
    assert folder_of(path) == "deploy/agent"
    stored = tmp_path / "out.json"
    assert deployment.run("-f", "sarif", "-o", f"json={stored}") == 3
    first = capsys.readouterr().out
    assert uris(first) == {"deploy/agent/manifest.yaml"}
    assert uris(said(capsys, 0, "report", str(stored), "-f", "sarif")[0]) == {"manifest.yaml"}
    assert said(capsys, 0, "report", str(stored), "-f", "sarif", "--manifest", str(path))[0] == first
    (tmp_path / ".git").rmdir()
    assert folder_of(path) == ""
    monkeypatch.chdir(tmp_path / "deploy")
    assert folder_of(path) == "agent"
    assert folder_of(tmp_path / "deploy" / "x.yaml") == ""


def test_another_manifest_than_the_assessed_one_is_refused(
    deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = deployment.write("other.yaml", "schema: psf-audit/manifest/1\n")
    error = said(capsys, 2, "report", str(stored), "--manifest", str(other))[1]
    assert "is not the manifest that was assessed; give the manifest as it was then" in error
    error = said(capsys, 2, "report", str(stored), "--manifest", str(deployment.folder / "none.yaml"))[1]
    assert "does not exist" in error


def test_a_report_does_not_overwrite_its_assessment(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored.read_bytes()
    said(capsys, 2, "report", str(stored), "-o", f"html={stored}")
    assert stored.read_bytes() == before


# ----------------------------------------------------------------------------------------------------------------- diff


@pytest.fixture
def worse(deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = stored.with_name("worse.json")
    deployment.put("evidence/log.jsonl", log(started(), event(name="forbidden.call", cost_usd=3)))
    deployment.run("-o", f"json={path}")
    capsys.readouterr()
    return path


def test_a_regression_gates_only_when_asked(stored: Path, worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = (str(stored), str(worse))
    assert said(capsys, 0, "diff", *pair)[1].endswith("(exit 0)\n")
    out, err = said(capsys, 1, "diff", *pair, "--fail-on", "regression")
    assert "SPEND-01" in out
    assert err.endswith("(exit 1)\n")
    said(capsys, 0, "diff", *pair, "--fail-on", "regression", "--exit-zero")
    said(capsys, 0, "diff", *pair[::-1], "--fail-on", "regression")
    said(capsys, 2, "diff", *pair, "--fail-on", "regressions")
    said(capsys, 2, "diff", *pair, "-f", "docx")
    said(capsys, 2, "diff", pair[0])
    said(capsys, 2, "diff", pair[0], pair[1] + ".gone")


# ------------------------------------------------------------------------------------------------------------- evidence


def test_evidence_show_says_what_it_read_and_what_it_cannot_prove(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = said(capsys, 0, "evidence", "show", str(deployment.folder / "config/gateway.yaml"))
    for part in (
        "format guardrails",
        deployments.sha256(deployments.GATEWAY),
        "line 7",
        "limits",
        "resource usd",
        "It cannot prove",
    ):
        assert part in out
    assert "release 2.4.0" in out


def test_evidence_show_of_a_log_shows_the_first_events(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.put("evidence/log.jsonl", log(*(event(name=f"call-{n}") for n in range(30))))
    out, _ = said(capsys, 0, "evidence", "show", str(deployment.folder / "evidence/log.jsonl"))
    assert "the first of 30: 30 action" in out
    assert "call-9" in out
    assert "call-10" not in out


@pytest.mark.parametrize(
    ("name", "content"), [("a.bin", b"\x00\x01"), ("a.json", b"{"), ("a.xml", b"<testsuite>"), ("gone", None)]
)
def test_evidence_show_of_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    out, _ = said(capsys, 3, "evidence", "show", str(tmp_path / name))
    assert "Problem" in out


def test_evidence_show_reads_as_told(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(deployment.folder / "config/gateway.yaml")
    assert "format records" in said(capsys, 3, "evidence", "show", path, "--format", "records")[0]
    assert "'gateway' is not known" in said(capsys, 3, "evidence", "show", path, "--format", "gateway")[0]


def test_evidence_formats_lists_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "evidence", "formats")
    for name in collection.formats():
        assert name in out


# -------------------------------------------------------------------------------------------------------------- explain


def test_explain_gives_the_control_its_criteria_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "explain", "spend-01")
    control = rubric.load(rubric.locate("psf-agentic@1")).control("SPEND-01")
    assert control is not None
    for part in (control.title, "shows", "breaks", "Remedy", "References", "Question to ask"):
        assert part in out


def test_explain_suggests_the_nearest_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean SPEND-01?" in said(capsys, 2, "explain", "SPENT-01")[1]
    assert "rubric list" in said(capsys, 2, "explain", "???")[1]


def test_explain_takes_another_rubric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(deployments.RUBRIC)
    assert "small@1.0.0, high" in said(capsys, 0, "explain", "SPEND-02", "--rubric", str(path))[0]
    said(capsys, 2, "explain", "AUDIT-01", "--rubric", str(path))
    said(capsys, 2, "explain", "SPEND-01", "--rubric", "psf-agentic@7")


# --------------------------------------------------------------------------------------------------------------- rubric


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(deployments.RUBRIC)
    return path


def test_rubric_list_and_show(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "psf-agentic@1.0.0" in said(capsys, 0, "rubric", "list")[0]
    out, _ = said(capsys, 0, "rubric", "show", str(small))
    assert "content digest" in out
    for id_ in deployments.IDS:
        assert id_ in out


def test_rubric_lint_finds_sql_that_does_not_bind(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "3 controls, no problem" in said(capsys, 0, "rubric", "lint", str(small))[0]
    small.write_text(rubric_text({**deployments.RATE, "shows": "SELECT ref, colour AS what FROM limits"}))
    assert "SPEND-02" in said(capsys, 2, "rubric", "lint", str(small))[1]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM limits",
        "SELECT 1 AS ref, 'x' AS what; SELECT 2",
        "SELECT ref, 'x' AS what FROM read_text('/etc/passwd')",
        "SELECT ref, 'x' AS what FROM '/etc/passwd'",
        "SELECT ref, getenv('HOME') AS what FROM limits",
        "SELECT range AS ref, 'x' AS what FROM range(10000000000)",
        "SELECT ref, 'x' AS what FROM no_such_table",
        "SELECT ref, $day AS what FROM limits",
        "SELEKT",
    ],
)
def test_sql_that_does_more_than_ask_is_refused_with_its_line(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    deployment.rubric = rubric_text({**deployments.RATE, "shows": sql})
    assert deployment.run() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{deployment.folder / 'rubric.yaml'}:" in printed.err
    assert "SPEND-02" in printed.err


def test_rubric_test_runs_the_cases_beside_it(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in said(capsys, 2, "rubric", "test", str(small))[1]
    value = {
        "schema": "psf-audit/cases/1", "rubric": "small@1.0.0", "as_of": "2026-11-22", "deployment": {"release": "1"},
        "controls": {"SPEND-02": {"base": {}, "cases": [{"status": "missing"}, {"status": "missing"}]}},
    }  # fmt: skip
    beside = small.with_name("small.cases.yaml")
    beside.write_text(yaml.safe_dump(value))
    assert said(capsys, 0, "rubric", "test", str(small))[0] == "2 cases, 0 wrong\n"
    beside.write_text(yaml.safe_dump(value).replace("missing", "untested", 1))
    out, _ = said(capsys, 1, "rubric", "test", str(small))
    assert "expected untested, got missing" in out
    assert "2 cases, 1 wrong" in out


def test_a_run_of_no_cases_is_no_success(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = {
        "schema": "psf-audit/cases/1", "rubric": "small@1.0.0", "as_of": "2026-11-22", "deployment": {"release": "1"},
        "controls": {"SPEND-02": {"base": {}, "cases": [{"status": "missing"}]}},
    }  # fmt: skip
    small.with_name("small.cases.yaml").write_text(yaml.safe_dump(value))
    assert said(capsys, 3, "rubric", "test", str(small), "--control", "SPEND-01")[0] == "0 cases, 0 wrong\n"


# --------------------------------------------------------------------------------------------------------------- schema


def test_schemas_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, 0, "schema")[0].split()
    assert listed == list(schemas.names())
    for name in listed:
        assert isinstance(json.loads(said(capsys, 0, "schema", name)[0]), dict)
    assert "known: " in said(capsys, 2, "schema", "manifests")[1]


def test_a_format_without_a_comparison_names_those_that_have_one(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = said(capsys, 2, "diff", str(stored), str(stored), "-f", "sarif")[1]
    assert "has no form for a comparison; use one of github-summary, html, json, markdown, terminal" in error
