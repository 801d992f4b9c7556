"""`psf-audit exposure`, and the exposure in an assessment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psf_audit.cli import main
from tests import commands
from tests.deployments import Deployment, guarded

AS_OF = ("--as-of", "2026-11-22")


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    return commands.said(capsys, code, "exposure", *arguments)


@pytest.mark.parametrize(
    ("sample", "worst"), [("guarded", "at most 7.05 USD (2.25 and 4.8 in flight)"), ("dn42", "unbounded")]
)
@pytest.mark.parametrize("format_", ["terminal", "markdown"])
def test_the_samples_in_words(
    repo: Path, capsys: pytest.CaptureFixture[str], sample: str, worst: str, format_: str
) -> None:
    manifest = repo / "samples" / sample / "manifest.yaml"
    out, _ = said(capsys, 0, str(manifest), *AS_OF, "-f", format_)
    assert worst in out
    assert "slow API" in out
    assert ("a ceiling in USD without a window" in " ".join(out.split())) is (sample == "dn42")


def test_the_same_as_in_the_assessment(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = str(repo / "samples" / "guarded" / "manifest.yaml")
    out, _ = said(capsys, 0, manifest, *AS_OF, "-f", "json")
    alone = json.loads(out)
    assert alone["schema"] == "psf-audit/exposure/1"
    main.run(["assess", manifest, *AS_OF, "-f", "json"])
    assessed = json.loads(capsys.readouterr().out)
    assert assessed["exposure"] == alone["exposure"]
    assert assessed["exposure"]["enforced"]["situations"][0]["in_all"]["total_usd"] == "2.35"


def test_a_format_without_a_form_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment: Deployment = guarded(tmp_path)
    _, err = said(capsys, 2, str(deployment.save()), *AS_OF, "-f", "html")
    assert "the format html has no form for an exposure alone" in err
