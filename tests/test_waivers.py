"""What becomes of a waiver, where it is told, and that it buys nothing but a verdict that says so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from psf_audit import assess, rendering, waivers
from psf_audit.errors import ConfigurationError
from psf_audit.model import ControlResult, DeploymentIdentity, Severity, Status, Verdict, WaiverUse
from psf_audit.plugins import discover
from psf_audit.rendering import ReportFormat, View
from psf_audit.waivers import Terms, Waiver
from tests import deployments, samples
from tests.deployments import Deployment, control, statuses
from tests.dossiers import AS_OF, SOURCE, ago

TERMS = Terms(AS_OF, samples.DEPLOYMENT, max_days=90, notice_days=30)
FORMATS = discover("psf_audit.report", ReportFormat)


def waiver(**given: Any) -> Waiver:
    values: dict[str, Any] = {
        "control": "SPEND-01", "reason": "soon", "owner": "R. Okafor", "approved_by": "M. Lindqvist",
        "expires": date(2026, 12, 31), "source": SOURCE,
    }  # fmt: skip
    return Waiver(**{**values, **given})


def result(status: Status, id_: str = "SPEND-01") -> ControlResult:
    return samples.control(id_, "t", Severity.BLOCKING, status, "r")


def used(status: Status = Status.MISSING, terms: Terms = TERMS, **given: Any) -> WaiverUse:
    """What becomes of a waiver of a control that has a status."""
    _, (use,) = waivers.use([waiver(**given)], [result(status)], terms)
    return use


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.MISSING, "matched"),
        (Status.UNTESTED, "matched"),
        (Status.UNDOCUMENTED, "matched"),
        (Status.CONTRADICTED, "invalid"),
        (Status.UNKNOWN, "invalid"),
        (Status.DEMONSTRATED, "unused"),
        (Status.NOT_APPLICABLE, "unused"),
    ],
)
def test_what_can_be_waived(status: Status, state: str) -> None:
    assert used(status).state == state


@pytest.mark.parametrize(
    ("given", "state", "note"),
    [
        ({}, "matched", "covers SPEND-01, which stays missing"),
        ({"control": "SPEND-99"}, "invalid", "the rubric has no control SPEND-99"),
        ({"approved_by": "R. Okafor"}, "invalid", "its owner approved it"),
        ({"approved_by": " r.  OKAFOR "}, "invalid", "its owner approved it"),
        ({"approved_by": " "}, "invalid", "it names nobody who approved it"),
        ({"approved_by": "unknown"}, "invalid", "it names nobody who approved it"),
        ({"owner": "Unknown"}, "invalid", "it names no owner"),
        ({"expires": AS_OF}, "matched", "covers SPEND-01"),
        ({"expires": ago(1)}, "expired", "it expired on 2026-11-21: the gap is open again"),
        ({"expires": AS_OF + timedelta(days=90)}, "matched", "covers SPEND-01"),
        ({"expires": AS_OF + timedelta(days=91)}, "invalid", "it runs longer than the 90 days that the rubric allows"),
        ({"environment": "production"}, "matched", "which stays missing; only for environment production"),
        ({"environment": "staging"}, "unused", "it is for the environment staging, and this is production"),
        ({"environment": "staging", "expires": ago(1)}, "unused", "out of its scope"),
        ({"release": "2.4.0"}, "matched", "covers SPEND-01"),
        ({"release": "2.4.*"}, "matched", "covers SPEND-01"),
        ({"release": "2.5.*"}, "unused", "it is for the release 2.5.*, and this is 2.4.0"),
        ({"release": "2.4"}, "unused", "it is for the release 2.4, and this is 2.4.0"),
    ],
)
def test_the_state_of_a_waiver(given: dict[str, Any], state: str, note: str) -> None:
    found = used(**given)
    assert found.state == state
    assert note in found.note


@pytest.mark.parametrize(
    ("pattern", "release", "fits"),
    [
        ("2.*", "2.4.0", True),
        ("2.*", "12.4.0", False),
        ("*-rc1", "2.4.0-rc1", True),
        ("*-rc1", "2.4.0-rc10", False),
        ("2.*.0", "2.0", False),  # what stands before and after the star does not overlap
        ("2.**.0", "2.4.0", True),
        ("v*.*-*", "v2.4-hotfix", True),
        ("v*.*-*", "v2-4.hotfix", False),
        ("2?4.0", "2.4.0", False),
        ("[2].4.0", "2.4.0", False),
    ],
)
def test_only_a_star_stands_for_any_text(pattern: str, release: str, fits: bool) -> None:
    deployment = replace(samples.DEPLOYMENT, release=release)
    found = used(terms=replace(TERMS, deployment=deployment), release=pattern)
    assert (found.state == "matched") is fits


def test_a_pattern_of_many_stars_costs_no_more_than_its_length() -> None:
    deployment = replace(samples.DEPLOYMENT, release="a" * 5_000)
    assert used(terms=replace(TERMS, deployment=deployment), release="a*" * 500 + "b").state == "unused"


@pytest.mark.parametrize(
    ("days", "notice", "soon", "note"),
    [
        (0, 30, True, "today is its last day"),
        (1, 30, True, "it expires in 1 day"),
        (30, 30, True, "it expires in 30 days"),
        (31, 30, False, ""),
        (31, 60, True, "it expires in 31 days"),
    ],
)
def test_it_is_said_when_a_waiver_runs_out_soon(days: int, notice: int, soon: bool, note: str) -> None:
    found = used(terms=replace(TERMS, notice_days=notice), expires=AS_OF + timedelta(days=days))
    assert found.expires_soon is soon
    assert note in found.note
    assert ("expires" in found.note or "last day" in found.note) is soon


def test_nothing_but_a_matched_waiver_expires_soon() -> None:
    assert not used(Status.DEMONSTRATED, expires=AS_OF).expires_soon
    assert not used(expires=ago(1)).expires_soon


@pytest.mark.parametrize(
    ("people", "note"),
    [
        ((("approver", "m.  lindqvist"),), ""),
        ((("deputy", "M. Lindqvist"), ("operator", "M. Lindqvist")), ""),
        ((), "the manifest does not name M. Lindqvist among the people"),
        ((("operator", "M. Lindqvist"),), "names M. Lindqvist as operator, not as one who approves"),
    ],
)
def test_who_approved_it_is_looked_up_among_the_people_and_is_never_an_objection(people: Any, note: str) -> None:
    deployment: DeploymentIdentity = replace(samples.DEPLOYMENT, people=people)
    found = used(terms=replace(TERMS, deployment=deployment))
    assert found.state == "matched"
    assert note in found.note
    assert ("M. Lindqvist" in found.note) is bool(note)


def test_only_a_matched_waiver_reaches_its_control_and_it_changes_nothing_else() -> None:
    before = [result(Status.MISSING), result(Status.MISSING, "SPEND-02"), result(Status.DEMONSTRATED, "SPEND-03")]
    given = [waiver(), waiver(control="SPEND-02", expires=ago(1)), waiver(control="SPEND-03", expires=ago(1))]
    after, uses = waivers.use(given, before, TERMS)
    assert [one.waiver is not None for one in after] == [True, False, False]
    assert [one.status for one in after] == [one.status for one in before]
    assert [use.state for use in uses] == ["matched", "expired", "expired"]
    assert [one.reason for one in after] == ["r", "r; the waiver of it expired on 2026-11-21", "r"]
    assert uses[2].note == "it expired on 2026-11-21: SPEND-03 is demonstrated without it"
    assert assess.domain_score(after) == assess.domain_score(before)
    assert assess.coverage(after) == assess.coverage(before)


def test_of_several_waivers_of_one_control_the_one_that_holds_longest_covers_it() -> None:
    short, long_, gone = (
        waiver(release="2.*", expires=date(2026, 12, 1)),
        waiver(environment="production"),
        waiver(release="2.4.*", expires=ago(3)),
    )
    for given in ([short, long_, gone], [gone, long_, short]):
        (one,), uses = waivers.use(given, [result(Status.MISSING)], TERMS)
        assert one.waiver is not None
        assert one.waiver.expires == "2026-12-31"
        assert one.reason == "r"
        assert sorted(use.state for use in uses) == ["expired", "matched", "unused"]
        assert "another waiver covers SPEND-01, until 2026-12-31" in {use.note for use in uses}


# -------------------------------------------------------------------------------------------------- files, end to end


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Ready but for its runbook: every control is undocumented."""
    made = deployments.guarded(tmp_path)
    made.drop("docs/runbook.md")
    made.manifest["people"].append({"name": "T. Lind", "role": "approver"})
    return made


