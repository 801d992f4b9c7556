"""`psf-audit assess` as a program: exit codes, what goes where, and files that are written all or not at all."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psf_audit import audit
from psf_audit.cli import main, options, output
from psf_audit.errors import ConfigurationError
from psf_audit.report.json_report import JSON
from tests import deployments
from tests.deployments import AS_OF, Deployment, bare, event, guarded, log, started

FORMATS = ("html", "json", "markdown", "terminal")


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "deployment").mkdir()
    return guarded(tmp_path / "deployment")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""


def contradict(deployment: Deployment) -> None:
    deployment.put("evidence/log.jsonl", log(started(), event(name="forbidden.call", cost_usd=3)))


def hide(deployment: Deployment) -> None:
    (deployment.folder / "config/gateway.yaml").unlink()


def program(deployment: Deployment, *arguments: str, **given: Any) -> subprocess.CompletedProcess[bytes]:
    """The program as a process of its own."""
    command = [sys.executable, "-m", "psf_audit", "assess", str(deployment.save()), "--as-of", AS_OF.isoformat()]
    command += ["--rubric", str(deployment.folder / "rubric.yaml"), *arguments]
    return subprocess.run(command, check=False, **{"capture_output": True, **given})


# ----------------------------------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("change", "code", "line"),
    [
        (lambda _: None, 0, "ready: Every blocking control in every domain is demonstrated by the evidence (exit 0)"),
        (contradict, 1, "not ready: Spend: SPEND-01 contradicted (exit 1)"),
        (hide, 3, "incomplete: the evidence does not suffice: Spend: SPEND-01 unknown, SPEND-02 unknown (exit 3)"),
    ],
)
def test_the_exit_code_and_the_last_line_say_the_same(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Deployment], None],
    code: int,
    line: str,
) -> None:
    change(deployment)
    assert deployment.run() == code
    assert last_line(capsys.readouterr().err) == line


@pytest.mark.parametrize("format_", FORMATS)
def test_the_format_does_not_change_the_code(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    contradict(deployment)
    assert deployment.run("-f", format_) == 1
    printed = capsys.readouterr()
    assert printed.out
    assert printed.err == "not ready: Spend: SPEND-01 contradicted (exit 1)\n"


def test_the_standard_output_holds_the_report_and_nothing_else(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], out: Path
) -> None:
    deployment.run("-f", "json", "-o", f"html={out / 'report.html'}")
    printed = capsys.readouterr()
    assert json.loads(printed.out)["verdict"] == "ready"
    assert printed.err.splitlines()[0] == f"wrote {out / 'report.html'}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--colour"],
        ["--min-score", "many"],
        ["--min-score", "101"],
        ["--min-score", "-1"],
        ["--min-coverage", "101"],
        ["--fail-on", "demonstrated"],
        ["--fail-on", "not_applicable"],
        ["--fail-on", "failed"],
        ["--as-of", "yesterday"],
        ["--as-of", "2026-02-30"],
        ["--as-of", "9999-12-31"],
        ["--as-of", "0001-01-01"],
        ["--engine", "spork"],
        ["--rubric", "psf-agentic@99"],
        ["--rubric", "nobody@1"],
        ["--rubric", "gone.yaml"],
        ["--rubric", "../../etc/passwd"],
        ["--evidence-root", "/no/such/folder"],
        ["-f", "docx"],
        ["-f", "HTML"],
        ["-o", "html"],
        ["-o", "html="],
        ["-o", "=report.html"],
        ["-o", "docx=report.docx"],
        ["-o", "html=/no/such/folder/report.html"],
        ["-o", ""],
    ],
)
def test_what_cannot_apply_is_refused(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert deployment.run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip()
    assert "Traceback" not in printed.err


def test_two_manifests_are_a_mistake_and_not_the_last_one(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = deployment.save()
    other = tmp_path / "other"
    other.mkdir()
    failing = bare(other).save()
    for pair in ([ready, failing], [failing, ready]):
        assert main.run(["assess", *map(str, pair)]) == 2
        assert capsys.readouterr().out == ""


def test_no_manifest_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["assess"]) == 2
    assert main.run([]) == 2
    assert main.run(["asses", "x.yaml"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_and_version_are_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert main.run(["assess", "--help"]) == 0
    assert "--evidence-root" in capsys.readouterr().out


def test_a_bug_is_70_with_its_traceback_and_is_called_one(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit, "assess_manifest", broken)
    assert deployment.run("-o", f"html={out / 'report.html'}", "--exit-zero") == 70
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "ZeroDivisionError" in printed.err
    assert last_line(printed.err).startswith("This is a bug in psf-audit.")
    assert list(out.iterdir()) == []


def test_an_interrupt_is_130(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "assess_manifest", interrupted)
    assert deployment.run() == 130
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupted_process_exits_130(deployment: Deployment) -> None:
    code = (
        "import sys, threading; from psf_audit import collection; from psf_audit.cli import main\n"
        "def late(*_): print('started', file=sys.stderr, flush=True); threading.Event().wait(30)\n"
        "collection.collect = late; main.main()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "assess",
        str(deployment.save()),
        "--rubric",
        f"{deployment.folder}/rubric.yaml",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == b"started\n"
    process.send_signal(signal.SIGINT)
    printed, complained = process.communicate(timeout=20)
    assert process.returncode == 130
    assert printed == b""
    assert b"Traceback" not in complained


@pytest.mark.parametrize(("change", "code"), [(lambda _: None, 0), (contradict, 1), (hide, 3)])
def test_the_program_exits_as_its_function_says(
    deployment: Deployment, change: Callable[[Deployment], None], code: int
) -> None:
    change(deployment)
    done = program(deployment)
    assert done.returncode == code
    assert last_line(done.stderr.decode()).endswith(f"(exit {code})")
    assert b"SPEND-0" in done.stdout


# ----------------------------------------------------------------------------------------------------------- thresholds


def untested_alert(deployment: Deployment) -> None:
    """Ready, with a medium control that is not: score 16/18."""
    deployment.put("evidence/drills.xml", deployments.junit(*map(deployments.tried, deployments.IDS[:2])))


@pytest.mark.parametrize(
    ("manifest", "arguments", "code"),
    [
        ({}, [], 0),
        ({}, ["--min-score", "88"], 0),
        ({}, ["--min-score", "89"], 1),
        ({"min_score": 89}, [], 1),
        ({"min_score": 89}, ["--min-score", "0"], 1),
        ({"min_score": 10}, ["--min-score", "89"], 1),
        ({}, ["--fail-on", "untested"], 1),
        ({}, ["--fail-on", "missing", "--fail-on", "untested"], 1),
        ({"fail_on": ["untested"]}, ["--fail-on", "missing"], 1),
        ({"fail_on": ["missing"]}, [], 0),
        ({}, ["--fail-on", "missing"], 0),
        ({}, ["--min-coverage", "100"], 0),
    ],
)
def test_thresholds_of_manifest_and_command_line_add_up(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    manifest: dict[str, Any],
    arguments: list[str],
    code: int,
) -> None:
    untested_alert(deployment)
    deployment.manifest["gate"] = manifest
    assert deployment.run(*arguments) == code, capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--min-score", "0"], ["--min-coverage", "0"], ["--fail-on", "unknown"], []])
def test_no_threshold_switches_the_verdict_off(deployment: Deployment, arguments: list[str]) -> None:
    contradict(deployment)
    assert deployment.run(*arguments) == 1
    hide(deployment)
    assert deployment.run(*arguments) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [(lambda _: None, 0), (contradict, 0), (hide, 3), (lambda one: one.manifest.update(evidence=[]), 3)],
)
def test_exit_zero_turns_only_1_into_0(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], change: Callable[[Deployment], None], code: int
) -> None:
    change(deployment)
    assert deployment.run("--exit-zero") == code
    assert last_line(capsys.readouterr().err).endswith(f"(exit {code})")


def test_exit_zero_does_not_hide_a_usage_error(deployment: Deployment) -> None:
    assert deployment.run("--exit-zero", "--min-score", "101") == 2


def test_waivers_can_be_ignored(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.drop("docs/runbook.md")
    waiver = {"control": "SPEND-01", "reason": "soon", "owner": "A", "approved_by": "B", "expires": "2026-12-31"}
    deployment.manifest["waivers"] = [waiver]
    assert deployment.run() == 1
    assert "ready only with waivers" in last_line(capsys.readouterr().err)
    deployment.manifest["gate"] = {"require": "ready_with_waivers"}
    assert deployment.run() == 0
    assert deployment.run("--no-waivers", "-f", "json") == 1
    assert '"waivers_ignored": true' in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------------- output files


def every(out: Path) -> list[str]:
    """The arguments for one file of each format."""
    return [part for name in FORMATS for part in ("-o", f"{name}={out / name}")]


@pytest.mark.parametrize(("change", "code"), [(lambda _: None, 0), (contradict, 1), (hide, 3)])
def test_all_reports_are_written_before_it_exits_and_agree(
    deployment: Deployment,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Deployment], None],
    code: int,
) -> None:
    change(deployment)
    assert deployment.run(*every(out), "-f", "json") == code
    printed = capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == list(FORMATS)
    stored = json.loads((out / "json").read_text())
    assert printed.out == (out / "json").read_text()
    assert stored["gate"]["exit_code"] == code
    assert stored["gate"]["met"] is (code == 0)
    assert stored["gate"]["reason"] in last_line(printed.err)
    verdict = stored["verdict"].replace("_", " ")
    assert last_line(printed.err).startswith(verdict)
    for name in ("html", "markdown", "terminal"):
        text = (out / name).read_text()
        assert verdict in text.lower(), name
        for domain in stored["domains"]:
            for control in domain["controls"]:
                assert control["id"] in text, name


def test_files_have_the_usual_permissions(deployment: Deployment, out: Path) -> None:
    before = os.umask(0o027)
    try:
        deployment.run("-o", f"json={out / 'a.json'}")
    finally:
        os.umask(before)
    assert (out / "a.json").stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_there_stays_unless_forced(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "a.json").write_text("old")
    assert deployment.run("-o", f"json={out / 'a.json'}") == 2
    assert last_line(capsys.readouterr().err) == (
        f"psf-audit: {out / 'a.json'} is there already; give --force to replace it, or name another file"
    )
    assert (out / "a.json").read_text() == "old"
    assert deployment.run("-o", f"json={out / 'a.json'}", "--force") == 0
    assert json.loads((out / "a.json").read_text())["verdict"] == "ready"


def test_nothing_is_written_when_one_format_fails_to_render(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("cannot render")

    from dataclasses import replace

    known = output._formats()
    monkeypatch.setattr(output, "_formats", lambda: {**known, "json": replace(JSON, assessment=broken)})
    (out / "html").write_text("old")
    outputs = ("-o", f"html={out / 'html'}", "-o", f"json={out / 'json'}")
    assert deployment.run(*outputs, "--force") == 70
    assert {path.name: path.read_text() for path in out.iterdir()} == {"html": "old"}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_keeps_the_old_file_and_names_the_path(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
    target = out / "a.json"
    target.write_text("old")
    assert deployment.run("-o", f"json={target}", "--force") == 2
    printed = capsys.readouterr()
    assert last_line(printed.err) == f"psf-audit: cannot write {target}: No space left on device"
    assert printed.out == ""
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a.json": "old"}


def test_an_interrupt_while_writing_leaves_nothing_behind(
    deployment: Deployment, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    assert deployment.run("-o", f"json={out / 'a.json'}") == 130
    assert list(out.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    out.chmod(0o500)
    if os.geteuid() == 0:  # who may write anywhere
        monkeypatch.setattr(tempfile, "mkstemp", refused)
    assert deployment.run("-o", f"json={out / 'a.json'}") == 2
    assert f"cannot write {out / 'a.json'}: Permission denied" in capsys.readouterr().err


def test_a_folder_is_not_overwritten(deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "a.json").mkdir()
    assert deployment.run("-o", f"json={out / 'a.json'}") == 2
    assert f"cannot write {out / 'a.json'}" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["a.json"]


@pytest.mark.parametrize("leads", ["real.json", "nowhere.json", "link.json"])
def test_a_link_is_refused_and_when_forced_replaced_never_followed(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str], leads: str
) -> None:
    (out / "real.json").write_text("old")
    (out / "link.json").symlink_to(out / leads)
    assert deployment.run("-o", f"json={out / 'link.json'}") == 2
    assert f"{out / 'link.json'} is a link" in capsys.readouterr().err
    assert deployment.run("-o", f"json={out / 'link.json'}", "--force") == 0
    assert not (out / "link.json").is_symlink()
    assert json.loads((out / "link.json").read_text())["verdict"] == "ready"
    assert (out / "real.json").read_text() == "old"
    assert not (out / "nowhere.json").exists()


def test_a_folder_may_be_reached_through_a_link(deployment: Deployment, out: Path) -> None:
    (out / "real").mkdir()
    (out / "link").symlink_to(out / "real")
    assert deployment.run("-o", f"json={out / 'link' / 'a.json'}") == 0
    assert [path.name for path in (out / "real").iterdir()] == ["a.json"]


@pytest.mark.parametrize("links", [True, False])
def test_what_comes_while_a_report_is_made_is_not_overwritten(
    out: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def none(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", none)
    place = output.place_for(out / "a")
    place.__enter__().write_text("new")
    (out / "a").symlink_to(out / "elsewhere")
    with pytest.raises(ConfigurationError, match="is there already"):
        place.__exit__(None, None, None)
    assert [path.name for path in out.iterdir()] == ["a"]
    (out / "a").unlink()
    output.write(out / "a", b"\x00 bytes")
    assert (out / "a").read_bytes() == b"\x00 bytes"
    assert [path.name for path in out.iterdir()] == ["a"]


def test_where_a_file_has_one_name_only_a_failure_leaves_none(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        output.write(out / "a", "text")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_is_no_file_is_never_replaced(
    deployment: Deployment, out: Path, capsys: pytest.CaptureFixture[str], force: list[str]
) -> None:
    os.mkfifo(out / "pipe")
    assert deployment.run("-o", f"json={out / 'pipe'}", *force) == 2
    assert "it is no file that could be replaced" in capsys.readouterr().err
    assert stat.S_ISFIFO((out / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    "path",
    [
        "manifest.yaml",
        "rubric.yaml",
        "config/gateway.yaml",
        "evidence/log.jsonl",
        "prompts/system.md",
        "docs/../manifest.yaml",
    ],
)
def test_no_input_is_overwritten(deployment: Deployment, capsys: pytest.CaptureFixture[str], path: str) -> None:
    deployment.write("prompts/system.md", "Index.")
    deployment.manifest["agent"]["prompts"] = ["prompts/system.md"]
    deployment.save()
    before = (deployment.folder / path).read_bytes()
    assert deployment.run("-o", f"json={deployment.folder / path}") == 2
    assert "would overwrite an input" in capsys.readouterr().err
    assert (deployment.folder / path).read_bytes() == before


def test_no_input_is_overwritten_through_a_link(deployment: Deployment, out: Path) -> None:
    (out / "link").symlink_to(deployment.folder / "docs/runbook.md")
    assert deployment.run("-o", f"json={out / 'link'}") == 2
    (out / "manifest.yaml").symlink_to(deployment.save())
    rubric = ["--rubric", str(deployment.folder / "rubric.yaml"), "--as-of", AS_OF.isoformat()]
    through = ["assess", str(out / "manifest.yaml"), *rubric]
    assert main.run([*through, "-o", f"json={deployment.folder / 'evidence/log.jsonl'}"]) == 2
    assert main.run(through) == 0


def test_one_path_for_two_reports_is_refused(deployment: Deployment, out: Path) -> None:
    (out / "b").symlink_to(out / "a")
    assert deployment.run("-o", f"json={out / 'a'}", "-o", f"html={out / 'a'}") == 2
    assert deployment.run("-o", f"json={out / 'a'}", "-o", f"html={out / 'b'}") == 2
    assert deployment.run("-o", f"json={out / 'a'}", "-o", f"html={out / '..' / 'out' / 'a'}") == 2
    assert not (out / "a").exists()


def test_a_wrong_output_is_found_before_any_work(
    deployment: Deployment, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "assess_manifest", lambda *_: pytest.fail("it began to work"))
    assert deployment.run("-o", f"json={out / 'a'}", "-o", f"docx={out / 'b'}") == 2
    assert list(out.iterdir()) == []


# -------------------------------------------------------------------------------------------------- terminal and pipes


def test_a_reader_that_goes_away_is_no_error(deployment: Deployment) -> None:
    contradict(deployment)
    arguments = [str(deployment.save()), "--as-of", AS_OF.isoformat(), "--rubric", f"{deployment.folder}/rubric.yaml"]
    command = [sys.executable, "-m", "psf_audit", "assess", *arguments, "-f", "html"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complained = process.stderr.read().decode()
    assert process.returncode == 1
    assert complained == "not ready: Spend: SPEND-01 contradicted (exit 1)\n"


def test_an_output_that_cannot_be_written_is_an_error(deployment: Deployment) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = program(deployment, "-f", "markdown", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode() == "psf-audit: cannot write to the standard output: No space left on device\n"


def test_a_closed_output_is_an_error(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert deployment.run("-f", "json") == 2
    assert "cannot write to the standard output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, False), ({"NO_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True), ({"TERM": "xterm"}, False)],
)
def test_colour_follows_the_terminal_and_the_environment(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    colored: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    deployment.run()
    assert ("\x1b[" in capsys.readouterr().out) is colored


def test_on_a_terminal_there_is_colour_unless_it_is_not_wanted(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    deployment.run()
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    deployment.run()
    assert "\x1b[" not in capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 100, 160])
def test_the_report_is_as_wide_as_the_terminal(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    deployment.run()
    widths = {len(line) for line in capsys.readouterr().out.splitlines()}
    assert columns - 10 <= max(widths) <= columns


@pytest.mark.parametrize("columns", ["0", "1", "-5", "many"])
def test_an_absurd_width_is_survived(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert deployment.run() == 0
    assert "SPEND" in capsys.readouterr().out.upper()


def test_files_do_not_depend_on_the_terminal(
    deployment: Deployment, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run("-o", f"terminal={out / 'a'}")
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("FORCE_COLOR", "1")
    deployment.run("-o", f"terminal={out / 'b'}")
    assert (out / "a").read_text() == (out / "b").read_text()


def test_without_a_day_it_is_today(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    before = time.gmtime()
    main.run(["assess", str(deployment.save()), "--rubric", f"{deployment.folder}/rubric.yaml", "-f", "json"])
    said = json.loads(capsys.readouterr().out)["as_of"]
    assert said in {time.strftime("%Y-%m-%d", before), time.strftime("%Y-%m-%d", time.gmtime())}
    assert options.day(None).isoformat() >= said


def test_an_interrupt_that_comes_out_as_another_error_is_an_interrupt(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python 3.11 turns an interrupt in `__set_name__` into a RuntimeError, and imports run much of that."""

    def fail(*_: object) -> None:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    monkeypatch.setattr("psf_audit.collection.collect", fail)
    assert deployment.run() == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
