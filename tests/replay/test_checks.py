"""Every check of replay finds what it is for, and nothing in a log without it."""

from __future__ import annotations

from typing import Any

import pytest

from psf_audit.query import analyse
from psf_audit.replay import checks
from tests.replay.logs import at, person
from tests.tables import BOUNDS, MINUTE, START, Row, session


def found(**tables: list[Row]) -> dict[str, tuple[int, list[tuple[str, str | None, str | None]]]]:
    """How many rows each check found, and what they say."""
    with session(BOUNDS, **tables) as opened:
        answers = checks.ask(opened, lambda ref: ("log.jsonl", f"ref {ref}"))
    assert [answer.failure for answer in answers if answer.failure is not None] == []
    return {
        answer.id: (answer.count, [(row.what, row.found, row.expected) for row in answer.rows]) for answer in answers
    }


GOOD: dict[str, Any] = {"actor": "agent", "target": "t", "reason": "because", "outcome": "ok"}


def good(minute: float, **values: Any) -> Row:
    """An action with nothing to say against it."""
    return at(minute, **{**GOOD, **values})


def ask(minute: float, **values: Any) -> Row:
    return at(minute, kind="checkpoint", actor_kind="system", **values)


def system(minute: float, kind: str, **values: Any) -> Row:
    return at(minute, kind=kind, actor_kind="system", **values)


def spent(*costs: str, **values: Any) -> list[Row]:
    """Calls with a cost at both ends of an hour and between them."""
    return [good(m, cost_usd=c, **values) for m, c in zip((0, 58, 30), [*costs, "0", "0"], strict=False)]


CALM = [
    good(0),
    good(1, name="other"),
    ask(2, id="q"),
    person(3, name="x", target="t", reason="fine", answers="q"),
    good(4),
]
CEILING = {"resource": "usd", "amount": 10, "scope": "run", "layer": "gateway", "on_breach": "deny"}
GATE = {"trigger": "spend", "threshold": 5, "unit": "usd", "effect": "interrupt", "layer": "harness"}
BILL = {"kind": "bill", "subject": "aws", "amount_usd": 100, "from_ms": START, "to_ms": START + 60 * MINUTE}

INTERVAL = {"trigger": "interval", "threshold": 1800, "unit": "seconds", "effect": "interrupt", "layer": "harness"}
TIME = {"resource": "seconds", "amount": 3600, "scope": "run", "layer": "harness", "on_breach": "deny"}
TASKS = {"amount": 1, "scope": "task", "layer": "harness", "on_breach": "deny"}
TREE = [good(1, task="b", parent="a"), good(2, task="c", parent="b")]
LIST = {"dimension": "target", "effect": "allow", "layer": "gateway"}

