"""What the views that replay needed say of small logs."""

import pytest

from psf_audit.facts.tables import TABLES
from tests.tables import MINUTE, START, Row, view


def at(minute: int, **values: object) -> Row:
    return {"at_ms": START + minute * MINUTE, "name": "a", "target": "t", **values}


def turns(text: str, **values: object) -> list[Row]:
    return [at(minute, name=name, **values) for minute, name in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abab", [("a on t", "b on t", 4)]),
        ("ababab", [("a on t", "b on t", 6)]),
        ("aba", []),
        ("aaaa", []),
        ("abcabc", []),
        ("cabababd", [("a on t", "b on t", 6)]),
    ],
)
def test_ping_pong_is_two_calls_in_turn(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert view("pingpong", "one, other, n", events=turns(text)) == expected


def test_ping_pong_looks_at_targets_and_arguments_and_at_actions_of_the_agent_in_one_run() -> None:
    assert view("pingpong", "n", events=[row | {"target": str(row["at_ms"])} for row in turns("ababab")]) == []
    assert view("pingpong", "n", events=turns("ababab", actor_kind="operator")) == []
    assert view("pingpong", "n", events=turns("ababab", kind="model")) == []
    assert view("pingpong", "name, other_name", events=turns("baba")) == [("a", "b")]
    split = [row | {"run": "xy"[index // 3]} for index, row in enumerate(turns("ababab"))]
    assert view("pingpong", "n", events=split) == []


def test_unheeded_is_the_work_until_a_person_decides() -> None:
    events = [
        at(0),
        at(1, kind="warning", actor_kind="third_party"),
        at(2, cost_usd="1.5"),
        at(3, kind="warning", actor_kind="third_party"),
        at(4, cost_usd="2"),
        at(5, kind="approval", actor_kind="operator"),
        at(6, cost_usd="4"),
        at(7, kind="stop_request", actor_kind="third_party"),
        at(8),
    ]
    assert view("unheeded", "kind, at_ms, n, usd", events=events) == [
        ("stop_request", START + 7 * MINUTE, 1, None),
        ("warning", START + MINUTE, 2, 3.5),
    ]


@pytest.mark.parametrize(
    ("first", "cut"),
    [
        ({"hash": "a", "prev_hash": None}, []),
        ({"hash": "a", "prev_hash": "0" * 64}, []),
        ({"hash": "b", "prev_hash": "a"}, [("log",)]),
        ({"hash": None, "prev_hash": "a"}, []),
    ],
)
def test_a_chain_that_names_an_entry_before_its_first_was_cut(first: Row, cut: list[tuple[str]]) -> None:
    assert {"hash", "prev_hash"} <= {column.name for column in TABLES["events"].columns}
    assert view("cut_chains", "source", events=[at(0, **first), at(1, hash="c", prev_hash=first["hash"])]) == cut


def test_a_log_that_was_rotated_is_not_cut_where_the_older_part_is_there() -> None:
    older = [at(0, hash="a", prev_hash="0" * 64), at(1, hash="b", prev_hash="a")]
    newer = [at(2, hash="c", prev_hash="b"), at(3, hash="d", prev_hash="c")]
    assert view("cut_chains", "source", events=[row | {"source": "newer"} for row in newer]) == [("newer",)]
    assert view("cut_chains", "source", events=[*older, *(row | {"source": "newer"} for row in newer)]) == []
