"""Exposure: sums worked out by hand, the laws that hold for all deployments, and an adversary who tries to break it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from psf_audit import audit, collection, exposure, rubric
from psf_audit import manifest as manifests
from psf_audit.exposure import Bound, Exposure, Outcome, Seen, Situation, SituationBound, exposure_of
from psf_audit.facts import patterns, store
from psf_audit.simplex import Limit, pack
from psf_audit.stops import UNNAMED, guardrails, matches, sits_on
from tests import exposure_simulator as simulator
from tests.tables import Row, filled, view

RUNS = 10_000
DAY = date(2026, 11, 22)


# ------------------------------------------------------------------------------------------------------------ builders


def capability(name: str = "search", **columns: Any) -> Row:
    return {
        "name": name, "kind": "tool", "via": "gw", "cost_usd": 1, "cost_per": "call", "max_per_hour": 10, "retries": 2,
        "basis": "claim", **columns,
    }  # fmt: skip


def limit(amount: float | str = 20, resource: str = "usd", **columns: Any) -> Row:
    return {
        "resource": resource, "amount": str(amount), "scope": "account", "via": "gw", "on_breach": "deny",
        "layer": "gateway", "lag_seconds": 0, **columns,
    }  # fmt: skip


def gate(trigger: str, threshold: float | str | None = None, unit: str | None = None, **columns: Any) -> Row:
    at = {} if threshold is None else {"threshold": str(threshold)}
    return {
        "trigger": trigger, "unit": unit, "via": "gw", "effect": "interrupt", "on_timeout": "halt", "layer": "harness",
        **at, **columns,
    }  # fmt: skip


INTERVAL = gate("interval", 3600, "seconds")


def said(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The rows without what is None in them: that is absent."""
    return {
        name: [{key: value for key, value in row.items() if value is not None} for row in listed]
        for name, listed in rows.items()
    }


def tables(**rows: list[Row]) -> dict[str, list[Row]]:
    rows.setdefault("deployment", [{"name": "d", "release": "1", "environment": "production"}])
    return filled(**said(rows)).tables


def these(*values: Any) -> tuple[Any, ...]:
    """Values side by side, whatever their types."""
    return values


def found(situation: Situation = Situation.AS_DECLARED, /, **rows: list[Row]) -> SituationBound:
    made = exposure_of(tables(**rows))
    return next(one for one in made.enforced.situations if one.situation is situation)


def in_all(situation: Situation = Situation.AS_DECLARED, /, **rows: list[Row]) -> Bound:
    return found(situation, **rows).in_all


def total(situation: Situation = Situation.AS_DECLARED, /, **rows: list[Row]) -> Decimal | None:
    bound = in_all(situation, **rows)
    assert bound.outcome is Outcome.BOUNDED, exposure.sentence(bound)
    return bound.total


@cache
def of_sample(repo: Path, name: str) -> Exposure:
    manifest = manifests.load(repo / "samples" / name / "manifest.yaml")
    loaded = rubric.load(rubric.locate(manifest.rubric))
    setting = audit._setting(manifest, loaded, "0", DAY)
    return exposure_of(store.build(collection.collect(manifest, None), manifest.claims, setting).tables)


# ------------------------------------------------------------------------------------------------- worked out by hand


def test_a_ceiling_is_overshot_by_the_call_in_flight() -> None:
    bound = in_all(capabilities=[capability()], limits=[limit(20)])
    assert these(bound.through, bound.lag, bound.in_flight, bound.total) == (20, 0, 1, 21)
    assert [(stop.what, stop.evidence, stop.usd) for stop in bound.decided_by] == [
        ("limit of 20 usd for each account (gateway)", "x", Decimal(21))
    ]
    assert exposure.sentence(bound) == "at most 21 USD (20 and 1 in flight)"


def test_lag_costs_what_an_hour_allows_for_every_hour_of_it_that_began() -> None:
    late = [limit(20, lag_seconds=3601)]
    bound = in_all(capabilities=[capability(max_per_hour=10)], limits=late)
    assert these(bound.through, bound.lag, bound.in_flight, bound.total) == (20, 20, 1, 41)


def test_what_has_no_lag_bounds_what_is_spent_during_a_lag() -> None:
    rows = {"capabilities": [capability(max_per_hour=10)], "limits": [limit(20, lag_seconds=3600)]}
    assert total(**rows) == 31
    rows["limits"].append(limit(3, "requests", per_seconds=3600))
    # In an hour that touches two windows: twice 3 calls and one in flight each time, which is 8.
    assert total(**rows) == 20 + 8 + 1


def test_an_unknown_lag_or_rate_is_an_unknown_overshoot() -> None:
    for bound in (
        in_all(capabilities=[capability()], limits=[limit(20, lag_seconds=None)]),
        in_all(capabilities=[capability(max_per_hour=None)], limits=[limit(20, lag_seconds=60)]),
    ):
        assert these(bound.outcome, bound.through, bound.lag, bound.total) == (Outcome.STOPPED, 20, None, None)
        assert exposure.sentence(bound) == "20 USD, and an overshoot that is not known"


