from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.changes import Change, Direction, changes, names_changed
from psf_audit.composition import MAX_ROWS, Composition, Row, composed
from tests.strategies import compositions

RISKIER, LOOK, SAFER = Direction.RISKIER, Direction.LOOK, Direction.SAFER

TOOL = {"table": "capabilities", "basis": "claim", "name": "http.get", "kind": "tool", "via": "aws", "retries": "3"}
LIMIT = {
    "table": "limits", "basis": "config", "resource": "usd", "scope": "session", "via": "litellm", "amount": "50",
    "on_breach": "pause", "layer": "gateway",
}  # fmt: skip
GATE = {
    "table": "gates", "basis": "config", "trigger": "interval", "unit": "seconds", "threshold": "1800",
    "effect": "interrupt", "on_timeout": "halt", "approvers": "R. Okafor", "layer": "harness",
}  # fmt: skip
ALLOWED = {"table": "boundaries", "basis": "config", "dimension": "tool", "effect": "allow", "pattern": "http.*"}
DENIED = {**ALLOWED, "effect": "deny", "pattern": "cloud.*"}
ALERT = {
    "table": "alerts",
    "basis": "config",
    "trigger": "spend",
    "threshold": "30",
    "unit": "usd",
    "recipient": "R. O.",
}
LOG = {"table": "logs", "basis": "config", "sink": "s3", "append_only": "yes", "retention_days": "400"}
KEY = {"table": "credentials", "basis": "claim", "subject": "deploy-key", "holder": "agent", "shared": "no"}


def made(*rows: Row, **given: Any) -> Composition:
    return replace(Composition(), rows=tuple(rows), row_count=len(rows), **given)


def moved(row: Row, **values: str | None) -> list[Row]:
    """The row before, and with these values after."""
    after = {**row, **values}
    return [row, {key: value for key, value in after.items() if value is not None}]


@pytest.mark.parametrize(
    ("row", "values", "what", "direction"),
    [
        (TOOL, {"retries": "9"}, "tool http.get via aws: retries 9, before 3", RISKIER),
        (TOOL, {"retries": "1"}, "tool http.get via aws: retries 1, before 3", SAFER),
        (TOOL, {"max_per_hour": "60"}, "tool http.get via aws: max per hour 60, before not said", SAFER),
        (TOOL, {"effect": "delete"}, "tool http.get via aws: effect delete, before not said", LOOK),
        (LIMIT, {"amount": "60"}, "limit usd per session via litellm: amount 60, before 50", RISKIER),
        (LIMIT, {"amount": "9"}, "limit usd per session via litellm: amount 9, before 50", SAFER),
        (LIMIT, {"on_breach": "log"}, "limit usd per session via litellm: on breach log, before pause", RISKIER),
        (LIMIT, {"layer": "prompt"}, "limit usd per session via litellm: layer prompt, before gateway", RISKIER),
        (GATE, {"threshold": "3600"}, "gate on interval: threshold 3600, before 1800", RISKIER),
        (GATE, {"effect": "notify"}, "gate on interval: effect notify, before interrupt", RISKIER),
        (GATE, {"on_timeout": "continue"}, "gate on interval: on timeout continue, before halt", RISKIER),
        (GATE, {"approvers": "A. Else"}, "gate on interval: approvers A. Else, before R. Okafor", LOOK),
        (ALERT, {"threshold": "20"}, "alert on spend to R. O.: threshold 20, before 30", SAFER),
        (LOG, {"append_only": "no"}, "log to s3: append only no, before yes", RISKIER),
        (LOG, {"retention_days": "30"}, "log to s3: retention days 30, before 400", RISKIER),
        (KEY, {"shared": "yes"}, "credential deploy-key of the agent (as claimed): shared yes, before no", RISKIER),
    ],
)
def test_a_value_that_moved_is_told_with_the_one_before(
    row: Row, values: dict[str, str], what: str, direction: Direction
) -> None:
    before, after = moved(row, **values)
    (change,) = changes(made(before), made(after))
    assert (change.what, change.direction) == (what, direction)


@pytest.mark.parametrize(
    ("row", "what", "direction"),
    [
        (TOOL, "tool http.get via aws", RISKIER),
        ({**TOOL, "kind": "model"}, "model http.get via aws", LOOK),
        (LIMIT, "limit usd per session via litellm of 50 usd", SAFER),
        (GATE, "gate on interval of 1800 seconds", SAFER),
        (ALLOWED, "boundary allow tool http.*", RISKIER),
        (DENIED, "boundary deny tool cloud.*", SAFER),
        (ALERT, "alert on spend to R. O. of 30 usd", SAFER),
        (LOG, "log to s3", SAFER),
        (KEY, "credential deploy-key of the agent (as claimed)", RISKIER),
    ],
)
def test_what_comes_and_what_goes_point_opposite_ways(row: Row, what: str, direction: Direction) -> None:
    (came,) = changes(made(), made(row))
    (went,) = changes(made(row), made())
    assert (came.what, came.direction) == (f"new {what}", direction)
    assert (went.what, went.direction) == (f"{what} is gone", direction.opposite)


