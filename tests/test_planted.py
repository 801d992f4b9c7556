from __future__ import annotations

import json
import sys
from collections import Counter
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import pytest

from psf_audit import rubric
from tests.planted import log, tenths
from tests.planted.log import Written
from tests.planted.scenes import BESIDE, SCENES
from tests.planted.terms import Terms
from tools import bench_events, bench_page
from tools.bench_events import ASSESS, Row
from tools.bench_process import Run, run

EVENTS = 3_000
LARGE = 40_000  # 20 MB
TENTHS = 20_000


@pytest.fixture(scope="module", params=[True, False], ids=["planted", "clean"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return log.write(tmp_path_factory.mktemp("log"), EVENTS, planted=request.param)


@pytest.fixture
def competitor(request: pytest.FixtureRequest) -> ModuleType:
    for needed in ("orjson", "pandas", "pyarrow"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install 'psf-audit[bench]'")
    module = pytest.importorskip(f"tools.{request.param}")
    assert isinstance(module, ModuleType)
    return module


def test_an_assessment_finds_what_is_planted_and_nothing_else(written: Written) -> None:
    command = bench_events.assessing(written.manifest, Terms.read(written.manifest.parent).as_of)
    done = run(command)

    assert done.failure == ""
    assert bench_events.differences(written.findings, bench_events.found_by_assessment(done.output)) == {}


def test_a_log_that_the_database_reads_in_several_parts_loses_and_moves_nothing(tmp_path: Path) -> None:
    large = log.write(tmp_path, LARGE, planted=True)
    done = run(bench_events.assessing(large.manifest, Terms.read(tmp_path).as_of))

    assert done.failure == ""
    assert bench_events.differences(large.findings, bench_events.found_by_assessment(done.output)) == {}


@pytest.mark.parametrize("competitor", ["bench_loop", "bench_pandas"], indirect=True)
def test_whoever_it_is_measured_against_finds_the_same(written: Written, competitor: ModuleType) -> None:
    folder = written.manifest.parent

    found = competitor.findings(folder / "events.jsonl", Terms.read(folder))

    assert bench_events.differences(written.findings, found) == {}


def test_arrow_changes_nothing_for_pandas(written: Written) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'psf-audit[bench]'")
    bench_pandas = pytest.importorskip("tools.bench_pandas")
    folder = written.manifest.parent

    found = bench_pandas.findings(folder / "events.jsonl", Terms.read(folder), with_arrow=True)

    assert bench_events.differences(written.findings, found) == {}


def test_every_control_that_events_can_break_is_planted() -> None:
    """A control whose `breaks` reads events, directly or through a view, has a scene, or a reason not to."""
    elsewhere = {
        "CHECK-07": "the register of owners is a record",
        "AUDIT-08": "retention is configuration",
        "READY-04": "independence is a record",
        "READY-08": "a handoff is a record",
        "READY-09": "the design review is a record; the first use is planted with READY-01",
    }
    planted = {key.split()[0] for scene in SCENES for key in scene.findings} | set(BESIDE)
    known = rubric.load(rubric.find("psf-agentic@1.1.0"))

    breakable = {control.id for control in known.controls if "breaks" in control.criteria}

    assert breakable - planted == elsewhere.keys()


def test_the_same_seed_makes_the_same_log() -> None:
    first, again, other = (islice(log.Log(EVENTS, seed, planted=True).lines(), 2_000) for seed in (1, 1, 2))

    assert (lines := list(first)) == list(again)
    assert lines != list(other)


def test_lines_stand_in_the_order_of_their_times_but_for_the_planted_ones() -> None:
    events = [json.loads(line) for line in log.Log(EVENTS, 1, planted=True).lines()]
    back = [later["run"] for earlier, later in pairwise(events) if later["at"] < earlier["at"]]

    # A block stands together, so what follows it may be older than its end.
    assert {run.split("-")[0] for run in back} >= {"clock"}
    assert len(back) <= 12


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "0"), (100_000, "0.1"), (1_000_000, "1"), (12, "0.000012"), (90_000_000, "90")]
)
def test_money_is_written_without_trailing_zeros(micro: int, text: str) -> None:
    assert log.usd(micro) == text


def test_tenths_of_a_dollar_add_up_exactly(tmp_path: Path) -> None:
    """Binary numbers would not, and this sum shows it; `make bench-events` adds ten million."""
    done = run(bench_events.assessing(tenths.write(tmp_path, TENTHS), tenths.DAY))

    assert done.failure == ""
    assert tenths.total(json.loads(done.output, parse_float=Decimal)) == Decimal(TENTHS) / 10
    assert sum(0.1 for _ in range(TENTHS)) != TENTHS / 10


def test_a_program_that_fails_is_said_to() -> None:
    done = run((sys.executable, "-c", "import sys; sys.exit('no room')"))

    assert done.failure.startswith("exit code 1 after")
    assert done.failure.endswith("no room")


def row(name: str, seconds: float, events: int = 10, found: Counter[str] | None = None) -> Row:
    return Row(events, name, 3, Run("", seconds, seconds, 100.0), found)


def test_goals_are_ratios_to_the_assessment() -> None:
    rows = [row(bench_events.READ, 1), row(ASSESS, 3), row(bench_events.LOOP, 15), row(ASSESS, 60, 100)]

    found = [(goal.what.split(": ")[-1], goal.measured, goal.is_met) for goal in bench_events.goals(rows)]

    assert ("assessment / bare reading", 3, False) in found
    assert ("loop with orjson / assessment", 5, True) in found
    assert ("time an event, largest log / smallest log", 2, False) in found


def test_the_table_says_what_was_measured() -> None:
    text = bench_page.rendered(
        {
            "machine": {"processor": "abacus"},
            "rows": [
                {"events": 1_000, "program": "quick", "seconds": 2, "cpu": 1.5, "mib": 64, "failure": "", "found": 3,
                 "planted": 4},
                {"events": 1_000, "program": "large", "failure": "no room"},
            ],
            "goals": [{"what": "peak", "measured": 2, "goal": 1, "at_least": False, "is_met": False}],
        }
    )  # fmt: skip

    assert "processor: abacus" in text
    assert "| 1,000 | quick | 2.0 | 1.5 | 2000.00 | 64 | 3 of 4 |" in text
    assert "| 1,000 | large |  |  |  |  | skipped: no room |" in text
    assert "| peak | 2.00 | <= 1 | no |" in text


def test_the_page_has_a_place_for_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(bench_page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(bench_page, "PAGE", page)

    bench_page.write({"machine": {"processor": "abacus"}, "rows": [], "goals": []})

    assert "processor: abacus" in page.read_text(encoding="utf-8")
