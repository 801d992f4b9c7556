"""The cases of a rubric: that they are run as written, and that a wrong one is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from psf_audit import audit, cases, rubric
from psf_audit.errors import ConfigurationError
from psf_audit.model import Status
from tests import deployments

LIMIT = {"resource": "usd", "amount": 50, "scope": "account", "via": "gateway", "on_breach": "deny", "layer": "gateway"}
BASE: dict[str, Any] = {"capabilities": [{"name": "llm", "kind": "model", "via": "gateway"}], "limits": [LIMIT]}
CALL = {"kind": "action", "name": "forbidden.call", "at": "10:00:00"}

Run = Callable[..., list[cases.Outcome]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(case, ...)` runs these cases of SPEND-01."""
    path = tmp_path / "small.yaml"
    path.write_text(deployments.RUBRIC)
    loaded = rubric.load(path)

    def run_(*entries: dict[str, Any], base: dict[str, Any] | None = None, **top: Any) -> list[cases.Outcome]:
        value = {
            "schema": "psf-audit/cases/1",
            "rubric": "small@1.0.0",
            "as_of": "2026-11-22",
            "deployment": {"name": "case", "release": "1.0.0", "environment": "production"},
            "controls": {"SPEND-01": {"base": BASE if base is None else base, "cases": list(entries)}},
            **top,
        }
        file = cases.beside(path)
        file.write_text(yaml.safe_dump(value, sort_keys=False))
        return list(cases.run(loaded, cases.load(file, loaded), audit.engine("duckdb")))

    return run_


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ({}, "demonstrated"),
        ({"drop": ["limits"]}, "missing"),
        ({"drop": ["tests"]}, "untested"),
        ({"drop": ["documents"]}, "undocumented"),
        ({"add": {"events": [CALL]}}, "contradicted"),
        ({"add": {"events": [{**CALL, "produced_by": "agent"}]}}, "contradicted"),
        ({"add": {"gaps": [{"facts": "events", "what": "log"}]}}, "unknown"),
        ({"replace": {"limits": [{**LIMIT, "age_days": 31}]}}, "unknown"),
        ({"replace": {"limits": [{**LIMIT, "bound": False}]}}, "unknown"),
        ({"replace": {"limits": [{**LIMIT, "basis": "claim"}]}}, "missing"),
        ({"replace": {"capabilities": [{"name": "read", "kind": "tool", "cost_usd": 0}]}}, "not_applicable"),
        ({"replace": {"documents": [{"owner": None, "control": "SPEND-01"}]}}, "undocumented"),
        ({"add": {"capabilities": [{"name": "aws", "kind": "api", "via": "aws"}]}}, "missing"),
    ],
)
def test_a_case_starts_from_its_base(run: Run, case: dict[str, Any], status: str) -> None:
    (outcome,) = run({"status": status, **case})
    assert (outcome.status, outcome.holds) == (Status(status), True), outcome.reason


def test_a_wrong_status_does_not_hold(run: Run) -> None:
    (outcome,) = run({"status": "missing"})
    assert not outcome.holds


def test_a_reason_has_to_be_given(run: Run) -> None:
    right, wrong = run(
        {"status": "missing", "drop": ["limits"], "reason": "no artifact shows it"},
        {"status": "missing", "drop": ["limits"], "reason": "partly covered"},
    )
    assert (right.holds, wrong.holds) == (True, False)


def test_cases_do_not_leak_into_each_other(run: Run) -> None:
    outcomes = run({"status": "contradicted", "add": {"events": [CALL]}}, {"status": "demonstrated"})
    assert [outcome.holds for outcome in outcomes] == [True, True]


def test_a_case_says_which_and_where_it_is(run: Run) -> None:
    first, second = run({"status": "demonstrated"}, {"status": "missing", "name": "gone", "drop": ["limits"]})
    assert (first.case.number, first.case.name) == (1, "demonstrated")
    assert (second.case.number, second.case.name) == (2, "gone")
    assert second.case.line > first.case.line


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"add": {"limitz": [{}]}}, "there is no table 'limitz'"),
        ({"add": {"events": [{"id": 1}]}}, "events.id: 1 is not VARCHAR"),
        ({"add": {"limits": [{"colour": "red"}]}}, "limits.colour"),
        ({"add": {"limits": [{"resource": "bananas"}]}}, "'bananas' is not one of"),
        ({"add": {"events": [{**CALL, "at": "yesterday noon"}]}}, "'yesterday noon' is no date or time with zone"),
        ({"add": {"events": [{**CALL, "at": "2026-11-20T10:00:00"}]}}, "is no date or time with zone"),
        ({"add": {"limits": [{"per_seconds": 1.5}]}}, "limits.per_seconds"),
    ],
)
def test_a_row_that_fits_no_table_is_an_error_and_no_result(run: Run, case: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"SPEND-01 case 1 \(line \d+\): .*") as caught:
        run({"status": "demonstrated", **case})
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (
            {"controls": {"SPEND-77": {"base": {}, "cases": [{"status": "missing"}]}}},
            "the rubric has no control SPEND-77",
        ),
        ({"controls": {"SPEND-01": {"base": {}, "cases": [{"status": "fine"}]}}}, "status cannot be 'fine'"),
        ({"controls": {"SPEND-01": {"base": {}, "cases": []}}}, "must not be empty"),
        ({"as_of": "today"}, "as_of cannot be 'today'"),
        ({"casez": []}, "unknown key 'casez'"),
    ],
)
def test_a_file_of_cases_that_is_none_is_refused_with_its_lines(run: Run, top: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run({"status": "demonstrated"}, **top)
    assert message in caught.value.problems[0].message
    assert caught.value.problems[0].line is not None


def test_a_missing_file_of_cases_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(deployments.RUBRIC)
    with pytest.raises(ConfigurationError, match="does not exist"):
        cases.load(cases.beside(path), rubric.load(path))


def test_criteria_are_bound_to_real_columns(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(deployments.rubric_text({**deployments.RATE, "shows": "SELECT ref, colour AS what FROM limits"}))
    with pytest.raises(ConfigurationError) as caught:
        cases.check_sql(rubric.load(path))
    assert "SPEND-02" in str(caught.value.problems[0])
