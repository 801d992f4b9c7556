"""What docs/pipelines.md and the other pages say to write in a pipeline, run as it stands there.

Evidence grows stale, so `psf-audit` is a script here that assesses as of the day the sample was made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/pipelines.md").read_text(encoding="utf-8")
REAL = Path(sys.executable).with_name("psf-audit")
DATED = f"""\
#!/bin/sh
case $1 in
    assess|hook) exec '{REAL}' "$@" --as-of=2026-11-22 ;;
    *) exec '{REAL}' "$@" ;;
esac
"""


def blocks(language: str) -> list[str]:
    """The blocks of the page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def documents() -> dict[str, Any]:
    """The blocks in YAML by the first key that tells them apart."""
    loaded = [yaml.safe_load(block) for block in blocks("yaml")]
    return {next(key for key in ("jobs", "readiness", "repos") if key in one): one for one in loaded}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository whose deployment is ready, with the baseline that the page speaks of."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "samples/guarded", folder)
    (folder / "manifest.yaml").rename(folder / "psf-audit.yaml")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "psf-audit").write_text(DATED, encoding="utf-8")
    (tools / "psf-audit").chmod(0o755)
    assert bash(folder, "psf-audit assess psf-audit.yaml -o json=baseline.json").returncode == 0
    return folder


def bash(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in bash as pipelines do: it ends at the first command that fails."""
    path = os.pathsep.join([str(folder.parent / "bin"), os.environ["PATH"]])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    environment = {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder.parent)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def spoil(folder: Path) -> None:
    """Take a document away from what it says, which makes a control worse."""
    (folder / "docs/stop-runbook.md").write_text("# Nothing\n", encoding="utf-8")


def test_the_gate_in_a_shell(workspace: Path) -> None:
    gate, _ = blocks("sh")

    done = bash(workspace, gate)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ready"), done.stderr
    spoil(workspace)
    done = bash(workspace, gate)
    assert (done.returncode, done.stdout.splitlines()[-1][:14]) == (1, "not ready, see")
    (workspace / "psf-audit.yaml").unlink()
    done = bash(workspace, gate)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (2, "no verdict (exit code 2)")


def test_the_comparison_in_a_shell(workspace: Path) -> None:
    _, comparison = blocks("sh")

    assert bash(workspace, comparison).returncode == 0
    spoil(workspace)
    done = bash(workspace, comparison)
    assert done.returncode == 1
    assert done.stdout.startswith("#")


@pytest.mark.parametrize(("key", "schema"), [("jobs", "github-workflows"), ("readiness", "gitlab-ci")])
def test_what_is_to_be_copied_fits_the_published_schema(tmp_path: Path, key: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    path = tmp_path / "job.yml"
    path.write_text(next(block for block in blocks("yaml") if f"\n{key}:" in f"\n{block}"), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_for_github_uses_the_action_as_it_is() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = documents()["jobs"]["jobs"]["readiness"]["steps"]
    (used,) = [step for step in steps if step.get("uses", "").startswith("OWNER/psf-audit@")]
    text = next(block for block in blocks("yaml") if "OWNER/psf-audit@" in block)

    assert set(used["with"]) <= set(action["inputs"])
    named = set(re.findall(rf"steps\.{used['id']}\.outputs\.([\w-]+)", text))
    assert named
    assert named <= set(action["outputs"])
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_the_comment_on_github_is_made_of_the_file(workspace: Path) -> None:
    (step,) = [step for step in documents()["jobs"]["jobs"]["readiness"]["steps"] if "run" in step]
    tool = workspace.parent / "bin/gh"
    tool.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    tool.chmod(0o755)

    done = bash(workspace, f"NUMBER='7; rm x' COMMENT='a b.md'; {step['run']}")

    assert done.stdout == "pr|comment|7; rm x|--body-file|a b.md|--edit-last|--create-if-none|"


def test_the_job_for_gitlab_leaves_what_it_promises(workspace: Path) -> None:
    job = documents()["readiness"]["readiness"]
    spoil(workspace)

    done = bash(workspace, "\n".join(job["script"]))

    assert done.returncode == 1, done.stderr
    (folder,) = job["artifacts"]["paths"]
    assert {f"{folder}{path.name}" for path in (workspace / folder).iterdir()} >= set(
        job["artifacts"]["reports"].values()
    )
    assert job["artifacts"]["when"] == "always"


def test_the_hook_has_the_arguments_that_the_page_gives(workspace: Path) -> None:
    (repo,) = documents()["repos"]["repos"]
    (hook,) = repo["hooks"]
    defined = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (entry,) = [one["entry"] for one in defined if one["id"] == hook["id"]]
    spoil(workspace)

    assert bash(workspace, f"{entry} {' '.join(hook['args'])} psf-audit.yaml").returncode == 0
    assert bash(workspace, f"{entry} psf-audit.yaml").returncode == 1
    (workspace / "psf-audit.yaml").write_text("schema: psf-audit/manifest/1\n", encoding="utf-8")
    assert bash(workspace, f"{entry} {' '.join(hook['args'])} psf-audit.yaml").returncode == 2
