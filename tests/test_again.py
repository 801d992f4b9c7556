"""Assessments by two versions of a rubric: what is known of them, and the later one by the earlier rubric."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from psf_audit import again, audit, compare
from psf_audit.cli import main
from psf_audit.compare import Kind, Rubrics
from psf_audit.errors import ConfigurationError, ExitCode
from psf_audit.migration import Moved
from psf_audit.model import Assessment, Status
from psf_audit.rendering import View
from psf_audit.report.json_report import JSON
from tests.compare_strategies import OTHER_SCORING, assessment, control
from tests.deployments import guarded

DAY = date(2026, 11, 22)
RENAMED = {"SPEND-01": Moved(("SPEND-02",), ("It asks of all money now.",))}
SPLIT = {"SPEND-01": Moved(("SPEND-01", "AUDIT-01"), ("The log is asked about apart.",))}
REMOVED = {"SPEND-01": Moved((), ("Nobody needs it.",))}


def by(version: str, repo: Path) -> Assessment:
    return audit.run(repo / "samples/guarded/manifest.yaml", audit.Options(as_of=DAY, rubric=f"psf-agentic@{version}"))


@pytest.fixture(scope="module")
def old(repo: Path) -> Assessment:
    return by("1.2.0", repo)


@pytest.fixture(scope="module")
def new(repo: Path) -> Assessment:
    return by("1.3.0", repo)


def test_what_the_newer_rubric_asks_is_told(old: Assessment, new: Assessment) -> None:
    made = again.diff(old, new)
    assert not made.comparable
    told = " ".join(made.notes)
    assert "psf-agentic@1.3.0 asks, 3 controls: " in told
    assert "BOUND-12" in told
    split = next(change for change in made.controls if change.id == "BOUND-12")
    assert split.because[0].startswith("asks what SPEND-09 asked before: ")


def test_by_the_old_rubric_both_sides_compare(old: Assessment, new: Assessment, repo: Path) -> None:
    manifest = repo / "samples/guarded/manifest.yaml"
    made = again.diff_by_old_rubric(old, new, manifest, audit.Options(as_of=DAY))
    assert made.comparable
    assert made.by_kind(Kind.REGRESSED) == ()
    assert compare.regression_gate(made).code is ExitCode.READY
    assert [told.partition(" ")[0] for told in made.by_rubric] == ["BOUND-11", "BOUND-12", "SPEND-11"]
    assert all("absent → " in told for told in made.by_rubric)


def test_the_command_says_it_in_every_form(
    old: Assessment, new: Assessment, repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for name, made in (("old", old), ("new", new)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(JSON.assessment(made, View()), encoding="utf-8")
    given = [str(path) for path in paths]
    manifest = str(repo / "samples/guarded/manifest.yaml")
    assert main.run(["diff", *given, "--fail-on", "regression"]) == 2
    for form in ("terminal", "markdown", "html", "json"):
        assert main.run(["diff", *given, "--fail-on", "regression", "--reassess", manifest, "-f", form]) == 0
        assert "BOUND-12" in capsys.readouterr().out
    assert main.run(["diff", *given, given[0], "--reassess", manifest]) == 2


def test_another_deployment_by_now_is_refused(old: Assessment, new: Assessment, repo: Path) -> None:
    manifest = repo / "samples/guarded/manifest.yaml"
    with pytest.raises(ConfigurationError, match="describes another deployment by now"):
        again.diff_by_old_rubric(old, replace(new, fingerprint="f" * 64), manifest, audit.Options(as_of=DAY))


def test_a_rubric_that_is_not_at_hand_cannot_judge_again(new: Assessment, tmp_path: Path) -> None:
    deployment = guarded(tmp_path)
    old = deployment.assess()
    with pytest.raises(
        ConfigurationError, match=r"small@1\.0\.0 that judged the earlier assessment is not among those"
    ):
        again.diff_by_old_rubric(old, new, deployment.save(), audit.Options(as_of=DAY))
    assert again.known(old.rubric, new.rubric) == Rubrics()


@pytest.mark.parametrize(
    ("moved", "id_", "because"),
    [
        (RENAMED, "SPEND-02", "called SPEND-01 before: It asks of all money now."),
        (SPLIT, "SPEND-01", "asked in AUDIT-01 now: The log is asked about apart."),
        (SPLIT, "AUDIT-01", "asks what SPEND-01 asked before: The log is asked about apart."),
        (REMOVED, "SPEND-01", "asked by no control any more: Nobody needs it."),
    ],
)
def test_where_a_control_went_stands_at_it(moved: dict[str, Moved], id_: str, because: str) -> None:
    before = assessment(control("SPEND-01", Status.MISSING))
    after = replace(
        assessment(*(control(to, Status.DEMONSTRATED) for to in moved["SPEND-01"].to)), rubric=OTHER_SCORING
    )
    made = compare.compare(before, after, Rubrics(moved))
    change = next(change for change in made.controls if change.id == id_)
    assert because in change.because
    assert change.kind in {Kind.INCOMPARABLE, Kind.NEW, Kind.GONE}


def test_a_renamed_control_stands_beside_what_it_was_called() -> None:
    before = assessment(control("SPEND-01", Status.MISSING))
    after = replace(assessment(control("SPEND-02", Status.MISSING)), rubric=OTHER_SCORING)
    (change,) = compare.compare(before, after, Rubrics(RENAMED)).controls
    assert (change.id, change.before, change.after) == ("SPEND-02", Status.MISSING, Status.MISSING)
