import base64
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
from psf_audit.evidence.otlp_trace import OTLP_TRACE
from psf_audit.facts.model import Carries, Event, Gap, Item
from psf_audit.facts.store import typed

FIXTURES = Path(__file__).parent / "fixtures" / "otlp-trace"
START = 1795168800000000000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KEYS = ["resourceSpans", "scopeSpans", "spans", "traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano"]
KEYS += ["endTimeUnixNano", "status", "code", "attributes", "key", "value", "stringValue", "intValue", "arrayValue"]
WORDS = ["gen_ai.operation.name", "chat", "execute_tool", "gen_ai.usage.cost", "gen_ai.request.model", "error.type"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, *WORDS]), inner, max_size=6),
    max_leaves=20,
)


def artifact(data: bytes, path: str = "trace.json") -> Artifact:
    return Artifact(path, data, hashlib.sha256(data).hexdigest())


def attribute(key: str, value: Any) -> dict[str, Any]:
    """An attribute as OTLP/JSON has it; a dictionary is taken as the AnyValue itself."""
    if isinstance(value, dict):
        return {"key": key, "value": value}
    kind = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(number: int, operation: str | None, parent: Any = None, **changed: Any) -> dict[str, Any]:
    """A span that went well; keyword arguments with a dot in their name are attributes."""
    attributes = {"gen_ai.operation.name": operation} if operation else {}
    attributes |= {key: value for key, value in changed.items() if "." in key}
    made = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": f"{operation} thing",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1),
        "attributes": [attribute(key, value) for key, value in attributes.items()],
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    return made | {key: value for key, value in changed.items() if "." not in key}


def request(*spans: object) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def read(*spans: object) -> list[Item]:
    return list(OTLP_TRACE.read(artifact(json.dumps(request(*spans)).encode())))


def events(items: list[Item]) -> list[dict[str, Any]]:
    return [dict(item.values) for item in items if isinstance(item, Event)]


def gaps(items: list[Item]) -> list[str | None]:
    return [item.facts for item in items if isinstance(item, Gap)]


def test_reads_a_trace() -> None:
    items = list(OTLP_TRACE.read(artifact((FIXTURES / "trace.json").read_bytes())))
    planner, chat, http, worker, dns = events(items)
    assert gaps(items) == []
    assert {row["run"] for row in events(items)} == {"conv-1"}
    assert (planner["kind"], planner["name"], planner["task"], planner["parent"]) == (
        "start",
        "planner",
        "00f067aa0ba902b1",
        None,
    )
    assert chat == {
        "run": "conv-1",
        "session": "conv-1",
        "task": "00f067aa0ba902b1",
        "parent": None,
        "actor": "planner",
        "actor_kind": "agent",
        "at_ms": 1795168801000,
        "kind": "model",
        "outcome": "ok",
        "target": "api.example.com",
        "approval": None,
        "reason": None,
        "credential": None,
        "name": "m-large",
        "id": "00f067aa0ba902b2",
        "via": None,
        "tokens_in": 120,
        "tokens_out": 30,
        "cost_usd": Decimal("0.0125"),
    }
    digest = hashlib.sha256(b'{"url":"https://a.example"}').hexdigest()
    assert (http["id"], http["target"], http["args_digest"]) == ("call-1", "https://a.example/x", f"sha256:{digest}")
    assert (worker["task"], worker["parent"]) == ("00f067aa0ba902b4", "00f067aa0ba902b1")
    assert (dns["actor"], dns["task"], dns["outcome"]) == ("worker", "00f067aa0ba902b4", "timeout")


def test_the_convention_carries_no_approval_and_no_reason() -> None:
    items = list(OTLP_TRACE.read(artifact((FIXTURES / "trace.json").read_bytes())))
    (carries,) = [item for item in items if isinstance(item, Carries)]
    assert {"approval", "reason", "credential", "hash"}.isdisjoint(carries.columns)
    assert {"at_ms", "run", "cost_usd", "target"} <= carries.columns
    (added,) = [item for item in read(span(1, "execute_tool", **{"psf.reason": "why"})) if isinstance(item, Carries)]
    assert "reason" in added.columns
    assert "cost_usd" not in added.columns


