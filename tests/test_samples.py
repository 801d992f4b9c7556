"""The two samples: the deployment that ruined its operator, and the same task done right."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from psf_audit import audit, gate
from psf_audit.errors import ExitCode
from psf_audit.model import Assessment, Status, Verdict

HANDLES = ("jertlinc", "burble", "lantian", "kioubit", "gtsiam", "glueckself", "nikogr")


def assess(manifest: Path, day: str) -> Assessment:
    return audit.run(manifest, audit.Options(as_of=date.fromisoformat(day)))


@pytest.fixture(scope="module")
def dn42() -> Assessment:
    return assess(Path(__file__).parent.parent / "samples/dn42/manifest.yaml", "2026-11-22")


@pytest.fixture(scope="module")
def guarded() -> Assessment:
    return assess(Path(__file__).parent.parent / "samples/guarded/manifest.yaml", "2026-11-22")


def test_dn42_is_ready_in_no_domain(dn42: Assessment) -> None:
    assert dn42.verdict is Verdict.NOT_READY
    assert [domain.id for domain in dn42.domains if domain.passes] == []
    assert gate.decide(dn42).code is ExitCode.GATE_NOT_MET


# What the published facts name as missing or failed, by the control that asks for it.
@pytest.mark.parametrize(
    ("control", "status"),
    [
        ("SPEND-01", Status.MISSING),  # no ceiling
        ("SPEND-02", Status.MISSING),  # no pause
        ("SPEND-04", Status.MISSING),  # no budget for the task
        ("SPEND-08", Status.CONTRADICTED),  # no estimate before it
        ("SPEND-09", Status.CONTRADICTED),  # the same stack created again and again
        ("CHECK-01", Status.MISSING),  # nothing interrupted it
        ("CHECK-03", Status.CONTRADICTED),  # profiles of people published, nobody asked
        ("CHECK-04", Status.CONTRADICTED),  # most of a day without anybody looking
        ("CHECK-06", Status.CONTRADICTED),  # confirmations answered unread
        ("BOUND-01", Status.MISSING),  # targets
        ("BOUND-03", Status.MISSING),  # counts
        ("BOUND-04", Status.MISSING),  # rates
        ("BOUND-06", Status.MISSING),  # completion
        ("BOUND-07", Status.CONTRADICTED),  # repetition
        ("BOUND-09", Status.CONTRADICTED),  # requests to stop refused
        ("AUDIT-05", Status.CONTRADICTED),  # nothing was raised while it ran away
        ("READY-01", Status.CONTRADICTED),  # live before it was assessed
        ("READY-03", Status.MISSING),  # edge cases
        ("READY-07", Status.CONTRADICTED),  # nobody signed
    ],
)
def test_dn42_names_the_controls_that_the_facts_name(dn42: Assessment, control: str, status: Status) -> None:
    found = {result.id: result.status for result in dn42.controls}

    assert found[control] is status


def test_dn42_does_not_call_missing_what_was_not_shown(dn42: Assessment) -> None:
    found = {result.id: result.status for result in dn42.controls}

    assert {found[control] for control in ("AUDIT-01", "AUDIT-02", "AUDIT-03", "AUDIT-08")} == {Status.UNKNOWN}


def test_dn42_does_not_blame_what_was_in_place(dn42: Assessment) -> None:
    rows = [row.what for result in dn42.controls for row in (*result.breaks.rows, *result.lacks.rows)]
    broken = [row.what for result in dn42.controls for row in result.breaks.rows]

    assert not [what for what in rows if "never expires" in what or "no end date" in what]
    assert not [what for what in broken if what.startswith(("forge.pr.open", "forge.commit"))]
    assert not [what for what in rows if "prompt" in what]


@pytest.mark.parametrize("handle", HANDLES)
def test_samples_name_no_person(repo: Path, handle: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (repo / "samples/dn42").rglob("*") if path.is_file()]

    assert not any(handle in text.lower() for text in texts)


def test_guarded_is_ready(guarded: Assessment) -> None:
    gaps = {result.id: (result.status.label, result.reason) for result in guarded.controls if result.status.is_gap}

    assert gaps == {}
    assert guarded.verdict is Verdict.READY
    assert guarded.coverage == 1
    assert gate.decide(guarded).code is ExitCode.READY


def test_guarded_is_not_ready_without_its_evidence(repo: Path, tmp_path: Path) -> None:
    shutil.copytree(repo / "samples/guarded", tmp_path / "guarded")
    manifest = tmp_path / "guarded/manifest.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text[: text.index("\nevidence:")] + "\nevidence: []\n", encoding="utf-8")

    bare = assess(manifest, "2026-11-22")

    assert gate.decide(bare).code is not ExitCode.READY
    assert {result.status for result in bare.controls} <= {Status.MISSING, Status.NOT_APPLICABLE}


def test_a_year_later_the_guarded_sample_is_ready_no_more(repo: Path) -> None:
    late = assess(repo / "samples/guarded/manifest.yaml", "2027-11-22")

    assert late.verdict is not Verdict.READY
    assert gate.decide(late).code is not ExitCode.READY
