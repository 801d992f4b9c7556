"""The GitHub Action and the hook for pre-commit: each script as it stands there, run in bash on fresh files.

`tracked` is a copy of what git would give to those who use the project, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from psf_audit.reading import parse_yaml

ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
DAY = "2026-11-22"


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that are under version control, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("tracked")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@dataclass
class Job:
    """A job on a runner that uses the action: its inputs, its files, and what the steps have said so far."""

    folder: Path
    workspace: Path
    source: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""

    @property
    def summary(self) -> str:
        path = self.folder / "summary"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def value(self, expression: str) -> str:
        """An expression between `${{` and `}}`; only what the action uses can be worked out here."""
        if expression.startswith("inputs."):
            name = expression.removeprefix("inputs.")
            return self.inputs.get(name, str(ACTION["inputs"][name]["default"]))
        if expression.startswith("steps."):
            _, step, _, name = expression.split(".")
            return self.outputs.get(step, {}).get(name, "")
        return {"github.action_path": str(self.source), "runner.temp": str(self.folder)}[expression]

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: self.value(match[1]), text)

    def holds(self, condition: str) -> bool:
        """Whether a step runs: comparisons joined by `&&`, after what failed as well where it says `always()`."""
        parts = [part.strip() for part in condition.split("&&")]
        for part in parts:
            if part == "always()":
                continue
            left, operator, right = part.split(" ")
            if (self.value(left) == right.strip("'")) is not (operator == "=="):
                return False
        return True

    def step(self, step: dict[str, Any]) -> int:
        """Run the script of a step as the runner would; its exit code."""
        files = {name: self.folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        files["GITHUB_STEP_SUMMARY"] = self.folder / "summary"
        files["GITHUB_OUTPUT"].write_text("", encoding="utf-8")
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        given = {name: self.filled(text) for name, text in step.get("env", {}).items()}
        script = self.folder / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env={**kept, **{name: str(path) for name, path in files.items()}, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        if "id" in step:
            self.outputs[step["id"]] = said(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))
        return done.returncode

    def run(self) -> int:
        """The exit code of the job; steps that use other actions are left out."""
        code = 0
        for step in STEPS:
            condition = step.get("if", "")
            if "run" not in step or step.get("id") == "install" or (code and "always()" not in condition):
                continue
            if not condition or self.holds(condition):
                code = self.step(step) or code
        return code


def said(text: str) -> dict[str, str]:
    """What a step wrote to GITHUB_OUTPUT, as the runner reads it."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, separator, value = line.partition("=")
        if separator and "<<" not in name:
            found[name] = value
            continue
        name, _, end = line.partition("<<")
        found[name] = "\n".join(iter(lambda: next(lines), end))
    return found


def installed(folder: Path) -> Path:
    """What the first step leaves behind, with the psf-audit of these tests in it."""
    place = folder / "psf-audit-test"
    (place / "reports").mkdir(parents=True)
    (place / "venv").symlink_to(Path(sys.executable).parent.parent)
    return place


@pytest.fixture
def job(tmp_path: Path, tracked: Path) -> Job:
    """A job in a repository that holds the samples, after the installation."""
    workspace = tmp_path / "workspace"
    shutil.copytree(tracked / "samples", workspace / "samples")
    made = Job(tmp_path, workspace, tracked, {"manifest": "samples/dn42/manifest.yaml", "as-of": DAY})
    made.outputs["install"] = {"folder": str(installed(tmp_path))}
    return made


# ------------------------------------------------------------------------------------------------------------ its form


def test_no_input_is_ever_part_of_a_script() -> None:
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_input_and_output_is_used_and_described() -> None:
    text = yaml.safe_dump(ACTION["runs"])
    used = set(re.findall(r"inputs\.([\w-]+)", text))

    assert used == set(ACTION["inputs"])
    for one in ACTION["inputs"].values():
        assert one["description"].endswith(".")
        assert isinstance(one["default"], str)
    for output in ACTION["outputs"].values():
        match = re.fullmatch(r"\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}", output["value"])
        assert match is not None
        (script,) = [step["run"] for step in STEPS if step.get("id") == match[1]]
        assert re.search(rf"\b{match[2]}(=|<<)", script)


