"""What holds for every evidence format: adding one, or a fixture of one, makes its cases appear here by themselves."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psf_audit import collection, reading
from psf_audit import manifest as manifests
from psf_audit.advice import NATIVE
from psf_audit.artifact import Artifact, EvidenceFormat
from psf_audit.collection import fitting_formats
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Event, Fact, Gap, Item, Remark
from psf_audit.facts.store import EvidenceFile
from psf_audit.facts.tables import KINDS
from tests import deployments
from tests.fixtures import (
    EVERY,
    FORMATS,
    STREAMING,
    Fixture,
    artifact,
    checked,
    filled,
    fixtures_of,
    grown,
    plain,
    read,
    streamed,
)

# Files with nothing in them that only they have are known by their name, not only by how it ends.
KNOWN_BY_NAME = {"github-codeowners"}
# What parsed lines take is several times their size, so a reader that keeps them is found in either file.
THOROUGH = settings().max_examples > 100
LARGE, MOST_HELD = (20 * 2**20, 20 * 2**20) if THOROUGH else (3 * 2**20, 12 * 2**20)

EACH = pytest.mark.parametrize("fixture", EVERY, ids=[fixture.id for fixture in EVERY])
EACH_FORMAT = pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
EACH_STREAM = pytest.mark.parametrize("kind", STREAMING.values(), ids=STREAMING)
# Many parametrised cases, so few examples each; `make fuzz` asks for far more.
FEW = settings(max_examples=max(5, settings().max_examples // 12), suppress_health_check=list(HealthCheck))


# -------------------------------------------------------------------------------------------------------- the fixtures


@EACH_FORMAT
def test_a_format_has_a_fixture_and_its_fixtures_fill_its_tables(kind: EvidenceFormat) -> None:
    own = fixtures_of(kind)
    assert own
    assert set().union(*(filled(fixture.items) for fixture in own)) == set(kind.tables)


@EACH
def test_exactly_one_format_recognises_a_fixture_by_its_content(fixture: Fixture) -> None:
    assert fitting_formats(artifact(fixture.data, fixture.path.name)) == [fixture.kind]
    under_any_name = [] if fixture.kind.name in KNOWN_BY_NAME else [fixture.kind]
    ending = fixture.suffix if fixture.suffix.startswith(".") else ""
    assert fitting_formats(artifact(fixture.data, f"evidence/some{ending}")) == under_any_name


@EACH
def test_a_fixture_is_read(fixture: Fixture) -> None:
    assert filled(fixture.items) or any(isinstance(item, Gap | Remark) for item in fixture.items)


@EACH_FORMAT
def test_a_format_says_which_kinds_of_rows_it_gives(kind: EvidenceFormat) -> None:
    """A gap in a file touches what asks for rows of these kinds, so none may be missing; native files name any."""
    shown: dict[str, set[Any]] = {}
    for fixture in fixtures_of(kind):
        for item in fixture.items:
            if isinstance(item, Fact) and item.table in KINDS:
                shown.setdefault(item.table, set()).add(item.values.get(KINDS[item.table]))
    said = {table: set(kinds) for table, kinds in kind.gives.items()}
    assert said == shown or (kind.stack == NATIVE and not said)


# ------------------------------------------------------------------------------------------------------------- damage

DAMAGED_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            -1,
            1.5,
            10**30,
            2**63,
            -(2**63) - 1,
            "",
            [],
            {},
            [[]],
            [None],
            [{}],
            {"a": {"b": [1]}},
        ),
        *("NaN", "Infinity", "-1", "1e999999999", "2026-13-45T99:00:00Z", "\ud800", "\x00", "\u0669", "*", "((((", "["),
        *("x" * 5_000, "9" * 5_000, ["x"] * 200),
    ]
)


def kind_of(value: Any) -> type:
    """The JSON type of a value, whole and other numbers being one."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


