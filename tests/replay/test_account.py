"""When guardrails would have acted, and what that changes, in logs that can be worked out by hand."""

from decimal import Decimal

import pytest

from psf_audit.replay.steps import GRAINS, Log
from tests.replay.logs import at, decimals, minutes, one, person, sums, told, tried
from tests.tables import START, Row, filled


def paid(*costs: tuple[float, float], **values: object) -> list[Row]:
    return [at(minute, cost_usd=str(cost), **values) for minute, cost in costs]


# -------------------------------------------------------------------------------------------------------------- money


def test_a_ceiling_is_reached_by_the_call_that_makes_the_sum() -> None:
    account = one(paid((0, 40), (1, 60), (2, 5), (3, 5)), "limit", "100usd/run")
    assert minutes(account) == 1
    assert sums(account) == decimals(100, 10, 0, 0)
    assert account.calls == 2


def test_cost_that_accrues_reaches_a_ceiling_between_calls() -> None:
    """Two things of 60 dollars an hour: a dollar a minute, then two; 30 dollars after 20 minutes and half of 20."""
    account = one([at(0, until=60, cost_usd="60"), at(20, until=80, cost_usd="60"), at(50)], "limit", "30usd/run")
    assert minutes(account) == 25
    assert sums(account) == decimals(30, 90, 0, 90)
    assert account.calls == 1


def test_committed_at_once_or_accrued() -> None:
    """Without an end in the log the same call crosses when it is made."""
    assert minutes(one([at(0, until=60, cost_usd="60"), at(1)], "limit", "30usd/run")) == 30
    assert minutes(one([at(0, cost_usd="60"), at(1)], "limit", "30usd/run")) == 0


def test_a_stop_comes_a_lag_after_the_crossing() -> None:
    account = one(paid((0, 100), (5, 1), (10, 1), (11, 1)), "limit", "100usd/run,lag=10m")
    assert minutes(account) == 10
    assert sums(account) == decimals(102, 1, 0, 0)


def test_each_session_has_its_own_ceiling() -> None:
    events = paid((0, 8), (2, 8), session="a") + paid((1, 8), session="b") + paid((3, 4))
    account = one(events, "limit", "10usd/session")
    assert set(account.held) == {"a"}
    account = one(events, "limit", "10usd")
    assert minutes(account) == 1
    assert sums(account) == decimals(16, 12, 0, 0)


@pytest.mark.parametrize(
    ("scope", "values"),
    [
        ("run", {"run": "x"}),
        ("agent", {"actor": "x"}),
        ("key", {"credential": "x"}),
        ("tool", {"name": "x"}),
        ("target", {"target": "x"}),
        ("task", {"task": "x"}),
    ],
)
def test_a_ceiling_counts_for_its_scope_and_says_what_it_cannot_see(scope: str, values: Row) -> None:
    events = [*paid((0, 6), (1, 6), **values), *paid((2, 6), **dict.fromkeys(values))]
    account = one(events, "limit", f"10usd/{scope}")
    assert list(account.held) == ["x"]
    assert minutes(account) == 1
    assert (account.unseen, account.unseen_nano) == (1, 6 * 10**9)


def test_a_task_is_counted_with_the_tasks_that_it_started() -> None:
    events = [*paid((0, 6), task="a"), *paid((1, 6), task="b", parent="a"), *paid((2, 6), task="c", parent="b")]
    account = one(events, "limit", "10usd/task")
    assert list(account.held) == ["a"]
    assert sums(account) == decimals(12, 6, 0, 0)


def test_a_ceiling_in_a_window_begins_anew_with_each_window() -> None:
    assert minutes(one(paid((0, 6), (59, 3), (61, 6), (119, 5)), "limit", "10usd/h")) == 119
    assert minutes(one(paid((0, 6), (59, 3), (61, 6), (121, 5)), "limit", "10usd/h")) is None