def written(control_: str = "SPEND-01", **given: Any) -> dict[str, Any]:
    values = {"reason": "soon", "owner": "R. Okafor", "approved_by": "T. Lind", "expires": "2027-01-31"}
    return {"control": control_, **values, **given}


def test_an_expired_waiver_says_so_beside_its_gap_in_every_format(deployment: Deployment) -> None:
    deployment.manifest["waivers"] = [written(expires="2026-11-01"), written("SPEND-02", expires="2026-12-01")]
    made = deployment.assess()
    assert made.verdict is Verdict.NOT_READY
    gap = control(made, "SPEND-01")
    assert gap.reason.endswith("; the waiver of it expired on 2026-11-01")
    assert rendering.waiver_notice(made) == (
        "1 waiver in force: SPEND-02. Status and score do not change by it. Expiring soon: SPEND-02 on 2026-12-01. "
        "Expired, so that the gap is open again: SPEND-01 on 2026-11-01."
    )
    for name, kind in FORMATS.items():
        told = kind.assessment(made, View(width=2_000))
        assert "the waiver of it expired on 2026-11-01" in told, name
        assert "it expires in 9 days" in told, name


def test_every_waiver_is_told_with_its_state_in_every_format() -> None:
    made = samples.small()
    assert {use.state for use in made.waivers} == {"matched", "unused", "expired", "invalid"}
    assert "Not in force: SPEND-07 (unused), SPEND-01 (invalid)." in str(rendering.waiver_notice(made))
    for name, kind in FORMATS.items():
        told = kind.assessment(made, View(width=2_000))
        for use in made.waivers:
            assert all(text in told for text in (use.state, use.note, use.owner, use.expires)), name


