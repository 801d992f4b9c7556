"""What the views say of small tables that can be worked out by hand."""

from typing import Any

import pytest

from psf_audit.facts.patterns import host
from tests.tables import MINUTE, START, Row, view

HOUR = 60


def at(minute: float, **values: Any) -> Row:
    """An event some minutes after the start of a day."""
    return {"at_ms": START + round(minute * MINUTE), **values}


def spent(*costs: tuple[float, float], **values: Any) -> list[Row]:
    return [at(minute, name="call", cost_usd=str(cost), **values) for minute, cost in costs]


def ceiling(**values: Any) -> Row:
    return {"resource": "usd", "amount": 10, "scope": "run", "layer": "gateway", "on_breach": "deny", **values}


def claim(**values: Any) -> Row:
    return {"basis": "claim", **values}


# ------------------------------------------------------------------------------------------------- limits and gates


@pytest.mark.parametrize(
    ("changes", "enforced", "outside"),
    [
        ({}, 1, 1),
        ({"layer": "infrastructure", "on_breach": "pause"}, 1, 1),
        ({"layer": "harness"}, 1, 0),
        ({"layer": "agent"}, 0, 0),
        ({"layer": "prompt"}, 0, 0),
        ({"layer": None}, 0, 0),
        ({"on_breach": "alert"}, 0, 0),
        ({"on_breach": "throttle"}, 0, 0),
        ({"on_breach": None}, 0, 0),
        ({"amount": None}, 0, 0),
        ({"basis": "claim"}, 0, 0),
    ],
)
def test_a_limit_is_enforced_by_configuration_that_stops_outside_the_agent(
    changes: Row, enforced: int, outside: int
) -> None:
    limit = {key: value for key, value in ceiling(**changes).items() if value is not None}
    assert len(view("enforced_limits", "ref", limits=[limit])) == enforced
    assert len(view("outside_limits", "ref", limits=[limit])) == outside


def test_gates_and_boundaries_are_enforced_likewise() -> None:
    gate = {"trigger": "spend", "effect": "interrupt", "layer": "harness"}
    gates = [gate, gate | {"effect": "notify"}, gate | {"layer": "prompt"}, claim(**gate)]
    assert view("enforced_gates", "ref", gates=gates) == [(1,)]
    boundary = {"dimension": "tool", "effect": "allow", "layer": "gateway"}
    assert view("enforced_boundaries", "ref", boundaries=[boundary, boundary | {"layer": "agent"}]) == [(1,)]


# -------------------------------------------------------------------------------------------------- acts and reach


def test_acts_are_what_the_agent_did_and_was_not_refused() -> None:
    events = [
        at(0, name="a", outcome="ok"),
        at(1, name="b"),
        at(2, name="c", kind="model"),
        at(3, name="d", outcome="denied"),
        at(4, name="e", outcome="error"),
        at(5, name="f", actor_kind="operator"),
        at(6, name="g", kind="checkpoint"),
    ]
    assert view("acts", "name", events=events) == [("a",), ("b",), ("c",)]


def test_a_call_without_a_way_takes_that_of_its_capability() -> None:
    events = [at(0, name="a"), at(1, name="a", via="direct"), at(2, name="b")]
    capabilities = [{"name": "a", "via": "litellm"}, {"name": "b"}]
    assert view("acts", "name, via", events=events, capabilities=capabilities) == [
        ("a", "direct"),
        ("a", "litellm"),
        ("b", None),
    ]


