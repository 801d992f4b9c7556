"""The rubrics that ship: their cases hold and cover every status, and released text never changes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from psf_audit import audit, cases, rubric
from psf_audit.model import Status
from psf_audit.rubric import Rubric

RELEASED = rubric.available()
CONTROLS = [
    (f"{name}@{version}", control.id)
    for name, versions in RELEASED.items()
    for version in versions
    for control in rubric.load(rubric.find(f"{name}@{version}")).controls
]

# A released rubric never changes: a change is a new version.
DIGESTS = {
    "psf-agentic@1.0.0": (
        "e5fe05b06c487ba71c982a0ef4959cff4764a595988b0ad7402ebddea1294e35",
        "bce2098b3dcc624d5d24c270036f5bbc77264d180deeb80cdbace02aa2281192",
    ),
    "psf-agentic@1.1.0": (
        "3feb176e27394b935834aad2b6bf90032f9eb6df8246fa2c5587617f729b270b",
        "9d143fd8e4d550eb4f935ad9e74cf2e6ff2ffe700b856aa505427f13bab63263",
    ),
    "psf-agentic@1.2.0": (
        "6d881017ee2675ba6ee3fbfecb28319259bac40f70d83360fffd3580ae224c24",
        "d5a40f0339de82ea6a61143d86191c7d0693767ca1efdcd740d314ae70614164",
    ),
    "psf-agentic@1.3.0": (
        "70574593bf7d6abb8d0b1d568268fd7e0447d830045ff687c089df9eda4bbb83",
        "1bb32fcaf3739565cc217323e91d7cdce1cbf398a94284f9129e81ac4a03d6c2",
    ),
}


@cache
def loaded(name: str) -> tuple[Rubric, cases.CaseFile]:
    path = rubric.find(name)
    known = rubric.load(path)
    return known, cases.load(cases.beside(path), known)


@pytest.mark.parametrize("name", DIGESTS)
def test_released_text_never_changes(name: str) -> None:
    identity = rubric.load(rubric.find(name)).identity

    assert (identity.content_digest, identity.scoring_digest) == DIGESTS[name]


def test_every_released_rubric_is_pinned() -> None:
    assert {f"{name}@{version}" for name, versions in RELEASED.items() for version in versions} == set(DIGESTS)


@pytest.mark.parametrize("name", DIGESTS)
def test_released_sql_is_sound(name: str) -> None:
    cases.check_sql(rubric.lint(rubric.find(name)))


@pytest.mark.parametrize(("name", "control"), CONTROLS)
def test_the_cases_of_a_control_hold_and_cover_every_status(name: str, control: str) -> None:
    known, case_file = loaded(name)
    own = cases.CaseFile(case_file.as_of, tuple(case for case in case_file.cases if case.control == control))

    outcomes = list(cases.run(known, own, audit.engine("duckdb")))

    wrong = [(outcome.case.name, outcome.status, outcome.reason) for outcome in outcomes if not outcome.holds]
    assert wrong == []
    criteria = next(entry for entry in known.controls if entry.id == control).criteria
    reachable = set(Status) - (set() if "applies_when" in criteria else {Status.NOT_APPLICABLE})
    assert {outcome.status for outcome in outcomes} == reachable


@pytest.mark.parametrize(("name", "control"), CONTROLS)
def test_a_control_is_complete(name: str, control: str) -> None:
    known, _ = loaded(name)
    entry = next(entry for entry in known.controls if entry.id == control)

    assert entry.remedy.snippets
    assert entry.remedy.effort in {"hours", "days", "weeks"}
    assert "?" in entry.question
    assert "psf" in entry.references
    assert not any(word in entry.requirement + entry.why for word in ("\u2014", "\u2013"))


def test_the_rubric_says_whose_it_is() -> None:
    about = rubric.load(rubric.find("psf-agentic@1.0.0")).identity.about

    assert "unendorsed" in about
    assert "eight domains" in about


def test_rubrics_are_found_in_the_checkout() -> None:
    assert rubric.find("psf-agentic").is_relative_to(Path(__file__).parent.parent / "rubrics")
