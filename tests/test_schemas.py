import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from psf_audit import schemas, validation
from psf_audit.facts.rows import ROW_KEYS
from psf_audit.facts.tables import ROLES, TABLES
from psf_audit.model import Severity, Status, Verdict


def at(schema: dict[str, Any], *path: str | int) -> Any:
    value: Any = schema
    for key in path:
        value = value[key]
    return value


def choices(table: str, column: str) -> list[str]:
    return list(TABLES[table].column(column).choices)


# In a log and in front matter other keys may stand: they are counted or left alone, and nothing rests on them.
OPEN = {"document", "events"}
CAPABILITY = ("properties", "agent", "properties", "capabilities", "items", "properties")
REFERENCE = ("properties", "evidence", "items", "anyOf", 0, "properties")


def test_what_is_published() -> None:
    assert {"assessment", "comparison", "events", "manifest", "records", "rubric"} <= set(schemas.names())
    assert list(schemas.names()) == sorted(schemas.names())


@pytest.mark.parametrize("name", schemas.names())
def test_each_schema_is_valid_and_is_plain_json(name: str) -> None:
    schema = schemas.load(name)

    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == f"psf-audit {name}"
    assert "$rows" not in json.dumps(schema)
    assert validation.schema(name) == schema


@pytest.mark.parametrize("name", sorted(set(schemas.names()) - OPEN))
def test_no_schema_lets_unknown_keys_pass(name: str) -> None:
    stack: list[Any] = [schemas.load(name)]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "properties" in item and isinstance(item["properties"], dict):
                assert item.get("additionalProperties") is False, item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def test_there_is_no_schema_of_another_name() -> None:
    for name in ("nothing", "../manifest", "manifest.yaml", ""):
        with pytest.raises(KeyError):
            schemas.load(name)


def test_the_manifest_has_the_choices_of_the_tables() -> None:
    manifest = schemas.load("manifest")

    assert at(manifest, "properties", "people", "items", "properties", "role", "enum") == list(ROLES)
    assert at(manifest, *CAPABILITY, "kind", "enum") == choices("capabilities", "kind")
    assert at(manifest, *CAPABILITY, "effect", "enum") == choices("capabilities", "effect")
    assert at(manifest, *CAPABILITY, "cost", "anyOf", 1, "properties", "per", "enum") == choices(
        "capabilities", "cost_per"
    )
    assert at(manifest, *REFERENCE, "produced_by", "enum") == choices("evidence", "produced_by")


def test_the_manifest_has_the_rows_of_the_tables() -> None:
    manifest = schemas.load("manifest")
    guardrails = at(manifest, "properties", "guardrails", "properties")

    assert {*guardrails, "credentials"} == set(ROW_KEYS)
    for table in guardrails:
        row = at(guardrails, table, "items")
        assert row["required"] == list(ROW_KEYS[table])
        assert set(row["properties"]) <= {column.name for column in TABLES[table].own} | {"patterns", "default"}


def test_schemas_have_the_words_of_the_model() -> None:
    statuses, verdicts = [status.value for status in Status], [verdict.value for verdict in Verdict]
    assessment = schemas.load("assessment")
    case = at(schemas.load("cases"), "properties", "controls", "additionalProperties", "properties", "cases", "items")

    assert at(assessment, "$defs", "status", "enum") == statuses
    assert at(assessment, "properties", "verdict", "enum") == verdicts
    assert at(assessment, "$defs", "control", "properties", "severity", "enum") == [item.value for item in Severity]
    assert at(case, "properties", "status", "enum") == statuses
    assert set(at(schemas.load("manifest"), "properties", "gate", "properties", "require", "enum")) <= set(verdicts)
