"""`psf-audit completion`: the scripts, in the shells they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from psf_audit import schemas
from psf_audit.cli import main
from psf_audit.model import Status
from psf_audit.plugins import discover
from psf_audit.query import Engine
from psf_audit.rendering import ReportFormat

FORMATS = sorted(discover("psf_audit.report", ReportFormat))
BASH = """\
eval "$(psf-audit completion bash)"
complete -p psf-audit
compopt() { echo compopt "$@"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_psf_audit_completion psf-audit
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """\
autoload -Uz compinit; compinit -D -u
eval "$(psf-audit completion zsh)"
print -r -- "registered $_comps[psf-audit]"
_arguments() { print -r -- "$@" }
_files() { print -r -- files }
words=("$@"); CURRENT=$#
_psf_audit_completion
"""
FISH = """\
psf-audit completion fish | source
complete -C "$argv"
"""


def shell(name: str, script: str, *words: str, folder: Path) -> str:
    """What a script prints in a shell that finds this very psf-audit and reads no settings."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    place = () if name == "fish" else (name,)
    done = subprocess.run(
        [program, *options, "-c", script, *place, *words],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("typed", "fitting"),
    [
        (("expl",), ["explain"]),
        (("assess", "--min-s"), ["--min-score"]),
        (("assess", "-f", ""), FORMATS),
        (("explain", "SPEND-01"), ["SPEND-01"]),
        (("explain", "--rubric", "psf-agentic@1.0", "READY-03"), ["READY-03"]),
        (("explain", "--rubric", "gone", "READY-03"), []),
        (("rubric", "show", "psf-agentic@1.1"), ["psf-agentic@1.1.0"]),
        (("rubric", "test", "--control", "CHECK-02"), ["CHECK-02"]),
        (("assess", "--fail-on", "un"), [one.value for one in Status if one.value.startswith("un")]),
        (("assess", "--engine", ""), list(discover("psf_audit.engine", Engine))),
        (("schema", ""), list(schemas.names())),
        (("evidence", "show", "log.jsonl", "--format", "litellm-c"), ["litellm-config"]),
        (("completion", "z"), ["zsh"]),
        (("assess", "man"), []),
    ],
)
def test_bash_completes_what_there_is(tmp_path: Path, typed: tuple[str, ...], fitting: list[str]) -> None:
    first, *found = shell("bash", BASH, "psf-audit", *typed, folder=tmp_path).splitlines()

    assert first == "complete -o default -F _psf_audit_completion psf-audit"  # files, where nothing fits
    assert [one for one in found if one] == fitting


def test_bash_leaves_no_space_before_the_path_of_a_report(tmp_path: Path) -> None:
    assert shell("bash", BASH, "psf-audit", "assess", "-o", "js", folder=tmp_path).splitlines()[1:] == [
        "compopt -o nospace",
        "json=",
    ]


def test_zsh_completes_what_there_is(tmp_path: Path) -> None:
    found = shell("zsh", ZSH, "psf-audit", "explain", "SPEND-01", folder=tmp_path)
    files = shell("zsh", ZSH, "psf-audit", "assess", "man", folder=tmp_path)

    assert found.splitlines()[0] == "registered _psf_audit_completion"
    assert '"SPEND-01"' in found
    assert files.splitlines()[1:] == ["files"]


def test_fish_completes_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").touch()

    assert shell("fish", FISH, "psf-audit explain SPEND-01", folder=tmp_path).split() == ["SPEND-01"]
    assert shell("fish", FISH, "psf-audit assess --fail-on unk", folder=tmp_path).split() == ["unknown"]
    assert shell("fish", FISH, "psf-audit assess man", folder=tmp_path).split() == ["manifest.yaml"]


def test_other_shells_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", "cmd"]) == 2
    assert "there is no completion for 'cmd'; use one of bash, zsh, fish" in capsys.readouterr().err