def test_usage_counts_failed_calls_only_when_they_cost() -> None:
    events = [
        at(0, name="a", cost_usd="1.5", tokens_in=3, tokens_out=4),
        at(0.5, name="a", cost_usd="2"),
        at(1, name="a", outcome="error", cost_usd="4"),
        at(1, name="a", outcome="error"),
        at(2, name="a", outcome="denied", cost_usd="0"),
    ]
    assert view("usage", "minute, n, usd, tokens, top_usd", events=events) == [
        (START // MINUTE, 2, 3.5, 7, 2),
        (START // MINUTE + 1, 1, 4, 0, 4),
    ]


def test_reach_is_what_is_declared_and_what_is_seen() -> None:
    capabilities = [
        claim(name="free", cost_usd=0, effect="read", via="x"),
        claim(name="dear", cost_usd=5, reversible=False),
        claim(name="unknown"),
        claim(name="m", kind="model", cost_usd=0),
    ]
    events = [at(0, name="free", cost_usd="2"), at(0, name="hidden"), at(0, name="llm", kind="model", cost_usd="1")]
    columns = "name, kind, paid, declared, irreversible"
    assert view("reach", columns, capabilities=capabilities, events=events) == [
        ("dear", None, 1, 1, 1),
        ("free", "tool", 1, 1, 0),
        ("hidden", "tool", 0, 0, 0),
        ("llm", "model", 1, 0, 0),
        ("m", "model", 1, 1, 0),
        ("unknown", None, 1, 1, 0),
    ]
    assert [row[2] for row in view("reach", columns, capabilities=capabilities) if row[0] == "free"] == [0]


def test_a_limit_binds_only_what_goes_its_way_and_has_its_name() -> None:
    capabilities = [claim(name="a", via="litellm"), claim(name="b", via="aws"), claim(name="c")]

    def bound(**changes: Any) -> list[str]:
        rows = view("bounded_reach", "name", capabilities=capabilities, limits=[ceiling(**changes)])
        return [name for (name,) in rows]

    assert bound(via="litellm") == ["a"]
    assert bound(via="*") == ["a", "b", "c"]
    assert bound() == []
    assert bound(via="*", pattern="a*") == ["a"]
    assert bound(via="*", bound=False) == []
    assert bound(via="*", layer="prompt") == []


def test_a_way_around_a_gateway_is_a_path_of_its_own() -> None:
    capabilities = [claim(name="a", via="litellm", cost_usd=1), claim(name="b", cost_usd=0)]
    events = [at(0, name="a", via="direct", cost_usd="1"), at(0, name="b")]
    given = {"capabilities": capabilities, "events": events}

    assert view("paths", "name, via", **given) == [("a", "direct"), ("a", "litellm"), ("b", None)]
    assert view("paid_paths", "name, via", **given) == [("a", "direct"), ("a", "litellm")]
    assert view("bounded_paths", "name, via", limits=[ceiling(via="litellm")], **given) == [("a", "litellm")]


def test_what_accrues_is_paid_by_the_hour() -> None:
    capabilities = [claim(name="a", cost_usd=1, cost_per="hour"), claim(name="b", cost_usd=1, cost_per="call")]
    events = [at(0, name="c", cost_usd="1", until_ms=START + 1), at(0, name="d", cost_usd="1", until_ms=START)]
    found = dict(view("paid_paths", "name, by_hour", capabilities=capabilities, events=events))
    assert found == {"a": 1, "b": 0, "c": 1, "d": 0}


# -------------------------------------------------------------------------------------------------------- ceilings


def passed(limit: Row, events: list[Row], **tables: Any) -> list[tuple[Any, ...]]:
    return view("past_ceiling", "who, used", limits=[limit], events=events, **tables)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([(0, 5), (1, 5)], []),
        ([(0, 5), (1, 5), (2, 0)], []),
        ([(0, 5), (1, 5), (2, 1)], [("r", 11)]),
        # A gateway that works lets the last call through, and what was in flight with it.
        ([(0, 5), (1, 80)], []),
        ([(0, 9), (1, 1), (1.5, 50)], []),
        ([(0, 5)] * 12, []),
        ([(0, 5)] * 13, [("r", 65)]),
    ],
)
def test_a_ceiling_is_passed_by_paid_work_after_it_was_reached(
    costs: list[tuple[float, float]], expected: list[tuple[str, float]]
) -> None:
    assert passed(ceiling(), spent(*costs)) == expected


@pytest.mark.parametrize(("minute", "expected"), [(2, []), (3, []), (4, [("r", 21)])])
def test_what_is_measured_late_may_be_passed_for_as_long(minute: int, expected: list[tuple[str, float]]) -> None:
    assert passed(ceiling(lag_seconds=120), spent((1, 20), (minute, 1))) == expected


def test_a_lag_of_part_of_a_minute_is_a_minute() -> None:
    assert passed(ceiling(lag_seconds=1), spent((0, 20), (1, 1))) == []
    assert passed(ceiling(lag_seconds=1), spent((0, 20), (2, 1))) == [("r", 21)]


def test_an_aligned_window_starts_anew_and_one_that_is_not_may_be_touched_twice() -> None:
    hourly = ceiling(per_seconds=3600)
    two_hours = spent((0, 8), (30, 2), (HOUR, 8), (HOUR + 30, 2))
    one_hour = spent((0, 8), (10, 8), (20, 1))
    assert passed(hourly | {"aligned": True}, two_hours) == []
    assert passed(hourly | {"aligned": True}, one_hour) == [("r", 17)]
    # The seventeen may lie in two of its windows.
    assert passed(hourly, one_hour) == []
    assert passed(hourly, spent((0, 12), (10, 12), (20, 1))) == [("r", 25)]


def test_windows_that_are_no_whole_minutes_are_only_proven_passed_by_much() -> None:
    by_the_second = ceiling(resource="requests", amount=2, per_seconds=1)
    assert passed(by_the_second, spent(*[(0, 0)] * 700)) == []
    assert passed(by_the_second, spent(*[(0, 0)] * 745)) == [("r", 745)]
    ninety = ceiling(per_seconds=90)
    assert passed(ninety, spent((0, 29), (1, 1))) == []
    assert passed(ninety, spent((0, 30), (1, 0.5))) == [("r", 30.5)]


@pytest.mark.parametrize(
    ("scope", "who"),
    [
        ("account", "*"),
        ("project", "*"),
        ("run", "r"),
        ("session", "s"),
        ("agent", "bot"),
        ("key", "k"),
        ("tool", "call"),
        ("task", "root"),
        ("target", None),
    ],
)
def test_spend_is_counted_for_what_the_limit_names(scope: str, who: str | None) -> None:
    given = {"session": "s", "actor": "bot", "credential": "k", "task": "t"}
    events = spent((0, 20), (1, 1), **given)
    tasks = [{"task": "t", "parent": "root", "root": "root", "depth": 1}]
    assert passed(ceiling(scope=scope), events, tasks=tasks) == ([(who, 21)] if who else [])