def test_an_unknown_price_under_a_ceiling_is_stopped_there_with_an_unknown_overshoot() -> None:
    both = [capability(), capability("model", kind="model", cost_usd=None, cost_per=None)]
    bound = in_all(capabilities=both, limits=[limit(20)])
    assert these(bound.outcome, bound.through, bound.in_flight) == (Outcome.STOPPED, 20, None)


def test_an_unknown_price_or_rate_with_nothing_but_a_time_is_unknown() -> None:
    for unsure in (capability(cost_usd=None), capability(max_per_hour=None)):
        assert in_all(capabilities=[unsure], gates=[INTERVAL]).outcome is Outcome.UNKNOWN
    assert in_all(capabilities=[capability(cost_usd=None)], limits=[limit(5, "requests")]).outcome is Outcome.UNKNOWN


def test_nothing_enforced_is_unbounded_even_if_the_price_is_not_known() -> None:
    for paid in (capability(), capability(cost_usd=None), capability(cost_usd=0, kind="model")):
        bound = in_all(capabilities=[paid])
        assert these(bound.outcome, bound.total, bound.decided_by) == (Outcome.UNBOUNDED, None, ())


def test_what_is_free_costs_nothing() -> None:
    assert total(capabilities=[capability(cost_usd=0)]) == 0
    assert total(capabilities=[]) == 0


def test_time_bounds_by_the_declared_rate() -> None:
    bound = in_all(
        capabilities=[capability(max_per_hour=10, cost_usd="0.5")], gates=[gate("interval", 5400, "seconds")]
    )
    assert these(bound.total, bound.in_flight) == (10, 0)
    assert (
        bound.decided_by[0].what == "interval gate at 5400 seconds (harness), at the rate that is declared for search"
    )


def test_a_time_limit_with_lag_lasts_longer() -> None:
    stop = limit(3000, "seconds", scope="run", layer="harness", lag_seconds=601)
    assert total(capabilities=[capability(max_per_hour=10)], limits=[stop]) == 20
    assert in_all(capabilities=[capability()], limits=[{**stop, "lag_seconds": None}]).outcome is Outcome.UNKNOWN
    assert in_all(capabilities=[capability()], limits=[{**stop, "per_seconds": 86400}]).outcome is Outcome.UNBOUNDED


def test_a_window_bounds_a_sum_only_if_something_ends_the_run() -> None:
    rows = {"capabilities": [capability(max_per_hour=1000)], "limits": [limit(10, per_seconds=86400)]}
    bound = in_all(**rows)
    assert these(bound.outcome, bound.a_day) == (Outcome.UNBOUNDED, 11)
    assert "up to 11 USD a day" in exposure.sentence(bound)
    # An hour can lie on both sides of midnight: 10 and a call in flight, twice.
    assert total(**rows, gates=[INTERVAL]) == 22
    longer = gate("interval", 86400 + 1, "seconds")
    assert total(**rows, gates=[longer]) == 33


def test_a_throttle_bounds_a_rate_and_no_sum() -> None:
    throttle = limit(10, on_breach="throttle")
    assert in_all(capabilities=[capability()], limits=[throttle]).outcome is Outcome.UNBOUNDED
    paced = {**throttle, "per_seconds": 3600}
    assert in_all(capabilities=[capability()], limits=[paced]).outcome is Outcome.UNBOUNDED
    assert total(capabilities=[capability(max_per_hour=1000)], limits=[paced], gates=[INTERVAL]) == 22


def test_a_shared_ceiling_bounds_the_sum_and_not_each() -> None:
    both = [capability("a"), capability("b", cost_usd=3)]
    shared = limit(20)
    result = found(capabilities=both, limits=[shared])
    assert result.in_all.total == 23
    assert [these(one.name, one.bound.total) for one in result.capabilities] == [("a", 21), ("b", 23)]
    own = [limit(5, pattern="a"), limit(6, pattern="b")]
    assert total(capabilities=both, limits=[shared, *own]) == 5 + 1 + 6 + 3
    assert total(capabilities=both, limits=[limit(10), *own]) == 13


def test_ceilings_that_overlap_are_packed_exactly() -> None:
    three = [capability(name, cost_usd=1) for name in ("ab", "bc", "ca")]
    pairs = [limit(9, pattern=f"*{letter}*") for letter in "abc"]
    # Each letter covers two of the three: 10 each, and half of each when all three are used.
    assert total(capabilities=three, limits=pairs) == 15


def test_two_ways_to_one_capability_are_two() -> None:
    twice = [capability(), capability(via="other")]
    assert in_all(capabilities=twice, limits=[limit(20)]).outcome is Outcome.UNBOUNDED
    assert total(capabilities=twice, limits=[limit(20), limit(30, via="other")]) == 20 + 1 + 30 + 1
    assert total(capabilities=twice, limits=[limit(20, via="*")]) == 21