def test_usage_of_an_agent_and_of_an_outer_model_span_is_not_counted_again() -> None:
    usage = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 10}
    items = read(
        span(1, "invoke_agent", **usage),
        span(2, "chat", 1, **usage),
        span(3, None, 2),
        span(4, "chat", 3, **usage),
        span(5, "execute_tool", 4, **{"gen_ai.tool.name": "ask"}),
        span(6, "chat", 5, **usage),
    )
    assert [(row["kind"], row.get("tokens_in")) for row in events(items)] == [
        ("start", None),
        ("model", 10),
        ("action", None),
        ("model", 10),
    ]
    assert [row["id"] for row in events(items)] == [f"{number:016x}" for number in (1, 4, 5, 6)]
    assert gaps(items) == []


def test_a_cost_that_only_the_outer_span_has_is_a_gap() -> None:
    items = read(
        span(1, "chat", **{"gen_ai.usage.cost": 0.5}),
        span(2, "chat", 1, **{"gen_ai.usage.input_tokens": 1}),
    )
    assert [row["cost_usd"] for row in events(items)] == [None]
    assert gaps(items) == ["events.cost_usd"]


def test_a_span_of_mcp_below_its_tool_is_the_same_call() -> None:
    tool = {"gen_ai.tool.name": "http.get"}
    items = read(
        span(1, "execute_tool", **tool, **{"gen_ai.tool.call.id": "c1"}),
        span(2, "execute_tool", 1, **tool, **{"mcp.method.name": "tools/call"}),
        span(3, "execute_tool", **tool, **{"mcp.method.name": "tools/call"}),
    )
    assert [row["id"] for row in events(items)] == ["c1", f"{3:016x}"]


def test_a_span_that_an_exporter_sent_again_is_one_event() -> None:
    started = span(1, "execute_tool", endTimeUnixNano="0")
    items = read(started, span(1, "execute_tool"), span(1, "execute_tool"))
    assert [row["outcome"] for row in events(items)] == ["ok"]
    assert gaps(items) == []


@pytest.mark.parametrize("end", [None, 0, "0", str(START - 1), "soon"])
def test_a_span_without_an_end_is_not_known_to_have_run(end: object) -> None:
    items = read(span(1, "execute_tool", endTimeUnixNano=end))
    assert events(items)[0]["outcome"] is None
    assert gaps(items) == ["events.outcome"]


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "ok"),
        ({"status": {"code": 1}}, "ok"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "error"),
        ({"status": {"code": 2}, "endTimeUnixNano": "0"}, "error"),
        ({"error.type": "rate_limited"}, "error"),
        ({"error.type": "DEADLINE_EXCEEDED"}, "timeout"),
        ({"status": []}, "ok"),
    ],
)
def test_outcomes(changed: dict[str, Any], outcome: str) -> None:
    assert events(read(span(1, "chat", **changed)))[0]["outcome"] == outcome


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({"gen_ai.usage.cost_usd": 0.25}, Decimal("0.25")),
        ({"gen_ai.usage.input_cost": 0.25, "gen_ai.usage.output_cost": 4.8e-6}, Decimal("0.2500048")),
        ({"llm.cost.total": "0.5"}, Decimal("0.5")),
        ({"gen_ai.usage.cost": 0}, Decimal(0)),
        ({}, None),
    ],
)
def test_costs_of_vendors(costs: dict[str, Any], expected: Decimal | None) -> None:
    items = read(span(1, "chat", **costs))
    assert events(items)[0]["cost_usd"] == expected
    assert gaps(items) == []


@pytest.mark.parametrize("cost", ["free", -1, {"doubleValue": "NaN"}, {"doubleValue": 1e300}, True])
def test_a_cost_that_is_none_is_unknown_and_not_0(cost: Any) -> None:
    items = read(span(1, "chat", **{"gen_ai.usage.cost": cost}))
    assert events(items)[0]["cost_usd"] is None
    assert gaps(items) == ["events.cost_usd"]


@pytest.mark.parametrize("tokens", [{"intValue": 7}, {"intValue": "7"}, {"doubleValue": 7.0}, {"stringValue": "7"}])
def test_old_names_and_numbers_as_text(tokens: dict[str, Any]) -> None:
    old = {"gen_ai.system": "openai", "gen_ai.response.model": "m", "gen_ai.usage.prompt_tokens": tokens}
    (row,) = events(read(span(1, None, **old)))
    assert (row["kind"], row["name"], row["tokens_in"]) == ("model", "m", 7)
    assert row.get("via") is None


