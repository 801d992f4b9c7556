"""Overlays: what they make of a rubric, that every loosening is told, and that mistakes are refused by their place."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from psf_audit import audit, cases, overlay, reading, rubric, wire
from psf_audit.cli import main
from psf_audit.errors import ConfigurationError
from psf_audit.model import Status
from psf_audit.overlay import Effect
from psf_audit.plugins import discover
from psf_audit.rendering import ReportFormat, View
from tests.everywhere import SECRETS
from tests.test_rubric import CONTROL

BASE = "psf-agentic@1.3.0"
HEAD: dict[str, Any] = {
    "schema": "psf-audit/overlay/1",
    "id": "mine",
    "version": "1.0.0",
    "title": "Mine",
    "about": "For\n  tests.",
    "extends": BASE,
}
GUARDED = Path(__file__).parent.parent / "samples" / "guarded" / "manifest.yaml"
WHY = "We say so."
OWN: dict[str, Any] = {**CONTROL, "id": "SPEND-20", "shows": "SELECT ref, 'x' AS what FROM limits", "params": {}}


def written(folder: Path, **parts: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**HEAD, **parts}, sort_keys=False), encoding="utf-8")
    return path


def load(folder: Path, **parts: Any) -> rubric.Rubric:
    return rubric.load(written(folder, **parts))


def base() -> rubric.Rubric:
    return rubric.load(rubric.find(BASE))


def base_value() -> dict[str, Any]:
    value = reading.parse_yaml(rubric.find(BASE).read_text(encoding="utf-8")).value
    assert isinstance(value, dict)
    return value


VALUE = base_value()


def applied(**parts: Any) -> overlay.Overlay:
    problems: list[object] = []
    _, made = overlay.apply(VALUE, {**HEAD, **parts}, lambda *told: problems.append(told))
    assert problems == []
    return made


def change(control: str, **what: Any) -> dict[str, Any]:
    return {"control": control, "why": WHY, **what}


# ----------------------------------------------------------------------------------------------------------- no changes


@given(st.lists(st.sampled_from(VALUE["controls"]), unique_by=lambda control: str(control["id"])), st.booleans())
def test_a_change_to_what_is_there_changes_nothing(controls: list[dict[str, Any]], everything: bool) -> None:
    same = [
        change(
            control["id"],
            severity=control["severity"],
            present_max_age_days=control["present_max_age_days"],
            tested=control["tested"],
            documented=control["documented"],
            params=control.get("params", {}),
        )
        for control in controls
    ]
    parts: dict[str, Any] = {"change": same, "waivers": {**VALUE["waivers"], "why": WHY}}
    if everything:
        parts["select"] = {"domains": [domain["id"] for domain in VALUE["domains"]], "why": WHY}
    before = deepcopy(VALUE)
    made, told = overlay.apply(VALUE, {**HEAD, **parts}, lambda *_: pytest.fail("nothing is wrong"))

    assert made == before == VALUE
    assert told.changes == ()
    assert told.disclosures == (f"{BASE} was used with the overlay mine@1.0.0: it changes nothing.",)


def test_an_overlay_without_changes_leaves_statuses_scores_and_the_scoring_digest(tmp_path: Path) -> None:
    same = load(tmp_path, change=[change("SPEND-02", severity="blocking", params={"max_lag_seconds": 900})])
    assert same.identity.scoring_digest == base().identity.scoring_digest
    assert same.identity.content_digest != base().identity.content_digest

    day = date(2026, 11, 22)
    with_it = audit.run(GUARDED, audit.Options(as_of=day, rubric=str(tmp_path / "mine.yaml")))
    without = audit.run(GUARDED, audit.Options(as_of=day, rubric=BASE))
    assert with_it.controls == without.controls
    assert (with_it.score, with_it.verdict, with_it.domains) == (without.score, without.verdict, without.domains)
    assert with_it.rubric.overlay == "mine@1.0.0"


# --------------------------------------------------------------------------------------------------- tighter and looser


AGES = st.integers(1, 400)


@given(st.sampled_from(VALUE["controls"]), AGES, AGES, AGES)
def test_a_shorter_age_is_tighter(control: dict[str, Any], shown: int, tested: int, documented: int) -> None:
    made = applied(
        change=[
            change(
                control["id"],
                present_max_age_days=shown,
                tested={"max_age_days": tested},
                documented={"max_age_days": documented},
            )
        ]
    )
    pairs = (
        (control["present_max_age_days"], shown),
        (control["tested"]["max_age_days"], tested),
        (control["documented"]["max_age_days"], documented),
    )
    assert [one.effect for one in made.changes] == [
        Effect.TIGHTENED if now < was else Effect.LOOSENED for was, now in pairs if was != now
    ]


@pytest.mark.parametrize(
    ("what", "effect", "words"),
    [
        (change("SPEND-04", severity="blocking"), Effect.TIGHTENED, "severity: blocking instead of high"),
        (change("SPEND-04", severity="medium"), Effect.LOOSENED, "severity: medium instead of high"),
        (change("SPEND-04", tested={"adversarial": False}), Effect.LOOSENED, "its test need not attack it"),
        (change("CHECK-07", tested={"adversarial": True}), Effect.TIGHTENED, "its test must attack it"),
        (change("SPEND-02", params={"max_lag_seconds": 60}), Effect.TIGHTENED, "max_lag_seconds: 60 instead of 900"),
        (change("SPEND-02", params={"max_lag_seconds": 901}), Effect.LOOSENED, "max_lag_seconds: 901 instead of 900"),
        (change("CHECK-06", params={"min_review_ms": 9000}), Effect.TIGHTENED, "min_review_ms: 9000 instead of 5000"),
        (change("CHECK-06", params={"min_review_ms": 1}), Effect.LOOSENED, "min_review_ms: 1 instead of 5000"),
        # Nobody says in which direction this asks more: it is disclosed.
        (change("BOUND-09", params={"warned_calls": 1}), Effect.LOOSENED, "does not say whether it asks more or less"),
    ],
)
def test_the_direction_is_reckoned(what: dict[str, Any], effect: Effect, words: str) -> None:
    (only,) = applied(change=[what]).changes
    assert only.effect is effect
    assert words in only.what
    assert str(only).endswith("(We say so)")


@pytest.mark.parametrize(("days", "effect"), [(30, Effect.TIGHTENED), (365, Effect.LOOSENED)])
def test_the_longest_waiver(tmp_path: Path, days: int, effect: Effect) -> None:
    made = load(tmp_path, waivers={"max_days": days, "why": WHY})
    assert made.waiver_max_days == days
    assert made.overlay is not None
    assert [one.effect for one in made.overlay.changes] == [effect]
    assert made.identity.scoring_digest == base().identity.scoring_digest


def test_with_a_base_that_knows_no_directions_every_param_is_disclosed(tmp_path: Path) -> None:
    made = load(tmp_path, extends="psf-agentic@1.0.0", change=[change("SPEND-02", params={"max_lag_seconds": 1})])
    assert "max_lag_seconds" in made.identity.loosened[0]


def test_leaving_out_is_loosening_and_names_every_control(tmp_path: Path) -> None:
    made = load(tmp_path, unselect={"domains": ["readiness"], "controls": ["CHECK-06"], "why": WHY})
    gone = {one.id for one in base().controls} - {one.id for one in made.controls}

    assert gone == {"CHECK-06", *(f"READY-0{number}" for number in range(1, 10))}
    assert [domain.id for domain in made.domains] == ["spend", "checkpoints", "boundaries", "auditability"]
    (sentence,) = made.identity.loosened
    assert all(f"{name} (" in sentence for name in gone)
    assert f"Loosened by mine@1.0.0: {sentence}." in made.limits


def test_selecting_keeps_nothing_else(tmp_path: Path) -> None:
    made = load(tmp_path, select={"domains": ["spend"], "controls": ["CHECK-07"], "why": WHY})
    assert {one.domain for one in made.controls} == {"spend", "checkpoints"}
    assert [one.id for one in made.controls if one.domain == "checkpoints"] == ["CHECK-07"]


def test_a_control_of_its_own_stands_in_its_domain(tmp_path: Path) -> None:
    made = load(tmp_path, add=[OWN])
    ids = [one.id for one in made.controls]

    assert ids.index("SPEND-20") == ids.index("SPEND-11") + 1
    assert len(ids) == len(base().controls) + 1
    assert made.identity.scoring_digest != base().identity.scoring_digest
    assert made.identity.loosened == ()


# ------------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"extends": "psf-agentic@9.9.9"}, "rubric psf-agentic has no version 9.9.9"),
        ({"extends": "payments@1.0.0"}, "there is no rubric 'payments'"),
        ({"extends": "psf-agentic@1"}, "extends cannot be 'psf-agentic@1'"),
        ({"extends": "../../etc/passwd"}, "extends cannot be"),
        ({"chnage": []}, "unknown key 'chnage', did you mean 'change'?"),
        ({"change": [{"control": "SPEND-01", "severity": "high"}]}, "lacks why"),
        ({"change": [change("SPEND-99", severity="high")]}, "psf-agentic 1.3.0 has no control 'SPEND-99'"),
        ({"change": [change("SPEND-01"), change("SPEND-01")]}, "SPEND-01 stands here a second time"),
        ({"change": [change("SPEND-01", params={"lag": 1})]}, "SPEND-01 has no param 'lag', known: min_window_seconds"),
        ({"change": [change("SPEND-02", params={"tolerance": "5%"})]}, "tolerance of SPEND-02 must be a number"),
        ({"change": [change("SPEND-02", params={"tolerance": True})]}, "tolerance of SPEND-02 must be a number"),
        ({"change": [change("SPEND-01", present_max_age_days=0)]}, "out of range"),
        ({"unselect": {"domains": ["money"], "why": WHY}}, "psf-agentic 1.3.0 has no domain 'money'"),
        ({"select": {"controls": ["SPEND-77"], "why": WHY}}, "has no control 'SPEND-77'"),
        ({"select": {"controls": [], "why": WHY}}, "no control is left"),
        (
            {"unselect": {"controls": ["SPEND-01"], "why": WHY}, "change": [change("SPEND-01", severity="high")]},
            "SPEND-01 is left out, so it cannot be changed",
        ),
        (
            {"select": {"domains": ["spend"], "controls": ["AUDIT-06"], "why": WHY}},
            "no blocking control is left in the domain auditability",
        ),
        ({"add": [{**OWN, "id": "SPEND-01"}]}, "the id SPEND-01 is taken"),
        ({"add": [{**OWN, "aliases": ["SPEND-01"]}]}, "the id SPEND-01 is taken"),
        ({"add": [{**OWN, "domain": "money"}]}, "there is no domain 'money'"),
        ({"add": [{**OWN, "references": {"pci": ["1"]}}]}, "names 'pci', which is not among the frameworks"),
        ({"add": [{**OWN, "shows": "SELECT ref, x AS what FROM read_csv('/etc/passwd')"}]}, "SPEND-20.shows"),
        ({"add": [{**OWN, "shows": "SELECT ref FROM limits; DROP TABLE limits"}]}, "SPEND-20.shows is not one"),
        ({"add": [{**OWN, "shows": "SELECT getenv('HOME') AS what"}]}, "uses the function 'getenv'"),
        ({"add": [{**OWN, "breaks": "SELECT ref, $x AS what FROM limits"}]}, "params and SQL do not agree on x"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, parts: dict[str, Any], expected: str) -> None:
    path = written(tmp_path, **parts)
    with pytest.raises(ConfigurationError) as caught:
        rubric.load(path)

    told = [str(problem) for problem in caught.value.problems]
    assert any(expected in one for one in told), told
    assert all(re.match(rf"{re.escape(str(path))}:\d+:\d+: ", one) for one in told)


def test_a_param_that_the_sql_cannot_take_is_told_by_its_place_in_the_overlay(tmp_path: Path) -> None:
    bad = {**OWN, "shows": "SELECT ref, amount AS what FROM limits WHERE resource > amount AND amount = resource + 1"}
    path = written(tmp_path, add=[bad])
    with pytest.raises(ConfigurationError) as caught:
        cases.check_sql(rubric.lint(path))
    assert caught.value.problems[0].line != 1


def test_the_line_of_a_mistake_is_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, change=[change("SPEND-01"), change("SPEND-99")])
    with pytest.raises(ConfigurationError) as caught:
        rubric.load(path)
    (problem,) = caught.value.problems
    assert path.read_text(encoding="utf-8").splitlines()[(problem.line or 0) - 1].endswith("SPEND-99")


# ------------------------------------------------------------------------------------------------------------- reports


@pytest.fixture(scope="module")
def loosened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlay")
    return written(
        folder,
        change=[change("BOUND-04", tested={"max_age_days": 180})],
        unselect={"controls": ["AUDIT-06"], "why": WHY},
    )


@pytest.mark.parametrize("name", discover("psf_audit.report", ReportFormat))
def test_every_report_tells_every_loosening(loosened: Path, name: str) -> None:
    made = audit.run(GUARDED, audit.Options(as_of=date(2026, 11, 22), rubric=str(loosened)))
    kind = discover("psf_audit.report", ReportFormat)[name]
    text = re.sub(r"\s", "", kind.assessment(made, View(width=100, color=False)))

    assert len(made.rubric.loosened) == 2
    for words in ("BOUND-04:ageofitstestsindays:180insteadof90", "leftout:AUDIT-06(medium)", "mine@1.0.0"):
        assert words in text.replace("<!---->", ""), name


@pytest.mark.parametrize("name", discover("psf_audit.report", ReportFormat))
def test_what_an_overlay_says_stays_text_in_every_report(tmp_path: Path, name: str) -> None:
    why = f"<script>alert(1)</script> \x1b[2J\u202e {SECRETS['openai']} [x](javascript:y)"
    path = written(tmp_path, change=[{**change("BOUND-04", severity="medium"), "why": why}])
    made = audit.run(GUARDED, audit.Options(as_of=date(2026, 11, 22), rubric=str(path)))
    text = discover("psf_audit.report", ReportFormat)[name].assessment(made, View(width=4000, color=False))

    assert "medium instead of blocking" in text
    assert not [bad for bad in ("\x1b", "\u202e", SECRETS["openai"]) if bad in text]
    assert name not in {"html", "markdown"} or "<script>alert" not in text


def test_an_assessment_keeps_what_was_loosened(loosened: Path) -> None:
    made = audit.run(GUARDED, audit.Options(as_of=date(2026, 11, 22), rubric=str(loosened)))
    value = wire.to_json(made)
    assert wire.from_json(value).rubric == made.rubric
    del value["rubric"]["loosened"]
    assert wire.from_json(json.loads(json.dumps(value))).rubric.loosened == ()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rubric", "show", "read-only"], "Loosened"),
        (["rubric", "list"], "overlay of psf-agentic@1.3.0"),
        (["explain", "BOUND-04", "--rubric", "read-only"], "Loosened by read-only@1.0.0"),
        (["rubric", "lint", "payments"], "no problem"),
        (["rubric", "test", "payments", "--control", "BOUND-20"], "0 wrong"),
    ],
)
def test_commands_know_overlays(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str) -> None:
    assert main.run(arguments) == 0
    assert expected in capsys.readouterr().out


def test_the_overlay_in_the_documentation_is_one(tmp_path: Path) -> None:
    text = (GUARDED.parents[2] / "docs" / "rubric.md").read_text(encoding="utf-8")
    path = tmp_path / "documented.yaml"
    path.write_text(text.partition("```yaml\nschema: psf-audit/overlay/1")[2].partition("```")[0], encoding="utf-8")
    path.write_text(f"schema: psf-audit/overlay/1{path.read_text(encoding='utf-8')}", encoding="utf-8")
    known = rubric.lint(path)

    assert known.identity.overlay == "my-overlay@1.0.0"
    assert known.waiver_max_days == 30
    assert known.identity.loosened == (
        "left out: READY-08 (high) (We build and run the agent ourselves, so nothing is handed over)",
    )


# ------------------------------------------------------------------------------------------------- those that ship

SHIPPED = [f"{name}@{version}" for name, versions in rubric.overlays().items() for version in versions]


def test_overlays_are_no_rubrics() -> None:
    assert set(rubric.overlays()) == {"payments", "read-only"}
    assert set(rubric.available()) & {*rubric.overlays(), "overlays"} == set()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_overlay_is_sound_and_its_cases_hold(name: str) -> None:
    path = rubric.find(name)
    known = rubric.lint(path)
    cases.check_sql(known)
    outcomes = list(cases.run(known, cases.load(cases.beside(path), known), audit.engine("duckdb")))

    assert [(one.case.name, one.status, one.reason) for one in outcomes if not one.holds] == []
    assert known.overlay is not None
    for added in (one.control for one in known.overlay.changes if one.effect is Effect.ADDED):
        criteria = next(one for one in known.controls if one.id == added).criteria
        reachable = set(Status) - (set() if "applies_when" in criteria else {Status.NOT_APPLICABLE})
        assert {one.status for one in outcomes if one.case.control == added} == reachable


def test_the_payments_overlay_only_tightens() -> None:
    made = rubric.load(rubric.find("payments"))
    assert made.identity.loosened == ()
    assert made.overlay is not None
    assert {one.effect for one in made.overlay.changes} == {Effect.TIGHTENED, Effect.ADDED}


def test_an_agent_that_acts_does_not_pass_under_read_only() -> None:
    made = audit.run(GUARDED, audit.Options(as_of=date(2026, 11, 22), rubric="read-only"))
    assert {one.id: one.status for one in made.controls}["BOUND-21"] is Status.CONTRADICTED
