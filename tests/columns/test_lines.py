"""A line that the database reads by itself says what the format reads in it: the same events, losses and digests."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from psf_audit import reading
from psf_audit.artifact import Artifact
from psf_audit.columns import lines, plain
from psf_audit.columns.database import Database
from psf_audit.columns.table import LogTable
from psf_audit.errors import Unreadable
from psf_audit.evidence.events import EVENTS
from psf_audit.facts.model import Carries, Event, Gap, Item, Loaded, Stated

HEADER = b'{"schema": "psf-audit/events/1", "produced_by": "gateway", "release": "2.4.0"}'
PLAIN = b'{"at": "2026-03-01T10:00:00Z", "kind": "action", "run": "r1", "seq": %d, "cost_usd": 0.1}'


@pytest.fixture(scope="module")
def database() -> Database:
    return Database()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[bytes]], Artifact]:
    def write(written: list[bytes], name: str = "log.jsonl", end: bytes = b"\n") -> Artifact:
        path = tmp_path / name
        data = b"\n".join(written) + end
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return Artifact.of_file(name, path)

    return write


def by_database(artifact: Artifact, database: Database) -> tuple[LogTable, list[Item]]:
    log = LogTable(database)
    items = EVENTS.columnar.load(artifact, log, lambda found: found) if EVENTS.columnar else None
    assert items is not None
    return log, items


def told(items: list[Item]) -> dict[str, Any]:
    """What items say, without the order in which they say it."""
    return {
        "stated": [item for item in items if isinstance(item, Stated)],
        "gaps": sorted((item for item in items if isinstance(item, Gap)), key=str),
        "loaded": {item.sha256 for item in items if isinstance(item, Loaded)},
        "carried": frozenset().union(*(item.columns for item in items if isinstance(item, Carries))),
    }


def events_of(found: list[Event]) -> list[tuple[str, dict[str, Any]]]:
    return [(event.pointer, {k: v for k, v in event.values.items() if v is not None}) for event in found]


def same(artifact: Artifact, database: Database) -> LogTable:
    """Read the file in both ways, and hold the one against the other."""
    log, items = by_database(artifact, database)
    read = list(EVENTS.read(artifact))
    assert events_of(list(log)) == events_of([item for item in read if isinstance(item, Event)])
    assert told(items) == told([item for item in read if not isinstance(item, Event)])
    return log


# What writers write, what they should not, and what DuckDB itself would take for something else.
TIMES = st.sampled_from(
    [
        *("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.123+02:00", "2026-03-01T10:00:00.123456-11:30"),
        *("2026-03-01T10:00:00", "2026-03-01 10:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T10:00:60Z"),
        *("2026-03-01T 1:00:00Z", "2026-03-01T1:00:00.5Z", "2026-03-01T10:00:00.1234567Z", "2026-02-30T10:00:00Z"),
        *("2026-03-01T10:00:00+0200", "2026-03-01T10:00:00-23:30", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z"),
        *("20260301T100000Z", "2026-03-01T10:00Z", "2026-03-01T10:00:00,5Z", "2026-W10-1T00:00:00Z", "now", ""),
        *(None, 5, 1772359200, True, ["2026-03-01T10:00:00Z"], "2026-03-01T10:00:00z", "2026-03-01T10:00:00Z "),
        *("99999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "infinity", "epoch"),
    ]
)
NUMBERS = st.one_of(
    st.sampled_from(
        [
            *("0.1", "0", "-1", "1e3", "1e-7", "1.2345e-06", "0.0000000005", "0.0000000015", "123456789.123456789"),
            *("99999.9", "100000.5", "999999999.9999999999", "1e9", "1e40", "1e400", "NaN", "Infinity", "true", "null"),
            *(
                '"0.10"',
                '" 1 "',
                '"1_000"',
                '"0x10"',
                '"7"',
                '"007"',
                '"+5"',
                '"-0"',
                '"1.0"',
                '"inf"',
                '""',
                "[1]",
                "{}",
            ),
            *(
                "1.0",
                "7",
                "-0",
                "-0.0",
                "99999999999999999999",
                "9223372036854775807",
                "9223372036854775808",
                "0.30000000000000004",
            ),
        ]
    ),
    st.decimals(0, 1000, allow_nan=False, places=12).map(lambda number: format(number, "f")),
    st.floats(0, 1000).map(repr),
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            *(
                "r1",
                "",
                "true",
                "false",
                "null",
                "nan",
                "inf",
                "1.5",
                "1e5",
                "-5",
                "007",
                "[1]",
                "{x",
                "{}",
                "[",
                "-",
                ":",
                "9",
            ),
            *(
                "x" * 999,
                "x" * 1000,
                "é" * 999,
                "sha256:" + "aB" * 32,
                "2026-03-01",
                "5f3a",
                "\x00",
                "a\x00b",
                "\u2028",
                "\ufeff",
            ),
        ]
    ).map(json.dumps),
    st.text(max_size=20).map(json.dumps),
    st.sampled_from(
        ["true", "5", "1.5", "1e5", "null", "[1]", '["a", "b"]', '{"a": 1}', '"\\ud800"', '"\\ud83d\\ude00"', "1e400"]
    ),
)
KINDS = st.sampled_from(['"action"', '"approval"', '"start"', '"ACTION"', '""', "null", "5", "true", '"model"'])
LINES = st.one_of(
    st.builds(
        lambda at, kind, cost, seq, tokens, run, name, more: (
            f'{{"at": {json.dumps(at)}, "kind": {kind}, "cost_usd": {cost}, "seq": {seq}, "tokens_in": {tokens}, '
            f'"run": {run}, "name": {name}, {more}}}'
        ).encode(),
        TIMES, KINDS, NUMBERS, NUMBERS, NUMBERS, TEXTS, TEXTS,
        st.one_of(
            st.builds(lambda key, text: f'"{key}": {text}', st.sampled_from(
                ["prev_hash", "hash", "shown", "actor_kind", "outcome", "until", "args_digest", "other", "answers"]
            ), TEXTS),
        ),
    ),
    st.sampled_from(
        [b"", b"  ", b"\t", b"garbage", b"[1]", b"5", b"null", b'"a"', b'{"a": 1}{"a": 2}', b"{}", b'{"at": 1', HEADER]
    ),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b" ").replace(b"\r", b" ")),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.lists(LINES, max_size=40), header=st.booleans(), end=st.sampled_from([b"", b"\n", b"\n\n", b"\r\n"]))
@example(odd=[b"  ", b"garbage"], header=True, end=b"")
def test_the_database_and_the_format_read_the_same(
    odd: list[bytes], header: bool, end: bytes, write: Callable[..., Artifact], database: Database
) -> None:
    start = ([HEADER] if header else []) + [PLAIN % number for number in range(25)]
    same(write([*start, *odd], end=end), database)


def test_blank_lines_move_no_pointer(write: Callable[..., Artifact], database: Database) -> None:
    written = [PLAIN % 0, b"", b"  ", *(PLAIN % number for number in range(40)), b"", b"[]", PLAIN % 99, b""]
    log = same(write(written), database)

    assert [log.of(row) for row in (1, 2, 42, 43, 44)] == ["line 1", "line 4", "line 45", "line 46", None]
    pointers = log.database.run(f"SELECT {log.pointers()} FROM {log.relation}")  # noqa: S608
    assert [pointer for (pointer,) in pointers] == [event.pointer for event in log]


def test_a_compressed_log_is_the_same_log(write: Callable[..., Artifact], database: Database) -> None:
    same(write([HEADER, *(PLAIN % number for number in range(100)), b"", b"garbage"], name="log.jsonl.gz"), database)


def test_a_line_beyond_the_bound_is_one_lost_line(write: Callable[..., Artifact], database: Database) -> None:
    long = b'{"name": "' + b"x" * reading.MAX_LINE_BYTES + b'"}'
    log = same(write([HEADER, PLAIN % 1, long, PLAIN % 2]), database)

    assert [event.pointer for event in log] == ["line 2", "line 4"]


def test_a_damaged_compressed_log_is_left_to_its_format(write: Callable[..., Artifact], database: Database) -> None:
    whole = write([PLAIN % number for number in range(5_000)], name="log.jsonl.gz")
    assert whole.file is not None
    whole.file.write_bytes(whole.data[: len(whole.data) // 2])
    cut = Artifact.of_file("log.jsonl.gz", whole.file)

    log = LogTable(database)
    assert EVENTS.columnar is not None
    assert EVENTS.columnar.load(cut, log, lambda found: found) is None
    assert len(log) == 0


def test_a_log_in_which_every_line_is_in_doubt_is_left_to_its_format(
    write: Callable[..., Artifact], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "_MANY", 5)
    artifact = write([PLAIN.replace(b'"r1"', b'"r1", "hash": "ab"') % number for number in range(60)])
    log = LogTable(database)

    assert EVENTS.columnar is not None
    assert EVENTS.columnar.load(artifact, log, lambda found: found) is None
    assert (len(log), log.last) == (0, 60)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_lines_keep_their_order_whatever_the_number_of_threads(end: bytes, write: Callable[..., Artifact]) -> None:
    # A plan with a join in it would put the lines of one thread before those of another.
    database = Database()
    database.logs.execute("SET threads = 8")
    count = 60_000
    log, _ = by_database(write([PLAIN % number for number in range(count)], end=end), database)

    wrong = database.run(f"SELECT COUNT(*) FROM {log.relation} WHERE seq <> rowid")  # noqa: S608
    assert (len(log), wrong) == (count, [(0,)])


def test_no_join_is_planned_to_read_lines(write: Callable[..., Artifact], database: Database) -> None:
    form = EVENTS.columnar
    assert isinstance(form, lines.JsonLines)
    file = write([PLAIN % 1]).file
    keys = ", ".join(f"'{key}': 'VARCHAR'" for key in form.keys)
    values = ", ".join([*form.values.values(), form.doubt])
    plan = database.run(f"EXPLAIN SELECT {values} FROM read_json('{file}', columns = {{{keys}}})")  # noqa: S608

    assert "JOIN" not in str(plan).upper()


def test_a_file_that_changes_meanwhile_is_unreadable(write: Callable[..., Artifact], database: Database) -> None:
    artifact = write([PLAIN % number for number in range(30)])
    assert artifact.file is not None
    artifact.file.write_bytes(PLAIN % 1)

    with pytest.raises(Unreadable, match="changed while it was read"):
        by_database(artifact, database)


def test_ten_million_tenths_are_a_million(tmp_path: Path) -> None:
    """Money is exact: as doubles the same sum is 999999.9998389754."""
    line = b'{"at":"2026-03-01T10:00:00Z","kind":"action","actor_kind":"agent","cost_usd":0.1}\n'
    path = tmp_path / "tenths.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(100):
            stream.write(line * 100_000)
    log, _ = by_database(Artifact.of_file("tenths.jsonl.gz", path), Database())

    ((total,),) = log.database.run(f"SELECT SUM(cost_usd) FROM {log.relation}")  # noqa: S608
    assert (len(log), total) == (10_000_000, Decimal(1_000_000))