def test_what_accrues_is_counted_in_the_window_in_which_it_accrues() -> None:
    """A dollar a minute makes 60 in an hour only when the hour is over, and then the next has begun."""
    slow = [at(0, until=600, cost_usd="600"), at(610)]
    assert minutes(one(slow, "limit", "61usd/h")) is None
    assert minutes(one(slow, "limit", "60usd/h")) is None
    assert minutes(one(slow, "limit", "60usd/h,window=sliding")) == 60
    assert minutes(one([at(30, until=630, cost_usd="600"), at(640)], "limit", "45usd/h")) == 105


def test_a_limit_sees_only_what_passes_through_it() -> None:
    events = paid((0, 9), (1, 9), via="direct") + paid((2, 9), (3, 9), (4, 1), via="gateway")
    account = one(events, "limit", "10usd,via=gateway")
    assert minutes(account) == 3
    assert sums(account) == decimals(18, 1, 0, 0)
    assert minutes(one(events, "limit", "10usd,tool=other.*")) is None


def test_charges_of_a_provider_count_and_what_people_spend_does_not() -> None:
    events = [at(0), at(1, actor_kind="system", cost_usd="20"), person(2, "approval", cost_usd="50"), at(3)]
    account = one(events, "limit", "10usd")
    assert minutes(account) == 1
    assert told(events).survey.nano == 20 * 10**9


def test_an_alert_only_tells() -> None:
    account = one(paid((0, 10), (1, 5)), "limit", "10usd,on=alert")
    assert minutes(account) == 0
    assert sums(account) == decimals(10, 0, 0, 0)


# ------------------------------------------------------------------------------------------------------------- counts


def test_a_cap_lets_its_number_pass_and_stops_the_next() -> None:
    account = one([at(0), at(1), at(2), at(3)], "limit", "2actions/run")
    assert (minutes(account), account.calls) == (2, 2)
    assert minutes(one([at(0), at(1)], "limit", "2actions/run")) is None
    assert minutes(one([at(0), at(1, outcome="denied"), at(2, kind="model")], "limit", "1actions/run")) is None
    assert minutes(one([at(0), at(1, outcome="error"), at(2, kind="model")], "limit", "2requests/run")) == 2


def test_tokens_are_known_when_the_call_is_over() -> None:
    events = [at(minute, kind="model", tokens_in=40, tokens_out=10) for minute in range(4)]
    account = one(events, "limit", "100tokens/run")
    assert (minutes(account), account.calls) == (1, 2)


def test_a_rate_refuses_calls_and_stops_nothing() -> None:
    """Five calls a second apart and one in the next minute, two a minute allowed: three are refused."""
    events = [at(second / 60, cost_usd="1") for second in range(5)] + [at(1.5, cost_usd="1")]
    account = one(events, "rate", "2/min")
    assert (minutes(account), account.calls) == (2 / 60, 3)
    assert sums(account) == decimals(2, 3, 0, 0)


@pytest.mark.parametrize(
    ("flag", "events", "minute"),
    [
        ("1repeats/run", [at(0, args_digest="d"), at(1, args_digest="e"), at(2, args_digest="d")], 2),
        ("1repeats/run", [at(0, args_digest="d", target="a"), at(1, args_digest="d", target="b")], None),
        ("1repeats/run", [at(0, target="a"), at(1, target="b", duplicate_of="a")], 1),
        ("1repeats/run", [at(0), at(1)], None),
        ("1retries/run", [at(i, args_digest="d", outcome="error") for i in range(4)], 2),
        (
            "1retries/run",
            [at(i, args_digest="d", outcome="ok" if i == 1 else "error") for i in range(4)],
            None,
        ),
        ("1depth", [at(0, task="a"), at(1, task="b", parent="a"), at(2, task="c", parent="b")], 2),
        ("1fanout", [at(0, task="a"), at(1, task="b", parent="a"), at(2, task="c", parent="a")], 2),
        ("1instances", [at(0, until=10), at(10, until=20), at(19, until=30)], 19),
        ("1instances", [at(0, until=10), at(10, until=20), at(20, until=30)], None),
    ],
)
def test_repetition_and_the_shape_of_work(flag: str, events: list[Row], minute: float | None) -> None:
    assert minutes(one(events, "limit", flag)) == minute


# -------------------------------------------------------------------------------------------------------- time, people


