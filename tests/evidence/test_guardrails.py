import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence.guardrails import GUARDRAILS
from psf_audit.facts.model import Fact, Gap, Item, Stated
from psf_audit.facts.rows import ROW_KEYS, row_keys
from psf_audit.facts.store import typed

FIXTURES = Path(__file__).parent / "fixtures" / "guardrails"
HEAD = "schema: psf-audit/guardrails/1\n"
ROW_NAMES = sorted({name for table in ROW_KEYS for name in row_keys(table)})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["usd", "allow", "2026-11-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def artifact(data: bytes, path: str = "guardrails.yaml") -> Artifact:
    return Artifact(path, data, hashlib.sha256(data).hexdigest())


def read(text: str) -> list[Item]:
    return list(GUARDRAILS.read(artifact(text.encode())))


def facts(items: list[Item], table: str) -> list[dict[str, Any]]:
    return [dict(item.values) for item in items if isinstance(item, Fact) and item.table == table]


def gaps(items: list[Item]) -> list[Gap]:
    return [item for item in items if isinstance(item, Gap)]


def test_reads_the_rows_of_every_table() -> None:
    items = read((FIXTURES / "guardrails.yaml").read_text(encoding="utf-8"))
    assert items[0] == Stated(release="2.4.0")
    assert gaps(items) == []
    assert {item.basis for item in items if isinstance(item, Fact)} == {"config"}
    usd, requests = facts(items, "limits")
    assert usd == {
        "resource": "usd",
        "amount": Decimal(50),
        "scope": "session",
        "on_breach": "pause",
        "layer": "gateway",
        "via": "aws",
    }
    assert (requests["layer"], requests["via"], requests["per_seconds"]) == ("harness", "*", 3600)
    (gate,) = facts(items, "gates")
    assert (gate["approvers"], gate["shown"], gate["threshold"]) == ("R. Okafor, J. Meyer", "plan", Decimal(1800))
    first, second, default = facts(items, "boundaries")
    assert (first["pattern"], second["pattern"], default["is_default"]) == ("http.get", "dns.*", True)
    assert "pattern" not in default
    assert facts(items, "alerts")[0]["ack_seconds"] == 900
    assert "layer" not in facts(items, "logs")[0]
    (credential,) = facts(items, "credentials")
    assert (credential["subject"], credential["issued_ms"]) == ("deploy-key", 1793491200000)
    assert credential["expires_ms"] == 1796126400000


def test_a_fact_points_to_its_row() -> None:
    items = read((FIXTURES / "guardrails.yaml").read_text(encoding="utf-8"))
    assert [item.pointer for item in items if isinstance(item, Fact)][:2] == ["line 7", "line 8"]


def test_every_problem_is_reported_and_its_row_left_out() -> None:
    items = read(
        HEAD
        + """layr: gateway
layer: cloud
limits:
  - {resource: usdd, amount: -1, scop: run}
  - {resource: usd}
  - {resource: usd, amount: 5}
gates: none
boundaries:
  - tool
  - {dimension: tool, effect: allow, patterns: [], default: "yes"}
logs:
  - {sink: s3, retention_days: 1.5, append_only: null}
credentials:
  - {name: k, issued: 2026-13-01, holder: agent}
"""
    )
    assert len(facts(items, "limits")) == 1
    assert [item for item in items if isinstance(item, Fact) and item.table != "limits"] == []
    assert [(gap.facts, gap.pointer) for gap in gaps(items)] == [
        (None, "line 3"),
        (None, "line 2"),
        ("limits", "line 5"),
        ("limits", "line 5"),
        ("limits", "line 5"),
        ("limits", "line 6"),
        ("gates", "line 8"),
        ("boundaries", "line 10"),
        ("boundaries", "line 11"),
        ("boundaries", "line 11"),
        ("logs", "line 13"),
        ("logs", "line 13"),
        ("credentials", "line 15"),
    ]
    whats = [gap.what for gap in gaps(items)]
    assert "did you mean `layer`?" in whats[1]
    assert "did you mean `usd`?" in whats[2]
    assert "did you mean `scope`?" in whats[4]
    assert {gap.kind for gap in gaps(items)} == {"lossy"}


def test_json_has_json_pointers() -> None:
    document = {"schema": "psf-audit/guardrails/1", "limits": [{"resource": "usd", "amount": 1.5}, {"resource": 1}]}
    fact, *lost = GUARDRAILS.read(artifact(json.dumps(document).encode(), "guardrails.json"))
    assert isinstance(fact, Fact)
    assert fact.pointer == "/limits/0"
    assert [gap.pointer for gap in lost if isinstance(gap, Gap)] == ["/limits/1/resource", "/limits/1"]


@pytest.mark.parametrize(
    "text",
    [
        "schema: psf-audit/guardrails/2\nlimits: []",
        HEAD + "component: gateway",
        HEAD + "limits: []\nlimits: []",
        HEAD + "limits: [",
        "- schema: psf-audit/guardrails/1",
        "",
    ],
)
def test_a_file_that_is_wholly_wrong_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


def test_it_is_recognised_by_its_schema() -> None:
    assert GUARDRAILS.sniff(artifact(HEAD.encode() + b"limits: ["))
    assert not GUARDRAILS.sniff(artifact(b"schema: psf-audit/records/1"))


@given(st.sampled_from(sorted(ROW_KEYS)), JSON | st.lists(st.dictionaries(st.sampled_from(ROW_NAMES), JSON)))
def test_values_of_wrong_types_never_break_it(table: str, rows: object) -> None:
    document = {"schema": "psf-audit/guardrails/1", "layer": "agent", table: rows}
    for item in GUARDRAILS.read(artifact(json.dumps(document).encode())):
        if isinstance(item, Fact):
            typed(item.table, item.values)


@given(st.text(max_size=80))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    candidate = artifact((HEAD + text).encode("utf-8", "surrogatepass"))
    GUARDRAILS.sniff(candidate)
    try:
        list(GUARDRAILS.read(candidate))
    except Unreadable:
        return