def test_what_the_log_shows_is_reach() -> None:
    rows = tables(capabilities=[capability(cost_usd=0)], limits=[limit(20)])
    assert exposure_of(rows).enforced.worst.in_all.total == 0
    for seen in (Seen("search", "gw"), Seen("hidden", "gw"), Seen(None, "gw")):
        assert exposure_of(rows, [seen]).enforced.worst.in_all.outcome is Outcome.STOPPED
    assert exposure_of(rows, [Seen("hidden", "gw", hourly=True)]).enforced.worst.in_all.outcome is Outcome.UNBOUNDED
    assert exposure_of(rows, complete=False).enforced.worst.in_all.outcome is Outcome.UNBOUNDED
    assert exposure_of(rows, [Seen("hidden", None, paid=False)]).enforced.worst.in_all.total == 0
    unseen = exposure_of(rows, [Seen("hidden", None)]).enforced.worst.in_all
    assert unseen.outcome is Outcome.UNBOUNDED


def test_counts_bound_money_by_the_price_of_each() -> None:
    both = [capability("a", cost_usd=1), capability("b", cost_usd=3)]
    assert total(capabilities=both, limits=[limit(10, "requests")]) == (10 + 1) * 3
    assert total(capabilities=both, limits=[limit(10, "actions", scope="tool")]) == 11 * 1 + 11 * 3
    model = capability(kind="model")
    assert in_all(capabilities=[model], limits=[limit(10, "actions")]).outcome is Outcome.UNBOUNDED


def test_tokens_bound_what_is_priced_by_them() -> None:
    model = capability("m", kind="model", cost_usd="0.02", cost_per="1k_tokens", max_per_hour=100)
    # 100,000 tokens are 2 USD, and the call in flight is as large as the limit lets one be.
    assert total(capabilities=[model], limits=[limit(100_000, "tokens")]) == 4
    small = limit(20_000, "tokens", per_seconds=60)
    assert total(capabilities=[model], limits=[limit(100_000, "tokens"), small]) == Decimal("2.4")
    assert total(capabilities=[model], limits=[limit(5), small]) == Decimal("5.4")
    assert in_all(capabilities=[model], limits=[limit(5)]).outcome is Outcome.STOPPED
    unpriced = capability("m", kind="model", cost_usd=None, cost_per=None)
    assert in_all(capabilities=[unpriced], limits=[limit(100, "tokens")]).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("unit", ["gb", "amount", None])
def test_a_price_for_what_has_no_size_is_unknown(unit: str | None) -> None:
    assert in_all(capabilities=[capability(cost_per=unit)], limits=[limit(20)]).outcome is Outcome.STOPPED


def test_the_dearest_price_counts_and_two_units_are_unknown() -> None:
    twice = [capability(cost_usd=1), capability(cost_usd=4)]
    assert total(capabilities=twice, limits=[limit(20)]) == 24
    mixed = [capability(cost_usd=1), capability(cost_usd=4, cost_per="1k_tokens")]
    assert in_all(capabilities=mixed, limits=[limit(20)]).outcome is Outcome.STOPPED
    unsure = [capability(cost_usd=0), capability(cost_usd=None, basis="config")]
    assert in_all(capabilities=unsure, limits=[limit(20)]).outcome is Outcome.STOPPED


def test_what_bills_by_the_hour_is_stopped_only_by_what_suspends_it() -> None:
    machine = capability("vm", cost_usd=2, cost_per="hour")
    most = limit(3, "instances")
    for weak in (limit(20), limit(20, layer="harness", on_breach="pause"), limit(5, "requests")):
        assert in_all(capabilities=[machine], limits=[weak, most], gates=[INTERVAL]).outcome is Outcome.UNBOUNDED
    pause = limit(20, on_breach="pause", lag_seconds=7200)
    # Three machines for two hours and a started one, and the started hour of each.
    bound = in_all(capabilities=[machine], limits=[pause, most])
    assert these(bound.through, bound.lag, bound.in_flight, bound.total) == (20, 18, 6, 44)
    assert in_all(capabilities=[machine], limits=[pause]).outcome is Outcome.STOPPED
    assert in_all(capabilities=[machine], limits=[most]).a_day == 3 * 2 * 24


def test_gates_on_money_stop_it() -> None:
    paid = [capability()]
    assert total(capabilities=paid, gates=[gate("spend", 5, "usd")]) == 6
    assert total(capabilities=paid, gates=[gate("give_up", 7, "usd", effect="deny", on_timeout=None)]) == 8
    assert total(capabilities=paid, limits=[limit(20)], gates=[gate("spend", 50, "percent")]) == 11
    assert in_all(capabilities=paid, gates=[gate("spend", 50, "percent")]).outcome is Outcome.UNBOUNDED
    assert total(capabilities=paid, gates=[gate("interval", 4, "actions")]) == 5


def test_each_call_behind_a_human_costs_nothing_unseen() -> None:
    asked = gate("action", pattern="sea*", effect="ask")
    assert total(capabilities=[capability()], gates=[asked]) == 0
    created = gate("new_resource", effect="ask")
    assert total(capabilities=[capability(effect="create")], gates=[created]) == 0
    assert in_all(capabilities=[capability(effect="read")], gates=[created]).outcome is Outcome.UNBOUNDED