def test_the_provider_is_not_the_gateway_that_a_call_passed() -> None:
    passed = {"gen_ai.provider.name": "openai", "psf.via": "litellm"}

    assert events(read(span(1, "chat", **passed)))[0]["via"] == "litellm"


def test_tokens_that_are_none_are_a_gap() -> None:
    assert gaps(read(span(1, "chat", **{"gen_ai.usage.output_tokens": -7}))) == ["events.tokens_out"]


def test_openinference_spans() -> None:
    model = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 5}
    tool = {"openinference.span.kind": "TOOL", "tool.name": "search"}
    rows = events(
        read(span(1, None, **model), span(2, None, **tool), span(3, None, **{"openinference.span.kind": "CHAIN"}))
    )
    assert [(row["kind"], row["name"]) for row in rows] == [("model", "m"), ("action", "search")]


@pytest.mark.parametrize(
    ("trace", "ident", "parent"),
    [
        ("A" * 32, "B" * 16, "b" * 16),
        (base64.b64encode(b"\xaa" * 16).decode(), base64.b64encode(b"\xbb" * 8).decode(), "b" * 16),
        (int("a" * 32, 16), int("b" * 16, 16), int("b" * 16, 16)),
    ],
)
def test_ids_have_one_form(trace: object, ident: object, parent: object) -> None:
    agent = span(1, "invoke_agent", traceId=trace, spanId=ident)
    tool = span(2, "execute_tool", traceId="a" * 32, parentSpanId=parent)
    first, second = events(read(agent, tool))
    assert (first["run"], first["task"]) == ("a" * 32, "b" * 16)
    assert second["task"] == "b" * 16


def test_a_conversation_on_some_spans_is_that_of_their_trace() -> None:
    rows = events(read(span(1, "execute_tool"), span(2, "chat", **{"gen_ai.conversation.id": "c"})))
    assert [row["run"] for row in rows] == ["c", "c"]
    two = events(
        read(*(span(n, "chat", **{"gen_ai.conversation.id": f"c{n}"}) for n in (1, 2)), span(3, "execute_tool"))
    )
    assert [(row["run"], row["session"]) for row in two] == [("c1", "c1"), ("c2", "c2"), (TRACE, None)]


def test_a_circle_of_parents_and_a_very_long_chain_end() -> None:
    assert len(events(read(span(1, "chat", 2), span(2, "execute_tool", 1), span(3, "chat", 3)))) == 3
    chain = [span(number, None, number - 1) for number in range(2, 5000)]
    (_, row) = events(read(*chain, span(1, "invoke_agent"), span(5000, "execute_tool", 4999)))
    assert row["task"] == f"{1:016x}"


@pytest.mark.parametrize("start", [None, "0", "yesterday", 10**40])
def test_a_start_that_is_no_time_is_a_gap(start: object) -> None:
    items = read(span(1, "chat", startTimeUnixNano=start))
    assert events(items)[0]["at_ms"] is None
    assert "events.at_ms" in gaps(items)


def test_one_request_a_line_with_lines_that_are_none() -> None:
    lines = [json.dumps(request(span(1, "chat"))), "{torn", "", json.dumps({"resourceMetrics": []}), "[]"]
    lines.append(json.dumps(request(span(2, "chat"))))
    items = list(OTLP_TRACE.read(artifact("\n".join(lines).encode(), "trace.jsonl")))
    assert [(item.row, item.pointer) for item in items if isinstance(item, Event)] == [(1, "line 1"), (2, "line 6")]
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert (gap.kind, gap.facts, gap.pointer) == ("unreadable", "events", "line 2")
    assert gap.what.startswith("2 spans")


