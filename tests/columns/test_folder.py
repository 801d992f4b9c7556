"""A log in many files is one log: numbered on, in the order of the paths, with a place in a file for each event."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from psf_audit import collection
from psf_audit.facts.model import Gap, Stated
from psf_audit.facts.store import EvidenceFile

HEADER = {"schema": "psf-audit/events/1", "produced_by": "gateway", "release": "2.4.0"}


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"at": "2026-03-01T10:00:00Z", "kind": "action", "run": "r1", "seq": number, **more}


def put(path: Path, *values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def read(folder: Path) -> EvidenceFile:
    file, _ = collection.read_alone(folder)
    return file


def gaps(file: EvidenceFile) -> list[tuple[str, str]]:
    return [(item.pointer, item.what) for item in file.items if isinstance(item, Gap)]


@pytest.mark.parametrize("small", [0, 2**17])
def test_parts_are_read_in_the_order_of_their_paths(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "SMALL_PART_BYTES", small)
    put(tmp_path / "log/day=2/b.jsonl.gz", event(50), "", event(51), "garbage")
    put(tmp_path / "log/day=1/a.jsonl", HEADER, *(event(number) for number in range(30)))
    put(tmp_path / "log/_SUCCESS", "")
    put(tmp_path / "log/day=1/.a.jsonl.crc", "x")
    file = read(tmp_path / "log")

    assert file.readable, file.problem
    numbers = [int(found.values["seq"] or 0) for found in file.events]
    assert numbers == [*range(30), 50, 51]
    pointers = [found.pointer for found in file.events]
    assert pointers[0] == "day=1/a.jsonl line 2"
    assert pointers[30:] == ["day=2/b.jsonl.gz line 1", "day=2/b.jsonl.gz line 3"]
    assert (file.release, file.produced_by, file.format) == ("2.4.0", "gateway", "events")
    assert gaps(file) == [("day=2/b.jsonl.gz line 4", "1 line not a JSON object with unique keys")]
    assert next(item for item in file.items if isinstance(item, Stated)).release == "2.4.0"


def test_the_digest_of_a_folder_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    put(tmp_path / "log/b.jsonl", event(1))
    put(tmp_path / "log/a.jsonl", event(0))
    listing = "".join(
        f"{hashlib.sha256((tmp_path / 'log' / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("a.jsonl", "b.jsonl")
    )
    file = read(tmp_path / "log")

    assert file.sha256 == hashlib.sha256(listing.encode()).hexdigest()
    assert file.bytes == sum(path.stat().st_size for path in (tmp_path / "log").iterdir())


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ([{"schema": "psf-audit/events/1", "release": "3.0.0"}, event(5)], "says it is of another release or writer"),
        (["no log at all"], "is of no format"),
        ([{"resourceSpans": [{"scopeSpans": []}]}], "is otlp-trace, the files before it are events"),
    ],
)
def test_a_part_that_does_not_belong_is_a_gap_and_gives_no_event(
    tmp_path: Path, second: list[Any], problem: str
) -> None:
    put(tmp_path / "log/1.jsonl", HEADER, event(1))
    put(tmp_path / "log/2.jsonl", *second)
    put(tmp_path / "log/3.jsonl", event(3))
    file = read(tmp_path / "log")

    assert [found.values["seq"] for found in file.events] == [1, 3]
    assert [found.pointer for found in file.events] == ["1.jsonl line 2", "3.jsonl line 1"]
    ((where, what),) = gaps(file)
    assert where == "2.jsonl"
    assert problem in what


def test_a_folder_without_a_log_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "config/settings.json", {"permissions": {"deny": ["Bash"]}, "hooks": {}})

    assert "without a log" in str(read(tmp_path / "empty").problem)
    assert "without a log" in str(read(tmp_path / "config").problem)


def test_no_link_leads_out_of_the_evidence_root(tmp_path: Path) -> None:
    put(tmp_path / "outside.jsonl", event(9))
    put(tmp_path / "root/log/1.jsonl", event(1))
    put(tmp_path / "root/other.jsonl", event(2))
    (tmp_path / "root/log/2.jsonl").symlink_to(tmp_path / "root/other.jsonl")
    (tmp_path / "root/log/3.jsonl").symlink_to(tmp_path / "outside.jsonl")
    file = read(tmp_path / "root/log")

    assert [found.values["seq"] for found in file.events] == [1, 2]
    assert gaps(file) == [
        ("3.jsonl", "3.jsonl lies outside the evidence root; copy it there, or widen it with --evidence-root")
    ]
