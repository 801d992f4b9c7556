"""`psf-audit status` as a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from psf_audit import schemas
from psf_audit.cli import main
from psf_audit.rendering import View
from psf_audit.report.json_report import JSON
from tests.deployments import Deployment, guarded


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "deployment").mkdir()
    return guarded(tmp_path / "deployment")


@pytest.fixture
def stored(deployment: Deployment, tmp_path: Path) -> Path:
    path = tmp_path / "assessment.json"
    path.write_text(JSON.assessment(deployment.assess(), View()), encoding="utf-8")
    return path


def status(stored: Path, *arguments: str) -> int:
    return main.run(["status", str(stored), *arguments])


def test_it_stands_and_says_until_when(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(stored, "--as-of", "2026-11-23", "--within", "5") == 0
    out, err = capsys.readouterr()
    assert out.startswith("VALID  The assessment stands.\n")
    assert "not compared with the deployment" in out
    assert err == "it stands until 2026-12-20, 27 days from 2026-11-23 (exit 0)\n"


def test_a_night_job_fails_on_what_ran_out_and_on_what_changed(
    deployment: Deployment, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = str(deployment.save())
    assert status(stored, "--as-of", "2026-12-21") == 1
    assert "expired: config/gateway.yaml, as evidence" in capsys.readouterr().err
    assert status(stored, "--as-of", "2026-11-23", "-m", manifest) == 0
    deployment.manifest["agent"]["capabilities"].append({"name": "sh.run", "kind": "shell", "cost": "free"})
    deployment.save()
    capsys.readouterr()
    assert status(stored, "--as-of", "2026-11-23", "-m", manifest) == 1
    out, err = capsys.readouterr()
    assert "+ risk  new shell sh.run" in out
    assert err.startswith("void: its fingerprint is another one")
    assert status(stored, "--as-of", "2026-11-23", "-m", manifest, "--exit-zero") == 0


@pytest.mark.parametrize("form", ["terminal", "markdown", "json"])
def test_every_form_says_the_same(stored: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(stored, "--as-of", "2026-12-21", "-f", form) == 1
    out = capsys.readouterr().out
    assert "config/gateway.yaml" in out
    assert "expired" in out.lower()


def test_its_json_has_a_schema(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from jsonschema import Draft202012Validator

    status(stored, "--as-of", "2026-12-21", "-f", "json", "--fail-on", "superseded")
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    Draft202012Validator(schemas.load("status")).validate(value)
    assert (value["state"], value["met"], value["exit_code"]) == ("expired", False, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--within", "-1"], "--within -1 cannot apply; give days, 0 to 365"),
        (["--fail-on", "rain"], "--fail-on 'rain' cannot apply; use one of expiring, superseded"),
        (["--as-of", "2026-11-21"], "the assessment is of 2026-11-22, after 2026-11-21"),
    ],
)
def test_what_cannot_apply_is_a_mistake(
    stored: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(stored, *arguments) == 2
    assert message in capsys.readouterr().err
