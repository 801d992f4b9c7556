"""`psf-audit fleet` as it is run: in processes of its own, killed, interrupted, out of room, twice at once."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from psf_audit.cli import main
from psf_audit.fleet import folders
from tests import fleets
from tests.deployments import guarded
from tests.everywhere import SECRETS, fill
from tools import bench_fleet

DAY = fleets.AS_OF.isoformat()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three deployments, read only."""
    folder = tmp_path_factory.mktemp("fleet")
    fleets.make(folder, 3)
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "psf_audit", "fleet", *map(str, arguments), "--as-of", DAY]


def run(*arguments: str | Path, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **given)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == found["exit_code"]
    return found


def test_one_that_is_bad_costs_no_other(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("schema: psf-audit/manifest/1\ndeployment: 1\n", encoding="utf-8")
    listed = tmp_path / "list.txt"
    good = sorted(fleet.rglob("manifest.yaml"))
    listed.write_text("\n".join(["bad.yaml", "no-such.yaml", *map(str, good)]), encoding="utf-8")
    found = told(run(listed, "-f", "json"))
    assert len(found["deployments"]) == 3
    assert [(Path(one["path"]).name, one["exit_code"]) for one in found["failed"]] == [
        ("bad.yaml", 2), ("no-such.yaml", 2),
    ]  # fmt: skip
    assert "bad.yaml:2" in found["failed"][0]["why"][0] or "bad.yaml:1" in found["failed"][0]["why"][0]


def test_nothing_found_is_never_a_pass(tmp_path: Path) -> None:
    assert main.run(["fleet", str(tmp_path)]) == 3
    assert main.run(["fleet", str(tmp_path), "--exit-zero"]) == 3
    assert main.run(["fleet", str(tmp_path / "nowhere")]) == 2


@pytest.mark.parametrize(
    "wrong", [["--fail-on", "x"], ["--within", "999"], ["--jobs", "0"], ["-f", "x"], ["--engine", "x"]]
)
def test_wrong_options_are_told_before_any_work(fleet: Path, wrong: list[str]) -> None:
    assert main.run(["fleet", str(fleet), *wrong]) == 2


def test_the_same_bytes_from_the_cache_in_every_form(fleet: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    made = []
    for name in ("first", "again"):
        outputs = [
            part for form in ("html", "csv", "markdown", "json") for part in ("-o", f"{form}={tmp_path / name}.{form}")
        ]
        done = run(fleet, "--reports", reports, *outputs)
        assert ("taken from the cache" in done.stderr) is (name == "again")
        made.append(
            {path.suffix: path.read_bytes() for path in tmp_path.glob(f"{name}.*")} | {"out": done.stdout.encode()}
        )
    assert made[0] == made[1]
    assert len(list(reports.glob("*.html"))) == len(list(reports.glob("*.json"))) == 3
    for one in json.loads(made[0][".json"])["deployments"]:
        assert f'href="./reports/{one["reports"][0]}"'.encode() in made[0][".html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["reports", *(f"{name}.{form}" for name in ("first", "again") for form in ("html", "csv", "markdown", "json"))]
    ), "nothing is written that was not named"


def test_the_nightly_job_runs_as_the_document_has_it(fleet: Path, repo: Path, tmp_path: Path) -> None:
    text = (repo / "docs" / "fleet.md").read_text(encoding="utf-8")
    (job,) = re.findall(r"```sh\n(psf-audit fleet .*?)```", text, re.DOTALL)
    (tmp_path / "agents").symlink_to(fleet)
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    line = job.replace("psf-audit", f"{sys.executable} -m psf_audit")
    for _ in range(2):
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, check=False, capture_output=True)
        assert done.returncode in {0, 1, 3}, done.stderr
    found = json.loads((tmp_path / "fleet/fleet.json").read_text(encoding="utf-8"))
    assert len(found["deployments"]) == 3
    index = (tmp_path / "fleet/index.html").read_text(encoding="utf-8")
    for one in found["deployments"]:
        assert (tmp_path / "fleet" / one["reports"][0]).is_file()
        assert f'href="./{one["reports"][0]}"' in index


def test_secrets_and_hostile_text_stay_where_they_are(tmp_path: Path) -> None:
    deployment = guarded(tmp_path / "one")
    text = f"=HYPERLINK(1) </script><script>alert(1)</script> \x1b[31m {SECRETS['github']} {SECRETS['anthropic']}"
    fill(deployment, text)
    deployment.save()
    (tmp_path / "one" / f"bad {SECRETS['slack']}.yaml").write_text("schema: psf-audit/manifest/1\n", encoding="utf-8")
    for form in ("terminal", "markdown", "html", "csv", "json"):
        done = run(tmp_path / "one", "-f", form, "--cache", tmp_path / "cache", env={**os.environ, "COLUMNS": "4000"})
        shown = done.stdout + done.stderr
        assert [name for name, secret in SECRETS.items() if secret in shown] == []
        assert "<script>alert" not in shown
        assert "\x1b" not in shown
    kept = "".join(path.read_text() for path in (tmp_path / "cache").rglob("*.json"))
    assert [name for name, secret in SECRETS.items() if secret in kept] == []


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves what it counted of coverage half written, so such a one counts nothing."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("uncounted")
def test_a_worker_that_dies_costs_the_deployment_that_it_was_at(
    tmp_path: Path,
) -> None:
    fleets.make(tmp_path / "fleet", 6)
    with subprocess.Popen(
        command(tmp_path / "fleet", "-f", "json", "-j", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        workers = _wait(lambda: _assessing(process.pid))
        os.kill(workers[0], signal.SIGKILL)
        out, _ = process.communicate()
    found = json.loads(out)
    assert [one["why"][0].split(":")[0] for one in found["failed"]] == [
        "the process that assessed it was ended by SIGKILL"
    ]
    assert len(found["deployments"]) == 5
    assert process.returncode != 0


def _assessing(pid: int) -> list[int]:
    """The workers that have loaded the database: they are at a deployment, and stay at it for a while."""
    return [one for one in bench_fleet.children(pid) if "duckdb" in _maps(one)]


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except OSError:
        return ""


def _wait(look: Any, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.01)
    pytest.fail("it did not happen")


def _hears_interrupts() -> None:
    """What is started in the background of a shell does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_ends_it_and_all_that_it_started(tmp_path: Path) -> None:
    fleets.make(tmp_path / "fleet", 20)
    cache = tmp_path / "cache"
    with subprocess.Popen(
        command(tmp_path / "fleet", "--cache", cache),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hears_interrupts,  # noqa: PLW1509  no thread runs here
    ) as process:
        workers = _wait(lambda: _assessing(process.pid))
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.communicate()
    assert process.returncode == 130
    assert time.monotonic() - started < 10
    assert [pid for pid in workers if _maps(pid)] == []
    assert [path for path in cache.rglob(".*") if path.name != folders.LOCK] == []


@pytest.mark.usefixtures("uncounted")
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_fleet, "KILLED", 4)
    assert bench_fleet.killed(tmp_path, 4, seed=3) > 0


def test_two_runs_at_once_do_not_disturb_each_other(fleet: Path, tmp_path: Path) -> None:
    arguments = command(fleet, "--reports", tmp_path / "reports", "-f", "json", "-j", "1")
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    out = [process.communicate()[0] for process in both]
    assert out[0] == out[1]
    assert json.loads(out[0])["failed"] == []
    assert bench_fleet.unfinished(tmp_path / "reports") == []
    assert "3 of 3" in run(fleet, "--reports", tmp_path / "reports").stderr


def _little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))


def test_where_there_is_no_room_the_cache_has_whole_entries_or_none(fleet: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = run(fleet, "--cache", cache, "-f", "json", preexec_fn=_little_room)
    assert len(json.loads(done.stdout)["deployments"]) == 3
    assert "not kept in the cache: cannot write" in done.stderr
    assert [path for path in cache.rglob("*") if path.is_file() and path.name != folders.LOCK] == []


def test_where_there_is_no_room_for_reports_that_is_an_error_and_the_old_ones_stay(fleet: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    run(fleet, "--reports", reports)
    old = {path: path.read_bytes() for path in reports.glob("*.html")}
    later = [*command(fleet, "--reports", reports, "--force", "-f", "json")[:-1], "2026-11-23"]
    done = subprocess.run(later, capture_output=True, text=True, check=False, preexec_fn=_little_room)
    found = json.loads(done.stdout)
    assert len(found["failed"]) == 3
    assert all("cannot write" in one["why"][0] for one in found["failed"])
    assert done.returncode == 2
    assert {path: path.read_bytes() for path in reports.glob("*.html")} == old


def test_a_folder_that_cannot_be_is_told_before_any_work(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for option in ("--cache", "--reports"):
        assert main.run(["fleet", str(fleet), option, str(tmp_path / "file")]) == 2
        assert main.run(["fleet", str(fleet), option, str(tmp_path / "no" / "such")]) == 2


def test_what_a_killed_run_left_is_swept_when_nobody_else_is_at_work(tmp_path: Path) -> None:
    left = tmp_path / "ab" / f".{'a' * 64}.json.x1y2z3_4"
    left.parent.mkdir()
    mine = tmp_path / ".mine.json.backup"
    for path in (left, mine):
        path.write_text("half", encoding="utf-8")
    with folders.in_use([tmp_path]):
        assert (left.exists(), mine.exists()) == (False, True)
        left.write_text("of another run", encoding="utf-8")
        with folders.in_use([tmp_path]):
            assert left.exists()