def test_other_actions_are_pinned_to_a_version() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]

    assert used
    assert [one for one in used if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+@v\d+", one)] == []


def test_it_fits_the_published_schema_of_actions() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scripts_pass_shellcheck(tmp_path: Path) -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    for number, step in enumerate(step for step in STEPS if "run" in step):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/usr/bin/env bash\n{step['run']}", encoding="utf-8")
        done = subprocess.run([program, str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


# --------------------------------------------------------------------------------------------------------- what it does


def test_a_deployment_that_is_not_ready_fails_after_everything_was_written(job: Job) -> None:
    assert job.run() == 1, job.log

    outputs = job.outputs["assess"]
    assert (outputs["exit-code"], outputs["verdict"], outputs["assessed"]) == ("1", "not_ready", "true")
    written = {path.name for path in Path(outputs["reports"]).iterdir()}
    assert written == {"assessment.json", "report.html", "report.md", "junit.xml", "psf-audit.sarif", "summary.md"}
    assert "not ready" in job.summary
    assert "::error" in job.log
    assert "compare" not in job.outputs


def test_one_that_is_ready_passes(job: Job) -> None:
    job.inputs["manifest"] = "samples/guarded/manifest.yaml"

    assert job.run() == 0, job.log
    assert job.outputs["assess"]["verdict"] == "ready"


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"manifest": "gone.yaml"}, 2, "gone.yaml"),
        ({"as-of": "yesterday"}, 2, "--as-of 'yesterday' is no day"),
        ({"rubric": "psf-agentic@9"}, 2, "has no version 9"),
        ({"min-score": "101"}, 2, "--min-score 101 cannot apply"),
        ({"min-coverage": "-1"}, 2, "--min-coverage -1 cannot apply"),
        ({"fail-on": "unknown, untested\n*"}, 2, "--fail-on '*' cannot apply"),
        ({"manifest": "--exit-zero"}, 2, "--exit-zero"),
        ({"manifest": "$(touch owned); `touch owned`"}, 2, "$(touch owned)"),
        ({"rubric": '"; touch owned; "'}, 2, "touch owned"),
    ],
)
def test_what_is_wrong_keeps_its_exit_code_and_runs_nothing(
    job: Job, inputs: dict[str, str], code: int, said: str
) -> None:
    job.inputs |= inputs

    assert job.run() == code
    assert said in job.log
    assert "Traceback" not in job.log
    assert not list(job.folder.rglob("owned"))
    assert "assessed" not in job.outputs["assess"]
    assert f"could not assess this (exit code {code})" in job.summary


def test_thresholds_reach_the_gate(job: Job) -> None:
    job.inputs |= {"manifest": "samples/guarded/manifest.yaml", "no-waivers": "true", "fail-on": "unknown,untested"}
    job.inputs |= {"min-score": "90", "min-coverage": "90", "rubric": "psf-agentic@1.0.0"}
    job.run()

    stored = json.loads((Path(job.outputs["assess"]["reports"]) / "assessment.json").read_text(encoding="utf-8"))
    assert stored["rubric"]["version"] == "1.0.0"
    assert stored["gate"] | {"fail_on": ["unknown", "untested"], "min_score": 90, "min_coverage": 90} == stored["gate"]


# ---------------------------------------------------------------------------------------------------------- comparisons


@pytest.fixture
def baseline(job: Job) -> Path:
    """An assessment of the sample that is ready, kept in the repository."""
    path = job.workspace / "baseline.json"
    command = [sys.executable, "-m", "psf_audit", "assess", "samples/guarded/manifest.yaml", "--as-of", DAY]
    subprocess.run([*command, "-o", f"json={path}"], cwd=job.workspace, check=True, capture_output=True)
    return path


def test_what_changed_is_a_text_for_a_comment(job: Job, baseline: Path) -> None:
    job.inputs |= {"baseline": baseline.name, "manifest": "samples/guarded/manifest.yaml", "fail-on-regression": "true"}

    assert job.run() == 0, job.log
    outputs = job.outputs["compare"]
    comment = Path(outputs["comment-file"]).read_text(encoding="utf-8")
    assert outputs["comment"].strip() == comment.strip()
    assert comment.startswith("#")
    assert comment in job.summary