def test_an_array_of_requests_and_old_scopes() -> None:
    old = {"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [span(1, "chat")]}]}]}
    items = list(OTLP_TRACE.read(artifact(json.dumps([old, request(span(2, "chat"))]).encode())))
    assert [item.pointer for item in items if isinstance(item, Event)] == [
        "/0/resourceSpans/0/instrumentationLibrarySpans/0/spans/0",
        "/1/resourceSpans/0/scopeSpans/0/spans/0",
    ]


def test_spans_of_other_kinds_alone_are_a_gap() -> None:
    items = read(span(1, None), span(2, "create_agent", **{"gen_ai.request.model": "m"}))
    assert events(items) == []
    assert gaps(items) == ["events"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resourceSpans": []}', '{"resourceSpans": 3}', "torn\nlines"])
def test_a_file_without_spans_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        list(OTLP_TRACE.read(artifact(text.encode())))


def test_what_is_lost_in_a_request_is_a_gap() -> None:
    document = request(span(1, "chat"), "span", None)
    document["resourceSpans"] += [7, {"scopeSpans": "none"}, request(span(2, None, attributes=3))["resourceSpans"][0]]
    items = list(OTLP_TRACE.read(artifact(json.dumps(document).encode())))
    assert gaps(items) == ["events"] * 4


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('{"resourceSpans": []}', True),
        ('{"resourceSpans":[{"x": "' + "y" * 70_000, True),
        ('[{"resourceSpans": []}]', True),
        ('{"schema": 1, "resourceSpans": []}\n{"resourceSpans": []}', True),
        ('{"spans": []}', False),
        ("resourceSpans: []", False),
        ("", False),
    ],
)
def test_it_is_recognised_by_its_spans(text: str, ours: bool) -> None:
    assert OTLP_TRACE.sniff(artifact(text.encode())) is ours


def test_a_real_trace(repo: Path) -> None:
    path = repo.parent / "shared" / "corpus" / "auditability" / "otlp_execute_tool.json"
    if not path.is_file():
        pytest.skip("the corpus is not part of the checkout")
    candidate = artifact(path.read_bytes())
    assert OTLP_TRACE.sniff(candidate)
    (row,) = events(list(OTLP_TRACE.read(candidate)))
    assert (row["name"], row["id"], row["outcome"]) == ("read_file", "tc_runner_policy_001", "ok")


@given(JSON)
def test_values_of_wrong_types_never_break_it(value: object) -> None:
    for document in (value, request(value), request({"attributes": value}), request(span(1, "chat", attributes=value))):
        candidate = artifact(json.dumps(document).encode())
        OTLP_TRACE.sniff(candidate)
        try:
            items = list(OTLP_TRACE.read(candidate))
        except Unreadable:
            continue
        for row in events(items):
            typed("events", row)


@given(st.sampled_from(["gen_ai.usage.cost", "gen_ai.tool.call.arguments", "error.type", "url.full"]), JSON)
def test_attributes_of_wrong_types_never_break_it(key: str, value: object) -> None:
    for operation in ("chat", "execute_tool", "invoke_agent"):
        for made in ({"key": key, "value": value}, {"key": key, "value": {"kvlistValue": value}}):
            hostile = span(1, operation)
            hostile["attributes"].append(made)
            for row in events(read(hostile)):
                typed("events", row)


def test_arguments_that_are_no_text_are_digested_as_json_with_sorted_keys() -> None:
    arguments = {
        "kvlistValue": {
            "values": [
                attribute("b", {"arrayValue": {"values": [{"intValue": 1}, {"bytesValue": "AA=="}]}}),
                attribute("a", "x"),
            ]
        }
    }
    (row,) = events(read(span(1, "execute_tool", **{"gen_ai.tool.call.arguments": arguments})))
    assert row["args_digest"] == "sha256:" + hashlib.sha256(b'{"a":"x","b":[1,null]}').hexdigest()


def test_ids_that_are_neither_hex_nor_base64_stay_and_zeros_are_none() -> None:
    rows = events(
        read(
            span(1, "execute_tool", spanId="span-1", **{"gen_ai.tool.call.id": 7}),
            span(2, "execute_tool", spanId="abcd", parentSpanId="0" * 16),
            span(3, "execute_tool", spanId=base64.b64encode(bytes(8)).decode()),
        )
    )
    assert [row["id"] for row in rows] == ["7", "abcd", None]


def test_of_two_spans_of_one_call_the_one_inside_may_have_all_usage() -> None:
    cost = {"gen_ai.usage.cost": 0.5}
    items = read(span(1, "chat", **cost), span(2, "chat", 1, **cost))
    assert [row["id"] for row in events(items)] == [f"{2:016x}"]
    assert gaps(items) == []