def test_a_limit_of_time_stops_what_is_still_at_work() -> None:
    assert minutes(one([at(0), at(59)], "limit", "1h/run")) is None
    assert minutes(one([at(0), at(60)], "limit", "1h/run")) == 60
    assert minutes(one([at(0, until=90, cost_usd="9")], "limit", "1h/run")) == 60


def test_a_gate_asks_after_its_time_and_a_decision_begins_it_anew() -> None:
    events = [at(0), at(29), person(29.5), at(40), at(69), at(71)]
    account = one(events, "gate", "30m")
    assert (minutes(account), account.calls, account.times) == (70, 1, 1)


def test_an_agent_that_waits_needs_nobody() -> None:
    assert minutes(one([at(0), at(10), person(300), at(500), at(510)], "gate", "30m")) is None
    assert minutes(one([at(0, until=40, cost_usd="4"), person(300)], "gate", "30m")) == 30


def test_a_third_party_is_nobody_who_decides() -> None:
    events = [at(0), at(20, kind="approval", actor_kind="third_party"), at(40)]
    assert minutes(one(events, "gate", "30m")) == 30


def test_gates_at_a_sum_and_at_a_number_of_actions() -> None:
    events = [*paid((0, 30), (1, 30)), person(2), *paid((3, 30), (4, 30), (5, 30))]
    assert minutes(one(events, "gate", "50usd")) == 1
    assert minutes(one(events, "gate", "70usd")) == 5
    assert minutes(one(events, "gate", "2actions")) == 5


def test_what_a_gate_holds_is_let_go_on_by_the_next_person_and_counts_anew() -> None:
    """It asks at 30; a person comes at 40; it asks again at 80 and nobody answers."""
    events = [*paid((0, 1), (35, 1)), person(40), *paid((50, 1), (85, 1), (90, 1))]
    account = one(events, "gate", "30m")
    assert (minutes(account), account.times) == (30, 2)
    assert sums(account) == decimals(1, 3, 0, 0)
    assert account.total().after == 1 * 10**9 * GRAINS
    unanswered = account.total(unanswered=True)
    assert (unanswered.spent, unanswered.saved) == (1 * 10**9 * GRAINS, 4 * 10**9 * GRAINS)


@pytest.mark.parametrize(
    ("decision", "saved"),
    [
        (person(2), 1),
        (person(2, "resume"), 1),
        (person(2, "refusal"), 3),
        (person(2, "stop"), 3),
        (person(2, run="other"), 3),
        (at(2, kind="approval", actor_kind="third_party"), 3),
    ],
)
def test_a_limit_that_pauses_waits_for_a_person_who_lets_it_go_on(decision: Row, saved: int) -> None:
    events = [*paid((0, 10), (1, 1)), decision, *paid((3, 1), (4, 1))]
    account = one(events, "limit", "10usd/run")
    assert sums(account)[:2] == decimals(10, saved)
    assert account.total(unanswered=True).saved == 3 * 10**9 * GRAINS


def test_a_limit_that_denies_has_nobody_to_ask() -> None:
    account = one([*paid((0, 10), (1, 1)), person(2), *paid((3, 1))], "limit", "10usd/run,on=deny")
    assert sums(account) == decimals(10, 2, 0, 0)
    assert account.unanswered == {}


def test_a_window_that_denies_lets_work_go_on_when_there_is_room() -> None:
    """A window from 0 to 60 is full at 20 minutes, the next is empty; what slides has room when the 6 have left it."""
    events = paid((10, 6), (20, 4), (30, 1), (59, 1), (60, 1), (69, 1), (70, 1))
    fixed = one(events, "limit", "10usd/h,on=deny")
    assert (minutes(fixed), fixed.calls) == (30, 2)
    assert sums(fixed) == decimals(10, 2, 0, 0)
    sliding = one(events, "limit", "10usd/h,on=deny,window=sliding")
    assert (minutes(sliding), sliding.calls) == (30, 4)
    assert sums(sliding) == decimals(10, 4, 0, 0)
    assert sliding.total().after == 1 * 10**9 * GRAINS


