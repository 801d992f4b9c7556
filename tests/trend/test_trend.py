from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from psf_audit import schemas
from psf_audit.errors import ConfigurationError
from psf_audit.model import Assessment, Status
from psf_audit.rendering import View
from psf_audit.trend import forms, html, wire
from psf_audit.trend.history import Trend, trend_of
from psf_audit.wire import dumps
from tests.compare_strategies import OTHER_SCORING, assessment, control

START = date(2026, 1, 10)
GAPS = [status for status in Status if status.is_gap]
STATUSES = st.one_of(st.none(), st.sampled_from(list(Status)))


def month(number: int, *statuses: tuple[str, Status], **given: Any) -> Assessment:
    made = assessment(*(control(id_, status) for id_, status in statuses))
    return replace(made, as_of=START + timedelta(days=30 * number), **given)


def series(*statuses: Status | None) -> Trend:
    """The trend of one control, which an assessment does not have where its status is None."""
    return trend_of([month(number, *([("SPEND-01", one)] if one else [])) for number, one in enumerate(statuses)])


def day_of(number: int) -> date:
    return START + timedelta(days=30 * number)


GOOD, BAD, UNTESTED, ABSENT = Status.DEMONSTRATED, Status.MISSING, Status.UNTESTED, None


@pytest.mark.parametrize(
    ("statuses", "first", "since", "closed", "reopened"),
    [
        ((GOOD, GOOD, GOOD), None, None, False, False),
        ((BAD, GOOD, GOOD), 0, None, True, False),
        ((GOOD, BAD, UNTESTED), 1, 1, False, False),
        ((BAD, GOOD, UNTESTED), 0, 2, False, True),
        ((BAD, Status.NOT_APPLICABLE, BAD), 0, 2, False, False),
        ((BAD, ABSENT, ABSENT), 0, None, False, False),
        ((ABSENT, GOOD, BAD), 2, 2, False, False),
    ],
)
def test_since_when_a_gap_is_open(
    statuses: tuple[Status | None, ...], first: int | None, since: int | None, closed: bool, reopened: bool
) -> None:
    (found,) = series(*statuses).controls
    assert found.first_gap == (None if first is None else day_of(first))
    assert found.open_since == (None if since is None else day_of(since))
    assert (found.closed, found.reopened) == (closed, reopened)


@given(st.lists(STATUSES, min_size=3, max_size=6).filter(any))
def test_laws_of_a_history(statuses: list[Status | None]) -> None:
    (found,) = series(*statuses).controls
    last = statuses[-1]
    assert (found.open_since is not None) is (last in GAPS)
    assert (found.first_gap is not None) is any(status in GAPS for status in statuses)
    if found.open_since is not None and found.first_gap is not None:
        assert found.first_gap <= found.open_since
    assert found.statuses == tuple(statuses)
    assert (found in series(*statuses).ever_open) is (found.first_gap is not None)


def test_what_is_still_open_comes_first_the_blocking_before_the_others() -> None:
    trend = trend_of(
        [
            month(0, ("SPEND-01", BAD), ("SPEND-02", BAD), ("AUDIT-01", GOOD)),
            month(1, ("SPEND-01", GOOD), ("SPEND-02", BAD), ("AUDIT-01", GOOD)),
            month(2, ("SPEND-01", GOOD), ("SPEND-02", BAD), ("AUDIT-01", BAD)),
        ]
    )
    assert [one.id for one in trend.ever_open] == ["AUDIT-01", "SPEND-02", "SPEND-01"]
    assert [point.gaps for point in trend.points] == [2, 1, 2]


def test_another_rubric_is_said_and_never_subtracted() -> None:
    old = [month(number, ("SPEND-01", GOOD)) for number in range(2)]
    trend = trend_of([*old, month(2, ("SPEND-01", BAD), rubric=OTHER_SCORING)])
    assert [point.same_scoring for point in trend.points] == [False, False, True]
    assert trend.steps[-1].score_delta is None
    assert any("decided by other criteria" in note for note in trend.notes)
    assert "100% *" in forms.text(trend, View())


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ([month(0), month(1)], "a trend needs 3 assessments, there are 2"),
        ([month(1), month(0), month(2)], "not in order: 2026-02-09, 2026-01-10, 2026-03-11"),
        (
            [month(0), month(1), replace(month(2), deployment=replace(month(2).deployment, name="other"))],
            "of several deployments: indexer, other",
        ),
    ],
)
def test_what_is_no_trend_is_refused(made: list[Assessment], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        trend_of(made)


def test_its_json_has_a_schema() -> None:
    value = json.loads(dumps(wire.to_json(series(BAD, None, GOOD))))
    Draft202012Validator(schemas.load("trend")).validate(value)
    assert value["controls"][0]["statuses"] == ["missing", None, "demonstrated"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_of_the_terminal_is_too_long(width: int) -> None:
    lines = forms.text(series(BAD, GOOD, UNTESTED), View(width=width)).splitlines()
    assert max(map(len, lines)) <= width


def test_every_form_says_when_the_gap_began() -> None:
    trend = series(GOOD, BAD, BAD)
    for text in (forms.text(trend, View()), forms.markdown(trend, View()), html.text(trend, View())):
        assert "2026-02-09" in text
        assert "SPEND-01" in text
    assert '<svg class="picture"' in html.text(trend, View())
