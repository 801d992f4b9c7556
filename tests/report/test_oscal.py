import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from trestle.core.validator_factory import validator_factory
from trestle.oscal.assessment_results import AssessmentResults

from psf_audit.model import Assessment
from psf_audit.rendering import View
from psf_audit.report.oscal import OSCAL, token
from psf_audit.text import screened
from tests import samples
from tests.strategies import assessments, raw_texts


def oscal(assessment: Assessment) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(OSCAL.assessment(assessment, View()))["assessment-results"]
    return value


@pytest.mark.parametrize("make", [samples.small, samples.ready, samples.large, lambda: screened(samples.hostile())])
def test_trestle_takes_it(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(OSCAL.assessment(make(), View(folder="ops")), encoding="utf-8")
    read = AssessmentResults.oscal_read(path)
    assert read is not None
    assert [one for one in validator_factory.get_all() if not one.model_is_valid(read, quiet=True)] == []


@settings(max_examples=20)
@given(assessments())
def test_trestle_takes_any_assessment(assessment: Assessment) -> None:
    AssessmentResults.model_validate(oscal(assessment))


def test_the_same_assessment_gives_the_same_identifiers() -> None:
    def uuids(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [item for key, item in value.items() if key == "uuid"]
            return [*own, *(found for item in value.values() for found in uuids(item))]
        return [found for item in value for found in uuids(item)] if isinstance(value, list) else []

    made = uuids(oscal(samples.small()))
    assert made == uuids(oscal(samples.small()))
    assert len(set(made)) == len(made)
    assert {UUID(one).version for one in made} == {5}
    assert set(made) & set(uuids(oscal(samples.ready()))) == set()


def test_evidence_expires_and_waivers_have_a_deadline() -> None:
    (result,) = oscal(samples.small())["results"]
    (risk,) = result["risks"]
    assert (risk["status"], risk["deadline"]) == ("deviation-approved", "2026-12-31T23:59:59Z")
    speaking = replace(samples.small().evidence[0], shows=("SPEND-01",))
    (result,) = oscal(replace(samples.small(), evidence=(speaking,)))["results"]
    manifest, file = result["observations"]
    assert "expires" not in manifest
    assert (file["collected"], file["expires"]) == ("2026-11-20T00:00:00Z", "2026-12-11T23:59:59Z")


@given(raw_texts(), raw_texts())
def test_every_id_has_a_token_of_its_own(one: str, other: str) -> None:
    assert re.fullmatch(r"([^\W\d]|_)[\w.-]*", token(one))
    assert (token(one) == token(other)) == (one == other)