def test_what_runs_goes_on_when_calls_are_refused() -> None:
    """Sixty dollars from 0 to 60 reach 30 at half an hour: the call at 40 is refused, and what runs is not saved."""
    events = [at(0, until=60, cost_usd="60"), *paid((40, 5))]
    assert sums(one(events, "limit", "30usd/day,on=deny")) == decimals(40, 5, 0, 0)
    assert sums(one(events, "limit", "30usd/day")) == decimals(30, 35, 0, 30)


def test_a_window_that_learns_late_refuses_late_and_lets_go_on_late() -> None:
    """Full from 10 to the end of the hour; a quarter of an hour late, it refuses from after 25 until 75."""
    events = [*paid((10, 5)), *(at(minute, cost_usd="0") for minute in (20, 25, 26, 59, 60, 74, 75, 76))]
    account = one(events, "limit", "5usd/h,on=deny,lag=15m")
    assert (minutes(account), account.calls) == (26, 4)


def test_a_window_of_calls_that_slides_lets_no_burst_over_its_edge() -> None:
    events = [at(minute) for minute in (58, 59, 60, 61)]
    assert one(events, "rate", "2/h").calls == 0
    assert one(events, "rate", "2/h,window=sliding").calls == 2


def test_a_cap_in_a_window_that_pauses_waits_for_a_person() -> None:
    events = [*(at(minute) for minute in (0, 1, 2, 61, 62)), person(63), at(64), at(65), at(66)]
    account = one(events, "limit", "2requests/h")
    assert (minutes(account), account.calls, account.times) == (2, 4, 2)


def test_a_gate_that_goes_on_without_an_answer_saves_nothing() -> None:
    row = {"trigger": "spend", "threshold": 5, "unit": "usd", "effect": "ask"}
    events = paid((0, 6), (1, 6))
    for on_timeout, saved in (("halt", 6), ("continue", 0)):
        (account,) = tried(events, gates=[{**row, "on_timeout": on_timeout}]).accounts
        assert minutes(account) == 0
        assert sums(account)[1] == saved


def test_a_gate_that_denies_refuses_the_calls_and_not_the_run() -> None:
    row = {"trigger": "action", "pattern": "pay", "layer": "gateway"}
    events = [at(0, name="pay", cost_usd="1"), at(1, cost_usd="2"), at(2, name="pay", cost_usd="4")]
    (asks,) = tried(events, gates=[{**row, "effect": "ask"}]).accounts
    assert (asks.calls, asks.total().saved) == (3, 7 * 10**9 * GRAINS)
    (denies,) = tried(events, gates=[{**row, "effect": "deny"}]).accounts
    assert (denies.calls, denies.total().saved) == (2, 5 * 10**9 * GRAINS)


def test_a_share_of_a_ceiling_is_a_sum() -> None:
    gate = {"trigger": "spend", "threshold": 50, "unit": "percent", "effect": "interrupt"}
    limits = [
        {"resource": "usd", "amount": amount, "scope": "run", "layer": "gateway", "on_breach": "deny"}
        for amount in (40, 20)
    ]
    told = tried(paid((0, 9), (1, 9), (2, 9)), gates=[gate], limits=limits)
    found = {account.guardrail.words: minutes(account) for account in told.accounts}
    assert found["10 USD without a person"] == 1


def test_a_gate_on_the_size_of_the_work_counts_targets() -> None:
    gate = {"trigger": "size", "threshold": 150, "unit": "percent", "effect": "interrupt"}
    events = [at(minute, target=target) for minute, target in enumerate("abacbd")]
    (account,) = tried(events, expected=2, gates=[gate]).accounts
    assert account.guardrail.words == "3 targets without a person"
    assert (minutes(account), account.calls) == (5, 1)


def test_a_gate_on_what_is_new_asks_before_the_first_of_each() -> None:
    gate = {"trigger": "new_resource", "effect": "ask"}
    capabilities = [{"name": "vm.create", "effect": "create"}, {"name": "vm.list", "effect": "read"}]
    given = {"id": "yes", "name": "vm.create", "target": "a"}
    events = [
        at(0, name="vm.list"),
        person(1, **given),
        at(2, name="vm.create", target="a", approval="yes"),
        at(3, name="vm.create", target="a"),
        at(4, name="vm.create", target="b"),
        at(5, name="vm.list"),
    ]
    (account,) = tried(events, gates=[gate], capabilities=capabilities).accounts
    assert (minutes(account), account.calls) == (4, 2)


