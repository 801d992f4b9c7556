"""The guarded sample really runs: its agent, its drills and its evidence, today, in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from psf_audit import audit, gate
from psf_audit.errors import ExitCode
from psf_audit.model import Verdict


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guarded") / "sample"
    script = Path(__file__).parent.parent / "samples/guarded/produce.py"
    run = subprocess.run(
        [sys.executable, str(script), "--out", str(folder)], capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_evidence_produced_today_is_ready_today(produced: Path) -> None:
    today = datetime.now(UTC).date()

    assessment = audit.run(produced / "manifest.yaml", audit.Options(as_of=today))

    assert [(control.id, control.reason) for control in assessment.controls if control.status.is_gap] == []
    assert assessment.verdict is Verdict.READY
    assert gate.decide(assessment).code is ExitCode.READY


def test_a_limit_that_was_raised_after_the_drills_is_not_ready(produced: Path) -> None:
    config = produced / "config/gateway.yaml"
    text = config.read_text(encoding="utf-8")
    changed = text.replace("amount: 5,", "amount: 5000,", 1) if "amount: 5," in text else text + "\n# raised\n"
    config.write_text(changed, encoding="utf-8")
    try:
        assessment = audit.run(produced / "manifest.yaml", audit.Options(as_of=datetime.now(UTC).date()))
    finally:
        config.write_text(text, encoding="utf-8")

    assert assessment.verdict is not Verdict.READY
