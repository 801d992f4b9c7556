"""The Python interface, and the examples that document it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
from datetime import date
from pathlib import Path

import pytest

from psf_audit import api
from psf_audit.errors import AuditError, ConfigurationError, ExitCode
from psf_audit.model import Gate, Verdict
from psf_audit.rendering import View
from tests.deployments import AS_OF, Deployment, guarded

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


def made(deployment: Deployment, gate: Gate | None = None) -> api.Assessment:
    rubric = str(deployment.folder / "rubric.yaml")
    return api.assess(deployment.save(), as_of=AS_OF, rubric=rubric, gate=gate)


def test_it_gives_what_the_command_gives(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    assessment = made(deployment)

    for name in api.formats():
        assert deployment.run("-f", name) == api.decide(assessment).code
        printed = capsys.readouterr().out
        text = api.render(assessment, name)
        assert printed == (text if text.endswith("\n") else f"{text}\n")


def test_what_was_rendered_as_json_is_loaded_again(deployment: Deployment, tmp_path: Path) -> None:
    assessment = made(deployment)
    stored = tmp_path / "stored.json"
    stored.write_text(api.render(assessment, "json"), encoding="utf-8")

    assert api.render(api.load(str(stored)), "html") == api.render(assessment, "html")
    assert api.diff(api.load(stored), assessment).regressions == ()


def test_a_gate_of_the_caller_replaces_that_of_the_manifest(deployment: Deployment) -> None:
    deployment.drop("docs/runbook.md")
    assessment = made(deployment, Gate(min_score=100))

    assert assessment.verdict is Verdict.NOT_READY
    assert assessment.gate == Gate(min_score=100)
    assert api.decide(assessment).code is ExitCode.GATE_NOT_MET


def test_evidence_may_not_leave_the_folder_of_the_caller(deployment: Deployment) -> None:
    rubric = str(deployment.folder / "rubric.yaml")
    confined = api.assess(
        deployment.save(), as_of=AS_OF, rubric=rubric, evidence_root=deployment.folder / "config", ignore_waivers=True
    )

    assert {entry.path for entry in confined.evidence if entry.readable} == {"config/gateway.yaml"}


def test_the_view_says_how_wide_and_whether_in_colour(deployment: Deployment) -> None:
    assessment = made(deployment)

    assert "\x1b[" in api.render(assessment, "terminal", View(width=60, color=True))
    assert max(map(len, api.render(assessment, "terminal", View(width=60)).splitlines())) <= 60


def test_errors_say_what_to_do(deployment: Deployment, tmp_path: Path) -> None:
    assessment = made(deployment)

    with pytest.raises(ConfigurationError, match="there is no format 'docx'"):
        api.render(assessment, "docx")
    with pytest.raises(AuditError, match="gone"):
        api.load(tmp_path / "gone.json")
    with pytest.raises(AuditError, match="gone"):
        api.assess(tmp_path / "gone.yaml", as_of=date(2026, 11, 22))


def test_formats_without_a_form_for_it_say_so(deployment: Deployment) -> None:
    assessment = made(deployment)
    assert assessment.exposure is not None
    for thing, form in ((api.diff(assessment, assessment), "comparison"), (assessment.exposure, "exposure")):
        for name, kind in api.formats().items():
            if getattr(kind, form) is not None:
                assert api.render(thing, name)
                continue
            with pytest.raises(ConfigurationError, match=f"{name} has no form for"):
                api.render(thing, name)


# -------------------------------------------------------------------------------------------------------- documentation


def test_everything_exported_is_documented(repo: Path) -> None:
    text = (repo / "docs/api.md").read_text(encoding="utf-8")
    functions = [name for name in api.__all__ if inspect.isfunction(getattr(api, name))]

    assert functions
    assert [name for name in functions if f"| `{name}(" not in text] == []
    assert [name for name in api.__all__ if not getattr(api, name).__doc__] == []


def test_the_examples_run_and_print_what_is_shown(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    page = repo / "docs" / "api.md"
    text = page.read_text(encoding="utf-8")
    (tmp_path / "samples").symlink_to(repo / "samples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    printed: list[str] = []

    def again(match: re.Match[str]) -> str:
        if match[1] == "text":
            return f"```text\n{''.join(printed)}```"
        printed.clear()
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(ast.parse(match[2]), str(page), "exec"), names)  # noqa: S102  the examples of this very project
        printed.append(out.getvalue())
        return match[0]

    shown = BLOCK.sub(again, text)
    if request.config.getoption("--update-golden"):
        page.write_text(shown, encoding="utf-8")
    assert shown == page.read_text(encoding="utf-8")