@pytest.mark.parametrize(
    ("was", "now", "what", "direction"),
    [
        ("172.20.0.0/24", "172.20.0.0/14", "targets widened from 172.20.0.0/24 to 172.20.0.0/14", RISKIER),
        ("172.20.0.0/14", "172.20.0.0/24", "targets narrowed from 172.20.0.0/14 to 172.20.0.0/24", SAFER),
        ("fd42:d42::/64", "fd42:d42::/32", "targets widened from fd42:d42::/64 to fd42:d42::/32", RISKIER),
        ("api.example.net", "*.example.net", "targets widened from api.example.net to *.example.net", RISKIER),
    ],
)
def test_a_target_that_holds_another_is_a_wider_one(was: str, now: str, what: str, direction: Direction) -> None:
    (change,) = changes(made(targets=(was,)), made(targets=(now,)))
    assert (change.what, change.direction) == (what, direction)


def test_targets_that_do_not_hold_each_other_come_and_go() -> None:
    found = changes(made(targets=("10.0.0.0/8", "fd42::/16")), made(targets=("192.0.2.0/24", "notes.example.net")))
    assert [(change.what, change.direction) for change in found] == [
        ("new target 192.0.2.0/24", RISKIER),
        ("new target notes.example.net", RISKIER),
        ("target 10.0.0.0/8 is gone", SAFER),
        ("target fd42::/16 is gone", SAFER),
    ]


def test_models_prompts_and_purpose_are_to_be_looked_at() -> None:
    old = made(models=({"name": "m1"},), prompts={"a.md": "1"}, objective="Index it.", completion={"done": "all seen"})
    new = made(models=({"name": "m2"},), prompts={"a.md": "2", "b.md": "3"}, objective="Index all.", completion={})
    assert [(change.what, change.direction) for change in changes(old, new)] == [
        ('done: none, before "all seen"', RISKIER),
        ("model m1 is gone", LOOK),
        ("new model m2", LOOK),
        ('objective: "Index all.", before "Index it."', LOOK),
        ("prompt a.md has other text", LOOK),
        ("prompt b.md is new", LOOK),
    ]


def test_an_expected_size_bounds() -> None:
    (grown,) = changes(made(scope={"expected_size": "24"}), made(scope={"expected_size": "65536"}))
    (lost,) = changes(made(scope={"expected_size": "24"}), made())
    assert (grown.what, grown.direction) == ("expected size 65536, before 24", RISKIER)
    assert lost.direction is RISKIER


def test_a_tool_that_configuration_now_shows_too_is_no_new_tool() -> None:
    assert changes(made(TOOL), made(TOOL, {**TOOL, "basis": "config"})) == ()


def test_a_claim_that_goes_is_told_apart_from_what_is_enforced() -> None:
    (change,) = changes(made(LIMIT, {**LIMIT, "basis": "claim"}), made(LIMIT))
    assert change.what == "limit usd per session via litellm (as claimed) of 50 usd is gone"


def test_what_was_cut_is_not_said_to_be_gone() -> None:
    cut = replace(made(LIMIT), row_count=MAX_ROWS + 1)
    (change,) = changes(cut, made())
    assert (change.kind, change.direction) == ("configuration", LOOK)


def test_only_names_are_compared_where_no_more_is_kept() -> None:
    assert names_changed(["a", "b"], ["b", "c"]) == (
        Change("tool", "new tool c", RISKIER),
        Change("tool", "tool a is gone", SAFER),
    )


@given(compositions())
def test_nothing_changes_by_itself(one: Composition) -> None:
    assert changes(one, one) == ()


@given(compositions(), compositions())
def test_there_and_back_mirror_each_other(one: Composition, other: Composition) -> None:
    there, back = changes(one, other), changes(other, one)
    assert sorted(change.direction.opposite for change in there) == sorted(change.direction for change in back)
    assert sorted(change.kind for change in there) == sorted(change.kind for change in back)
    assert bool(there) is (one != other)


def test_a_composition_keeps_so_many_rows_and_counts_all() -> None:
    agent = {"capabilities": [], "scope": {"targets": ["b", "a"], "expected_size": 3}, "completion": {"done": "x"}}
    rows = [{"table": "limits", "amount": number} for number in range(MAX_ROWS + 5)]
    found = composed(agent, {"p.md": "1"}, [*rows, rows[0]])
    assert (len(found.rows), found.row_count, found.complete) == (MAX_ROWS, MAX_ROWS + 5, False)
    assert (found.targets, found.scope, found.completion) == (("a", "b"), {"expected_size": "3"}, {"done": "x"})


@given(st.permutations([{"name": "a"}, {"name": "b", "via": "x"}]))
def test_order_does_not_matter(models: list[dict[str, str]]) -> None:
    assert composed({"models": models}, {}, []) == composed(
        {"models": [{"name": "a"}, {"name": "b", "via": "x"}]}, {}, []
    )