def test_two_sessions_have_a_budget_each() -> None:
    events = spent((0, 8), (1, 1), session="a") + spent((0, 8), (1, 1), session="b")
    assert passed(ceiling(scope="session"), events) == []
    assert passed(ceiling(scope="run"), events) == [("r", 18)]


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"basis": "claim"}, True),
        ({"on_breach": "pause"}, True),
        ({"layer": "prompt"}, False),
        ({"on_breach": "alert"}, False),
        ({"on_breach": "log"}, False),
        ({"bound": False}, False),
        ({"via": "*"}, True),
        ({"via": "x"}, True),
        ({"via": "y"}, False),
        ({"pattern": "ca*"}, True),
        ({"pattern": "ba*"}, False),
        ({"per_seconds": 0}, False),
        ({"resource": "tokens"}, False),
        ({"resource": "instances"}, False),
    ],
)
def test_which_limits_are_held_against_the_log(changes: Row, counts: bool) -> None:
    assert bool(passed(ceiling(**changes), spent((0, 20), (1, 1), via="x"))) is counts


def test_tokens_requests_and_actions() -> None:
    calls = [at(minute, name="m", kind="model", tokens_in=6, tokens_out=5) for minute in range(3)]
    acts = [at(minute, name="a") for minute in range(3)]
    assert passed(ceiling(resource="tokens", amount=20), calls + acts) == [("r", 33)]
    assert passed(ceiling(resource="requests", amount=4), calls + acts) == [("r", 6)]
    assert passed(ceiling(resource="actions", amount=2), calls + acts) == [("r", 3)]
    assert passed(ceiling(resource="actions", amount=3), calls + acts) == []


# ---------------------------------------------------------------------------------------- stretches, spans and gates


def human(minute: float, kind: str, **values: Any) -> Row:
    return at(minute, kind=kind, actor_kind="operator", **values)


def test_a_stretch_is_work_between_two_human_decisions() -> None:
    events = [
        at(0, name="a", cost_usd="1"),
        at(10, name="a", cost_usd="2"),
        human(20, "approval"),
        at(30, name="a", cost_usd="4"),
        at(35, kind="approval", actor_kind="agent"),
        at(36, kind="checkpoint"),
        at(50, name="a"),
        at(55, name="a", outcome="denied"),
        human(60, "resume"),
        at(61, name="a", run="other"),
    ]
    assert view("stretches", "run, stretch, seconds, usd, n", events=events) == [
        ("other", 0, 0, None, 1),
        ("r", 0, 600, 3, 2),
        ("r", 1, 1200, 4, 2),
    ]


def test_a_leg_is_work_between_two_checkpoints_or_pauses() -> None:
    events = [
        at(0, name="a"),
        at(5, name="a"),
        at(6, kind="checkpoint"),
        at(7, name="a"),
        at(8, kind="pause"),
        at(9, name="a"),
    ]
    assert view("legs", "leg, seconds, n", events=events) == [(0, 300, 2), (1, 0, 1), (2, 0, 1)]


def states(*events: Row) -> list[tuple[Any, ...]]:
    return view("spans", "n, pending, stopped_ms, done, begged", events=list(events))


def test_work_without_any_mark_is_in_no_special_state() -> None:
    assert states(at(1, name="a"), at(2, name="a", kind="model")) == [(2, 0, None, 0, 0)]


def test_work_while_a_checkpoint_is_not_answered_is_pending() -> None:
    asked = at(1, kind="checkpoint")
    assert states(asked, at(2, name="a")) == [(1, 1, None, 0, 0)]
    assert states(asked, human(2, "approval"), at(3, name="a")) == [(1, 0, None, 0, 0)]
    assert states(asked, at(2, kind="approval"), at(3, name="a")) == [(1, 1, None, 0, 0)]
    assert states(asked, human(2, "refusal"), at(3, name="a"), at(4, kind="checkpoint"), at(5, name="a")) == [
        (1, 0, None, 0, 0),
        (1, 1, None, 0, 0),
    ]


def test_work_after_a_stop_is_stopped_until_it_began_again() -> None:
    stop = human(1, "stop")
    assert states(stop, at(2, name="a")) == [(1, 0, START + MINUTE, 0, 0)]
    assert states(stop, human(2, "resume"), at(3, name="a")) == [(1, 0, None, 0, 0)]
    assert states(stop, at(2, kind="start"), at(3, name="a")) == [(1, 0, None, 0, 0)]


def test_work_after_completion_is_done_until_it_began_again() -> None:
    complete = at(1, kind="complete")
    assert states(complete, at(2, name="a")) == [(1, 0, None, 1, 0)]
    assert states(complete, human(2, "resume"), at(3, name="a")) == [(1, 0, None, 0, 0)]


def test_work_after_a_stop_request_is_begged_until_somebody_decides() -> None:
    request = at(1, kind="stop_request", actor_kind="third_party")
    assert states(request, at(2, name="a")) == [(1, 0, None, 0, 1)]
    assert states(request, human(2, "refusal"), at(3, name="a")) == [(1, 0, None, 0, 0)]
    assert [row[4] for row in states(request, human(2, "stop"), at(3, name="a"))] == [0]


def gate(**values: Any) -> Row:
    return {"trigger": "spend", "threshold": 5, "unit": "usd", "effect": "interrupt", "layer": "gateway", **values}