def test_a_gate_on_what_is_out_of_scope_goes_by_the_lists_of_targets() -> None:
    gate = {"trigger": "scope", "effect": "deny"}
    boundaries = [{"dimension": "target", "effect": "allow", "pattern": "*.example.net", "layer": "gateway"}]
    events = [at(minute, target=f"https://{host}/x") for minute, host in enumerate(("a.example.net", "evil.org"))]
    found = {each.guardrail.table: each for each in tried(events, gates=[gate], boundaries=boundaries).accounts}
    assert (minutes(found["gates"]), found["gates"].calls) == (1, 1)
    assert (minutes(found["boundaries"]), found["boundaries"].calls) == (1, 1)


def test_who_was_stopped_by_a_person_needs_no_gate() -> None:
    events = [*paid((0, 5)), person(1, "stop"), at(2, kind="action", actor_kind="system", cost_usd="90")]
    assert minutes(one(events, "gate", "50usd")) is None
    assert minutes(one([*events, *paid((3, 1))], "gate", "50usd")) == 3


def test_a_gate_before_a_call_wants_an_approval_of_that_call() -> None:
    given = {"kind": "approval", "actor_kind": "operator", "actor": "R. Okafor", "id": "a1", "name": "pay"}
    pay = {"name": "pay", "target": "t", "args_digest": "d"}

    def held(**values: object) -> bool:
        return minutes(one([at(0, **{**given, **values}), at(1, **pay, approval="a1")], "gate", "tool=pay")) is not None

    assert not held()
    assert not held(target="t", args_digest="d")
    assert held(actor_kind="agent")
    assert held(actor=None)
    assert held(name="continue")
    assert held(target="u")
    assert held(args_digest="e")
    assert held(id="a2")
    assert not held(at_ms=START)
    assert minutes(one([at(0, **pay, approval="a1"), at(1, **given)], "gate", "tool=pay")) == 0


def test_a_request_to_stop_is_heeded_whoever_makes_it() -> None:
    events = [at(0), at(1, kind="stop_request", actor_kind="third_party"), at(2), at(3)]
    account = one(events, "gate", "stop-request")
    assert (minutes(account), account.calls) == (1, 2)


# --------------------------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("flag", "text", "refused"),
    [
        ("allow", "forge.*", {"irc.join", "aws:CreateStack"}),
        ("allow", "forge.*,irc.join,aws:*", set()),
        ("deny", "aws:*", {"aws:CreateStack"}),
        ("allow", "forge.?r", {"irc.join", "aws:CreateStack", "forge.issue"}),
    ],
)
def test_a_list_refuses_the_calls_that_are_not_on_it(flag: str, text: str, refused: set[str]) -> None:
    names = ["forge.pr", "irc.join", "aws:CreateStack", "forge.issue"]
    events = [at(number, name=name, cost_usd="1") for number, name in enumerate(names)]
    account = one(events, flag, text)
    assert account.calls == len(refused)
    assert sums(account)[1] == len(refused)


@pytest.mark.parametrize(
    ("text", "target", "refused"),
    [
        ("target=172.20.0.0/14", "172.21.4.1", False),
        ("target=172.20.0.0/14", "http://172.24.0.1/", True),
        ("target=*.example.net", "https://a.example.net/x", False),
        ("target=*.example.net", "https://evil.org/?a.example.net", True),
        ("target=docs/*", "docs/a.md", False),
    ],
)
def test_a_list_of_targets_is_for_the_host_in_them(text: str, target: str, refused: bool) -> None:
    assert (minutes(one([at(0, target=target)], "allow", text)) is not None) is refused


# ----------------------------------------------------------------------------------------------- normal runs, together


def complete(minute: float, **values: object) -> Row:
    return at(minute, kind="complete", actor_kind="system", **values)


