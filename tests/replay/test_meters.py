"""Sums over windows, against sums that are made anew from everything that was counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.replay import metered, meters
from psf_audit.replay.meters import Fixed, Late, Meter, Sliding, maker
from tests.replay.logs import at, one
from tests.tables import Row

LENGTH = 10

# What is counted: when, how much at once, how much each millisecond for how long.
COUNTED = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 3), st.integers(1, 12)), min_size=1, max_size=12
)


def fill(meter: Meter | Late, counted: list[tuple[int, int, int, int]], until: int) -> None:
    """Count everything up to a moment, in the order of time."""
    moves = [(start, 0, amount, rate) for start, amount, rate, _ in counted]
    moves += [(start + length, 1, 0, -rate) for start, _, rate, length in counted]
    for when, _, amount, change in sorted(moves):
        if when <= until:
            meter.add(when, amount)
            meter.speed(when, change)


def anew(counted: list[tuple[int, int, int, int]], low: int, high: int, *, open_below: bool) -> int:
    """What was counted from one moment to another."""
    points = [
        amount for start, amount, _, _ in counted if (low < start if open_below else low <= start) and start <= high
    ]
    accrued = [rate * max(0, min(high, start + length) - max(low, start)) for start, _, rate, length in counted]
    return sum(points) + sum(accrued)


@given(counted=COUNTED, now=st.integers(40, 70))
def test_a_window_holds_what_was_counted_in_it(counted: list[tuple[int, int, int, int]], now: int) -> None:
    made = {"whole": maker(0, aligned=True)(0), "fixed": Fixed(0, LENGTH), "slides": Sliding(0, LENGTH)}
    for meter in made.values():
        fill(meter, counted, now)
    assert {name: meter.known(now) for name, meter in made.items()} == {
        "whole": anew(counted, 0, now, open_below=False),
        "fixed": anew(counted, now // LENGTH * LENGTH, now, open_below=False),
        "slides": anew(counted, now - LENGTH, now, open_below=True),
    }


@given(counted=COUNTED, most=st.integers(1, 60))
def test_a_window_is_due_no_later_than_what_accrues_reaches_the_amount(
    counted: list[tuple[int, int, int, int]], most: int
) -> None:
    """Woken whenever it asks, a meter sees the first moment at which the sum is reached."""
    meter: Meter
    for meter in (Meter(0), Fixed(0, LENGTH), Sliding(0, LENGTH)):
        begun = [(0, amount, rate, 200) for _, amount, rate, _ in counted]
        fill(meter, begun, 0)
        if meter.total >= most:
            continue
        slides = isinstance(meter, Sliding)
        first = None
        for now in reversed(range(200)):
            low = now - LENGTH if slides else now // LENGTH * LENGTH if isinstance(meter, Fixed) else 0
            first = now if anew(begun, low, now, open_below=slides) >= most else first
        due = meter.due(most)
        while due is not None and due < 200 and meter.known(due) < most:
            following = meter.due(most)
            assert following is None or following > due
            due = following
        assert first == (due if due is not None and due < 200 else None)


@given(counted=COUNTED, now=st.integers(40, 70), lag=st.integers(1, 15))
def test_a_late_meter_knows_what_was_known_then(counted: list[tuple[int, int, int, int]], now: int, lag: int) -> None:
    late = Late(Meter(0), lag)
    fill(late, counted, now)
    seen = now - lag
    before = [(start, amount if start < seen else 0, rate, length) for start, amount, rate, length in counted]
    assert late.known(now) == anew(before, 0, seen, open_below=False)


def test_neighbours_that_are_held_as_one_leave_with_the_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "MOST_HELD", 4)
    meter = Sliding(0, 100)
    for when in range(6):
        meter.add(when, 1)
    assert len(meter.leaving) <= 4
    assert [meter.known(now) for now in (99, 100, 101, 103, 104, 105)] == [6, 6, 4, 2, 1, 0]
    meter.speed(200, 3)
    for when in range(201, 210):
        meter.speed(when, 1)
        meter.speed(when, -1)
    meter.speed(210, -3)
    assert len(meter.leaving) <= 4
    assert meter.known(210) == 30
    assert meter.known(400) == 0


@pytest.mark.parametrize("window", ["window=fixed", "window=sliding", "window=fixed,on=deny", "window=sliding,on=deny"])
@pytest.mark.parametrize("lag", ["", ",lag=5m"])
def test_letting_go_of_empty_windows_changes_nothing(monkeypatch: pytest.MonkeyPatch, window: str, lag: str) -> None:
    events: list[Row] = [
        at(minute, run=f"r{minute * 7 % 5}", cost_usd="6", **({"until": minute + 9} if minute % 3 else {}))
        for minute in range(0, 90, 2)
    ]
    text = f"5usd/15m/run,{window}{lag}"
    kept = one(events, "limit", text)
    monkeypatch.setattr(metered, "MANY_METERS", 1)
    assert one(events, "limit", text).held == kept.held
    assert kept.held