def test_a_spend_gate_in_percent_is_of_the_lowest_ceiling_that_is_not_for_one_task() -> None:
    gates = [gate(threshold=50, unit="percent"), gate(), gate(effect="notify"), gate(layer="prompt"), gate(bound=False)]
    limits = [
        ceiling(amount=80),
        ceiling(amount=60),
        ceiling(amount=2, scope="task"),
        ceiling(amount=1, on_breach="alert"),
    ]
    assert view("money_gates", "usd", gates=gates, limits=limits) == [(30,), (5,)]
    assert view("money_gates", "usd", gates=gates) == [(5,), (None,)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (spent((0, 3), (1, 3)), []),
        (spent((0, 5), (1, 1)), [("r", 1, 6)]),
        (spent((0, 5), (1, 1), (2, 0), (3, 2)), [("r", 2, 8)]),
        ([*spent((0, 5)), human(0.5, "approval"), *spent((1, 1))], []),
        ([*spent((0, 5)), at(0.5, kind="approval"), *spent((1, 1))], [("r", 1, 6)]),
        (spent((0, 5), (1, 1), via="elsewhere"), []),
    ],
)
def test_a_spend_gate_is_passed_by_paid_work_with_nobody_asked(events: list[Row], expected: list[Any]) -> None:
    gates = [gate(via="x")]
    events = [{"via": "x", "name": "call", **event} for event in events]
    assert view("past_gate", "run, n, spent", gates=gates, events=events) == expected


# -------------------------------------------------------------------------------------------------------- approvals

CALL: Row = {"name": "host.delete", "target": "h1", "args_digest": "d1"}
APPROVAL: Row = {"kind": "approval", "actor_kind": "operator", "actor": "R. Okafor", "id": "ap1", **CALL}


def faults(act: Row, *others: Row, **tables: Any) -> list[tuple[Any, ...]]:
    capabilities = [claim(name="host.delete", effect="delete")]
    events = [at(1, **APPROVAL), *others, at(5, **{**CALL, "approval": "ap1", **act})]
    return view("unapproved_acts", "fault, absent", capabilities=capabilities, events=events, **tables)


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        ({}, None),
        ({"args_digest": None}, None),
        ({"target": None}, None),
        ({"approval": None}, ("no approval", "events.approval")),
        ({"approval": "none"}, ("names an approval that no record holds", "events.approval")),
        ({"approval": "by-agent"}, ("approved by agent", None)),
        ({"approval": "by-third"}, ("approved by third_party", None)),
        ({"approval": "by-nobody"}, ("approved by nobody named", None)),
        ({"approval": "late"}, ("approved afterwards", None)),
        ({"approval": "standing"}, ("the approval is standing, or for something else", None)),
        ({"approval": "other"}, ("the approval is standing, or for something else", None)),
        ({"args_digest": "d2"}, ("the approval is for other arguments", None)),
        ({"target": "h2", "args_digest": None}, ("the approval is for another target", None)),
        ({"approval": None, "outcome": "denied"}, None),
        ({"approval": None, "name": "host.read"}, None),
    ],
)
def test_each_fault_of_an_approval(act: Row, fault: tuple[str, str | None] | None) -> None:
    others = [
        at(1, **APPROVAL | {"id": "by-agent", "actor_kind": "agent"}),
        at(1, **APPROVAL | {"id": "by-third", "actor_kind": "third_party"}),
        at(1, **APPROVAL | {"id": "by-nobody", "actor": None}),
        at(9, **APPROVAL | {"id": "late"}),
        at(1, **APPROVAL | {"id": "standing", "name": None}),
        at(1, **APPROVAL | {"id": "other", "name": "host.create"}),
    ]
    assert faults(act, *others) == ([fault] if fault else [])


UNNAMED = {"facts": "events.approval", "kind": "not_supplied", "what": "the log does not say who decided"}


@pytest.mark.parametrize(
    ("act", "gaps", "fault"),
    [
        ({"approval": "ap0"}, [], ("approved by nobody named", None)),
        ({"approval": "ap0"}, [UNNAMED], ("approved by nobody named", "events.approval")),
        ({"approval": "ap0"}, [UNNAMED | {"source": "another"}], ("approved by nobody named", None)),
        ({"approval": "ap0", "args_digest": "d2"}, [UNNAMED], ("the approval is for other arguments", None)),
        # The log names approvals: that this call has none is not hidden by what it does not say of those.
        ({"approval": None}, [UNNAMED], ("no approval", None)),
        ({"approval": None}, [UNNAMED, UNNAMED | {"kind": "excerpt"}], ("no approval", "events.approval")),
        (
            {"approval": None},
            [UNNAMED, UNNAMED | {"kind": "lossy", "facts": "events"}],
            ("no approval", "events.approval"),
        ),
        ({"approval": None, "source": "another"}, [UNNAMED], ("no approval", "events.approval")),
    ],
)
def test_what_a_log_hides_that_does_not_say_who_approved(
    act: Row, gaps: list[Row], fault: tuple[str, str | None]
) -> None:
    unnamed = at(1, **APPROVAL | {"id": "ap0", "actor": None, "actor_kind": None})
    known = at(2, **CALL | {"approval": "ap1"})
    own = [{"source": "log", **gap} for gap in gaps]
    assert faults(act, unnamed, known, gaps=own) == [fault]


def test_an_approval_may_stand_in_the_records() -> None:
    record = {
        "kind": "approval",
        "at_ms": START,
        "person": "R. Okafor",
        "subject": "host.delete",
        "pointer": "/records/0",
    }
    assert faults({"approval": "/records/0"}, records=[record]) == []
    assert faults({"approval": "/records/0"}, records=[record | {"subject": "host.create"}]) != []