CASES: list[tuple[str, dict[str, list[Row]], str, str | None]] = [
    (
        "past-ceiling",
        {"limits": [CEILING], "events": [good(m, cost_usd="6") for m in range(4)]},
        "usd of the run r",
        "24",
    ),
    (
        "past-ceiling",
        {
            "limits": [{**CEILING, "resource": "requests", "amount": 2, "per_seconds": 600, "aligned": True}],
            "events": [good(m) for m in range(9)],
        },
        "requests of the run r",
        "9",
    ),
    (
        "past-interval",
        {"gates": [INTERVAL], "events": [good(m) for m in range(0, 40, 5)]},
        "run r",
        "2100",
    ),
    (
        "past-interval",
        {"gates": [{**INTERVAL, "threshold": 3, "unit": "actions"}], "events": [good(m) for m in range(4)]},
        "run r",
        "4",
    ),
    ("past-time", {"limits": [TIME], "events": [good(0), good(70)]}, "run r", "4200"),
    (
        "tasks",
        {
            "limits": [{**TASKS, "resource": "fanout"}],
            "events": [good(0, task="a"), *TREE, good(3, task="d", parent="a")],
        },
        "below a",
        "2",
    ),
    ("tasks", {"limits": [{**TASKS, "resource": "depth"}], "events": [good(0, task="a"), *TREE]}, "below b", "2"),
    ("past-gate", {"gates": [GATE], "events": [good(m, cost_usd="4") for m in range(4)]}, "run r", "16"),
    ("unanswered-checkpoint", {"events": [ask(0), good(1), good(2)]}, "run r", "2"),
    (
        "unapproved",
        {"capabilities": [{"name": "pay", "effect": "pay"}], "events": [good(0, name="pay")]},
        "pay on t: no approval",
        None,
    ),
    (
        "approved-by-agent",
        {"events": [at(0, kind="approval", name="pay", target="t", reason="r", actor="agent")]},
        "approval of pay by agent",
        None,
    ),
    (
        "approved-by-agent",
        {"events": [person(0, name="pay", target="t", reason="r", actor=None)]},
        "approval of pay by nobody named",
        None,
    ),
    ("approved-unread", {"events": [person(0, name="pay", target="t")]}, "approval of pay says no reason", None),
    (
        "approved-unread",
        {"events": [ask(0, id="q"), person(0.05, name="x", answers="q", reason="ok")]},
        "approval of x came at once",
        "3000",
    ),
    ("standing-approval", {"events": [person(0, name="continue", reason="go on")]}, "approval of continue", None),
    (
        "outside",
        {
            "boundaries": [{"dimension": "tool", "effect": "allow", "pattern": "a.*", "layer": "gateway"}],
            "events": [good(0, name="a.x"), good(1, name="b.y")],
        },
        "tool b.y",
        "1",
    ),
    ("created-again", {"events": [good(0), good(1, duplicate_of="t")]}, "t", "2"),
    ("repeated", {"events": [good(m, args_digest="d") for m in range(4)]}, "call on t", "4"),
    (
        "ping-pong",
        {"events": [good(m, name="ab"[m % 2], target=None if m == 99 else "t") for m in range(8)]},
        "a on t and b on t",
        "8",
    ),
    ("retried", {"events": [good(m, args_digest="d", outcome="error") for m in range(4)]}, "call", "4"),
    ("after-end", {"events": [good(0), system(1, "complete"), good(2)]}, "run r after it was complete", "1"),
    ("after-end", {"events": [good(0), person(1, "stop"), good(3)]}, "run r after it was stopped", "1"),
    ("ignored", {"events": [system(0, "warning"), good(1), good(2), person(3), good(4)]}, "a warning", "2"),
    ("ignored", {"events": [system(0, "stop_request"), good(1)]}, "a request to stop", "1"),
    (
        "refused-to-stop",
        {"events": [system(0, "stop_request", id="s"), at(1, kind="refusal", answers="s", actor="agent")]},
        "agent",
        None,
    ),
    *[
        ("unattributed", {"events": [good(0, **{column: None})]}, what, "1")
        for column, what in (
            ("actor", "nobody named"),
            ("name", "no tool named"),
            ("target", "no target"),
            ("reason", "no reason"),
            ("at_ms", "no time"),
        )
    ],
    ("sequence", {"events": [good(0, seq=1), good(1, seq=3)]}, "run r", "2"),
    ("sequence", {"events": [good(0, seq=1), good(1, seq=1)]}, "run r", "2"),
    ("clock", {"events": [good(1), good(0)]}, "an entry is older than the one before it", "60000"),
    ("chain", {"events": [good(0, hash="a", computed_hash="b")]}, "the digest of an entry does not hold", None),
    (
        "chain",
        {"events": [good(0, hash="a", computed_hash="a", prev_hash="z")]},
        "the log begins in the middle of its chain",
        None,
    ),
    ("unended", {"events": [good(0, seq=1)]}, "run r", None),
    ("bill", {"records": [BILL], "events": spent("40", "40", via="aws")}, "bill of aws", "80"),
    ("bill", {"records": [BILL], "events": spent("110", provider="aws", via="gateway")}, "bill of aws", "110"),
    *[
        (
            "outside",
            {"boundaries": [{**LIST, "pattern": pattern, **more}], "events": [good(0, target=target)]},
            f"{more.get('dimension', 'target')} {target}",
            "1",
        )
        for pattern, target, more in (
            ("10.0.0.0/8", "11.0.0.1", {}),
            ("2001:db8::/32", "https://[2001:db9::1]/x", {}),
            ("*.example.net", "https://evil.org/a.example.net", {}),
            ("docs/*", "src/a.py", {"dimension": "path"}),
        )
    ],
    ("alerts", {"events": [system(0, "alert", id="a", name="spend")]}, "spend", None),
    (
        "accounts",
        {
            "events": [good(0)],
            "disagreements": [
                {"ref": 1, "source": "log", "other": "b", "what": "untraced", "found": 3, "expected": 0},
                {"ref": 2, "source": "log", "other": "b", "what": "cost", "found": 100, "expected": 100},
            ],
        },
        "untraced, held against another log",
        "3",
    ),
]


