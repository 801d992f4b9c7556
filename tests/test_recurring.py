"""What docs/recurring.md says to run, run as it stands there; and the year that samples/lifecycle tells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from psf_audit import api
from psf_audit.model import Verdict
from psf_audit.standing import State, standing_of
from psf_audit.trend.history import trend_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/recurring.md").read_text(encoding="utf-8")
STORY = sorted((ROOT / "samples/lifecycle/assessments").glob("*.json"))
DAY = "2026-11-23"


def blocks() -> list[str]:
    """The commands of the page that are to be copied, the night job first."""
    return re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a ready deployment and its last assessment."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "samples/guarded", folder)
    (folder / "manifest.yaml").rename(folder / "psf-audit.yaml")
    done = bash(folder, "psf-audit assess psf-audit.yaml --as-of 2026-11-22 -f json > assessment.json")
    assert done.returncode == 0, done.stderr
    return folder


def bash(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)


def dated(script: str) -> str:
    """The script as of the day after the assessment: the evidence of the sample grows stale."""
    return re.sub(r"^(psf-audit (?:status|assess) )", rf"\1--as-of {DAY} ", script, flags=re.MULTILINE)


def test_the_job_of_the_night(workspace: Path) -> None:
    night, _ = blocks()
    assert bash(workspace, dated(night)).returncode == 0
    assert (workspace / "standing.md").read_text(encoding="utf-8").startswith("# Valid: registry-indexer")
    (workspace / "standing.md").unlink()
    (workspace / "prompts/system.md").write_text("Do as you like.", encoding="utf-8")
    done = bash(workspace, dated(night))
    assert done.returncode == 1
    assert "prompt prompts/system.md has other text" in done.stderr


def test_the_gate_before_a_release(workspace: Path) -> None:
    _, release = blocks()
    done = bash(workspace, dated(release))
    assert done.returncode == 0, done.stderr
    assert "Since the assessment of 2026-11-22" in (workspace / "new.html").read_text(encoding="utf-8")
    for name in ("new.json", "new.html", "release-note.md"):
        (workspace / name).unlink()
    manifest = workspace / "psf-audit.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("max_per_hour: 60, retries: 2", "max_per_hour: 600, retries: 2"), encoding="utf-8")
    done = bash(workspace, dated(release).replace("psf-audit assess", "psf-audit assess --exit-zero"))
    assert done.returncode == 1
    assert "max per hour 600, before 60" in (workspace / "release-note.md").read_text(encoding="utf-8")


def test_the_year_is_told_as_its_readme_tells_it() -> None:
    told = [api.load(path) for path in STORY]
    assert [made.verdict for made in told] == [
        Verdict.READY, Verdict.READY, Verdict.NOT_READY, Verdict.READY, Verdict.READY_WITH_WAIVERS, Verdict.NOT_READY,
        Verdict.READY,
    ]  # fmt: skip
    launch, later = told[0], told[1:]
    assert standing_of(launch, launch.as_of, within_days=0).state is State.VALID
    assert standing_of(launch, later[0].as_of, within_days=0).state is State.EXPIRED
    trend = trend_of(told)
    assert "new tool cloud.create_stack via aws" in [change.what for change in trend.steps[1].changes]
    assert all(control.open_since is None for control in trend.controls)
    assert [point.same_scoring for point in trend.points] == [False] * 6 + [True]
    runbook = next(control for control in trend.controls if control.id == "CHECK-08")
    assert [status.value for status in runbook.statuses[3:] if status] == [
        "demonstrated", "undocumented", "undocumented", "demonstrated",
    ]  # fmt: skip


def test_the_first_chapter_is_the_guarded_sample() -> None:
    """The story rests on the evidence that is there to be read."""
    assert api.load(STORY[0]).fingerprint == api.load(STORY[3]).fingerprint


@pytest.mark.parametrize("path", STORY, ids=[path.stem for path in STORY])
def test_each_chapter_is_small_enough_to_keep(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