@pytest.mark.parametrize(
    ("capability", "gates", "gated"),
    [
        ({"effect": "publish"}, [], True),
        ({"effect": "pay"}, [], True),
        ({"effect": "read"}, [], False),
        ({"effect": "create"}, [], False),
        ({"effect": "create", "reversible": False}, [], True),
        ({"effect": "read", "reversible": False}, [], False),
        ({"reversible": False}, [], True),
        ({}, [{"trigger": "action", "pattern": "cl*", "effect": "ask"}], True),
        ({}, [{"trigger": "action", "pattern": "x*", "effect": "ask"}], False),
        ({}, [{"trigger": "action", "pattern": "cl*", "effect": "notify"}], False),
        ({}, [{"trigger": "action", "pattern": "cl*", "effect": "ask", "layer": "prompt"}], False),
        ({}, [{"trigger": "spend", "pattern": "cl*", "effect": "ask"}], False),
        ({}, [{"trigger": "action", "pattern": "cl*", "effect": "deny", "bound": False}], False),
    ],
)
def test_what_stands_behind_a_human(capability: Row, gates: list[Row], gated: bool) -> None:
    found = view("gated_names", "name", capabilities=[claim(name="cloud.make", **capability)], gates=gates)
    assert found == ([("cloud.make",)] if gated else [])


@pytest.mark.parametrize(
    ("events", "gaps", "absent"),
    [
        ([], [], "events.approval"),
        ([at(0, name="a")], [], "events.approval"),
        ([at(0, kind="checkpoint")], [], "events.kind"),
        ([human(0, "approval")], [], "events.kind"),
        ([at(0, kind="approval")], [], "events.approval"),
        ([at(0, kind="checkpoint"), at(1, name="a", approval="x")], [], "events.approval"),
        ([at(0, kind="checkpoint")], [{"facts": "events.approval", "kind": "excerpt", "what": "x"}], "events.approval"),
    ],
)
def test_what_it_rests_on_that_nobody_decided(events: list[Row], gaps: list[Row], absent: str) -> None:
    assert view("decision_gap", "absent", events=events, gaps=gaps) == [(absent,)]


# ------------------------------------------------------------------------------------------------------- boundaries


def allow(pattern: str, dimension: str = "tool", **values: Any) -> Row:
    return {"dimension": dimension, "effect": "allow", "pattern": pattern, "layer": "gateway", **values}


def deny(pattern: str, dimension: str = "tool", **values: Any) -> Row:
    return allow(pattern, dimension, effect="deny", **values)


def outside(boundaries: list[Row], *events: Row, **tables: Any) -> list[str]:
    made = [{"via": "x", "name": "t", **event} for event in events]
    return [what for (what,) in view("outside", "what", boundaries=boundaries, events=made, **tables)]


NOTHING_ELSE = {"dimension": "tool", "effect": "deny", "is_default": True, "layer": "gateway"}


@pytest.mark.parametrize(
    ("boundaries", "found"),
    [
        ([], []),
        ([allow("http.*")], ["dns.q"]),
        ([allow("http.*", effect="ask")], ["dns.q"]),
        ([allow("*")], []),
        ([deny("dns.*")], ["dns.q"]),
        ([allow("*"), deny("dns.*")], ["dns.q"]),
        ([allow("dns.*"), deny("dns.q")], ["dns.q", "http.get"]),
        ([NOTHING_ELSE], ["dns.q", "http.get"]),
        ([NOTHING_ELSE, allow("http.get")], ["dns.q"]),
        ([NOTHING_ELSE | {"effect": "allow"}], []),
        ([NOTHING_ELSE | {"effect": "allow"}, deny("dns.q")], ["dns.q"]),
        ([allow("http.*", layer="prompt")], []),
        ([allow("http.*", bound=False)], []),
        ([allow("http.*", basis="claim")], ["dns.q"]),
        ([allow("http.*", via="x")], ["dns.q"]),
        ([allow("http.*", via="*")], ["dns.q"]),
        ([allow("http.*", via="y")], []),
        ([allow("http_get")], ["dns.q", "http.get"]),
        ([allow("http.*", "target")], []),
    ],
)
def test_tools_against_their_boundaries(boundaries: list[Row], found: list[str]) -> None:
    assert outside(boundaries, {"name": "http.get"}, {"name": "dns.q"}) == found


def test_what_the_configuration_allows_and_the_claim_does_not_is_outside_of_the_claim_alone() -> None:
    rows = view(
        "outside", "what, basis", boundaries=[allow("*"), allow("http.*", basis="claim")], events=[at(0, name="dns.q")]
    )
    assert rows == [("dns.q", "claim")]


def test_a_policy_of_aws_judges_only_names_that_are_written_its_way() -> None:
    calls = [{"name": "ec2:RunInstances"}, {"name": "s3:GetObject"}, {"name": "cloud.create_stack"}]
    events = [{"via": "aws", **call} for call in calls]

    assert outside([allow("s3:*", via="aws")], *events) == ["ec2:RunInstances"]
    assert outside([deny("*", via="aws")], *events) == ["ec2:RunInstances", "s3:GetObject"]
    assert outside([NOTHING_ELSE | {"via": "aws"}], *events) == ["ec2:RunInstances", "s3:GetObject"]
    assert outside([allow("S3:get*", via="aws")], *events) == ["ec2:RunInstances"]
    assert outside([deny("EC2:*", via="aws")], *events) == ["ec2:RunInstances"]
    # Any other boundary judges every name, and a policy of AWS every target.
    assert outside([allow("s3:*")], *events) == ["cloud.create_stack", "ec2:RunInstances"]
    assert outside([allow("s3:*", via="*")], *events) == ["cloud.create_stack", "ec2:RunInstances"]
    assert outside([allow("a*", "target", via="aws")], {"via": "aws", "name": "x", "target": "b"}) == ["b"]