@pytest.mark.parametrize(
    "weak",
    [
        {"basis": "claim"}, {"layer": "prompt"}, {"layer": "agent"}, {"layer": None}, {"bound": False}, {"via": None},
        {"via": "other"}, {"on_breach": "alert"}, {"on_breach": "log"}, {"on_breach": None}, {"scope": None},
        {"age_days": 31}, {"pattern": "other"}, {"basis": "document"}, {"amount": None},
    ],
)  # fmt: skip
def test_limits_that_stop_nothing(weak: Row) -> None:
    assert in_all(capabilities=[capability()], limits=[{**limit(20), **weak}]).outcome is Outcome.UNBOUNDED


@pytest.mark.parametrize(
    "weak",
    [
        {"basis": "claim"}, {"layer": "prompt"}, {"bound": False}, {"via": None}, {"effect": "notify"},
        {"on_timeout": "continue"}, {"on_timeout": None}, {"threshold": "0"}, {"unit": None}, {"age_days": 31},
    ],
)  # fmt: skip
def test_gates_that_stop_nothing(weak: Row) -> None:
    stop = {**gate("spend", 5, "usd"), **weak}
    assert in_all(capabilities=[capability()], gates=[stop]).outcome is Outcome.UNBOUNDED


def test_alerts_stop_nothing() -> None:
    alert = {"trigger": "spend", "threshold": 5, "unit": "usd", "channel": "pager", "recipient": "somebody"}
    assert in_all(capabilities=[capability()], alerts=[alert]).outcome is Outcome.UNBOUNDED


def test_a_key_limit_counts_for_each_key() -> None:
    rows = {"capabilities": [capability()], "limits": [limit(20, scope="key")]}
    assert in_all(**rows).outcome is Outcome.UNKNOWN
    keys = [{"subject": name, "via": "gw"} for name in ("one", "two", "two")]
    assert total(**rows, credentials=keys) == 42
    assert total(**rows, credentials=[*keys, {"subject": "three"}]) == 63
    # No row says whose key it is for: only the weaker one is sure to hold.
    weaker = [limit(20, scope="key"), limit(30, scope="key")]
    assert total(capabilities=[capability()], limits=weaker, credentials=keys) == 62


def test_agents_that_agents_start_are_in_flight_together() -> None:
    family = [capability(), capability("spawn", kind="agent", cost_usd=0)]
    assert in_all(capabilities=family, limits=[limit(20)]).outcome is Outcome.STOPPED
    capped = [limit(2, "fanout", scope="task"), limit(2, "depth", scope="task")]
    assert total(capabilities=family, limits=[limit(20), *capped]) == 20 + 1 + 2 + 4
    asked = gate("action", pattern="spawn", effect="ask")
    assert total(capabilities=family, limits=[limit(20)], gates=[asked]) == 21
    each = [limit(20, scope="agent"), *capped]
    assert in_all(capabilities=family, limits=each).outcome is Outcome.UNBOUNDED
    assert total(capabilities=[capability()], limits=each) == 21
    deep = [limit(2, "fanout", scope="task"), limit(10**8, "depth", scope="task")]
    assert in_all(capabilities=family, limits=[limit(20), *deep]).outcome is Outcome.STOPPED


def test_the_four_situations() -> None:
    deployment = [{"name": "d", "release": "1", "environment": "production", "expected_size": 3}]
    rows = {"deployment": deployment, "capabilities": [capability()]}
    task = [limit(20, scope="task")]
    target = [limit(2, scope="target")]
    outcome = {one: in_all(one, **rows, limits=task) for one in Situation}
    assert [outcome[one].total for one in Situation] == [21, 21, None, 20 + 3]
    assert outcome[Situation.NEVER_DONE].outcome is Outcome.UNBOUNDED
    outcome = {one: in_all(one, **rows, limits=target) for one in Situation}
    assert [outcome[one].total for one in Situation] == [9, 900, None, 3 * (2 + 3)]
    assert in_all(capabilities=[capability()], limits=target).outcome is Outcome.UNKNOWN


def test_a_slow_api_multiplies_by_the_tries() -> None:
    slow = Situation.SLOW_API
    paid = [capability(retries=2)]
    assert total(slow, capabilities=paid, limits=[limit(20)]) == 20 + 3
    # The harness counts a call once, however often it was tried below it.
    assert total(slow, capabilities=paid, gates=[gate("spend", 20, "usd")]) == 3 * (20 + 1)
    assert total(slow, capabilities=paid, gates=[INTERVAL]) == 10 * 3
    assert total(slow, capabilities=paid, gates=[INTERVAL], limits=[limit(1, "retries", scope="tool")]) == 10 * 2
    unsaid = [capability(retries=None)]
    assert in_all(slow, capabilities=unsaid, limits=[limit(20)]).outcome is Outcome.STOPPED
    assert in_all(slow, capabilities=unsaid, gates=[gate("spend", 20, "usd")]).outcome is Outcome.UNKNOWN
    assert total(capabilities=unsaid, limits=[limit(20)]) == 21