def test_what_a_normal_run_loses_is_interrupted_and_not_saved() -> None:
    good = [*paid((0, 8), (1, 8), run="good", session="a"), complete(2, run="good")]
    bad = paid((3, 8), (4, 8), (5, 8), run="bad", session="b")
    account = one(good + bad, "limit", "8usd/session")
    assert sums(account) == decimals(16, 16, 8, 0)
    assert (len(account.held), account.false_stops, account.cut) == (2, 1, frozenset({"good"}))


@pytest.mark.parametrize(
    "trouble",
    [
        at(1.5, kind="alert", actor_kind="system", run="good"),
        at(1.5, kind="stop_request", actor_kind="third_party", run="good"),
        person(1.5, "stop", run="good"),
    ],
)
def test_a_run_with_trouble_is_not_normal(trouble: Row) -> None:
    good = [*paid((0, 8), (1, 8), run="good"), trouble, complete(2, run="good")]
    account = one(sorted(good, key=lambda row: row["at_ms"]), "limit", "8usd/run")
    assert sums(account) == decimals(8, 8, 0, 0)
    assert account.false_stops == 0


def test_a_run_with_an_incident_on_record_is_not_normal() -> None:
    good = [*paid((0, 8), (1, 8), run="good"), complete(2, run="good")]
    assert told(good, ("limit", "8usd/run")).accounts[0].false_stops == 1
    assert told(good, ("limit", "8usd/run"), incidents=frozenset({"good"})).accounts[0].false_stops == 0


def test_a_ceiling_that_is_reached_at_the_very_end_cuts_nobody() -> None:
    good = [*paid((0, 8), (1, 8), run="good"), complete(2, run="good")]
    assert one(good, "limit", "16usd/run").false_stops == 0


def test_together_the_first_to_act_decides_each_call() -> None:
    events = [*paid((0, 5), (10, 5), (40, 5), session="a"), *paid((1, 5), (2, 5), (3, 5), session="b", run="q")]
    events.sort(key=lambda row: row["at_ms"])
    result = told(events, ("limit", "10usd/session"), ("gate", "30m"), ("limit", "1..5usd/session"))
    assert result.together is not None
    assert result.together_by is not None
    assert result.together_by.words == "10 USD a session"
    split = result.together.money
    # By the first stop 15 had been spent in all; the other run goes on, and spends 5 more before it is stopped.
    assert [value // GRAINS for value in (split.spent, split.after, split.saved)] == [
        15 * 10**9,
        5 * 10**9,
        10 * 10**9,
    ]


def test_together_what_one_refuses_no_other_counts() -> None:
    """Alone, the rate refuses one call of three; behind the list, which refuses two of them, it refuses none."""
    events = [at(0, name="a", cost_usd="1"), at(1, name="b", cost_usd="2"), at(2, name="b", cost_usd="4")]
    result = told(events, ("rate", "2/h"), ("deny", "b"))
    assert [account.calls for account in result.accounts] == [1, 2]
    assert result.together is not None
    assert (result.together.calls, result.together.money.saved) == (2, 6 * 10**9 * GRAINS)


# --------------------------------------------------------------------------------------------------------------- order


def test_the_order_of_events_is_defined() -> None:
    """Time, then number; then decisions before work before ends; then what the events say."""
    rows = [
        at(1, id="z", seq=2),
        at(1, id="y", seq=1),
        at(0, id="end", kind="complete"),
        at(0, id="b"),
        at(0, id="a"),
        person(0, id="yes"),
        at(0, id="go", kind="start"),
    ]
    for given in (rows, rows[::-1], rows[3:] + rows[:3]):
        log = Log(filled(events=given).events, [], [])
        assert [step.id for step in log] == ["go", "yes", "a", "b", "end", "y", "z"]


def test_events_without_a_time_are_left_out_and_counted() -> None:
    log = Log(filled(events=[at(0), {"name": "x", "at_ms": None}]).events, [], [])
    assert (len(list(log)), log.undated) == (1, 1)


def test_the_curve_is_what_had_been_spent() -> None:
    curve = told([at(0, until=239, cost_usd="239"), at(119, cost_usd="100")]).curve
    assert curve is not None
    assert [curve.spent[minute] for minute in (0, 1, 118, 119, 239)] == [
        round(Decimal(usd) * 10**9) for usd in (0, 1, 118, 219, 339)
    ]