TARGETS = {
    "v4": "http://172.20.3.4:80/x",
    "v6": "ssh://[fd42::7]",
    "mapped": "::ffff:172.20.3.4",
    "name": "https://api.example.net/v1/x",
    "other": "evil.example:443",
    "path": "/srv/data/file",
}


@pytest.mark.parametrize(
    ("boundary", "inside"),
    [
        (allow("172.20.0.0/14", "network"), {"v4", "mapped", "path"}),
        (allow("172.20.0.0/14", "target"), {"v4", "mapped", "path"}),
        (allow("172.20.3.4", "target"), {"v4", "mapped", "path"}),
        (allow("fd42::/16", "network"), {"v6", "path"}),
        (allow("*.example.net", "target"), {"name", "path"}),
        (allow("api.example.net", "network"), {"name", "path"}),
        (allow("https://api.example.net/v1/*", "target"), {"name", "path"}),
        (allow("https://api.example.net/v2/*", "target"), {"path"}),
        (allow("/srv/data/*", "target"), {"path"}),
        (allow("/srv/other/*", "target"), set()),
        (allow("0.0.0.0/0", "network"), {"v4", "mapped", "path"}),
        (allow("::/0", "network"), {"v6", "path"}),
        (allow("*", "target"), set(TARGETS)),
    ],
)
def test_targets_against_an_allowance(boundary: Row, inside: set[str]) -> None:
    events = [{"target": target} for target in TARGETS.values()]
    assert set(outside([boundary], *events)) == {target for name, target in TARGETS.items() if name not in inside}


def test_targets_against_a_refusal() -> None:
    events = [{"target": target} for target in TARGETS.values()]
    assert set(outside([deny("172.20.0.0/14", "network")], *events)) == {TARGETS["v4"], TARGETS["mapped"]}
    assert outside([deny("evil.example", "target")], *events) == [TARGETS["other"]]
    assert outside([allow("*", "target"), deny("*.example.net", "target")], *events) == [TARGETS["name"]]
    assert outside([deny("/srv/*", "target")], *events) == [TARGETS["path"]]


def test_a_path_is_held_against_paths_alone_and_a_command_against_nothing() -> None:
    events = [{"target": "/etc/passwd"}, {"target": "curl http://evil.example"}, {"name": "Bash", "target": "ls"}]
    hosts = [allow("*.example.net", "target"), NOTHING_ELSE | {"dimension": "network"}]
    assert outside(hosts, *events) == []
    assert outside([*hosts, allow("/srv/*", "target")], *events) == ["/etc/passwd"]
    # Of a word that no shell was given nobody knows that it is no host.
    assert outside(hosts, {"target": "ls"}) == ["ls"]


@pytest.mark.parametrize(
    ("boundary", "found"),
    [
        (allow("/srv/**", "path"), ["/etc/passwd"]),
        (allow("**", "path"), []),
        (allow("./**", "path"), []),
        (allow("~/**", "path"), []),
        (deny("**/passwd", "path"), ["/etc/passwd"]),
        (deny("./passwd", "path"), []),
        (NOTHING_ELSE | {"dimension": "path"}, ["/etc/passwd", "/srv/a"]),
    ],
)
def test_paths_against_their_boundaries(boundary: Row, found: list[str]) -> None:
    made = [{"via": "x", "name": "Read", "target": target} for target in ("/etc/passwd", "/srv/a")]
    assert view("outside", "dimension, what", boundaries=[boundary], events=made) == [("path", one) for one in found]


def test_a_resource_of_aws_is_held_against_names_of_its_kind() -> None:
    table = allow("arn:aws:dynamodb:*:*:table/orders", "target", via="aws")
    arns = [f"arn:aws:dynamodb:eu-west-1:*:table/{name}" for name in ("orders", "users")]
    events = [{"via": "aws", "target": target} for target in (*arns, "users")]
    assert outside([table], *events) == [arns[1]]


def test_what_was_refused_was_not_touched() -> None:
    assert outside([NOTHING_ELSE], {"name": "x", "outcome": "denied"}, {"name": "y", "kind": "model"}) == []


def test_reached_counts_each_way_and_target_once() -> None:
    events = [at(n, name="t", target="http://a.net/", via="x") for n in range(3)] + [at(4, name="t", via="y")]
    assert view("reached", "dimension, v, via, n, host", events=events) == [
        ("target", "http://a.net/", "x", 3, host("http://a.net/")),
        ("tool", "t", "x", 3, None),
        ("tool", "t", "y", 1, None),
    ]


# ---------------------------------------------------------------------------------------------------------- claims


def found_in(name: str, table: str, columns: str, claimed: Row, configured: list[Row]) -> list[tuple[Any, ...]]:
    return view(name, columns, **{table: [claim(**claimed), *configured]})