@pytest.mark.parametrize(("check", "tables", "what", "number"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_a_check_finds_what_it_is_for(check: str, tables: dict[str, list[Row]], what: str, number: str | None) -> None:
    rows = found(**tables)[check][1]
    assert (what, number) in [(row[0], row[1]) for row in rows]


def test_every_check_has_a_case_and_an_honest_twin() -> None:
    known = {check.id for check in checks.checks()}
    assert {case[0] for case in CASES} == known
    assert {case[0] for case in CALMER} == known


def test_a_calm_log_has_nothing_to_say() -> None:
    assert found(events=CALM) == {}


PAY = {"capabilities": [{"name": "pay", "effect": "pay"}]}
YES = person(0, id="yes", name="pay", target="t", reason="invoice 7")

# Of every check a log that is like one that it finds something in, and has nothing wrong with it.
CALMER: list[tuple[str, dict[str, list[Row]]]] = [
    ("past-ceiling", {"limits": [CEILING], "events": [good(m, cost_usd="2") for m in range(5)]}),
    ("past-ceiling", {"limits": [CEILING], "events": [good(0, cost_usd="9"), good(1, cost_usd="9")]}),
    ("past-gate", {"gates": [GATE], "events": [good(0, cost_usd="4"), person(1, reason="r"), good(2, cost_usd="4")]}),
    ("past-interval", {"gates": [INTERVAL], "events": [good(0), good(29), person(30), good(31), good(59)]}),
    ("past-interval", {"gates": [{**INTERVAL, "like": "other"}], "events": [good(0), good(90)]}),
    ("past-time", {"limits": [TIME], "events": [good(0), good(60)]}),
    ("unanswered-checkpoint", {"events": [good(0), ask(1, id="q"), person(2, answers="q"), good(3)]}),
    ("unapproved", {**PAY, "events": [YES, good(1, name="pay", approval="yes")]}),
    ("approved-by-agent", {"events": [YES]}),
    ("approved-unread", {"events": [ask(0, id="q"), {**YES, "at_ms": START + MINUTE, "answers": "q"}]}),
    ("standing-approval", {"events": [YES, person(1, name="pay", args_digest="d"), person(2, name="x", answers="q")]}),
    *[
        ("outside", {"boundaries": [{**LIST, "pattern": pattern, **more}], "events": [good(0, target=target)]})
        for pattern, target, more in (
            ("10.0.0.0/8", "10.0.0.1:443", {}),
            ("2001:db8::/32", "https://[2001:db8::1]/x", {}),
            ("*.example.net", "https://A.Example.net/x", {}),
            ("docs/*", "docs/a.md", {"dimension": "path"}),
        )
    ],
    ("created-again", {"events": [good(0), good(1, duplicate_of="t", outcome="denied")]}),
    ("repeated", {"events": [good(m, args_digest="d") for m in range(3)]}),
    ("ping-pong", {"events": [good(m, name="abc"[m % 3]) for m in range(12)]}),
    ("retried", {"events": [good(m, args_digest="d", outcome="error" if m % 3 else "ok") for m in range(9)]}),
    ("tasks", {"limits": [{**TASKS, "resource": "fanout"}], "events": [good(0, task="a"), *TREE]}),
    ("after-end", {"events": [good(0), system(1, "complete"), system(2, "start"), good(3)]}),
    ("ignored", {"events": [system(0, "warning"), person(1, name="x", answers="y"), good(2)]}),
    ("refused-to-stop", {"events": [system(0, "stop_request", id="s"), person(1, "refusal", answers="s")]}),
    ("unattributed", {"events": [good(0), good(1, kind="model", target=None, reason=None), person(2, target=None)]}),
    ("sequence", {"events": [good(0, seq=4), good(1, seq=5)]}),
    ("clock", {"events": [good(1), good(1)]}),
    ("chain", {"events": [good(0, hash="a", computed_hash="a", prev_hash="0" * 64)]}),
    ("unended", {"events": [good(0, seq=1), system(1, "complete", seq=2)]}),
    ("bill", {"records": [BILL], "events": spent("99", via="aws")}),
    # What others are charged for, or people spend, is on other bills; what begins late need not hold all of this one.
    ("bill", {"records": [BILL], "events": [*spent("99", via="aws"), good(5, cost_usd="70", via="gcp")]}),
    ("bill", {"records": [BILL], "events": [*spent("99", via="aws"), person(5, cost_usd="70", via="aws")]}),
    ("bill", {"records": [BILL], "events": [good(40, cost_usd="9", via="aws"), good(59, cost_usd="9", via="aws")]}),
    ("bill", {"records": [{**BILL, "subject": "aws", "decision": "explained"}], "events": spent("9", via="aws")}),
    ("accounts", {"events": [good(0)]}),
    ("alerts", {"events": [system(0, "alert", id="a"), person(1, "ack", answers="a")]}),
]


@pytest.mark.parametrize(("check", "tables"), CALMER, ids=[f"{case[0]}-{number}" for number, case in enumerate(CALMER)])
def test_a_check_lets_pass_what_is_right(check: str, tables: dict[str, list[Row]]) -> None:
    assert check not in found(**tables)


def test_what_is_told_is_the_longest_stretch_and_the_tree() -> None:
    events = [
        *(good(m, cost_usd="1", task="a") for m in range(3)),
        person(5),
        good(6, cost_usd="9", task="b", parent="a"),
        good(66, task="c", parent="b"),
    ]
    with session(BOUNDS, events=events) as opened:
        told = checks.longest(opened, lambda _: None)
    numbers = {name: (row.what, row.found) for name, row in told.items()}
    assert numbers == {
        "seconds": ("r", "3600"),
        "usd": ("r", "9"),
        "calls": ("r", "3"),
        "depth": ("c", "2"),
        "fanout": ("a", "1"),
    }


def test_checks_are_criteria() -> None:
    """They pass the allow-list that rubrics are held against: so any of them can move into a rubric."""
    for check in checks.checks():
        assert analyse(check.sql).tables, check.id