def test_claims_are_read_apart() -> None:
    said = {"resource": "usd", "amount": "7", "basis": "claim", "lag_seconds": 0}
    made = exposure_of(tables(capabilities=[capability()], limits=[said, limit(20)]))
    assert made.enforced.worst.in_all.total == 23
    assert made.claimed.worst.in_all.total == 7 + 3
    alone = exposure_of(tables(capabilities=[capability()], limits=[said]))
    assert alone.enforced.worst.in_all.outcome is Outcome.UNBOUNDED
    assert alone.enforced.lacking[0].what == (
        "limit of 7 usd for each account (gateway) is only claimed: show the configuration that enforces it"
    )


def test_what_would_bound_it_is_told() -> None:
    rows = tables(
        capabilities=[capability(), capability("vm", cost_per="hour")],
        limits=[limit(1, per_seconds=60), limit(2, scope="key"), limit(3, scope="task"), limit(4, lag_seconds=None)],
        gates=[gate("spend", 5, "usd", on_timeout="continue")],
    )
    told = " / ".join(lack.what for lack in exposure_of(rows).enforced.lacking)
    for words in (
        "spend gate at 5 usd (harness) does not halt when nobody answers",
        "renews every 60 s and adds up",
        "say how many credentials there are",
        "there can always be another one",
        "leaves running what bills by the hour",
        "vm via gw: a ceiling in USD without a window, on gw, that suspends what is billed by the hour",
        "vm via gw: a limit on the number of instances",
    ):
        assert words in told
    assert exposure_of(tables(capabilities=[capability()], limits=[limit(4)])).enforced.lacking == ()


def test_sums_are_rounded_up_never_down() -> None:
    third = [capability("ab", cost_usd=1), capability("bc", cost_usd=1), capability("ca", cost_usd=1)]
    pairs = [limit("0.000000001", pattern=f"*{letter}*") for letter in "abc"]
    assert total(capabilities=third, limits=pairs) == Decimal("1.500000002")


# --------------------------------------------------------------------------------------------------------- the samples


def test_guarded_is_bounded_as_its_document_says(repo: Path) -> None:
    made = of_sample(repo, "guarded")
    sums = {one.situation: one.in_all for one in made.enforced.situations}
    for situation in (Situation.AS_DECLARED, Situation.LARGER_TARGET, Situation.NEVER_DONE):
        bound = sums[situation]
        assert these(bound.through, bound.lag, bound.in_flight, bound.total) == (
            Decimal("0.75"), 0, Decimal("1.6"), Decimal("2.35"),
        )  # fmt: skip
    assert sums[Situation.SLOW_API].total == Decimal("7.05")
    assert [(stop.evidence, stop.what) for stop in sums[Situation.SLOW_API].decided_by] == [
        ("config/harness.yaml", "spend gate at 0.75 usd (harness)")
    ]
    assert made.claimed.worst.in_all.outcome is Outcome.STOPPED
    assert made.enforced.lacking == ()


def test_dn42_is_unbounded(repo: Path) -> None:
    made = of_sample(repo, "dn42")
    for side in (made.enforced, made.claimed):
        for one in side.situations:
            assert one.in_all.outcome is Outcome.UNBOUNDED
            assert {bound.name for bound in one.capabilities} == {"cloudformation.create_stack", "model"}
        assert any("cloudformation.create_stack via aws: a ceiling in USD" in lack.what for lack in side.lacking)


def test_the_document_has_these_sums(repo: Path) -> None:
    text = (repo / "docs" / "exposure.md").read_text(encoding="utf-8")
    made = of_sample(repo, "guarded")
    for one in made.enforced.situations:
        assert f"| {one.situation.label} | {exposure.sentence(one.in_all)} |" in text
    for lack in of_sample(repo, "dn42").enforced.lacking:
        assert f"- {lack.what}" in text


# ------------------------------------------------------------------------------------------------------ the same as SQL


@given(st.text("ab%_!*?.", max_size=8), st.text("ab%_!.", max_size=8))
@settings(max_examples=300, deadline=None)
def test_like_is_what_sql_makes_of_a_glob(glob: str, text: str) -> None:
    import re

    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in glob)
    assert matches(patterns.like(glob), text) is (re.fullmatch(expression, text) is not None)


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not matches("%a" * 500 + "b", "a" * 2000)


def test_stops_are_those_of_the_views() -> None:
    limits = [
        limit(amount, basis=basis, layer=layer, on_breach=breach, via=via, pattern=pattern, bound=bound)
        for amount, (basis, layer, breach, via, pattern, bound) in enumerate(
            [
                (basis, layer, breach, via, pattern, bound)
                for basis in ("config", "claim")
                for layer in ("gateway", "harness", "agent", "prompt", None)
                for breach in ("deny", "pause", "alert", None)
                for via in ("gw", "*", None)
                for pattern, bound in ((None, True), ("a*", True), ("*", False))
            ],
            1,
        )
    ]
    capabilities = [capability("ab"), capability("b", via=None), capability("a", via="other", cost_usd=None)]
    rows: dict[str, list[Row]] = {"capabilities": capabilities, "limits": limits}
    by_sql = {(int(row[0]), row[1], row[2]) for row in view("bounded_paths", "limit_ref, name, via", **said(rows))}
    stored = filled(**said(rows)).tables
    ways = [("ab", "gw"), ("b", None), ("a", "other")]
    by_hand = {
        (row["ref"], name, via)
        for row in stored["limits"]
        if guardrails({"limits": [row], "gates": []}, "config", 30).limits
        for name, via in ways
        if sits_on(row, name, via)
    }
    assert by_sql == by_hand
    assert len(by_hand) > 20


