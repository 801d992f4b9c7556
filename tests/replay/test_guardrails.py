"""Guardrails from the rows of a deployment: which are tried, in which words, and what their patterns match."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit.facts.patterns import like
from psf_audit.replay.deployed import Found, of_tables
from psf_audit.replay.grammar import guardrails
from psf_audit.replay.guardrails import REFUSES, STOPS, TELLS, Like, duration
from tests.replay.logs import at, tried
from tests.tables import Row, filled, view


def found(**tables: list[Row]) -> Found:
    return of_tables(filled(**tables).tables, {})


def limit(**values: Any) -> Row:
    row = {"resource": "usd", "amount": 10, "scope": "run", "layer": "gateway", "on_breach": "deny", **values}
    return {name: value for name, value in row.items() if value is not None}


def gate(**values: Any) -> Row:
    row = {"trigger": "interval", "threshold": 60, "unit": "seconds", "effect": "interrupt", **values}
    return {name: value for name, value in row.items() if value is not None}


def boundary(pattern: str | None, **values: Any) -> Row:
    return {"dimension": "tool", "effect": "allow", "pattern": pattern, "layer": "gateway", **values}


# ---------------------------------------------------------------------------------------------------------- which ones


@pytest.mark.parametrize(
    ("row", "tried"),
    [
        (limit(), 1),
        (limit(basis="claim", layer=None), 1),
        (limit(layer="prompt"), 0),
        (limit(bound=False), 0),
        (limit(basis="record"), 0),
    ],
)
def test_what_is_in_force_for_this_release_is_tried(row: Row, tried: int) -> None:
    assert len(found(limits=[row]).tried) == tried


def test_a_claim_that_configuration_repeats_is_tried_once() -> None:
    tried = found(limits=[limit(basis="claim", layer="harness"), limit(), limit(amount=20)]).tried
    assert [(each.row["basis"], each.row["amount"]) for each in tried] == [("config", 10), ("config", 20)]


def test_the_rows_of_a_list_are_tried_together() -> None:
    rows = [boundary("a.*"), boundary("b"), boundary("c", via="litellm"), boundary("x", dimension="target")]
    assert [len(each.rows) for each in found(boundaries=rows).tried] == [2, 1, 1]


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"limits": [limit(amount=None)]}, "usd a run: has no amount"),
        ({"gates": [gate(trigger="size")]}, "size gate: is not in percent"),
        ({"gates": [gate(trigger="size", unit="percent")]}, "size gate: is a share of the expected size, and"),
        ({"gates": [gate(trigger="manual")]}, "manual gate: no event shows when a person would have used it"),
        ({"gates": [gate(trigger="scope")]}, "approval first outside the scope: no list says which targets"),
        ({"gates": [gate(trigger="new_resource")]}, "approval first of what is new: no capability is said to create"),
        (
            {"limits": [limit(resource="repeats", per_seconds=60)]},
            "10 of the same call in any minute a run: is counted in",
        ),
        ({"gates": [gate(threshold=None)]}, "interval gate: has no threshold"),
        ({"gates": [gate(trigger="spend", unit="percent")]}, "60 percent without a person: is a share of a ceiling"),
        ({"gates": [gate(trigger="spend")]}, "60 seconds without a person: is not in usd"),
        ({"gates": [gate(unit="usd")]}, "60 actions without a person: is not in actions or seconds"),
        ({"boundaries": [boundary("x", dimension="input")]}, "only the inputs x: a log of calls does not show it"),
    ],
)
def test_what_a_log_cannot_try_is_named_with_the_reason(tables: dict[str, list[Row]], why: str) -> None:
    told = found(**tables)
    assert told.tried == ()
    assert told.left[0].startswith(why)


@pytest.mark.parametrize(
    ("row", "effect"),
    [
        (limit(), STOPS),
        (limit(on_breach=None), STOPS),
        (limit(on_breach="throttle"), TELLS),
        (limit(on_breach="log"), TELLS),
        (limit(resource="requests", per_seconds=60), REFUSES),
        (limit(resource="requests", per_seconds=60, on_breach="throttle"), REFUSES),
        (limit(resource="requests", per_seconds=60, on_breach="pause"), STOPS),
        (limit(per_seconds=60), REFUSES),
        (limit(per_seconds=60, on_breach="pause"), STOPS),
        (limit(per_seconds=60, on_breach="throttle"), TELLS),
    ],
)
def test_what_a_limit_does(row: Row, effect: str) -> None:
    (each,) = found(limits=[row]).tried
    assert each.effect == effect


def test_a_gate_that_notifies_only_tells() -> None:
    (each,) = found(gates=[gate(effect="notify")]).tried
    assert each.effect == TELLS


# --------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("flag", "text", "words"),
    [
        ("--limit", "100usd/session", "100 USD a session"),
        ("--limit", "1500.50usd/agent", "1,500.5 USD an agent"),
        ("--limit", "100usd/day,lag=8h", "100 USD a day in all, 8 hours late"),
        ("--limit", "100usd/day,window=sliding", "100 USD in any day in all"),
        ("--limit", "5usd/15m/run,via=aws", "5 USD in 15 min a run via aws"),
        ("--limit", "2h/run", "2 hours a run"),
        ("--limit", "1repeats/run,tool=a.*", "1 of the same call a run, a.*"),
        ("--rate", "60/min", "60 requests a minute in all"),
        ("--rate", "20actions/h/tool", "20 actions an hour a tool"),
        ("--gate", "90s", "90 seconds without a person"),
        ("--gate", "25actions", "25 actions without a person"),
        ("--gate", "50usd", "50 USD without a person"),
        ("--gate", "tool=pay", "approval first, pay"),
        ("--gate", "stop-request", "a request to stop"),
        ("--allow", "a,b,c,d", "only the tools a, b and 2 more"),
        ("--deny", "target=x", "never the targets x"),
    ],
)
def test_a_guardrail_in_words(flag: str, text: str, words: str) -> None:
    (each,) = guardrails([(flag, text)])
    assert each.words == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second"), (3600, "1 hour"), (172_800, "2 days"), (90, "90 seconds")]
)
def test_a_length_of_time_in_words(seconds: int, words: str) -> None:
    assert duration(seconds) == words


# ------------------------------------------------------------------------------------------------------------ patterns

TEXT = st.text("ab.*?!%_/", max_size=8)


@given(pattern=TEXT, text=TEXT)
def test_a_pattern_matches_what_the_engine_matches(pattern: str, text: str) -> None:
    translated = like(pattern)
    row = duckdb.execute("SELECT ? LIKE ? ESCAPE '!'", [text, translated]).fetchone()
    assert row is not None
    assert Like(translated).matches(text) is row[0]


def test_a_hostile_pattern_takes_no_longer_than_text_times_pattern() -> None:
    assert not Like("%a" * 400 + "%b").matches("a" * 1_000)


TOOLS = st.sampled_from(["a.x", "a.y", "b.x", "b", "s3:Get"])
TARGETS = st.sampled_from(
    [
        "docs/a.md",
        "/etc/passwd",
        "10.0.0.1",
        "10.9.0.1",
        "https://a.example.net/p",
        "b.example.org",
        "https://z.org/?a.example.net",
    ]
)
LISTED = {
    "tool": st.sampled_from(["a.*", "b*", "*", "s3:*", "?.x"]),
    "target": st.sampled_from(["10.0.0.0/16", "*.example.net", "b.example.org", "*", "A.EXAMPLE.NET", "docs/*"]),
    "network": st.sampled_from(["10.0.0.0/16", "*.example.net"]),
    "path": st.sampled_from(["docs/*", "/etc/*", "./*"]),
}


@settings(max_examples=25)
@given(data=st.data(), dimension=st.sampled_from(["tool", "target", "network", "path"]))
def test_a_list_refuses_what_the_view_finds_outside_it(data: st.DataObject, dimension: str) -> None:
    pairs = st.tuples(LISTED[dimension], st.sampled_from(["allow", "deny"]))
    rows = [
        boundary(pattern, effect=effect, dimension=dimension)
        for pattern, effect in data.draw(st.lists(pairs, min_size=1, max_size=3))
    ]
    values = data.draw(st.lists(TOOLS if dimension == "tool" else TARGETS, min_size=1, max_size=4))
    column = "name" if dimension == "tool" else "target"
    events = [at(minute, **{column: value}) for minute, value in enumerate(values)]
    outside = {row[0] for row in view("outside", "what", events=events, boundaries=rows)}
    (account,) = tried(events, boundaries=rows).accounts
    assert account.calls == sum(value in outside for value in values)


def test_policies_of_aws_say_nothing_of_calls_that_are_named_otherwise() -> None:
    events = [at(0, name="s3:Put", via="aws"), at(1, name="s3.put", via="aws"), at(2, name="S3:getObject", via="aws")]
    (account,) = tried(events, boundaries=[boundary("s3:Get*", via="aws")]).accounts
    assert (account.calls, account.held["*"].position[0]) == (1, events[0]["at_ms"])


def test_a_command_is_held_against_no_list_of_targets() -> None:
    events = [at(0, name="Bash", target="ls docs"), at(1, name="Read", target="src/a.py")]
    (account,) = tried(events, boundaries=[boundary("docs/*", dimension="path")]).accounts
    assert account.calls == 1
