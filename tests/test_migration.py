"""What became of the controls of a rubric from one version to a later one."""

from __future__ import annotations

import pytest

from psf_audit.migration import Migration, Moved, between, kind, version_key

RENAMED = Migration("1.1.0", "A-01", ("B-01",), "Clearer.")
SPLIT = Migration("1.2.0", "B-01", ("B-01", "C-01"), "Two questions.")
REMOVED = Migration("1.10.0", "B-01", (), "Nobody needs it.")
MERGED = (Migration("2.0.0", "D-01", ("F-01",), "One."), Migration("2.0.0", "E-01", ("F-01",), "One."))
ALL = (REMOVED, SPLIT, RENAMED, *MERGED)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.0.0", "1.0.0", {}),
        ("1.0.0", "1.1.0", {"A-01": Moved(("B-01",), ("Clearer.",))}),
        ("1.0.0", "1.2.0", {"A-01": Moved(("B-01", "C-01"), ("Clearer.", "Two questions."))}),
        ("1.1.0", "1.2.0", {"B-01": Moved(("B-01", "C-01"), ("Two questions.",))}),
        # 1.10.0 comes after 1.2.0, whatever the letters say
        ("1.0.0", "1.10.0", {"A-01": Moved(("C-01",), ("Clearer.", "Two questions.", "Nobody needs it."))}),
        ("1.2.0", "1.10.0", {"B-01": Moved((), ("Nobody needs it.",))}),
        ("1.10.0", "2.0.0", {"D-01": Moved(("F-01",), ("One.",)), "E-01": Moved(("F-01",), ("One.",))}),
        ("2.0.0", "1.0.0", {}),
    ],
)
def test_where_controls_went(old: str, new: str, expected: dict[str, Moved]) -> None:
    assert between(ALL, old, new) == expected


def test_an_id_that_a_migration_made_is_no_id_of_before() -> None:
    assert "B-01" not in between((RENAMED, SPLIT), "1.0.0", "1.2.0")


@pytest.mark.parametrize(
    ("control", "moved", "expected"),
    [
        ("A-01", Moved((), ()), "removed"),
        ("A-01", Moved(("B-01",), ()), "renamed"),
        ("A-01", Moved(("A-01", "B-01"), ()), "split"),
        ("D-01", Moved(("F-01",), ()), "merged"),
    ],
)
def test_the_word_for_it(control: str, moved: Moved, expected: str) -> None:
    others = [moved, Moved(("F-01",), ())] if expected == "merged" else [moved]
    assert kind(control, moved, others) == expected


def test_versions_are_numbers() -> None:
    assert version_key("1.10.0") > version_key("1.2.0")