# ------------------------------------------------------------------------------------------------------------- packing

WEIGHTS = st.integers(1, 4).map(lambda number: Fraction(number, 2))


@st.composite
def packings(draw: st.DrawFn) -> tuple[int, list[Limit]]:
    things = draw(st.integers(1, 4))
    made = draw(
        st.lists(
            st.builds(
                Limit,
                st.dictionaries(st.integers(0, things - 1), WEIGHTS, min_size=1),
                st.integers(0, 9).map(Fraction),
            ),
            max_size=5,
        )
    )
    return things, [*made, Limit({thing: Fraction(1) for thing in range(things)}, Fraction(30))]


@given(packings())
@settings(max_examples=150, deadline=None)
def test_packing_is_proven_by_its_prices_and_by_a_corner(made: tuple[int, list[Limit]]) -> None:
    things, limits = made
    packed = pack(range(things), limits)
    # No sum is larger: the prices pay for each thing.
    assert all(price >= 0 for price in packed.prices)
    for thing in range(things):
        paid = (price * one.weights.get(thing, 0) for price, one in zip(packed.prices, limits, strict=True))
        assert sum(paid) >= 1
    assert packed.most == sum(price * one.most for price, one in zip(packed.prices, limits, strict=True))
    # And one corner of the region reaches it.
    assert packed.most == max(sum(corner) for corner in corners(things, limits))


def corners(things: int, limits: list[Limit]) -> Iterable[list[Fraction]]:
    planes = [([one.weights.get(thing, Fraction(0)) for thing in range(things)], one.most) for one in limits]
    planes += [([Fraction(thing == other) for thing in range(things)], Fraction(0)) for other in range(things)]
    for chosen in combinations(planes, things):
        point = solved([[*weights, most] for weights, most in chosen])
        if point is None or min(point) < 0:
            continue
        if all(sum(one.weights.get(thing, 0) * point[thing] for thing in range(things)) <= one.most for one in limits):
            yield point


