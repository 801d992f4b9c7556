"""What a second person found, as evidence: a refuted row contradicts its control, a confirmed one earns nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from psf_audit.artifact import Artifact
from psf_audit.cli import main
from psf_audit.evidence.records import RECORDS
from psf_audit.facts.model import Fact, Gap
from psf_audit.model import Status
from tests import commands, deployments
from tests.deployments import ALERT, CEILING, IDS, RATE, Deployment, control, guarded, rubric_text

ROW = {
    "kind": "spot_check", "at": "2026-11-21", "by": "K. Osei", "decision": "confirmed", "controls": ["SPEND-01"],
    "release": "2.4.0", "subject": "SPEND-01 shows: usd limit (config/gateway.yaml, line 7)",
    "fields": {"part": "shows", "draw": 1},
}  # fmt: skip


def read(**given: Any) -> tuple[list[Fact], list[Gap]]:
    """The facts and gaps of one spot check."""
    text = deployments.records({name: value for name, value in {**ROW, **given}.items() if value is not None})
    items = list(RECORDS.read(Artifact("checks.yaml", text.encode(), deployments.sha256(text))))
    return [item for item in items if isinstance(item, Fact)], [item for item in items if isinstance(item, Gap)]


def reviews_of(facts: list[Fact]) -> list[tuple[Any, ...]]:
    return [
        tuple(fact.values[name] for name in ("control", "how", "outcome", "adversarial"))
        for fact in facts
        if fact.table == "tests"
    ]


@pytest.mark.parametrize(
    ("given", "tests"),
    [
        ({}, [("SPEND-01", "review", "passed", False)]),
        ({"decision": "refuted"}, [("SPEND-01", "review", "failed", False)]),
        ({"decision": "could_not_tell"}, []),
        ({"decision": "refuted", "controls": ["A", "B"]}, [(one, "review", "failed", False) for one in "AB"]),
        ({"decision": "refuted", "fields": {"part": "breaks"}}, []),
        ({"decision": "refuted", "fields": {"part": "absent"}}, []),
        ({"decision": "refuted", "fields": {"part": "not_applicable"}}, [("SPEND-01", "review", "failed", False)]),
        ({"decision": "refuted", "fields": None}, [("SPEND-01", "review", "failed", False)]),
        ({"decision": "refuted", "by": "unknown"}, [("SPEND-01", "review", "failed", False)]),
        ({"controls": None}, []),
    ],
)
def test_what_a_decision_becomes(given: dict[str, Any], tests: list[tuple[Any, ...]]) -> None:
    facts, gaps = read(**given)
    assert reviews_of(facts) == tests
    assert gaps == []
    records = [fact for fact in facts if fact.table == "records"]
    assert {fact.values["decision"] for fact in records} == {given.get("decision", "confirmed")}
    assert {fact.values["kind"] for fact in records} == {"spot_check"}


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"decision": "TODO"}, "a spot check must say one of confirmed, refuted, could_not_tell"),
        ({"decision": None}, "a spot check must say one of confirmed, refuted, could_not_tell"),
        ({"by": "unknown"}, "a spot check that confirms must say who looked"),
        ({"decision": "refuted", "controls": None}, "a spot check that refutes names no control"),
        ({"at": "TODO"}, "record without a date: `at` must be a date or a time with zone, in the years 2000 to 2100"),
    ],
)
def test_a_check_that_was_not_finished_earns_nothing_and_is_told(given: dict[str, Any], what: str) -> None:
    facts, gaps = read(**given)
    assert reviews_of(facts) == []
    assert what in {gap.what for gap in gaps}


# ------------------------------------------------------------------------------------------------------- the way round


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


def worksheet(deployment: Deployment, count: int = 100) -> list[dict[str, Any]]:
    """The records of a sample of the deployment, to be filled in."""
    made, target = deployment.folder / "assessment.json", deployment.folder / "checks.yaml"
    made.unlink(missing_ok=True)
    target.unlink(missing_ok=True)
    deployment.run("-o", f"json={made}")
    assert main.run(["sample", str(made), "--seed", "7", "--count", str(count), "--record", str(target)]) == 0
    records: list[dict[str, Any]] = yaml.safe_load(target.read_text(encoding="utf-8"))["records"]
    return records


def filled(record: dict[str, Any], decision: str, **given: Any) -> dict[str, Any]:
    return {**record, "at": "2026-11-21T10:00:00Z", "by": "K. Osei", "decision": decision, **given}


def check(deployment: Deployment, *records: dict[str, Any]) -> dict[str, Status]:
    """The statuses once these checks are among the evidence."""
    deployment.put("evidence/checks.yaml", deployments.records(*records), collected="2026-11-22")
    return deployment.statuses()


def test_every_row_that_is_refuted_contradicts_its_control(deployment: Deployment) -> None:
    before = deployment.statuses()
    records = worksheet(deployment)
    assert {one for record in records for one in record["controls"]} == set(IDS)
    for record in records:
        after = check(deployment, filled(record, "refuted"))
        (named,) = record["controls"]
        assert after == {**before, named: Status.CONTRADICTED}
        reason = control(deployment.assess(), named).reason
        assert reason == f"the newest result of spot check of {record['subject']} is a failure"
    assert deployment.run() == 1


def test_all_that_is_confirmed_changes_nothing(deployment: Deployment) -> None:
    before = deployment.assess()
    records = [filled(record, "confirmed") for record in worksheet(deployment)]
    assert check(deployment, *records) == deployments.statuses(before)
    after = deployment.assess()
    assert (after.verdict, after.score) == (before.verdict, before.score)


def test_a_confirmed_row_is_no_test_of_any_control(deployment: Deployment) -> None:
    """Neither of a blocking one nor of another, whether or not its test has to try to defeat it."""
    mild = {**CEILING, "tested": {"adversarial": False, "max_age_days": 90}}
    for rubric in (deployment.rubric, rubric_text(mild, RATE, ALERT)):
        deployment.rubric = rubric
        deployment.drop("evidence/drills.xml", keep=True)
        untested = dict.fromkeys(IDS, Status.UNTESTED)
        assert deployment.statuses() == untested
        assert check(deployment, *(filled(record, "confirmed") for record in worksheet(deployment))) == untested
        reason = control(deployment.assess(), "SPEND-02").reason
        assert reason.startswith("present, but no test counts: spot check of ")
        assert reason.endswith(" looked at evidence, and tried nothing")


def test_only_a_later_look_at_the_same_row_of_this_release_takes_it_back(deployment: Deployment) -> None:
    first, second = worksheet(deployment)[:2]
    refuted = filled(first, "refuted")
    (named,) = first["controls"]
    later = {"at": "2026-11-21T11:00:00Z", "by": "L. Mori"}
    for record in (
        filled(first, "confirmed"),  # at the same time
        filled(first, "could_not_tell", **later),
        filled(first, "confirmed", **later, release="2.3.0"),
        filled(second, "confirmed", **later),
    ):
        assert check(deployment, refuted, record)[named] is Status.CONTRADICTED
    assert check(deployment, refuted, filled(first, "confirmed", **later))[named] is Status.DEMONSTRATED
    assert check(deployment, filled(first, "refuted", release="2.3.0"))[named] is Status.DEMONSTRATED


def test_to_refute_what_speaks_against_a_control_does_not_contradict_it(deployment: Deployment) -> None:
    for path in ("config/gateway.yaml", "evidence/drills.xml", "docs/runbook.md"):
        deployment.drop(path)
    forbidden = deployments.event(name="forbidden.call")
    deployment.put("evidence/log.jsonl", deployments.log(deployments.started(), forbidden))
    before = deployment.statuses()
    assert before == {"SPEND-01": Status.CONTRADICTED, "SPEND-02": Status.MISSING, "SPEND-03": Status.MISSING}
    records = worksheet(deployment)
    assert [record["fields"]["part"] for record in records].count("absent") == 2
    assert "breaks" in {record["fields"]["part"] for record in records}
    for record in records:
        assert check(deployment, filled(record, "refuted")) == before
        assert not control(deployment.assess(), record["controls"][0]).tests


def test_an_unfinished_worksheet_among_the_evidence_never_helps(deployment: Deployment) -> None:
    before = deployment.statuses()
    after = check(deployment, *worksheet(deployment))
    assert all(after[one] in {before[one], Status.UNKNOWN} for one in IDS)


# ----------------------------------------------------------------------------------------------- what a rubric can ask


def sql(repo: Path) -> dict[str, str]:
    """The criteria that the documentation offers to rubrics."""
    text = (repo / "docs" / "spot-check.md").read_text(encoding="utf-8")
    found: dict[str, str] = yaml.safe_load(re.findall(r"```yaml\n(shows: .*?)```", text, re.DOTALL)[0])
    return found


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, Status.UNTESTED),
        ({"decision": "could_not_tell"}, Status.MISSING),
        ({"fields": {"sha256": "0" * 64}}, Status.MISSING),
        ({"release": "2.3.0"}, Status.UNKNOWN),
        ({"by": " r. OKAFOR "}, Status.CONTRADICTED),
    ],
)
def test_the_criteria_in_the_documentation_ask_for_a_look_by_somebody_else(
    deployment: Deployment, repo: Path, given: dict[str, Any], status: Status
) -> None:
    record = next(one for one in worksheet(deployment) if "sha256" in one["fields"])
    looked = {**CEILING, "id": "SPEND-09", "title": "Looked at by somebody else", **sql(repo), "severity": "high"}
    for name in ("applies_when", "claims", "lacks"):
        looked.pop(name)
    deployment.rubric = rubric_text(CEILING, RATE, ALERT, looked)
    assert deployment.statuses()["SPEND-09"] is Status.MISSING
    assert check(deployment, {**filled(record, "confirmed"), **given})["SPEND-09"] is status


# --------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def stored(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Path:
    return commands.keep(deployment, capsys)


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    return commands.said(capsys, code, "sample", *arguments)


def test_the_same_seed_prints_the_same_and_another_one_something_else(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again, other = (said(capsys, 0, str(stored), "--seed", seed)[0] for seed in ("7", "7", "8"))
    assert first == again != other
    digest = deployments.sha256(stored.read_bytes())
    assert digest in first
    stored.write_bytes(stored.read_bytes() + b"\n")
    assert said(capsys, 0, str(stored), "--seed", "7")[0] != first


def test_files_are_looked_up_beside_the_manifest(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = stored.parent / "manifest.yaml"
    arguments = (str(stored), "--seed", "7", "--count", "100", "-f", "json")
    for where in (("-m", str(manifest)), ("--evidence-root", str(stored.parent))):
        value = json.loads(said(capsys, 0, *arguments, *where)[0])
        assert {row["at_hand"] for row in value["drawn"]} == {"same"}
    value = json.loads(said(capsys, 0, *arguments)[0])
    assert {row["at_hand"] for row in value["drawn"]} == {"not_compared"}

    config = stored.parent / "config/gateway.yaml"
    text = config.read_text()
    config.write_text(text.replace("50", "5000"))
    out, err = said(capsys, 4, *arguments, "-m", str(manifest))
    assert "config/gateway.yaml: not what was assessed" in err
    assert {row["path"] for row in json.loads(out)["drawn"] if row["at_hand"] == "changed"} == {"config/gateway.yaml"}
    config.unlink()
    assert "config/gateway.yaml: not at hand" in said(capsys, 3, *arguments, "-m", str(manifest))[1]
    config.symlink_to("/etc/hostname")
    assert "config/gateway.yaml: not at hand" in said(capsys, 3, *arguments, "-m", str(manifest))[1]
    manifest.write_text(manifest.read_text() + "# changed\n")
    assert "is not the manifest that was assessed" in said(capsys, 4, *arguments, "-m", str(manifest))[1]


def test_a_folder_of_logs_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = guarded(tmp_path)
    deployment.drop("evidence/log.jsonl")
    deployment.write("logs/a.jsonl", deployments.log(deployments.started(), deployments.event(name="forbidden.call")))
    deployment.manifest["evidence"].append({"path": "logs", "collected": deployments.DAY})
    made = tmp_path / "assessment.json"
    deployment.run("-o", f"json={made}")
    capsys.readouterr()
    out, _ = said(capsys, 0, str(made), "--seed", "1", "--count", "100", "-f", "json", "--evidence-root", str(tmp_path))
    found = {row["path"]: row["at_hand"] for row in json.loads(out)["drawn"]}
    assert {state for path, state in found.items() if path and path.startswith("logs")} == {"not_compared"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "-1"), "--seed -1 cannot apply"),
        (("--seed", "1", "--count", "0"), "--count 0 cannot apply"),
        (("--seed", "1", "--count", "1001"), "--count 1001 cannot apply"),
        (("--seed", "1", "-f", "html"), "there is no format 'html'"),
        (("--seed", "1", "--evidence-root", "nowhere"), "is no folder"),
        (("--seed", "1", "-m", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_cannot_apply_is_refused(
    stored: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    out, err = said(capsys, 2, str(stored), *arguments)
    assert message in err
    assert out == ""


def test_what_is_no_assessment_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    assert "its schema is not psf-audit/assessment/1" in said(capsys, 2, str(path), "--seed", "1")[1]
    assert main.run(["sample", str(path)]) == 2  # the seed is nobody's to choose but theirs who check
