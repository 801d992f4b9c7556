from dataclasses import replace
from decimal import Decimal

import pytest

from psf_audit.activity import STEPS, Activity
from tests.samples import ACTIVITY, HOUR, START


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spent": (Decimal(2), Decimal(1))}, "goes down"),
        ({"start": None, "marks": ()}, "no time for them"),
        ({"end": START - HOUR, "marks": ()}, "ends before it starts"),
        ({"end": START + HOUR}, "outside its time"),
        ({"stop_count": 1}, "more rows than it counts"),
        ({"ceiling_count": 1}, "more rows than it counts"),
        ({"stretch_count": 0}, "more rows than it counts"),
    ],
)
def test_an_activity_that_does_not_agree_with_itself(changes: dict[str, object], words: str) -> None:
    (fault,) = replace(ACTIVITY, **changes).faults  # type: ignore[arg-type]
    assert words in fault


def test_one_that_agrees_has_no_fault() -> None:
    assert ACTIVITY.faults == ()
    assert Activity().faults == ()
    assert Activity().total == 0


def test_moments_are_evenly_spaced_from_start_to_end() -> None:
    assert [ACTIVITY.moment(step) for step in (0, 1, STEPS)] == [START, START + HOUR // 4, START + 24 * HOUR]
