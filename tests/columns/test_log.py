"""The database gathers logs as `psf_audit.facts.log` does: the same rows, what is left out, tasks and addresses."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit.columns.database import Database
from psf_audit.columns.table import LogRows, LogTable
from psf_audit.facts import log
from psf_audit.facts.log import Book, Known, Leave, Source
from psf_audit.facts.model import Event
from psf_audit.facts.tables import TABLES

END = 1_795_391_999_999
RUNS = ["r1", "r2", "drill", "by-hand", "r'; --", None]
EVENTS = st.builds(
    lambda **values: {name: value for name, value in values.items() if value is not None},
    at_ms=st.sampled_from([1_772_359_200_000, 1_772_359_200_001, END + 5, None]),
    run=st.sampled_from(RUNS),
    seq=st.sampled_from([0, 1, 2**40, None]),
    kind=st.sampled_from(["action", "model", "approval", None]),
    id=st.sampled_from(["1", "2", "a-long-call-identifier", None]),
    name=st.sampled_from(["Bash", "http_get", None]),
    target=st.sampled_from(["https://a.example/x", "10.0.0.1", "ls -l", "../x", "10.0.0.1:80", None]),
    task=st.sampled_from(["t1", "t2", "t3", None]),
    parent=st.sampled_from(["t1", "t2", None]),
    credential=st.sampled_from(["key-1", "key-2", "key-3", None]),
    actor_kind=st.sampled_from(["agent", "operator", None]),
    cost_usd=st.decimals(0, 10, places=9) | st.none(),
    outcome=st.sampled_from(["ok", "error", None]),
)
SOURCES = st.lists(
    st.tuples(
        st.lists(EVENTS, max_size=12),
        st.sampled_from([None, "agent", "gateway", "cloud"]),
        st.sampled_from([None, "2.4.0", "2.3.0"]),
        st.booleans(),
    ),
    max_size=3,
)
SETS = st.sets(st.sampled_from(["drill", "by-hand", "r'; --"])).map(frozenset)


def rows(book: Book) -> list[dict[str, Any]]:
    names = [column.name for column in TABLES["events"].columns]
    return [{name: row[name] for name in names} for row in book.rows]


def summary(book: Book, sources: Sequence[Source], known: Known) -> dict[str, Any]:
    made = rows(book)
    return {
        "rows": made,
        "bases": book.bases,
        "carried": book.carried,
        "left out": dict(book.left_out),
        "witnessed": {run for run in book.witnessed_runs if run in known.tested},
        "tasks": book.tasks,
        "addresses": book.addresses,
        "disagreements": sorted(book.disagreements, key=str),
        "places": [book.places[row["source"]].of(row["ref"] % log.EVENT_BASE) for row in made],
        "nowhere": [book.places[source.id].of(99) for source in sources if source.events],
    }


@settings(max_examples=60, deadline=None)
@given(SOURCES, SETS, SETS, st.dictionaries(st.sampled_from(["key-1", "key-2"]), st.booleans()))
def test_the_database_gathers_as_the_store_does(
    written: list[tuple[list[dict[str, Any]], str | None, str | None, bool]],
    drills: frozenset[str],
    by_hand: frozenset[str],
    holders: dict[str, bool],
) -> None:
    database = Database()
    leave = Leave(drills, "2.4.0", END, by_hand)
    known = Known(holders, {"http_get": "gateway"}, frozenset({"r1", "r'; --"}))
    plain, held = [], []
    for index, (events, producer, release, in_database) in enumerate(written):
        read = [Event(row, f"line {row}", values) for row, values in enumerate(events, 1)]
        carried = frozenset().union(*(values for values in events)) if events else frozenset()
        plain.append(Source(f"s{index}", producer, release, read, carried))
        table = LogTable(database)
        table.append(read)
        held.append(Source(f"s{index}", producer, release, table if in_database else read, carried))
    expected = log.gather(plain, leave, known)
    found = log.gather(held, leave, known)

    assert summary(found, held, known) == summary(expected, plain, known)
    if any(isinstance(source.events, LogTable) and source.events for source in held):
        assert isinstance(found.rows, LogRows)
        assert len(found.rows) == len(expected.rows)