@pytest.mark.parametrize(
    ("claimed", "configured", "expected"),
    [
        ({}, [], []),
        ({}, [{}], []),
        ({}, [{"amount": 5}], []),
        ({}, [{"amount": 20}], [(10, 20)]),
        ({}, [{"amount": 20}, {"amount": 5}], []),
        ({"on_breach": "deny"}, [{"on_breach": "alert"}], [(10, 10)]),
        ({"on_breach": "alert"}, [{"on_breach": "deny"}], []),
        ({"scope": "session"}, [{"amount": 20}], []),
        ({"per_seconds": 60}, [{"amount": 20}], []),
        ({"via": "x"}, [{"amount": 20, "via": "y"}], []),
        ({"via": "*"}, [{"amount": 20, "via": "y"}], [(10, 20)]),
        ({}, [{"amount": 20, "bound": False}], []),
        ({}, [{"amount": 20, "layer": "prompt"}], []),
        ({"layer": "prompt"}, [{"amount": 20}], []),
    ],
)
def test_claimed_limits(claimed: Row, configured: list[Row], expected: list[Any]) -> None:
    made = [ceiling(**row) for row in configured]
    assert found_in("claim_limits", "limits", "expected, found", ceiling(**claimed), made) == expected


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ([], []),
        ([{}], []),
        ([{"threshold": 3}], []),
        ([{"threshold": 9}], [(5, 9)]),
        ([{"threshold": 9}, {"threshold": 5}], []),
        ([{"effect": "notify"}], [(5, 5)]),
        ([{"on_timeout": "continue"}], [(5, 5)]),
        ([{"trigger": "interval", "threshold": 9}], []),
        ([{"unit": "percent", "threshold": 9}], []),
        ([{"threshold": 9, "layer": "prompt"}], []),
    ],
)
def test_claimed_gates(configured: list[Row], expected: list[Any]) -> None:
    claimed = gate(on_timeout="halt")
    made = [gate(**{"on_timeout": "halt", **row}) for row in configured]
    assert found_in("claim_gates", "gates", "expected, found", claimed, made) == expected


@pytest.mark.parametrize(
    ("claimed", "configured", "found"),
    [
        (allow("http.*"), [allow("http.get")], []),
        (allow("http.*"), [allow("dns.*")], ["tool dns.* is allowed but not declared"]),
        (allow("http.*"), [allow("*")], ["tool * is allowed but not declared"]),
        (allow("http.*"), [deny("dns.*")], []),
        (allow("http.*"), [allow("x", "data")], []),
        (allow("http.*"), [allow("dns.*", layer="prompt")], []),
        (allow("10.0.0.0/8", "network"), [allow("10.1.0.0/16", "network")], []),
        (
            allow("10.1.0.0/16", "network"),
            [allow("10.0.0.0/8", "network")],
            ["network 10.0.0.0/8 is allowed but not declared"],
        ),
        (deny("http.*"), [allow("dns.*")], []),
        (NOTHING_ELSE | {"effect": "allow"}, [allow("dns.*")], []),
    ],
)
def test_claimed_boundaries(claimed: Row, configured: list[Row], found: list[str]) -> None:
    rows = found_in("claim_boundaries", "boundaries", "what", claimed, configured)
    assert [what for (what,) in rows] == found


@pytest.mark.parametrize(
    ("claimed", "configured", "expected"),
    [
        ({"append_only": True}, {"append_only": False}, [(1, 0)]),
        ({"append_only": True}, {}, []),
        ({"append_only": True}, {"append_only": True}, []),
        ({"hash_chained": True}, {"hash_chained": False}, [(1, 0)]),
        ({"off_host": True}, {"off_host": False}, [(1, 0)]),
        ({"retention_days": 400}, {"retention_days": 30}, [(0, 1)]),
        ({"retention_days": 400}, {"retention_days": 400}, []),
        ({"retention_days": 400}, {}, []),
        ({"append_only": True}, {"append_only": False, "sink": "other"}, []),
        ({"append_only": True}, {"append_only": False, "bound": False}, []),
        ({}, {"append_only": False}, []),
    ],
)
def test_claimed_logs(claimed: Row, configured: Row, expected: list[Any]) -> None:
    rows = found_in("claim_logs", "logs", "weaker, shorter", {"sink": "s3", **claimed}, [{"sink": "s3", **configured}])
    assert rows == expected


def test_a_capability_that_is_said_to_be_free_and_cost_something() -> None:
    capabilities = [claim(name="a", cost_usd=0), claim(name="b", cost_usd=0), claim(name="c", cost_usd=1)]
    events = [at(0, name=name, cost_usd=cost) for name, cost in (("a", "2"), ("a", "3"), ("b", "0"), ("c", "9"))]
    assert view("claim_capabilities", "found, expected", capabilities=capabilities, events=events) == [(5, 0)]


# ----------------------------------------------------------------------------------------------------------- the log


def chained(*entries: tuple[str, str | None, str], **values: Any) -> list[Row]:
    """Entries with hash, hash of the one before, and the hash as it was computed."""
    return [
        at(n, ref=100 + n, name="a", hash=own, prev_hash=before, computed_hash=computed, **values)
        for n, (own, before, computed) in enumerate(entries)
    ]


def test_a_chain_breaks_where_a_digest_does_not_match() -> None:
    columns = "ref, broken, back_ms"
    assert view("neighbours", columns, events=chained(("a", None, "a"), ("b", "a", "b"), ("c", "b", "c"))) == []
    assert view("neighbours", columns, events=chained(("a", None, "a"), ("b", "x", "b"))) == [(101, 1, 0)]
    assert view("neighbours", columns, events=chained(("a", None, "a"), ("b", "a", "changed"))) == [(101, 1, 0)]
    # The entry before it is in another file, or not there at all.
    gone = [row for row in chained(("a", None, "a"), ("b", "a", "b"), ("c", "b", "c")) if row["ref"] != 101]
    assert view("neighbours", columns, events=gone) == []
    other = chained(("a", None, "a"), ("b", "x", "b"))
    assert view("neighbours", columns, events=[other[0] | {"source": "other"}, other[1]]) == []


