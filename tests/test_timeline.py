"""What a report draws, asked of hand-filled tables and held against sums that nobody shared with it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit import audit, timeline
from psf_audit.activity import STEPS, Activity, Mark, MarkKind
from psf_audit.facts.views import views
from psf_audit.query import Answers, Bounds
from psf_audit.replay import run as replays
from tests.deployments import AS_OF
from tests.tables import MINUTE, START, Row, filled, session

HOUR = 60 * MINUTE


def activity(bounds: Bounds | None = None, **tables: list[Row]) -> Activity:
    with session(bounds or Bounds(), **tables) as opened:
        return timeline.activity_of(opened, filled(**tables).tables)


def call(at: int = 0, cost: str | None = None, **given: Any) -> Row:
    return {"at_ms": START + at, "name": "t", **({} if cost is None else {"cost_usd": cost}), **given}


def limit(amount: str, scope: str = "account", **given: Any) -> Row:
    values = {"resource": "usd", "amount": amount, "scope": scope, "via": "*", "on_breach": "pause", "layer": "gateway"}
    return {**values, **given}


def gate(trigger: str, threshold: str, unit: str, **given: Any) -> Row:
    values = {"trigger": trigger, "threshold": threshold, "unit": unit, "effect": "interrupt", "on_timeout": "halt"}
    return {**values, "layer": "harness", **given}


# --------------------------------------------------------------------------------------------------------------- spend


def test_what_is_due_at_once_counts_at_once_and_what_accrues_as_it_does() -> None:
    found = activity(events=[call(0, "5"), call(0, "96", until_ms=START + STEPS * MINUTE), call(48 * MINUTE, "10")])
    assert (found.start, found.end) == (START, START + STEPS * MINUTE)
    assert found.spent[0] == 5
    assert [round(found.spent[step], 5) for step in (1, 47, 48)] == [6, 52, 63]
    assert found.spent[STEPS] == found.total == 111
    assert found.moment(48) == START + 48 * MINUTE


EVENTS = st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**12))


@settings(max_examples=40)
@given(drawn=st.lists(EVENTS, min_size=1, max_size=6))
def test_the_sum_is_that_of_every_cost_at_its_own_pace(drawn: list[tuple[int, int, int]]) -> None:
    """An oracle in fractions; what accrues may lag by the grains that are less than a thousandth of a nano-dollar."""
    rows = [call(at, str(Decimal(nano).scaleb(-9)), until_ms=START + at + length) for at, length, nano in drawn]
    found = activity(events=rows)
    start, end = START + min(at for at, _, _ in drawn), found.end
    assert (found.start, end) == (
        start,
        max(start + 1, *(START + at + (length if nano else 0) for at, length, nano in drawn)),
    )
    assert found.total == Decimal(sum(nano for _, _, nano in drawn)).scaleb(-9)
    assert end is not None
    for step, sum_ in enumerate(found.spent):
        now = start + Fraction((end - start) * step, STEPS)
        exact = Fraction(0)
        for at, length, nano in drawn:
            passed = now - START - at
            exact += nano * (min(Fraction(1), passed / length) if length and passed >= 0 else int(passed >= 0))
        lost = exact - Fraction(sum_) * 10**9
        assert 0 <= lost <= 1 + sum(Fraction(length, 1000) for _, length, _ in drawn)


def test_who_pays_decides_what_counts() -> None:
    rows = [
        call(0, "1"),
        call(1, "2", actor_kind="operator"),
        call(2, "4", actor_kind="third_party"),
        call(3, "8", actor_kind="system", kind="alert"),
        call(4, "16", outcome="error"),
        call(5, None, outcome="denied"),
        call(6, None, name="free"),
        call(7, None),
        {**call(8, "32"), "at_ms": None},
    ]
    found = activity(events=rows, capabilities=[{"name": "free", "cost_usd": "0"}])
    assert found.total == 25
    assert (found.calls, found.unpriced) == (4, 1)


@pytest.mark.parametrize("sample", ["dn42", "guarded"])
def test_it_is_what_a_replay_counts(repo: Path, sample: str) -> None:
    manifest = repo / "samples" / sample / "manifest.yaml"
    found = audit.run(manifest, audit.Options(as_of=AS_OF)).activity
    replayed = replays.run([], replays.Options(as_of=AS_OF, manifest=manifest))
    assert found is not None
    assert found.problems == ()
    told = replayed.told
    assert (found.total, found.calls, found.unpriced) == (told.spent, told.calls, told.unpriced)
    assert found.stretches[0].seconds == int(dict(replayed.longest)["seconds"].found or 0)
    assert replayed.line is not None
    assert found.spent[-1] == replayed.line.spent[-1]


def test_a_log_in_which_nothing_has_a_time_has_no_activity_but_its_guardrails() -> None:
    found = activity(events=[{**call(), "at_ms": None}], limits=[limit("5")])
    assert (found.start, found.end, found.spent, found.marks) == (None, None, (), ())
    assert found.ceiling_count == 1
    assert found.problems == ()


# --------------------------------------------------------------------------------------------------------------- marks


def test_marks_are_what_a_reader_looks_for() -> None:
    kinds = (
        "checkpoint",
        "pause",
        "approval",
        "resume",
        "refusal",
        "warning",
        "alert",
        "stop_request",
        "stop",
        "complete",
    )
    rows = [call(0)] + [call((1 + at) * HOUR, kind=kind, actor_kind="operator") for at, kind in enumerate(kinds)]
    rows += [
        call(HOUR, kind="approval"),
        call(HOUR, kind="refusal", actor_kind="third_party"),
        call(HOUR, kind="start"),
    ]
    found = activity(events=rows)
    assert [mark.kind.value for mark in found.marks] == [
        *("checkpoint", "checkpoint", "approval", "approval", "refusal", "warning", "warning"),
        *("stop_request", "stop", "complete"),
    ]
    assert {mark.count for mark in found.marks} == {1}


def test_however_many_there_are_a_part_of_the_time_has_one_mark_of_a_kind() -> None:
    rows = [call(second * 1000, kind="checkpoint") for second in range(1000)]
    found = activity(events=[call(0), *rows, call(2_000_000)])
    assert len(found.marks) <= STEPS
    assert sum(mark.count for mark in found.marks) == 1000
    first = found.marks[0]
    assert first == Mark(START, START + (first.count - 1) * 1000, MarkKind.CHECKPOINT, first.count)


# ---------------------------------------------------------------------------------------------------------- guardrails


def test_a_ceiling_is_whole_where_all_spend_is_one_sum_of_it() -> None:
    one = [call(0, "1", session="a"), call(HOUR, "1", session="a")]
    limits = [
        limit("5"),
        limit("4", "session"),
        limit("3", per_seconds=60),
        limit("2", layer="prompt"),
        limit("9", like="x%"),
    ]
    whole = {str(int(each.usd)): each.whole for each in activity(events=one, limits=limits).ceilings}
    assert whole == {"3": False, "4": True, "5": True, "9": False}
    two = [*one, call(2 * HOUR, "1", session="b")]
    whole = {str(int(each.usd)): each.whole for each in activity(events=two, limits=limits).ceilings}
    assert whole == {"3": False, "4": False, "5": True, "9": False}


def test_what_would_have_stopped_it_first() -> None:
    rows = [call(minute * MINUTE, "1", session="a" if minute < 5 else "b", run="r") for minute in range(10)]
    found = activity(
        events=rows,
        limits=[limit("3", "session"), limit("8", lag_seconds=600), limit("50"), limit("1", basis="claim")],
        gates=[gate("interval", "150", "seconds"), gate("spend", "6", "usd"), gate("interval", "9000", "seconds")],
    )
    told = [(each.what.partition(" (")[0], (each.at - START) / MINUTE, each.whom) for each in found.stops]
    assert told == [
        ("limit of 3 usd for each session", 2, 2),
        ("interval gate at 150 seconds", 2.5, 1),
        ("spend gate at 6 usd", 6, 1),
        ("limit of 8 usd for each account", 17, 1),
    ]


def test_lists_are_cut_and_their_count_is_that_of_all() -> None:
    found = activity(events=[call(0, "100")], limits=[limit(str(number)) for number in range(1, 31)])
    assert (len(found.ceilings), found.ceiling_count) == (20, 30)
    assert (len(found.stops), found.stop_count) == (20, 30)


# ----------------------------------------------------------------------------------------------------------- stretches


def test_the_longest_stretches_come_first() -> None:
    rows = []
    for run in range(30):
        rows += [call(0, "1", run=f"r{run}"), call(run * MINUTE, None, run=f"r{run}", kind="model")]
    found = activity(events=rows)
    assert (len(found.stretches), found.stretch_count) == (20, 30)
    assert [each.seconds for each in found.stretches] == [60 * run for run in range(29, 9, -1)]
    first = found.stretches[0]
    assert (first.run, first.at, first.usd, first.calls, first.actions) == ("r29", START, Decimal(1), 2, 1)


def test_a_stretch_ends_with_a_decision_and_may_have_no_stated_cost() -> None:
    rows = [call(0), call(MINUTE), call(2 * MINUTE, kind="approval", actor_kind="operator"), call(3 * MINUTE)]
    assert [(each.seconds, each.usd, each.calls) for each in activity(events=rows).stretches] == [
        (60, None, 2),
        (0, None, 1),
    ]


# ----------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("name", list(timeline.questions()))
def test_what_cannot_be_asked_is_said_and_the_rest_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [call(0, "1"), call(HOUR, "1", until_ms=START + 2 * HOUR)]
    with session(Bounds(), events=rows, limits=[limit("1")]) as opened:
        asked = opened.ask

        def ask(sql: str, parameters: Mapping[str, Any]) -> Answers:
            return Answers(failure="no") if sql == timeline.questions()[name] else asked(sql, parameters)

        monkeypatch.setattr(opened, "ask", ask)
        found = timeline.activity_of(opened, filled(events=rows, limits=[limit("1")]).tables)
    assert set(found.problems) == {f"Of the log could not be asked: {name}; no"}
    assert found.faults == ()


def test_an_answer_that_does_not_fit_is_no_answer() -> None:
    found = activity(Bounds(rows=10), events=[call(minute * MINUTE, "1") for minute in range(50)])
    assert found.spent == ()
    assert any("settled; it has 50 rows, and 10 fit" in problem for problem in found.problems)


def test_the_questions_read_views_alone() -> None:
    known = {view.name for view in views()} | {"capabilities"}
    assert list(timeline.questions()) == [
        *("range", "settled", "accruing", "marked", "ceilings", "stops", "stretches", "lengths", "counts")
    ]
    for sql in timeline.questions().values():
        assert "FROM events" not in sql
        assert known & set(sql.replace("\n", " ").split())
