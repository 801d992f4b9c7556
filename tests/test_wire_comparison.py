import json
from dataclasses import replace
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from psf_audit import schemas
from psf_audit.compare import EvidenceKind, Kind, WaiverKind, compare
from psf_audit.model import Assessment, Severity, Status, Verdict
from psf_audit.wire import dumps
from psf_audit.wire_comparison import SCHEMA, comparison_to_json
from tests.compare_strategies import (
    MANIFEST,
    OTHER_SCORING,
    any_assessments,
    assessment,
    control,
    entry,
    evaluated,
    findings,
    waiver,
)

VALIDATOR = Draft202012Validator(schemas.load("comparison"))
DEFS = schemas.load("comparison")["$defs"]


def problems(value: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(value)]


def example() -> tuple[Assessment, Assessment]:
    old = replace(assessment(control(), control("AUDIT-01", Status.UNTESTED)), evidence=(entry(),))
    new = evaluated(
        replace(old, evidence=(entry(sha256="e2"),), waivers=(waiver("SPEND-01"),)),
        [control(status=Status.MISSING, lacks=findings("a")), control("AUDIT-01", Status.UNKNOWN)],
    )
    return old, new


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schemas.load("comparison"))
    assert schemas.load("comparison")["properties"]["schema"] == {"const": SCHEMA}


@given(any_assessments(), any_assessments())
def test_every_comparison_fits_the_published_schema(old: Assessment, new: Assessment) -> None:
    value = comparison_to_json(compare(old, new))
    assert problems(value) == []
    assert json.loads(dumps(value)) == value


def test_an_example_key_by_key() -> None:
    value = comparison_to_json(compare(*example()))
    rubric = {
        "id": "psf-agentic",
        "version": "1.0.0",
        "title": "PSF agentic",
        "about": "",
        "content_digest": "c1",
        "scoring_digest": "s1",
        "overlay": None,
    }
    side = {
        "tool": "psf-audit 1.0.0",
        "as_of": "2026-11-20",
        "deployment": {"name": "indexer", "release": "2.4.0", "environment": "production"},
        "fingerprint": "f1",
        "rubric": rubric,
        "valid_until": None,
    }
    third, none = {"exact": "1/3", "percent": 33}, {"exact": "0", "percent": 0}
    whole = {"exact": "1", "percent": 100}
    assert {key: value[key] for key in value if key not in {"controls", "domains", "evidence", "waivers"}} == {
        "schema": "psf-audit/comparison/1",
        "before": side,
        "after": side,
        "comparable": True,
        "same_scoring": True,
        "notes": ["1 gap of the old assessment cannot be seen in the new one, and is not resolved: AUDIT-01."],
        "regressions": [
            {"subject": "domain", "id": "spend", "what": "passed, and does not any more"},
            {"subject": "control", "id": "SPEND-01", "what": "demonstrated → missing"},
        ],
        "unresolved": ["AUDIT-01"],
        "counts": {"regressed": 1, "new": 0, "gone": 0, "incomparable": 1, "improved": 0, "unchanged": 0},
        "verdict": {"before": "not_ready", "after": "not_ready", "kind": "unchanged"},
        "score": {"before": third, "after": none, "delta": {"exact": "-1/3", "percent": -33}},
        "coverage": {"before": whole, "after": {"exact": "1/2", "percent": 50}},
        "exposure": {"before": None, "after": None, "grew": None},
        "fingerprint_changed": False,
        "capabilities": {"added": [], "removed": []},
        "changes": [],
        "release_note": {
            "riskier": [
                "SPEND-01 Title of SPEND-01: demonstrated → missing",
                "the gap of SPEND-01 is waived until 2026-12-31",
            ],
            "look": ["AUDIT-01 Title of AUDIT-01: untested → unknown"],
            "safer": [],
        },
        "by_rubric": [],
    }
    assert value["domains"][0] == {
        "id": "spend",
        "title": "Spend",
        "passes": {"before": True, "after": False},
        "lost": True,
        "score": {"before": whole, "after": none, "delta": {"exact": "-1", "percent": -100}},
    }
    assert value["controls"][0] == {
        "id": "SPEND-01",
        "title": "Title of SPEND-01",
        "domain": "spend",
        "severity": "blocking",
        "kind": "regressed",
        "before": "demonstrated",
        "after": "missing",
        "worsened": False,
        "unresolved": False,
        "because": ["lacks: new: a"],
        "reason": "SPEND-01 is missing",
    }
    assert value["evidence"] == [
        {
            "path": "evidence/gateway.yaml",
            "kind": "changed",
            "before": "e1",
            "after": "e2",
            "problem": None,
            "what": [],
        }
    ]
    (made,) = value["waivers"]
    assert (made["control"], made["kind"], made["before"], made["what"]) == ("SPEND-01", "added", None, [])
    assert made["after"]["source"]["path"] == MANIFEST.path


def test_no_score_difference_across_scorings() -> None:
    old, new = example()
    value = comparison_to_json(compare(old, replace(new, rubric=OTHER_SCORING)))
    assert value["score"] == {
        "before": {"exact": "1/3", "percent": 33},
        "after": {"exact": "0", "percent": 0},
        "delta": None,
    }
    assert {domain["score"]["delta"] is None for domain in value["domains"]} == {True}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (DEFS["control"]["properties"]["kind"]["enum"], Kind),
        (list(schemas.load("comparison")["properties"]["counts"]["properties"]), Kind),
        (DEFS["evidence"]["properties"]["kind"]["enum"], EvidenceKind),
        (DEFS["waiver_change"]["properties"]["kind"]["enum"], WaiverKind),
        (DEFS["control"]["properties"]["severity"]["enum"], Severity),
        (DEFS["verdict"]["enum"], Verdict),
        (DEFS["status_or_none"]["enum"], Status),
    ],
)
def test_the_schema_names_every_word(words: list[str | None], values: type[StrEnum]) -> None:
    assert {word for word in words if word} == {value.value for value in values}


@pytest.mark.parametrize("shared", ["share", "share_or_none", "waiver", "day"])
def test_what_both_schemas_have_is_the_same(shared: str) -> None:
    assert shape(schemas.load("comparison"), shared) == shape(schemas.load("assessment"), shared)


def shape(schema: dict[str, Any], name: str) -> Any:
    """A definition with all references in it resolved, without descriptions."""

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and "$ref" in value:
            return resolved(schema["$defs"][value["$ref"].rpartition("/")[2]])
        if isinstance(value, dict):
            return {key: resolved(item) for key, item in value.items() if key != "description"}
        if isinstance(value, list):
            return [resolved(item) for item in value]
        return value

    return resolved(schema["$defs"][name])