def test_that_waivers_were_ignored_is_said_in_every_format(deployment: Deployment) -> None:
    deployment.manifest["waivers"] = [written(expires="2026-11-01")]
    made = deployment.assess(ignore_waivers=True)
    assert (made.waivers, made.waivers_ignored) == ((), True)
    assert "waiver" not in control(made, "SPEND-01").reason
    for name, kind in FORMATS.items():
        told = kind.assessment(made, View(width=2_000))
        said = '"waivers_ignored": true' if name == "json" else "The waivers of the manifest were ignored, as asked."
        assert said in told, name


def test_a_waiver_out_of_its_scope_covers_nothing_and_says_so(deployment: Deployment) -> None:
    bare = deployment.assess()
    deployment.manifest["waivers"] = [written(scope={"environment": "staging", "release": "2.4.*"})]
    made = deployment.assess()
    assert made.verdict is bare.verdict
    assert made.valid_until == bare.valid_until
    assert "out of its scope: it is for the environment staging" in control(made, "SPEND-01").reason
    deployment.manifest["deployment"]["environment"] = "staging"
    (use,) = deployment.assess().waivers
    assert (use.state, use.environment, use.release) == ("matched", "staging", "2.4.*")


def test_ignoring_a_check_never_raises_a_score_and_is_disclosed(deployment: Deployment) -> None:
    """What another auditor got wrong: 29 points more, exit 0, and no word of it."""
    before, code = deployment.decided()
    deployment.manifest["waivers"] = [written(one) for one in deployments.IDS]
    after, waived = deployment.decided()
    assert (statuses(after), after.score, after.coverage) == (statuses(before), before.score, before.coverage)
    assert after.verdict is Verdict.READY_WITH_WAIVERS
    assert (code, waived) == (1, 1)  # the gate asks for ready
    for kind in FORMATS.values():
        told = kind.assessment(after, View(width=2_000))
        assert all(one in told for one in ("T. Lind", "R. Okafor", "2027-01-31"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (written("SPEND-*"), "is no control: a waiver covers one"),
        (written("*"), "is no control: a waiver covers one"),
        (written("SPEND-0[12]"), "is no control: a waiver covers one"),
        (written("SPEND-1"), "has no control 'SPEND-1'; did you mean `SPEND-01`?"),
        (written("spend-01"), "has no control 'spend-01'"),
        (written(scope={}), "scope"),
        (written(scope={"release": "*"}), "'*' is no release: a scope names what it is for"),
        (written(scope={"environment": "prod*"}), "'prod*' is no environment"),
        (written(scope={"target": "prod"}), "target"),
        (written(ticket="ACME-7"), "ticket"),
        ({**written(), "control": ["SPEND-01"]}, "control"),
    ],
)
def test_a_waiver_that_cannot_be_meant_is_an_error_with_its_line(
    deployment: Deployment, entry: dict[str, Any], message: str
) -> None:
    deployment.manifest["waivers"] = [entry]
    with pytest.raises(ConfigurationError) as error:
        deployment.assess()
    assert any(message in str(problem) and problem.line for problem in error.value.problems), error.value.problems


def test_one_control_may_be_waived_twice_where_each_has_a_scope_of_its_own(deployment: Deployment) -> None:
    scoped = [written(scope={"environment": name}) for name in ("staging", "production")]
    deployment.manifest["waivers"] = scoped
    assert [use.state for use in deployment.assess().waivers] == ["unused", "matched"]
    deployment.manifest["waivers"] = [*scoped, scoped[0]]
    with pytest.raises(ConfigurationError, match="is not a manifest") as error:
        deployment.assess()
    assert "stands here a second time, keep one, or give each a scope" in str(error.value.problems[0])


def test_how_long_before_its_end_a_waiver_is_announced_is_the_rubric_s_to_say(deployment: Deployment) -> None:
    deployment.manifest["waivers"] = [written(expires="2026-12-31")]
    assert not deployment.assess().waivers[0].expires_soon
    deployment.rubric = deployment.rubric.replace("{max_days: 90}", "{max_days: 90, notice_days: 40}")
    assert deployment.assess().waivers[0].expires_soon


def test_an_assessment_of_before_scopes_still_loads() -> None:
    from psf_audit import wire

    value = json.loads(json.dumps(wire.to_json(samples.small())))
    for one in (*value["waivers"], *(found["waiver"] for part in value["domains"] for found in part["controls"])):
        if one is not None:
            del one["scope"], one["expires_soon"]
    assert wire.from_json(value) == samples.small()
