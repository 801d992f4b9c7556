"""`psf-audit init`: a first manifest that can be assessed as it stands, and never in place of another."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from subprocess import Popen

import pytest
import yaml

from psf_audit import manifest as manifests
from psf_audit.cli import main
from tests.test_survey import JUNIT, SETTINGS, put

DAY = "2026-11-22"
FILES = {
    ".claude/settings.json": SETTINGS,
    "pyproject.toml": '[project]\nversion = "2.4.0"\n',
    "reports/junit.xml": JUNIT,
    "traces/log.jsonl": json.dumps(
        {
            "at": "2026-11-20T10:00:00Z",
            "run": "r",
            "kind": "model",
            "name": "large",
            "via": "litellm",
            "actor_kind": "agent",
        }
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return put(tmp_path / "indexer", FILES)


def draft(folder: Path) -> str:
    return (folder / "psf-audit.yaml").read_text(encoding="utf-8")


def test_it_drafts_a_manifest_and_assesses_it(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["init", str(repository), "--yes", "--as-of", DAY]) == 0
    printed = capsys.readouterr()
    value = yaml.safe_load(draft(repository))
    assert value["deployment"] == {"name": "indexer", "release": "2.4.0", "environment": "TODO"}
    assert [(person["role"], person["name"]) for person in value["people"]] == [
        ("owner", "unknown"), ("deputy", "unknown"), ("approver", "unknown"),
    ]  # fmt: skip
    assert value["agent"]["models"] == [{"name": "large", "via": "litellm"}]
    assert value["agent"]["capabilities"] == [{"name": "Read", "kind": "tool", "via": "claude-code", "cost": "unknown"}]
    assert [entry["path"] for entry in value["evidence"]] == [
        ".claude/settings.json", "reports/junit.xml", "traces/log.jsonl",
    ]  # fmt: skip
    assert "reports/junit.xml" in printed.out
    assert "test results (JUnit XML): tested (tests)" in printed.out
    assert "NOT READY" in printed.out
    assert "wrote" in printed.err


def test_only_what_lies_in_the_repository_itself_is_dated(repository: Path) -> None:
    main.run(["init", str(repository), "--yes", "--as-of", DAY])
    dated = {entry.path: entry.collected for entry in manifests.load(repository / "psf-audit.yaml").evidence}
    assert dated == {".claude/settings.json": date(2026, 11, 22), "reports/junit.xml": None, "traces/log.jsonl": None}
    assert "# release: TODO, the release that was tested" in draft(repository)


def test_nothing_is_overwritten(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "psf-audit.yaml").write_text("mine")
    assert main.run(["init", str(repository), "--yes"]) == 2
    assert draft(repository) == "mine"
    assert "is there already" in capsys.readouterr().err
    assert main.run(["init", str(repository), "--yes", "--force"]) == 0
    assert "schema: psf-audit/manifest/1" in draft(repository)


def test_a_link_is_not_written_through(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "psf-audit.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert main.run(["init", str(repository), "--yes"]) == 2
    assert "is a link" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_repository_without_evidence_yields_a_manifest_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["init", str(tmp_path), "--yes"]) == 0
    printed = capsys.readouterr()
    assert "No evidence was found." in printed.out
    assert "nothing to assess yet" in printed.err
    assert manifests.load(tmp_path / "psf-audit.yaml").evidence == ()


def test_there_has_to_be_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["init", str(tmp_path / "gone")]) == 2
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ['a"b.xml', "a: b.xml", "a # b.xml", "a\nb.xml", "'.xml", "- x.xml", "ä.xml", "%TAG.xml", "{{ x }}.xml"]
)
def test_names_are_kept_as_they_are_and_break_nothing(tmp_path: Path, name: str) -> None:
    put(tmp_path, {name: JUNIT})
    assert main.run(["init", str(tmp_path), "--yes"]) == 0
    (entry,) = manifests.load(tmp_path / "psf-audit.yaml").evidence
    assert entry.path == name


@pytest.mark.parametrize("name", ['Read"}\nschema: x', "a # b", "rm -rf\u202e", "x, cost: free", "TODO", "!!python/x"])
def test_what_evidence_says_stays_a_value(tmp_path: Path, name: str) -> None:
    put(tmp_path, {"log.jsonl": json.dumps({"at": "2026-11-20T10:00:00Z", "kind": "action", "name": name})})
    assert main.run(["init", str(tmp_path), "--yes"]) == 0
    (capability,) = manifests.load(tmp_path / "psf-audit.yaml").agent["capabilities"]
    assert capability["cost"] == "unknown"
    assert "\u202e" not in capability["name"]


def test_a_terminal_is_asked_and_yes_asks_nothing(repository: Path, tmp_path: Path) -> None:
    answers = b"acme indexer\n\nstaging\nR. Okafor\n"
    code = "from psf_audit.cli.main import main; main()"
    master, slave = pty.openpty()
    with Popen(
        [sys.executable, "-c", code, "init", str(repository)], stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path
    ) as process:
        os.close(slave)
        os.write(master, answers)
        while True:
            try:
                if not os.read(master, 65_536):
                    break
            except OSError:  # the other end of a terminal was closed
                break
        assert process.wait(60) == 0
    os.close(master)
    value = yaml.safe_load(draft(repository))
    assert value["deployment"] == {"name": "acme indexer", "release": "2.4.0", "environment": "staging"}
    assert value["people"][0] == {"name": "R. Okafor", "role": "owner"}


def test_the_corpus_yields_a_manifest_that_assesses_without_edits(
    corpus: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = corpus("SOURCES.md").parent
    copies = {path.relative_to(files).as_posix(): path.read_text() for path in files.rglob("*") if path.is_file()}
    put(tmp_path / "repository", copies)
    assert main.run(["init", str(tmp_path / "repository"), "--yes", "--as-of", DAY]) == 0
    printed = capsys.readouterr()
    assert "NOT READY" in printed.out
    told = printed.out.replace("\n", " ")
    named = {entry["path"] for entry in yaml.safe_load(draft(tmp_path / "repository"))["evidence"]}
    assert sorted(path for path in copies if path not in named and path not in told) == []
    assert main.run(["assess", str(tmp_path / "repository" / "psf-audit.yaml"), "--as-of", DAY]) in {1, 3}
