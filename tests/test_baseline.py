"""An assessment that is held against an earlier one of the same deployment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from psf_audit.audit import Baseline
from psf_audit.errors import ConfigurationError
from psf_audit.model import Assessment, Status
from psf_audit.rendering import View
from psf_audit.report.json_report import JSON
from tests import deployments
from tests.deployments import AS_OF, RATE, Deployment, control, guarded, rubric_text

READY_05 = {
    **RATE,
    "id": "READY-05",
    "title": "Change voids the assessment",
    "shows": (
        "SELECT r.ref, 'assessed as ' || r.decision AS what FROM records AS r JOIN deployment AS d "
        "ON d.fingerprint = r.fingerprint WHERE r.kind = 'assessment' AND r.bound"
    ),
}


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    made = guarded(tmp_path)
    made.rubric = rubric_text(deployments.CEILING, READY_05)
    return made


def keep(deployment: Deployment, made: Assessment, name: str = "earlier.json") -> Baseline:
    path = deployment.write(name, JSON.assessment(made, View()))
    return Baseline(path, made)


def test_that_it_was_assessed_is_evidence_with_a_place(deployment: Deployment) -> None:
    first = deployment.assess()
    assert control(first, "READY-05").status is Status.MISSING
    again = deployment.assess(baseline=keep(deployment, first), as_of=AS_OF + timedelta(days=1))
    shown = control(again, "READY-05").shows.rows
    assert [row.what for row in shown] == [f"assessed as {first.verdict.value}"]
    assert shown[0].source is not None
    assert shown[0].source.path == "earlier.json"
    assert [entry.format for entry in again.evidence if entry.id == "baseline earlier.json"] == ["psf-audit-assessment"]


def test_it_says_what_the_earlier_one_found_and_what_has_changed(deployment: Deployment) -> None:
    first = deployment.assess()
    kept = keep(deployment, first)
    deployment.manifest["agent"]["capabilities"].append({"name": "dns", "kind": "tool", "cost": "free"})
    again = deployment.assess(baseline=kept, as_of=AS_OF + timedelta(days=1))
    assert control(again, "READY-05").status is Status.MISSING, "another fingerprint is another deployment"
    earlier = again.earlier
    assert earlier is not None
    assert (earlier.as_of, earlier.verdict, earlier.fingerprint) == (AS_OF, first.verdict, first.fingerprint)
    assert earlier.statuses == {one.id: one.status.value for one in first.controls}
    assert [change.what for change in earlier.changes] == ["new tool dns"]


def test_the_baseline_does_not_change_the_fingerprint(deployment: Deployment) -> None:
    first = deployment.assess()
    assert deployment.assess(baseline=keep(deployment, first)).fingerprint == first.fingerprint


def test_one_of_another_deployment_or_of_a_later_day_is_refused(deployment: Deployment) -> None:
    kept = keep(deployment, deployment.assess())
    with pytest.raises(ConfigurationError, match="is of 2026-11-22, after 2026-11-21"):
        deployment.assess(baseline=kept, as_of=AS_OF - timedelta(days=1))
    deployment.manifest["deployment"]["name"] = "another"
    with pytest.raises(ConfigurationError, match=r"is an assessment of .*, not of another"):
        deployment.assess(baseline=kept)


def test_every_report_for_people_tells_it(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    kept = keep(deployment, deployment.assess())
    deployment.manifest["agent"]["capabilities"].append({"name": "dns", "kind": "tool", "cost": "free"})
    for form in ("terminal", "markdown"):
        deployment.run("--baseline", str(kept.path), "-f", form)
        out = capsys.readouterr().out
        assert "Since the assessment of 2026-11-22 (release 2.4.0, " in out
        assert "riskier: new tool dns" in out