@st.composite
def damages(draw: st.DrawFn, fixture: Fixture, *, retyped: bool) -> bytes:
    """The fixture with some leaves replaced by values of no use there; `retyped`: by values of another type."""
    leaves = fixture.tree.leaves
    changes = draw(st.dictionaries(st.sampled_from(list(leaves)), DAMAGED_VALUES, min_size=1, max_size=3))
    return fixture.tree.write(
        {at: new for at, new in changes.items() if not retyped or kind_of(new) is not kind_of(leaves[at])}
    )


@st.composite
def scrambles(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some of them changed, and some of their lines left out, repeated or moved."""
    lines = data.splitlines(keepends=True)
    some = st.integers(0, len(lines) - 1)
    for _ in range(draw(st.integers(0, 3))):
        line = lines[draw(some)]
        lines.insert(draw(some), draw(st.sampled_from([line, b"", line[: len(line) // 2]])))
        del lines[draw(some)]
    changed = bytearray(b"".join(lines))
    for _ in range(draw(st.integers(0, 4))):
        if changed:
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


def survivors(kind: EvidenceFormat, data: bytes, name: str) -> list[Item]:
    """What a format gives of damaged bytes, each item held against its table: nothing where it refuses them."""
    one = artifact(data, name)
    kind.sniff(one)
    try:
        return list(checked(kind, one))
    except Unreadable:
        return []


def passed(items: Iterable[Item]) -> Counter[tuple[Any, Any]]:
    """The tests that passed, by suite and name."""
    tests = [item.values for item in items if isinstance(item, Fact) and item.table == "tests"]
    return Counter((row.get("suite"), row.get("name")) for row in tests if row["outcome"] == "passed")


def approved(items: Iterable[Item]) -> Counter[tuple[Any, ...]]:
    """The approvals by a human being, in logs and in records."""
    events = [item.values for item in items if isinstance(item, Event)]
    found = Counter(
        ("approval", row.get("id"), row.get("name"), row.get("target"), row.get("actor"))
        for row in events
        if row.get("kind") == "approval" and row.get("actor_kind") == "operator"
    )
    records = [item.values for item in items if isinstance(item, Fact) and item.table == "records"]
    signed = [row for row in records if row.get("kind") == "sign_off" and row.get("person") is not None]
    return found + Counter(("sign_off", row.get("subject"), row["person"], row.get("decision")) for row in signed)


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@FEW
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(kind: EvidenceFormat, data: bytes) -> None:
    items = survivors(kind, data, f"some{kind.suffixes[0]}" if kind.suffixes[0].startswith(".") else kind.suffixes[0])
    assert passed(items) == approved(items) == Counter()


@EACH
@FEW
@given(data=st.data())
def test_a_fixture_that_ends_early_shows_nothing_that_the_whole_does_not(fixture: Fixture, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(fixture.data)))
    items = survivors(fixture.kind, fixture.data[:end], fixture.path.name)
    assert set(passed(items)) <= set(passed(fixture.items))
    if fixture.path.suffix in {".yaml", ".yml", ".csv"}:  # there a word that is cut off is a word
        assert approved(items).total() <= approved(fixture.items).total()
    else:
        assert approved(items) <= approved(fixture.items)


@EACH
@FEW
@given(data=st.data())
def test_no_damage_to_its_values_makes_a_fixture_show_more(fixture: Fixture, data: st.DataObject) -> None:
    """A value of another type may take a name from what passed or was approved; it never makes one more of it."""
    items = survivors(fixture.kind, data.draw(damages(fixture, retyped=True)), fixture.path.name)
    assert passed(items).total() <= passed(fixture.items).total()
    assert approved(items).total() <= approved(fixture.items).total()


@EACH
@FEW
@given(data=st.data())
def test_a_damaged_fixture_is_read_or_refused(fixture: Fixture, data: st.DataObject) -> None:
    damaged = data.draw(damages(fixture, retyped=False) | scrambles(fixture.data))
    survivors(fixture.kind, damaged, fixture.path.name)


LINES = [fixture for fixture in EVERY if fixture.kind.streams and len(fixture.data.splitlines()) > 1]


@pytest.mark.parametrize("fixture", [one for one in LINES if one.path.suffix == ".jsonl"], ids=lambda one: one.id)
@FEW
@given(data=st.data())
def test_half_a_line_is_told(fixture: Fixture, data: st.DataObject) -> None:
    lines = fixture.data.splitlines(keepends=True)
    number = data.draw(st.sampled_from([at for at, line in enumerate(lines) if at and len(line.strip()) > 1]))
    part = data.draw(st.integers(1, len(lines[number].rstrip()) - 1))
    kept = b"".join(lines[:number])
    try:
        items = read(fixture.kind, kept + lines[number][:part], fixture.path.name)
    except Unreadable:
        return
    whole = [item.what for item in survivors(fixture.kind, kept, fixture.path.name) if isinstance(item, Gap)]
    assert [item.what for item in items if isinstance(item, Gap)] != whole


# ----------------------------------------------------------------------------------------------------------- together


def collected(folder: Path, paths: Sequence[str]) -> list[EvidenceFile]:
    deployment = deployments.bare(folder)
    deployment.manifest["evidence"] = [{"path": path, "collected": deployments.DAY} for path in paths]
    return collection.collect(manifests.load(deployment.save()))


def test_neither_order_nor_copies_of_files_change_what_is_read(tmp_path: Path) -> None:
    paths = []
    for fixture in EVERY:
        for folder in ("first", "second"):
            target = tmp_path / folder / fixture.kind.name / fixture.path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(fixture.data)
            paths.append(target.relative_to(tmp_path).as_posix())
    once = collected(tmp_path, [path for path in paths if path.startswith("first")])
    assert [file.path for file in once if not file.readable] == []
    for file, fixture in zip(once, sorted(EVERY, key=lambda one: one.id), strict=True):
        assert file.format == fixture.kind.name
        assert sorted(map(plain, (*file.items, *file.events))) == sorted(map(plain, fixture.items))
    shuffled = list(paths)
    random.Random(20261122).shuffle(shuffled)  # noqa: S311  no secret: the same order each time
    twice = collected(tmp_path, shuffled)
    assert [file for file in twice if file.path.startswith("first")] == once
    copies = [file for file in twice if file.path.startswith("second")]
    assert len(copies) == len(EVERY)
    assert all((file.items, len(file.events), file.readable) == ((), 0, True) for file in copies)
    assert all(str(file.problem).endswith("counted once") for file in copies)


# ---------------------------------------------------------------------------------------------------------- streaming


@EACH_STREAM
def test_a_compressed_log_is_the_same_log(kind: EvidenceFormat) -> None:
    fixture = streamed(kind)
    packed = gzip.compress(fixture.data)
    name = f"{fixture.path.name}.gz"
    assert fitting_formats(artifact(packed, name)) == [fixture.kind]
    assert read(fixture.kind, packed, name) == list(fixture.items)


@EACH_STREAM
def test_a_log_is_read_in_memory_that_does_not_grow_with_it(kind: EvidenceFormat) -> None:
    fixture = streamed(kind)
    assert fixture.items  # and what its format imports is there
    one = artifact(b"".join(grown(fixture, LARGE)), fixture.path.name)
    tracemalloc.start()
    try:
        count = sum(1 for _ in checked(kind, one))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count
    assert peak < MOST_HELD, f"{peak / 2**20:.1f} MiB for {one.bytes / 2**20:.0f} MiB"


@EACH
def test_a_file_that_is_too_large_to_be_held_is_told_from_others(
    fixture: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 64)
    file = tmp_path / fixture.path.name
    file.write_bytes(fixture.data)
    one = Artifact.of_file(file.name, file)
    with pytest.raises(Unreadable, match="larger than"):
        len(one.data)
    fitting = fitting_formats(one)
    assert fitting in ([], [fixture.kind])
    if fixture.kind.streams and fixture.path.suffix in {".csv", ".jsonl"}:
        assert fitting == [fixture.kind]
        assert list(checked(fixture.kind, one)) == list(fixture.items)
