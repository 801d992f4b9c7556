"""The published schemas of the native formats say what the readers read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from psf_audit import schemas
from psf_audit.evidence import events, guardrails, records
from psf_audit.facts.rows import ROW_KEYS
from psf_audit.reading import parse_yaml
from psf_audit.validation import problems

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.mark.parametrize("name", schemas.names())
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schemas.load(name))


def test_events_have_the_keys_that_are_read() -> None:
    line = schemas.load("events")["anyOf"][1]["properties"]

    assert line.keys() == events._COLUMNS.keys()


def test_records_have_the_keys_and_kinds_that_are_read() -> None:
    record = schemas.load("records")["properties"]["records"]["items"]["properties"]

    assert record.keys() == set(records._KEYS)
    assert record["kind"]["enum"] == list(records.KINDS)


def test_guardrails_have_the_keys_that_are_read() -> None:
    assert schemas.load("guardrails")["properties"].keys() == {*guardrails._OWN, *ROW_KEYS}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/evidence/records.yaml")), ids=str)
def test_records_of_the_samples_fit(path: Path) -> None:
    assert problems(parse_yaml(path.read_text(encoding="utf-8")), schemas.load("records"), path.name) == []


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/config/*.yaml")), ids=str)
def test_guardrail_files_of_the_samples_fit(path: Path) -> None:
    assert problems(parse_yaml(path.read_text(encoding="utf-8")), schemas.load("guardrails"), path.name) == []


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/docs/*.md")), ids=str)
def test_documents_of_the_samples_fit(path: Path) -> None:
    front = path.read_text(encoding="utf-8").split("---\n")[1]

    assert problems(parse_yaml(front), schemas.load("document"), path.name) == []


@pytest.mark.parametrize(
    "path", [SAMPLES / "dn42/evidence/actions.jsonl", SAMPLES / "guarded/evidence/gateway.jsonl"], ids=str
)
def test_logs_of_the_samples_fit(path: Path) -> None:
    validator = Draft202012Validator(schemas.load("events"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    assert [error.message for line in lines for error in validator.iter_errors(line)] == []