def solved(rows: list[list[Fraction]]) -> list[Fraction] | None:
    size = len(rows)
    for column in range(size):
        pivot = next((row for row in range(column, size) if rows[row][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for row in range(size):
            if row != column:
                factor = rows[row][column]
                rows[row] = [value - factor * other for value, other in zip(rows[row], rows[column], strict=True)]
    return [row[-1] for row in rows]


def test_what_is_not_limited_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="not limited"):
        pack([0, 1], [Limit({0: Fraction(1)}, Fraction(1))])


# ---------------------------------------------------------------------------------------------------------------- laws

NAMES = ("a", "ab", "b", "bc")
VIAS = st.sampled_from(["gw", "gw", "other", "*"])
PATTERNS = st.sampled_from([None, None, "a*", "*b*", "b"])
CAPABILITIES = st.builds(
    capability,
    st.sampled_from(NAMES),
    via=st.sampled_from(["gw", "gw", "gw", "other", None]),
    kind=st.sampled_from(["tool", "tool", "tool", "model", "agent"]),
    effect=st.sampled_from(["read", "create"]),
    cost_usd=st.sampled_from([None, "0", "0.5", "1", "3"]),
    cost_per=st.sampled_from(["call", "call", "call", "1k_tokens", "hour", "gb"]),
    max_per_hour=st.sampled_from([None, 1, 7, 60]),
    retries=st.sampled_from([None, 0, 2]),
)
LIMITS = st.builds(
    limit,
    st.sampled_from(["0", "0.1", "2", "5", "20", "1000"]),
    st.sampled_from(
        [
            "usd",
            "usd",
            "usd",
            "usd",
            "tokens",
            "requests",
            "actions",
            "seconds",
            "instances",
            "retries",
            "fanout",
            "depth",
        ]
    ),
    scope=st.sampled_from(["account", "account", "session", "run", "tool", "task", "target", "key", "agent"]),
    via=VIAS,
    pattern=PATTERNS,
    per_seconds=st.sampled_from([None, None, 60, 3600, 86400]),
    on_breach=st.sampled_from(["deny", "pause", "throttle", "alert"]),
    layer=st.sampled_from(["gateway", "infrastructure", "harness"]),
    lag_seconds=st.sampled_from([None, 0, 0, 0, 60, 7200]),
)
GATES = st.builds(
    lambda measure, **columns: gate(*measure, **columns),
    st.sampled_from(
        [
            ("interval", 600, "seconds"), ("interval", 7200, "seconds"), ("interval", 5, "actions"),
            ("spend", 4, "usd"), ("spend", 50, "percent"),
            ("give_up", 9, "usd"),
            ("action", None, None), ("new_resource", None, None),
        ]
    ),
    via=VIAS,
    pattern=PATTERNS,
    effect=st.sampled_from(["interrupt", "ask", "deny"]),
)  # fmt: skip
KEYS = st.lists(st.builds(lambda name: {"subject": name, "via": "gw"}, st.sampled_from(["one", "two"])), max_size=2)
DEPLOYMENTS = st.builds(
    lambda capabilities, limits, gates, keys, size: {
        "capabilities": capabilities,
        "limits": limits,
        "gates": gates,
        "credentials": keys,
        "deployment": [{"name": "d", "release": "1", "environment": "e", "expected_size": size}],
    },
    st.lists(CAPABILITIES, min_size=1, max_size=4),
    st.lists(LIMITS, max_size=6),
    st.lists(GATES, max_size=2),
    KEYS,
    st.sampled_from([None, 3]),
)
LAWS = settings(max_examples=250, deadline=None)


def ranks(rows: dict[str, list[Row]]) -> list[tuple[str, tuple[int, Decimal]]]:
    """Every bound with what it is of, the sum of all first."""
    made = exposure_of(tables(**rows)).enforced
    return [
        (f"{one.situation} {name}", bound.rank)
        for one in made.situations
        for name, bound in [("", one.in_all), *((each.name, each.bound) for each in one.capabilities)]
    ]


def never_above(after: dict[str, list[Row]], before: dict[str, list[Row]]) -> None:
    was = dict(ranks(before))
    for name, rank in ranks(after):
        assert rank <= was.get(name, rank), name


@given(DEPLOYMENTS, st.data())
@LAWS
def test_tightening_an_enforced_limit_never_raises_the_bound(rows: dict[str, list[Row]], data: st.DataObject) -> None:
    assume(rows["limits"])
    index = data.draw(st.integers(0, len(rows["limits"]) - 1))
    loose = rows["limits"][index]
    tighter: list[Row] = [
        {"amount": "0.05"},
        {"amount": "1"},
        {"on_breach": "pause"},
        {"lag_seconds": 0},
        {"via": "*"},
        {"pattern": None},
    ]
    if loose["per_seconds"] is not None:
        tighter += [{"per_seconds": 2 * loose["per_seconds"]}, {"per_seconds": None}]
    if loose["scope"] in UNNAMED:  # what makes it bind more may make it another key's
        tighter = [change for change in tighter if not change.keys() & {"via", "pattern", "on_breach"}]
    change = data.draw(st.sampled_from(tighter))
    assume("amount" not in change or Decimal(change["amount"]) <= Decimal(loose["amount"]))
    strict = {**loose, **change}
    changed = [strict if other == index else row for other, row in enumerate(rows["limits"])]
    never_above({**rows, "limits": changed}, rows)


@given(DEPLOYMENTS, LIMITS, GATES)
@LAWS
def test_one_more_limit_or_gate_never_raises_the_bound(rows: dict[str, list[Row]], more: Row, stop: Row) -> None:
    if more["scope"] not in UNNAMED:
        never_above({**rows, "limits": [*rows["limits"], more]}, rows)
    never_above({**rows, "gates": [*rows["gates"], stop]}, rows)


@given(DEPLOYMENTS, CAPABILITIES)
@LAWS
def test_one_more_capability_never_lowers_the_bound(rows: dict[str, list[Row]], more: Row) -> None:
    assume(more["name"] not in {row["name"] for row in rows["capabilities"]})
    never_above(rows, {**rows, "capabilities": [*rows["capabilities"], more]})


@given(DEPLOYMENTS, LIMITS, GATES, st.sampled_from([{"basis": "claim"}, {"layer": "prompt"}]))
@LAWS
def test_what_is_only_claimed_or_only_in_a_prompt_changes_nothing(
    rows: dict[str, list[Row]], more: Row, stop: Row, weak: Row
) -> None:
    before = exposure_of(tables(**rows)).enforced.situations
    changed = {"limits": [*rows["limits"], {**more, **weak}], "gates": [*rows["gates"], {**stop, **weak}]}
    assert exposure_of(tables(**{**rows, **changed})).enforced.situations == before


@given(DEPLOYMENTS, st.randoms(use_true_random=False))
@LAWS
def test_order_does_not_matter(rows: dict[str, list[Row]], random: Random) -> None:
    shuffled = {name: random.sample(listed, len(listed)) for name, listed in rows.items()}
    assert ranks(shuffled) == ranks(rows)


@given(DEPLOYMENTS)
@LAWS
def test_parts_make_the_whole(rows: dict[str, list[Row]]) -> None:
    for one in exposure_of(tables(**rows)).enforced.situations:
        assert all(each.bound.rank <= one.in_all.rank for each in one.capabilities)
        for bound in chain([one.in_all], (each.bound for each in one.capabilities)):
            parts = (bound.through, bound.lag, bound.in_flight)
            known = [part for part in parts if part is not None]
            assert all(part >= 0 for part in known)
            assert (bound.total is not None) is (bound.outcome is Outcome.BOUNDED)
            if bound.total is not None:
                assert len(known) == 3
                assert sum(known) == bound.total
                decided = sum(stop.usd or 0 for stop in bound.decided_by)
                assert bound.total <= decided <= bound.total + Decimal("0.0001")


# ----------------------------------------------------------------------------------------------------- the adversary


def scenario(seed: int) -> dict[str, list[Row]]:
    """A deployment with stops of every kind, small enough to be spent to its end."""
    random = Random(seed)  # noqa: S311
    pick = random.choice
    names = random.sample(["a", "ab", "b", "bc"], random.randint(1, 3))
    capabilities = [
        capability(
            name, cost_usd=pick(["0.1", "0.5", "1", "3"]), max_per_hour=pick([2, 5, 12]), retries=pick([0, 1, 2])
        )
        for name in names
    ]
    if random.random() < 0.4:
        model = {"kind": "model", "cost_per": "1k_tokens", "cost_usd": pick(["0.5", "2"])}
        capabilities.append(capability("model", max_per_hour=pick([3, 10]), retries=pick([0, 1]), **model))
    limits = [
        limit(pick([500, 1000, 3000]), "tokens", per_seconds=pick([None, 600]), layer=pick(["gateway", "harness"]))
    ]
    for _ in range(random.randint(1, 4)):
        resource = pick(["usd", "usd", "usd", "requests", "actions"])
        limits.append(
            limit(
                pick(["1", "2.5", "6", "10"]),
                resource,
                scope=pick(["account", "session", "run", "tool", "key", "task", "target"]),
                pattern=pick([None, None, "a*", "*b*"]),
                per_seconds=pick([None, None, 600, 3600]),
                on_breach=pick(["deny", "pause"]),
                layer=pick(["gateway", "harness", "infrastructure"]),
                lag_seconds=pick([0, 0, 300, 4000]),
            )
        )
    if random.random() < 0.3:
        limits.append(limit(pick([900, 4000]), "seconds", scope="run", layer="harness", lag_seconds=pick([0, 60])))
    if random.random() < 0.3:
        capabilities.append(capability("spawn", kind="agent", cost_usd=0))
        limits += [limit(pick([1, 2]), "fanout", scope="task"), limit(1, "depth", scope="task")]
    some = [
        ("interval", 600, "seconds"),
        ("interval", 4000, "seconds"),
        ("interval", 6, "actions"),
        ("spend", 2, "usd"),
    ]
    gates = [gate(*measure) for measure in random.sample(some, random.randint(0, 2))]
    if random.random() < 0.2:
        gates.append(gate("action", pattern="b*", effect="ask"))
    return {
        "capabilities": capabilities,
        "limits": limits,
        "gates": gates,
        "credentials": [{"subject": name, "via": "gw"} for name in ("one", "two")[: random.randint(1, 2)]],
        "deployment": [{"name": "d", "release": "1", "environment": "e", "expected_size": pick([1, 3])}],
    }


def test_no_adversary_passes_the_bound() -> None:
    """Ten thousand launches; each spends what it can, and some come close to the bound."""
    runs, seed, closest = 0, 0, Fraction(0)
    while runs < RUNS:
        seed += 1
        rows = tables(**scenario(seed))
        for one in exposure_of(rows).enforced.situations:
            if one.in_all.total is None:
                continue
            most = one.in_all.total * simulator.MICRO
            for launch in range(5):
                spent = simulator.Launch(rows, one.situation.value, seed * 100 + launch).spend()
                assert spent <= most, f"scenario {seed}, launch {launch}, {one.situation}: {spent} of {most}"
                runs += 1
                closest = max(closest, Fraction(spent) / Fraction(most)) if most else closest
    assert closest > Fraction(9, 10)


def test_no_machines_pass_the_bound() -> None:
    for seed in range(500):
        pick = Random(seed).choice  # noqa: S311
        rows = tables(
            capabilities=[capability("vm", cost_usd=pick(["0.5", "2"]), cost_per="hour")],
            limits=[
                limit(pick([5, 20]), on_breach="pause", lag_seconds=pick([0, 600, 9000])),
                limit(pick([1, 4]), "instances"),
            ],
        )
        most = exposure_of(rows).enforced.worst.in_all.total
        assert most is not None
        assert simulator.run_machines(rows, seed) <= most * simulator.MICRO


def launches(**rows: list[Row]) -> int:
    """The most that fifty adversaries spend."""
    made = tables(**rows)
    return max(simulator.Launch(made, "as_declared", seed).spend() for seed in range(50))


def test_the_adversary_reaches_what_time_and_rate_allow() -> None:
    rows = {"capabilities": [capability(max_per_hour=10)], "gates": [gate("interval", 5400, "seconds")]}
    assert launches(**rows) == (total(**rows) or 0) * simulator.MICRO == 20 * simulator.MICRO


def test_one_agent_misses_a_ceiling_by_at_most_a_call() -> None:
    for amount in ("20", "20.5"):
        rows = {"capabilities": [capability(max_per_hour=1000)], "limits": [limit(amount)]}
        bound = (total(**rows) or 0) * simulator.MICRO
        assert bound - simulator.MICRO <= launches(**rows) <= bound
