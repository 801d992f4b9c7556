"""A log is the same log as Parquet, and a file that somebody else wrote is read for what it holds."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from psf_audit import collection
from psf_audit.cli import main
from psf_audit.columns.database import Database
from psf_audit.errors import ExitCode
from psf_audit.facts.model import Carries, Event, Gap, Loaded
from psf_audit.facts.store import EvidenceFile

HEADER = {"schema": "psf-audit/events/1", "produced_by": "gateway", "release": "2.4.0", "coverage": "excerpt"}
DIGEST = "sha256:" + "ab" * 32
EVENT = {"at": "2026-03-01T10:00:00Z", "kind": "action", "run": "r1", "name": "x", "cost_usd": 0.1, "seq": 3}


def write_log(path: Path, *values: Any) -> Path:
    path.write_text("\n".join(value if isinstance(value, str) else json.dumps(value) for value in values) + "\n")
    return path


def normalized(path: Path, *options: str) -> Path:
    target = path.with_suffix(".parquet")
    assert main.run(["normalize", str(path), "--output", str(target), *options]) == ExitCode.READY
    return target


def read(path: Path) -> EvidenceFile:
    file, _ = collection.read_alone(path)
    assert file.readable, file.problem
    return file


def values(file: EvidenceFile) -> list[tuple[str, dict[str, Any]]]:
    return [(event.pointer, {k: v for k, v in event.values.items() if v is not None}) for event in file.events]


def test_a_log_comes_back_with_its_places_and_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = {"at": "2026-03-01T09:00:00Z", "kind": "start", "args_digest": DIGEST}
    log = write_log(tmp_path / "log.jsonl", HEADER, start, "", EVENT, "garbage", {**EVENT, "cost_usd": -1})
    there, back = read(log), read(normalized(log))

    assert values(back) == values(there)
    assert (back.produced_by, back.release) == ("gateway", "2.4.0")
    gaps = {(item.kind, item.facts) for item in back.items if isinstance(item, Gap)}
    assert gaps == {(item.kind, item.facts) for item in there.items if isinstance(item, Gap)}
    assert "line 5: 1 line not a JSON object" in str(back.items)
    assert {item.sha256 for item in back.items if isinstance(item, Loaded)} == {"ab" * 32}
    shown = capsys.readouterr()
    assert f"wrote {tmp_path}/log.parquet: 3 events of events" in shown.out.replace("\n", " ")
    assert "unreadable: 1 line not a JSON object with unique keys" in shown.err


def test_what_is_normalized_twice_stays_the_same(tmp_path: Path) -> None:
    once = normalized(write_log(tmp_path / "log.jsonl", HEADER, EVENT, "garbage"))
    twice = tmp_path / "twice.parquet"
    assert main.run(["normalize", str(once), "--output", str(twice)]) == ExitCode.READY

    assert values(read(twice)) == values(read(once))


def test_parquet_of_others_is_read_and_what_it_cannot_say_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "spark.parquet"
    rows = (
        "(1772359200000::BIGINT, 'action', 'ok', 0.1::DOUBLE, 5::INTEGER), (1772359200001, 'dance', 'fine', -1, -5), "
        "(5, NULL, '', NULL, NULL)"
    )
    Database().run(
        f"COPY (SELECT * FROM (VALUES {rows}) AS t(at_ms, kind, outcome, cost_usd, seq)) TO '{path}' (FORMAT parquet)"  # noqa: S608
    )
    file = read(path)

    first = {"at_ms": 1_772_359_200_000, "kind": "action", "outcome": "ok", "cost_usd": Decimal("0.1"), "seq": 5}
    assert values(file) == [("row 1", first), ("row 2", {"at_ms": 1_772_359_200_001}), ("row 3", {})]
    lost = {item.facts: (item.what, item.pointer) for item in file.items if isinstance(item, Gap)}
    assert lost == {
        "events.at_ms": ("1 row whose `at_ms` is not of its type", "row 3"),
        "events.kind": ("2 rows whose `kind` is not of its type; the first at row 2", "row 2"),
        "events.outcome": ("1 row whose `outcome` is not of its type", "row 2"),
        "events.cost_usd": ("1 row whose `cost_usd` is not from 0 to below a billion", "row 2"),
        "events.seq": ("1 row whose `seq` is not from 0", "row 2"),
    }
    (carries,) = (item for item in file.items if isinstance(item, Carries))
    assert carries.columns == {"at_ms", "kind", "outcome", "cost_usd", "seq"}


@pytest.mark.parametrize(
    ("select", "problem"),
    [
        ("SELECT 1 AS at_ms", "is Parquet without the column kind"),
        ("SELECT 'a' AS x", "is Parquet without the column at_ms"),
    ],
)
def test_parquet_that_is_no_log_is_refused(tmp_path: Path, select: str, problem: str) -> None:
    path = tmp_path / "other.parquet"
    Database().run(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    file, _ = collection.read_alone(path)

    assert not file.readable
    assert problem in str(file.problem)


@pytest.mark.parametrize("damage", ["cut", "metadata"])
def test_damaged_parquet_is_unreadable(tmp_path: Path, damage: str) -> None:
    path = normalized(write_log(tmp_path / "log.jsonl", HEADER, EVENT))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else data.replace(b"events/1", b"events/9"))
    file, _ = collection.read_alone(path)

    assert not file.readable
    assert ("cannot be read" if damage == "cut" else "metadata of another schema") in str(file.problem)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{log}", "-o", "{log}"], "is the log itself"),
        (["{log}", "-o", "{folder}"], "is the log itself or a folder"),
        (["{log}", "-o", "{folder}/no/x.parquet"], "there is no folder"),
        (["{folder}/none.jsonl", "-o", "{folder}/x.parquet"], "does not exist"),
        (["{log}", "-o", "{folder}/x.parquet", "--memory", "lots"], "--memory 'lots' is no size"),
        (["{log}", "-o", "{folder}/x.parquet", "--memory", "1MiB"], "is too little"),
        (["{empty}", "-o", "{folder}/x.parquet"], "holds no event"),
    ],
)
def test_what_cannot_be_normalized_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    log = write_log(tmp_path / "log.jsonl", HEADER, EVENT)
    empty = write_log(tmp_path / "empty.jsonl", HEADER)
    before = sorted(tmp_path.iterdir())
    given = [text.format(log=log, folder=tmp_path, empty=empty) for text in arguments]

    assert main.run(["normalize", *given]) != ExitCode.READY
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_there_is_replaced_only_when_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["normalize", str(write_log(tmp_path / "log.jsonl", HEADER, EVENT)), "-o", str(tmp_path / "x.parquet")]
    (tmp_path / "x.parquet").write_text("old")

    assert main.run(given) == ExitCode.USAGE
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "x.parquet").read_text() == "old"
    assert main.run([*given, "--force"]) == ExitCode.READY
    assert (tmp_path / "x.parquet").read_bytes().startswith(b"PAR1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "x.parquet"]


def test_events_of_other_formats_can_be_normalized(tmp_path: Path) -> None:
    span = {
        "traceId": "a" * 32, "spanId": "b" * 16, "name": "execute_tool x", "startTimeUnixNano": "1772359200000000000",
        "endTimeUnixNano": "1772359201000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "gen_ai.tool.name", "value": {"stringValue": "x"}},
        ],
    }  # fmt: skip
    log = write_log(tmp_path / "trace.jsonl", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    there, back = read(log), read(normalized(log))

    assert values(back) == values(there)
    assert len(list(back.events)) == 1
    assert isinstance(next(iter(back.events)), Event)
