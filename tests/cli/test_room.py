"""What long work shows while it runs: on a terminal, never on the standard output, and nothing in CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from psf_audit import collection
from psf_audit.cli import main
from psf_audit.columns.database import Database
from tests.deployments import call, guarded, log, started

TOLD = "reading [red]a log"
COMMANDS = {
    "assess": ("assess", "manifest.yaml", "--rubric", "rubric.yaml", "--as-of", "2026-11-22"),
    "exposure": ("exposure", "manifest.yaml", "--as-of", "2026-11-22"),
    "replay": ("replay", "log.jsonl", "--as-of", "2026-11-22"),
    "normalize": ("normalize", "log.jsonl", "-o", "log.parquet"),
}


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose log counts as large, and a database that tells of every statement."""
    made = guarded(tmp_path)
    made.manifest["evidence"].append({"path": "log.jsonl", "collected": "2026-11-20"})
    made.write("log.jsonl", log(started(), call()))
    made.drop("evidence/log.jsonl")
    made.save()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(collection, "LARGE_BYTES", 0)
    silent = Database.run

    def run(self: Database, sql: str, parameters: Any = None, *, what: str = "") -> list[tuple[Any, ...]]:
        self.watch(TOLD, 0.5)
        return silent(self, sql, parameters, what=what)

    monkeypatch.setattr(Database, "run", run)


def said(capsys: pytest.CaptureFixture[str], name: str) -> tuple[str, str]:
    """Standard output and standard error of a command."""
    Path("log.parquet").unlink(missing_ok=True)
    assert main.run(list(COMMANDS[name])) in {0, 1}
    printed = capsys.readouterr()
    return printed.out, printed.err


@pytest.mark.parametrize("name", COMMANDS)
def test_progress_is_for_a_terminal_only(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    piped, quiet = said(capsys, name)
    assert TOLD not in quiet
    assert "\x1b" not in quiet

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    out, loud = said(capsys, name)
    assert TOLD in loud
    assert loud.endswith(quiet)  # what was shown is wiped away again
    assert out == piped

    monkeypatch.setenv("CI", "true")
    assert said(capsys, name) == (piped, quiet)
    monkeypatch.setenv("CI", "false")
    assert TOLD in said(capsys, name)[1]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("memory", ["", "1", "1TiB", "64MiB", "-1GiB"])
def test_a_memory_that_cannot_be_is_refused(name: str, memory: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*COMMANDS[name], "--memory", memory]) == 2
    assert "--memory" in capsys.readouterr().err
    assert not Path("log.parquet").exists()