def test_a_regression_fails_where_it_is_asked_to(job: Job, baseline: Path) -> None:
    manifest = job.workspace / "samples/guarded/manifest.yaml"
    text = manifest.read_text(encoding="utf-8")
    (job.workspace / "samples/guarded/docs/stop-runbook.md").write_text("# Nothing\n", encoding="utf-8")
    manifest.write_text(text + "\ngate: {require: ready_with_waivers}\n" if "gate:" not in text else text)
    job.inputs |= {"baseline": baseline.name, "manifest": str(manifest.relative_to(job.workspace))}

    job.run()
    assert job.outputs["compare"]["exit-code"] == "0"
    (Path(job.outputs["install"]["folder"]) / "reports").rename(job.folder / "old")
    (Path(job.outputs["install"]["folder"]) / "reports").mkdir()
    job.inputs["fail-on-regression"] = "true"
    assert job.run() == 1
    assert job.outputs["compare"]["exit-code"] == "1"


def test_a_regression_alone_fails_the_job(job: Job) -> None:
    job.outputs |= {"assess": {"exit-code": "0"}, "compare": {"exit-code": "1"}}

    assert job.step(STEPS[-1]) == 1
    job.outputs["compare"] = {}
    assert job.step(STEPS[-1]) == 0
    job.outputs["assess"] = {}
    assert job.step(STEPS[-1]) == 3  # the step before broke down: that is no pass


def test_a_baseline_that_is_none_fails_the_job(job: Job) -> None:
    (job.workspace / "baseline.json").write_text("{}", encoding="utf-8")
    job.inputs |= {"baseline": "baseline.json", "manifest": "samples/guarded/manifest.yaml"}

    assert job.run() == 2
    assert "baseline.json" in job.log


# --------------------------------------------------------------------------------------------------------- pre-commit

(HOOK,) = parse_yaml((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")).value


def hook(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The entry of the hook, as pre-commit starts it."""
    program, *first = HOOK["entry"].split()
    command = [str(Path(sys.executable).with_name(program)), *first, *arguments]
    return subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)


def test_the_hook_assesses_the_manifests_among_the_files(job: Job) -> None:
    (job.workspace / "other.yaml").write_text("a: 1\n", encoding="utf-8")
    ready, unready = (f"samples/{name}/manifest.yaml" for name in ("guarded", "dn42"))
    day = f"--as-of={DAY}"

    none = hook(job.workspace, day, "other.yaml")
    assert (none.returncode, none.stdout) == (0, "")
    both = hook(job.workspace, day, unready, "other.yaml", ready)
    assert both.returncode == 1
    assert [line.rpartition("(")[2] for line in both.stderr.splitlines()] == ["exit 1)", "exit 0)"]
    assert hook(job.workspace, day, "--exit-zero", unready).returncode == 0
    assert hook(job.workspace, day, "--fail-on=nothing", ready).returncode == 2


def test_the_hook_reports_a_broken_manifest_and_goes_on(job: Job) -> None:
    (job.workspace / "broken.yaml").write_text("schema: psf-audit/manifest/1\nagent: [\n", encoding="utf-8")
    done = hook(job.workspace, f"--as-of={DAY}", "broken.yaml", "gone.yaml", "samples/dn42/manifest.yaml")

    assert done.returncode == 2
    assert "broken.yaml:" in done.stderr
    assert "gone.yaml" in done.stderr
    assert "(exit 1)" in done.stderr


def test_the_hook_in_pre_commit_itself(job: Job) -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    program = str(Path(sys.executable).with_name("pre-commit"))
    definition = {**HOOK, "language": "system", "args": [f"--as-of={DAY}"]}
    definition["entry"] = str(Path(sys.executable).with_name("psf-audit")) + " hook"
    config = {"repos": [{"repo": "local", "hooks": [definition]}]}
    (job.workspace / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(job.folder / "pre-commit"), "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["git", "init", "-q"], ["git", "add", "-A"]):
        subprocess.run(command, cwd=job.workspace, check=True, env=environment)

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [program, "run", "psf-audit", "--files", f"samples/{name}/manifest.yaml", f"samples/{name}/README.md"]
        return subprocess.run(command, cwd=job.workspace, env=environment, capture_output=True, text=True, check=False)

    assert run("guarded").returncode == 0, run("guarded").stdout
    failed = run("dn42")
    assert failed.returncode == 1
    assert "not ready" in failed.stdout
