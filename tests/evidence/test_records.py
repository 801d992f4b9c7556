import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence import records
from psf_audit.evidence.records import RECORDS
from psf_audit.facts.model import Fact, Gap, Item
from psf_audit.facts.store import typed

FIXTURES = Path(__file__).parent / "fixtures" / "records"
GOOD = {"kind": "review", "at": "2026-11-18"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["2026-11-18", *records.KINDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def artifact(data: bytes, path: str = "records.yaml") -> Artifact:
    return Artifact(path, data, hashlib.sha256(data).hexdigest())


def read(*rows: object) -> list[Item]:
    document = {"schema": "psf-audit/records/1", "records": rows}
    return list(RECORDS.read(artifact(json.dumps(document).encode(), "records.json")))


def facts(items: list[Item], table: str = "records") -> list[dict[str, Any]]:
    return [dict(item.values) for item in items if isinstance(item, Fact) and item.table == table]


def gaps(items: list[Item]) -> list[tuple[str | None, str, str]]:
    return [(item.facts, item.pointer, item.what) for item in items if isinstance(item, Gap)]


@pytest.fixture
def fixture() -> list[Item]:
    return list(RECORDS.read(artifact((FIXTURES / "records.yaml").read_bytes())))


def test_a_record_is_one_fact_a_control(fixture: list[Item]) -> None:
    first, second = [item for item in fixture if isinstance(item, Fact)][:2]
    assert (first.basis, first.on, first.release, first.pointer) == ("record", date(2026, 11, 18), "2.4.0", "line 4")
    assert [first.values["control"], second.values["control"]] == ["READY-08", "SPEND-01"]
    assert first.values["person"] == "R. Okafor"
    assert first.values["decision"] == "approved"
    assert gaps(fixture) == []


def test_fields_become_text_without_what_is_denied(fixture: list[Item]) -> None:
    assert facts(fixture)[0]["fields"] == "covers=alerts, covers=budgets, events=2, informed, pages=3"


def test_a_record_without_control_is_one_fact(fixture: list[Item]) -> None:
    (estimate,) = [row for row in facts(fixture) if row["kind"] == "estimate"]
    assert estimate["control"] is None
    assert estimate["person"] is None
    assert estimate["amount_usd"] == Decimal("1250.5")
    assert estimate["to_ms"] - estimate["from_ms"] == 30 * 86_400_000 - 1


def test_an_incident_says_what_failed_and_what_worked(fixture: list[Item]) -> None:
    rows = [row for row in facts(fixture) if row["kind"] == "incident"]
    assert [(row["control"], row["decision"]) for row in rows] == [("SPEND-01", "failed"), ("AUDIT-01", "worked")]


def test_drills_and_tests_go_to_the_tests(fixture: list[Item]) -> None:
    drill, second, test = facts(fixture, "tests")
    assert (drill["control"], second["control"], test["control"]) == ("CHECK-01", "CHECK-02", None)
    assert {name: drill[name] for name in ("suite", "name", "how", "outcome", "adversarial", "run", "link")} == {
        "suite": "records",
        "name": "stop the agent",
        "how": "drill",
        "outcome": "passed",
        "adversarial": True,
        "run": "r9",
        "link": "artifact",
    }
    assert (test["name"], test["how"], test["outcome"]) == ("test 5", "attack", "inconclusive")
    assert {row["kind"] for row in facts(fixture)}.isdisjoint({"drill", "test"})


def test_credentials_sinks_and_alerts_have_rows_of_their_own(fixture: list[Item]) -> None:
    (credential,) = facts(fixture, "credentials")
    assert (credential["subject"], credential["shared"], credential["scope"]) == ("deploy-key", False, "read, deploy")
    assert [row["pattern"] for row in facts(fixture, "logs")] == ["cloud.*", "dns.*"]
    (alert,) = facts(fixture, "alerts")
    assert (alert["trigger"], alert["threshold"]) == ("spend", Decimal(50))
    assert {"credential", "log_sink", "alert_rule"} <= {row["kind"] for row in facts(fixture)}
    assert {item.basis for item in fixture if isinstance(item, Fact)} == {"record"}


def test_every_problem_is_reported_with_its_place() -> None:
    found = gaps(
        read(
            {**GOOD, "contols": ["SPEND-01"], "amount_usd": "much", "by": 7, "controls": [1], "fields": 3, "to": "x"},
            {"kind": "reviews", "at": "2026-11-18"},
            {"kind": "review"},
            {"kind": "review", "at": "2026-11-18T10:00:00"},
            "review",
            {"kind": "drill", "at": "2026-11-18", "outcome": "pass", "how": "atack", "adversarial": "yes"},
            {**GOOD, "fields": {"a": {"b": 1}}},
            {"kind": "incident", "at": "2026-11-18", "decision": "fixed"},
            {"kind": "credential", "at": "2026-11-18", "fields": {"holder": "robot", "issud": "2026-11-01"}},
        )
    )
    assert [(facts_, pointer) for facts_, pointer, _ in found] == [
        ("records", "/records/0/contols"),
        ("records", "/records/0/by"),
        ("records", "/records/0/to"),
        ("records", "/records/0/amount_usd"),
        ("records", "/records/0/fields"),
        ("records", "/records/0/controls"),
        ("records", "/records/1/kind"),
        ("records", "/records/2"),
        ("records", "/records/3/at"),
        ("records", "/records/4"),
        ("tests", "/records/5/adversarial"),
        ("tests", "/records/5/how"),
        ("tests", "/records/5/outcome"),
        ("records", "/records/6/fields"),
        ("records", "/records/7/decision"),
        ("credentials", "/records/8/fields/holder"),
        ("credentials", "/records/8/fields/issud"),
        ("credentials", "/records/8/fields"),
    ]
    assert "did you mean `controls`?" in found[0][2]
    assert "did you mean `review`?" in found[6][2]
    assert "record without a date" in found[7][2]
    assert "did you mean `attack`?" in found[11][2]


def test_a_record_without_a_date_is_no_fact() -> None:
    assert facts(read({"kind": "review", "at": "soon"}, {"kind": "review"})) == []


def test_a_control_may_stand_alone_and_twice() -> None:
    items = read({**GOOD, "controls": "SPEND-01"}, {**GOOD, "controls": ["A", "A"]}, {**GOOD, "controls": []})
    assert [row["control"] for row in facts(items)] == ["SPEND-01", "A", None]


def test_fields_may_be_a_list_of_texts() -> None:
    assert facts(read({**GOOD, "fields": ["budgets", 3, "alerts"]}))[0]["fields"] == "alerts, budgets"


def test_an_unknown_key_of_the_file_is_a_gap() -> None:
    text = "schema: psf-audit/records/1\nrecord: []\nrecords: []\n"
    (gap,) = RECORDS.read(artifact(text.encode()))
    assert isinstance(gap, Gap)
    assert gap.pointer == "line 2"


@pytest.mark.parametrize(
    "text",
    [
        "schema: psf-audit/records/2\nrecords: []",
        "schema: psf-audit/records/1",
        "schema: psf-audit/records/1\nrecords: {}",
        "schema: psf-audit/records/1\nrecords: [a\n",
        "schema: psf-audit/records/1\nrecords: []\nrecords: []",
        "[]",
    ],
)
def test_a_file_that_is_wholly_wrong_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        list(RECORDS.read(artifact(text.encode())))


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("schema: psf-audit/records/1\nrecords: []", True),
        ('{"schema": "psf-audit/records/1", "records": []}', True),
        ("# by hand\n---\nschema: psf-audit/records/1\nrecords: [\n", True),
        ('{"schema": "psf-audit/records/1", "records": [', True),
        ("schema: psf-audit/guardrails/1", False),
        ("text that says psf-audit/records/1", False),
        ("schema: 3", False),
        ("", False),
    ],
)
def test_it_is_recognised_by_its_schema(text: str, ours: bool) -> None:
    assert RECORDS.sniff(artifact(text.encode())) is ours


@given(st.lists(st.dictionaries(st.sampled_from(records._KEYS), JSON, max_size=8) | JSON, max_size=4))
def test_values_of_wrong_types_never_break_it(rows: list[Any]) -> None:
    for item in read(*rows):
        if isinstance(item, Fact):
            typed(item.table, item.values)


@given(st.text(max_size=80))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    candidate = artifact(f"schema: psf-audit/records/1\n{text}".encode("utf-8", "surrogatepass"))
    RECORDS.sniff(candidate)
    try:
        list(RECORDS.read(candidate))
    except Unreadable:
        return