def test_a_clock_that_went_back() -> None:
    events = [at(2, ref=100), at(0, ref=101), at(3, ref=102)]
    assert view("neighbours", "ref, broken, back_ms", events=events) == [(101, 0, 2 * MINUTE)]


def test_numbers_of_a_run_in_a_log() -> None:
    events = [
        at(0, seq=5),
        at(1, seq=6),
        at(2, seq=8),
        at(3, seq=8),
        at(4, seq=9, kind="stop"),
        at(5, seq=1, run="q"),
        at(6),
    ]
    assert view("sequences", "run, expected, found, numbers, ended", events=events) == [
        ("q", 1, 1, 1, 0),
        ("r", 5, 5, 4, 1),
    ]


def test_the_same_call_again() -> None:
    call = {"name": "a", "target": "t", "args_digest": "d"}
    events = [at(n, **call) for n in range(3)]
    events += [at(4, **call, outcome="denied"), at(5, **call, run="q"), at(6, name="a", target="t"), at(7, name="a")]
    assert view("repeats", "run, name, n", events=events) == [("r", "a", 3)]


def test_what_was_created_although_it_existed() -> None:
    events = [
        at(0, name="make", duplicate_of="vm1", cost_usd="2"),
        at(1, name="make", duplicate_of="vm1", cost_usd="3"),
        at(2, name="make", duplicate_of="vm1", outcome="denied"),
        at(3, name="make", duplicate_of="vm2", actor_kind="operator"),
    ]
    assert view("created_again", "duplicate_of, n, usd", events=events) == [("vm1", 3, 5)]


def test_the_same_call_failing_again_and_again() -> None:
    call = {"name": "a", "args_digest": "d"}
    outcomes = ["error", "timeout", "ok", "error", "error", "error", "denied", "error"]
    events = [at(n, **call, outcome=outcome) for n, outcome in enumerate(outcomes)]
    assert view("retried", "name, failures", events=events) == [("a", 2), ("a", 4)]
    assert view("retried", "name", events=[at(0, **call, outcome="error"), at(1, **call, outcome="ok")]) == []


def test_the_family_of_a_task() -> None:
    tasks = [
        {"task": "a", "root": "a", "depth": 0},
        {"task": "b", "parent": "a", "root": "a", "depth": 1},
        {"task": "c", "parent": "a", "root": "a", "depth": 1},
        {"task": "d", "parent": "b", "root": "a", "depth": 2},
    ]
    assert view("family", "parent, children, depth", tasks=tasks) == [("a", 2, 1), ("b", 1, 2)]


def test_the_first_use() -> None:
    events = [human(0, "approval"), at(1, name="a"), at(2, name="a", kind="model")]
    assert view("first_use", "at_ms", events=events) == [(START + MINUTE,)]
    assert view("first_use", "at_ms", events=events[:1]) == []


def test_entries_that_somebody_other_than_the_agent_wrote() -> None:
    evidence = [{"id": "a", "produced_by": "gateway"}, {"id": "b", "produced_by": "agent"}, {"id": "c"}]
    events = [at(0, source=source) for source in ("a", "a", "b", "c")]
    assert view("independent_events", "n", events=events, evidence=evidence) == [(2,)]
    assert view("independent_events", "n", events=events[2:], evidence=evidence) == []


# ------------------------------------------------------------------------------------------- what no limit is broken by


def tokens(*used: tuple[float, int]) -> list[Row]:
    return [at(minute, name="llm", kind="model", tokens_in=count) for minute, count in used]


@pytest.mark.parametrize(
    ("used", "broken"),
    [
        ([(0.1, 16_000), (0.2, 16_000)], []),
        ([(0.1, 16_000), (0.2, 16_000), (2, 1)], [(32_001,)]),
        ([(second / 60, 19_000) for second in range(12)], [(228_000,)]),
    ],
)
def test_the_call_that_reaches_a_limit_on_tokens_breaks_nothing(
    used: list[tuple[float, int]], broken: list[tuple[int]]
) -> None:
    limit = ceiling(resource="tokens", amount=20_000)
    assert view("past_ceiling", "used", events=tokens(*used), limits=[limit]) == broken


def test_approvals_numbered_anew_in_each_run_are_those_of_the_run() -> None:
    publish = {"name": "pub", "effect": "publish"}
    given = {"kind": "approval", "id": "1", "actor": "R. Okafor", "actor_kind": "operator", "name": "pub"}
    act = {"name": "pub", "approval": "1"}
    own = [
        at(minute, run=run, args_digest=run, **values)
        for run, start in (("a", 0), ("b", 60))
        for minute, values in ((start, given), (start + 1, act))
    ]
    assert view("unapproved_acts", "fault", capabilities=[publish], events=own) == []
    elsewhere = [at(0, run="gateway", **given), at(1, run="a", **act)]
    assert view("unapproved_acts", "fault", capabilities=[publish], events=elsewhere) == []
    twice = [*elsewhere, at(2, run="b", **given)]
    assert view("unapproved_acts", "fault", capabilities=[publish], events=twice) == [
        ("names an approval that no record holds",)
    ]
