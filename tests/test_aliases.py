"""Ids that controls had before: what names them goes on counting, and the report says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from psf_audit import rubric
from psf_audit.errors import ConfigurationError
from psf_audit.model import Status, Verdict
from tests import deployments
from tests.deployments import IDS, Deployment, drills, guarded, runbook, statuses
from tests.test_rubric import problems, with_control

OLD, NEW = "SPEND-01", "SPEND-31"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Ready on a rubric in which SPEND-01 is called SPEND-31; all of its evidence names SPEND-01."""
    made = guarded(tmp_path)
    value = yaml.safe_load(made.rubric)
    value["version"] = "2.0.0"
    for control in value["controls"]:
        if control["id"] == OLD:
            control |= {"id": NEW, "aliases": [OLD]}
    value["migrations"] = [
        {"since": "2.0.0", "control": OLD, "to": [NEW], "why": "Clearer."},
        {"since": "2.0.0", "control": "SPEND-07", "to": [], "why": "Nobody needs it."},
        {"since": "2.0.0", "control": "SPEND-08", "to": [NEW, "SPEND-02"], "why": "Two questions."},
    ]
    made.rubric = yaml.safe_dump(value, sort_keys=False)
    return made


def waiver(**given: Any) -> dict[str, Any]:
    return {"control": OLD, "reason": "r", "owner": "A", "approved_by": "B", "expires": "2026-12-31", **given}


def test_evidence_that_names_the_old_id_counts(deployment: Deployment) -> None:
    made = deployment.assess()

    assert statuses(made) == {NEW if name == OLD else name: Status.DEMONSTRATED for name in IDS}
    assert made.verdict is Verdict.READY
    assert f"{OLD} is called {NEW} now: what names it was counted for that." in made.limits_of_assessment


def test_without_an_old_name_nothing_is_said(deployment: Deployment) -> None:
    deployment.put("evidence/drills.xml", drills().replace(OLD, NEW))
    deployment.put("docs/runbook.md", runbook(NEW, *IDS[1:]))

    assert not [limit for limit in deployment.assess().limits_of_assessment if "is called" in limit]


def test_a_waiver_of_the_old_id_covers_the_control(deployment: Deployment) -> None:
    deployment.drop("docs/runbook.md")
    deployment.manifest["waivers"] = [waiver()]
    made = deployment.assess()

    assert [(use.control, use.state) for use in made.waivers] == [(NEW, "matched")]
    assert deployments.control(made, NEW).status is Status.UNDOCUMENTED


def test_a_manifest_may_link_evidence_and_gaps_to_the_old_id(deployment: Deployment) -> None:
    deployment.drop("docs/runbook.md")
    deployment.manifest["evidence"].append({"missing": "the runbook", "would_show": [OLD]})

    assert deployments.control(deployment.assess(), NEW).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("SPEND-07", "removed: Nobody needs it."),
        ("SPEND-08", "it became SPEND-31 and SPEND-02: name what you mean"),
        ("SPEND-09", "psf-audit rubric show names them all"),
    ],
)
def test_what_became_of_a_control_that_is_gone_is_said(deployment: Deployment, named: str, hint: str) -> None:
    deployment.manifest["waivers"] = [waiver(control=named)]
    with pytest.raises(ConfigurationError) as caught:
        deployment.assess()
    (problem,) = caught.value.problems
    assert problem.hint == hint
    assert problem.line


def test_a_rubric_finds_a_control_by_its_old_id(deployment: Deployment) -> None:
    deployment.save()
    known = rubric.load(deployment.folder / "rubric.yaml")

    assert known.aliases == {OLD: NEW}
    assert known.control(OLD) is known.control(NEW) is not None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aliases": ["SPEND-01"]}, "the id SPEND-01 is taken"),
        ({"aliases": ["spend"]}, "cannot be 'spend'"),
        ({"stricter": {"least": "lower"}}, "SPEND-01 has no param 'least' that is a number"),
        ({"stricter": {"most": "down"}}, "most cannot be 'down'"),
        ({"status": "new"}, "status cannot be 'new'"),
    ],
)
def test_mistakes_in_a_control(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert any(expected in one for one in problems(tmp_path, with_control(**changes)))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"since": "9.0.0", "to": []}, "9.0.0 comes after this version, 1.2.3"),
        ({"since": "1.0.0", "to": ["SPEND-77"]}, "there is no control 'SPEND-77' that SPEND-50 could have become"),
        ({"since": "1.0"}, "lacks to"),
    ],
)
def test_mistakes_in_a_migration(tmp_path: Path, entry: dict[str, Any], expected: str) -> None:
    value = {**with_control(), "migrations": [{"control": "SPEND-50", "why": "w", **entry}]}
    assert any(expected in one for one in problems(tmp_path, value))
