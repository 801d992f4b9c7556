"""A trace that the database reads says what its format reads in it: the same events, losses and columns."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from psf_audit import pricing, spans
from psf_audit.artifact import Artifact
from psf_audit.columns import plain
from psf_audit.columns.database import Database
from psf_audit.columns.table import LogTable
from psf_audit.errors import Unreadable
from psf_audit.evidence.otlp_trace import OTLP_TRACE
from psf_audit.facts.model import Carries, Event, Gap, Item, Remark
from psf_audit.traces import costs
from psf_audit.values import amount

START = 1_772_000_000_000_000_000
MODELS = ("gpt-4o", "claude-sonnet-4-5", "deepseek-chat", "no-such-model", "")


@pytest.fixture(scope="module")
def database() -> Database:
    return Database()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Artifact]:
    def write(written: Sequence[str], name: str = "trace.jsonl", end: str = "\n") -> Artifact:
        path = tmp_path / name
        data = ("\n".join(written) + end).encode("utf-8", "surrogatepass")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return Artifact.of_file(name, path)

    return write


def by_database(artifact: Artifact, database: Database) -> tuple[LogTable, list[Item]]:
    log = LogTable(database)
    items = OTLP_TRACE.columnar.load(artifact, log, lambda found: found) if OTLP_TRACE.columnar else None
    assert items is not None
    return log, items


def told(items: list[Item]) -> dict[str, Any]:
    return {
        "gaps": sorted((item for item in items if isinstance(item, Gap)), key=str),
        "remarks": [item for item in items if isinstance(item, Remark)],
        "carried": [item.columns for item in items if isinstance(item, Carries)],
    }


def events_of(found: list[Event]) -> list[tuple[str, dict[str, Any]]]:
    return [(event.pointer, {k: v for k, v in event.values.items() if v is not None}) for event in found]


def same(artifact: Artifact, database: Database) -> LogTable:
    """Read the file in both ways, and hold the one against the other."""
    log, items = by_database(artifact, database)
    read = list(OTLP_TRACE.read(artifact))
    assert events_of(list(log)) == events_of([item for item in read if isinstance(item, Event)])
    assert told(items) == told([item for item in read if not isinstance(item, Event)])
    return log


def attribute(key: str, value: str) -> str:
    """An attribute whose value is given as JSON text."""
    return f'{{"key": {json.dumps(key)}, "value": {value}}}'


def string(text: str) -> str:
    return f'{{"stringValue": {json.dumps(text)}}}'


def whole(number: int) -> str:
    return f'{{"intValue": "{number}"}}'


def span(ident: int, parent: int | None = None, given: Mapping[str, str] | None = None, *, trace: int = 1) -> str:
    """A span as JSON text, with attributes whose values are JSON text."""
    made = ", ".join(attribute(key, value) for key, value in (given or {}).items())
    above = f'"parentSpanId": "{parent:016x}", ' if parent is not None else ""
    return (
        f'{{"traceId": "{trace:032x}", "spanId": "{ident:016x}", {above}"name": "span {ident}", '
        f'"startTimeUnixNano": "{START + ident * 10**9}", "endTimeUnixNano": "{START + ident * 10**9 + 5}", '
        f'"attributes": [{made}]}}'
    )


def request(*made: str) -> str:
    return f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{", ".join(made)}]}}]}}]}}'


CHAT = {"gen_ai.operation.name": string("chat"), "gen_ai.request.model": string("gpt-4o")}
TOOL = {"gen_ai.operation.name": string("execute_tool"), "gen_ai.tool.name": string("search")}
AGENT = {"gen_ai.operation.name": string("invoke_agent"), "gen_ai.agent.name": string("planner")}
PLAIN = [
    request(span(1, None, AGENT), span(2, 1), span(3, 2, CHAT | {spans.TOKENS_IN[0]: whole(7)})),
    request(span(4, 2, TOOL), span(5, 4, TOOL | {spans.MCP: string("tools/call")})),
]

# What writers write, what they should not, and what DuckDB itself would take for something else.
NUMBERS = [
    *('{"intValue": "5"}', '{"intValue": 5}', '{"intValue": "007"}', '{"intValue": -1}', '{"intValue": 5.0}'),
    *('{"intValue": "5.0"}', '{"intValue": true}', '{"intValue": null}', '{"intValue": 99999999999999999999}'),
    *('{"doubleValue": 0.1}', '{"doubleValue": 1e-7}', '{"doubleValue": 12.0}', '{"doubleValue": 12}'),
    *('{"doubleValue": "NaN"}', '{"doubleValue": "0.25"}', '{"doubleValue": 0.0000000005}', '{"doubleValue": -1.5}'),
    *('{"doubleValue": 100000.5}', '{"doubleValue": 1e400}', '{"doubleValue": 0.30000000000000004}'),
    *('{"stringValue": "17"}', '{"stringValue": "0.5"}', '{"stringValue": "5 "}', '{"stringValue": "x"}'),
    *('{"boolValue": true}', '{"arrayValue": {"values": []}}', '{"intValue": "0"}', "{}", "null", "5", "0.5"),
    *('{"intValue": "1", "stringValue": "2"}', '{"stringValue": "2", "intValue": "1"}', '{"intValue": "1000000"}'),
]
TEXTS = [
    *(string("a"), string(""), string("5"), string("true"), string('q"uo\\te'), string("Zürich\n"), string("x" * 999)),
    *(string("x" * 1000), string("\x01"), string("a\x00b"), string("[1]"), string("5f"), string("é" * 999)),
    *('{"stringValue": 5}', '{"stringValue": 1.5}', '{"stringValue": true}', '{"stringValue": null}'),
    *('{"stringValue": {"a": 1}}', '{"stringValue": "a", "intValue": "5"}', '{"stringValue": "a\\"", "x": "b"}'),
    *(
        '{"boolValue": false}',
        '{"boolValue": "a"}',
        '{"bytesValue": "AA=="}',
        '{"arrayValue": {"values": [{"intValue": 1}]}}',
    ),
    *('{"kvlistValue": {"values": [{"key": "b", "value": {"stringValue": "x"}}]}}', '"bare"', "7", "[]", "null", "{}"),
    *NUMBERS[:8],
]
TARGETS = [
    *(string("https://user:pw@host/path?key=1#f"), string("https://host"), string("host"), string("http://[bad")),
    *(string("file:///etc"), string("://"), string("postgres://a:b@c/d")),
]
ARGUMENTS = [
    *(string('{"b": 1, "a": "x"}'), string('{"a":1}'), string("plain text"), string('{"a": 1.50}'), string("[1, 2]")),
    *(
        string('{"a": {"b": []}}'),
        string('{"a": 1, "a": 2}'),
        string('"text"'),
        string("5"),
        string(" {}"),
        string("{}"),
    ),
    *(
        string('{"a": "é", "b": null, "c": true, "d": -0}'),
        string('{"a": 1e3}'),
        string('{"a b": "q\\"x"}'),
        string("nul"),
    ),
    *(string('{"a": 99999999999999999999}'), string('{"a":"x","b":12}'), string('{"z":"1","y":"2"}'), string("true")),
]
VALUES = {
    name: values
    for names, values in [
        ((*spans.TOKENS_IN, *spans.TOKENS_OUT, *spans.FROM_CACHE, *spans.TO_CACHE), NUMBERS),
        ((*spans.COST, *spans.COST_PARTS), NUMBERS),
        (spans.TARGET, [*TARGETS, *TEXTS]),
        (spans.ARGUMENTS, [*ARGUMENTS, *TEXTS]),
        (spans.OPERATION, [string(name) for name in (*spans.OPERATIONS, *spans.NO_CALL, "other")]),
        (spans.MODEL_NAME, [string(name) for name in MODELS]),
        (spans.RPC_SYSTEM, [string("aws-api"), string("grpc")]),
        ((spans.FAILURE,), [string(text) for text in ("Timeout", "timed out", "TİMEOUT", "DEADLINE_EXCEEDED", "x")]),
        (spans.CONVERSATION, [string("c1"), string("c2"), whole(3)]),
    ]
    for name in names
}
KEYS = st.sampled_from([*spans.KEYS, "http.request.method", "unread"])
LIKELY = {
    "chat": st.sampled_from([*spans.MODEL_NAME, *spans.USED, *spans.PROVIDER, *spans.FROM_CACHE, spans.RESPONSE_ID]),
    "execute_tool": st.sampled_from([*spans.TOOL_NAME, *spans.ARGUMENTS, *spans.TARGET, spans.MCP, spans.CALL_ID]),
    "invoke_agent": st.sampled_from([*spans.AGENT_NAME, *spans.CONVERSATION]),
    "": KEYS,
}
IDS = st.one_of(
    st.integers(1, 8).map(lambda number: json.dumps(f"{number:016x}")),
    st.sampled_from(
        [
            *(
                "null",
                '""',
                '"0000000000000000"',
                '"span-1"',
                "5",
                '"5"',
                "true",
                '"00000000000000AB"',
                '"a b"',
                '"\\u0061"',
            ),
            *(json.dumps(base64.b64encode(bytes([0] * 7 + [n])).decode()) for n in (0, 1, 2)),
            *('"AAAAAAAAAAB="', '"AAAAAAAAAAAAAAAA"', '"' + "a" * 32 + '"', '"12345678"', '"é"', "1234567890123456"),
        ]
    ),
)
PLAIN_IDS = st.integers(1, 8).map(lambda number: json.dumps(f"{number:016x}"))
TRACES = st.sampled_from(
    [*(json.dumps(f"{number:032x}") for number in (1, 1, 1, 2, 3)), "null", '"t"', '"' + "0" * 32 + '"']
)
TIMES = st.one_of(
    st.integers(0, 20).map(lambda number: f'"{START + number}"'),
    st.sampled_from(
        [
            *(
                "null",
                '"0"',
                "0",
                '""',
                '"x"',
                "1772000000000000000",
                "1.772e18",
                '" 5"',
                '"-5"',
                '"99999999999999999999"',
            ),
            *('"9223372036854775808"', '"9223372036854775807"', "true", "[]", '"946684800000000000"', '"1"'),
        ]
    ),
)
PLAIN_TIMES = st.integers(0, 20).map(lambda number: f'"{START + number}"')


@st.composite
def pairs(draw: st.DrawFn, operation: str, odd: bool) -> list[str]:
    made = [attribute("gen_ai.operation.name", string(operation))] if operation else []
    for key in draw(st.lists(st.one_of(LIKELY[operation], KEYS), max_size=6)):
        values = VALUES.get(key, TEXTS)
        made.append(attribute(key, draw(st.sampled_from(values if odd else values[:3]))))
    if odd:
        made += draw(
            st.lists(st.sampled_from(["null", "5", '{"key": 5}', '{"value": {}}', '{"key": null}']), max_size=1)
        )
    return made


@st.composite
def written_spans(draw: st.DrawFn, odd: bool) -> str:
    """A span as JSON text."""
    ids, times = (IDS, TIMES) if odd and draw(st.integers(0, 3)) == 0 else (PLAIN_IDS, PLAIN_TIMES)
    operation = draw(st.sampled_from(["chat", "chat", "execute_tool", "invoke_agent", ""]))
    strange = odd and draw(st.integers(0, 3)) == 0
    fields = {
        "traceId": draw(TRACES) if strange else json.dumps(f"{draw(st.integers(1, 3)):032x}"),
        "spanId": draw(ids),
        "parentSpanId": draw(st.one_of(st.just("null"), ids)),
        "name": draw(st.sampled_from(['"execute_tool search"', '"n"', '"execute_tool "', "null", '"q\\"x"', "5"])),
        "startTimeUnixNano": draw(times),
        "endTimeUnixNano": draw(st.one_of(PLAIN_TIMES, times)),
        "status": draw(
            st.sampled_from(["{}", '{"code": 2}', '{"code": "STATUS_CODE_ERROR"}', "null", "5", '{"code": 1}'])
        ),
        "attributes": f"[{', '.join(draw(pairs(operation, strange)))}]",
    }
    left_out = draw(st.sets(st.sampled_from(["parentSpanId", "status", "name"]), max_size=1))
    if strange:
        fields["attributes"] = draw(
            st.sampled_from([fields["attributes"]] * 5 + ["null", "{}", '{"psf.via": "x"}', "3"])
        )
    return "{" + ", ".join(f'"{key}": {value}' for key, value in fields.items() if key not in left_out) + "}"


ODD_LINES = st.sampled_from(
    [
        *(
            "",
            "  ",
            "garbage",
            "[]",
            "5",
            "{}",
            '{"resourceMetrics": []}',
            '{"resourceSpans": []}',
            '{"resourceSpans": 3}',
        ),
        *(
            '{"resourceSpans": [null, 5, {}]}',
            '{"resourceSpans": [{"scopeSpans": [{"spans": [null, 7, "x"]}]}]}',
            '{"a": "\\ud800"}',
        ),
        *(
            '{"resourceSpans": {"scopeSpans": {"spans": ' + span(1, None, CHAT) + "}}}",
            request(span(2, None, CHAT)) + "}",
            "{torn",
        ),
        '{"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [' + span(3, None, CHAT) + "]}]}]}",
        '{"resourceSpans": [{"scopeSpans": [{"spans": ['
        + span(6, None, CHAT | {"x": '{"doubleValue": NaN}'})
        + "]}]}]}",
    ]
)


@st.composite
def files(draw: st.DrawFn, odd: bool) -> list[str]:
    made = [draw(st.lists(written_spans(odd), min_size=1, max_size=6)) for _ in range(draw(st.integers(0, 6)))]
    for again in draw(st.lists(st.sampled_from([text for line in made for text in line]), max_size=2)) if made else []:
        # Sent again, by an exporter that first did not know the end.
        unended = again.replace('"endTimeUnixNano"', '"unread"')
        draw(st.sampled_from(made)).insert(0 if draw(st.booleans()) else 9, draw(st.sampled_from([again, unended])))
    lines = [request(*spans) for spans in made]
    for line in draw(st.lists(ODD_LINES, max_size=3)) if odd else []:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return lines


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(more=files(odd=False), end=st.sampled_from(["", "\n", "\n\n"]))
def test_the_database_and_the_format_read_the_same(
    more: list[str], end: str, write: Callable[..., Artifact], database: Database
) -> None:
    same(write([*PLAIN, *more], end=end), database)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(more=files(odd=True), many=st.booleans())
@example(more=["  ", "garbage"], many=True)
def test_they_read_the_same_where_values_are_odd(
    more: list[str], many: bool, write: Callable[..., Artifact], database: Database
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "_MANY", 2 if many else 10_000)
        same(write([*PLAIN, *more]), database)


def test_a_span_that_was_sent_again_counts_once_with_its_end(
    write: Callable[..., Artifact], database: Database
) -> None:
    first, other = span(6, 2, CHAT), span(7, 2, TOOL)
    unended = first.replace('"endTimeUnixNano"', '"unread"')
    log = same(write([*PLAIN, request(unended), request(other, first), request(first)]), database)

    assert [(event.pointer, event.values.get("id")) for event in log][-2:] == [
        ("line 4", f"{6:016x}"),
        ("line 4", f"{7:016x}"),
    ]


def test_of_two_spans_with_one_id_the_last_is_the_parent(write: Callable[..., Artifact], database: Database) -> None:
    two = [
        span(6, None, AGENT),
        span(6, 1, AGENT | {"gen_ai.agent.name": string("second")}).replace("span 6", "other"),
    ]
    log = same(write([*PLAIN, request(*two), request(span(7, 6, TOOL))]), database)

    assert list(log)[-1].values["actor"] == "second"


@pytest.mark.parametrize("parents", [(2, 1), (1,), (2, 3, 1, 3, 4), (3, 3, 2), (2, 3, 4, 5, 3)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_circle_of_parents_is_cut_where_the_format_cuts_it(
    parents: tuple[int, ...], backwards: bool, write: Callable[..., Artifact], database: Database
) -> None:
    circle = [
        span(number, parent, AGENT | {"gen_ai.conversation.id": string(f"c{number}")}, trace=9)
        for number, parent in enumerate(parents, 1)
    ]
    same(write([*PLAIN, *(request(text) for text in (reversed(circle) if backwards else circle))]), database)


@pytest.mark.parametrize("length", [1, 2, 3, 64, 1000])
def test_a_chain_of_any_length_is_climbed(length: int, write: Callable[..., Artifact], database: Database) -> None:
    chain = [
        span(number + 100, number + 99 if number else None, AGENT if number in {0, 2} else None)
        for number in range(length)
    ]
    log = same(write([*PLAIN, request(*chain), request(span(5000, length + 99, TOOL))]), database)

    assert list(log)[-1].values["task"] == f"{102 if length > 2 else 100:016x}"


@pytest.mark.parametrize("inner", range(8))
def test_usage_that_no_span_inside_has_is_lost_and_said(
    inner: int, write: Callable[..., Artifact], database: Database
) -> None:
    usage = {
        "gen_ai.usage.cost": '{"doubleValue": 0.5}',
        "gen_ai.usage.input_tokens": whole(5),
        "gen_ai.usage.output_tokens": whole(6),
    }
    some = {name: value for number, (name, value) in enumerate(usage.items()) if inner >> number & 1}
    nested = [span(20, 2, CHAT | usage), span(21, 20, CHAT), span(22, 21), span(23, 22, CHAT | some)]
    nested += [span(30, 20, TOOL), span(31, 30, CHAT | usage)]
    log = same(write([*PLAIN, request(*nested)]), database)

    assert [event.values["id"] for event in log][-3:] == [f"{number:016x}" for number in (23, 30, 31)]


def test_a_trace_has_the_one_conversation_that_some_span_names(
    write: Callable[..., Artifact], database: Database
) -> None:
    one = [span(6, None, TOOL, trace=7), span(7, None, {"gen_ai.conversation.id": string("c")}, trace=7)]
    two = [span(8 + n, None, {"gen_ai.conversation.id": string(f"c{n}")}, trace=8) for n in range(2)] + [
        span(12, None, TOOL, trace=8)
    ]
    log = same(write([*PLAIN, request(*one, *two)]), database)

    assert [event.values.get("session") for event in log][-2:] == ["c", None]


def test_a_compressed_trace_is_the_same_trace(write: Callable[..., Artifact], database: Database) -> None:
    lines = [request(span(number, None, CHAT)) for number in range(10, 40)]
    same(write([*PLAIN, "", *lines, "garbage"], name="trace.jsonl.gz"), database)


def test_a_damaged_compressed_trace_is_left_to_its_format(write: Callable[..., Artifact], database: Database) -> None:
    whole_file = write([request(span(number, None, CHAT)) for number in range(2_000)], name="trace.jsonl.gz")
    assert whole_file.file is not None
    whole_file.file.write_bytes(whole_file.data[: len(whole_file.data) // 2])
    cut = Artifact.of_file("trace.jsonl.gz", whole_file.file)

    log = LogTable(database)
    assert OTLP_TRACE.columnar is not None
    assert OTLP_TRACE.columnar.load(cut, log, lambda found: found) is None
    assert len(log) == 0


@pytest.mark.parametrize(
    "written", [[request(span(1, None, CHAT))], ["[", *PLAIN, "]"], ["{", "}"], ["{}", '{"a": 1}']]
)
def test_what_is_no_lines_of_spans_is_left_to_the_format(
    written: list[str], write: Callable[..., Artifact], database: Database
) -> None:
    log = LogTable(database)
    assert OTLP_TRACE.columnar is not None
    assert OTLP_TRACE.columnar.load(write(written), log, lambda found: found) is None
    assert len(log) == 0


def test_a_file_that_changes_meanwhile_is_unreadable(write: Callable[..., Artifact], database: Database) -> None:
    artifact = write(PLAIN * 5)
    assert artifact.file is not None
    artifact.file.write_text(PLAIN[0])

    with pytest.raises(Unreadable, match="changed while it was read"):
        by_database(artifact, database)


def test_spans_keep_their_order_whatever_the_number_of_threads(write: Callable[..., Artifact]) -> None:
    database = Database()
    database.logs.execute("SET threads = 8")
    count = 60_000
    made = [span(number, 1, TOOL, trace=number % 7) for number in range(1, count)]
    log, _ = by_database(write([request(*made[at : at + 20]) for at in range(0, count, 20)]), database)

    wrong = database.run(f"SELECT COUNT(*) FROM {log.relation} WHERE id <> format('{{:016x}}', rowid + 1)")  # noqa: S608
    assert (len(log), wrong) == (count - 1, [(0,)])


def call(ident: int, model: str, read: int, written: int, cached: int = 0) -> str:
    usage = zip((spans.TOKENS_IN[0], spans.TOKENS_OUT[0], spans.FROM_CACHE[0]), (read, written, cached), strict=True)
    return span(
        ident, None, CHAT | {"gen_ai.request.model": string(model)} | {name: whole(count) for name, count in usage}
    )


def test_costs_are_computed_as_call_by_call(write: Callable[..., Artifact], database: Database) -> None:
    models = [*MODELS, "gpt-4o-mini", "openai/gpt-4o", "gemini-2.5-pro", "o3"]
    usage = [(0, 0), (1, 1), (7, 0), (200_001, 3), (200_000, 3), (40, 9, 30), (3, 1, 9), (10**9, 1)]
    made = [
        call(100 * index + number, model, *tokens)
        for index, model in enumerate(models, 1)
        for number, tokens in enumerate(usage)
    ]
    log = same(write([*PLAIN, request(*made)]), database)

    assert sum(event.values.get("cost_usd") is not None for event in log) > len(made) // 3


@pytest.mark.parametrize("exact", [0, 1, 499_999, 500_000, 500_001, 1_500_000, 2_500_000, 2_500_001, 10**21 + 500_000])
def test_computed_costs_are_rounded_as_amounts_are(exact: int, database: Database) -> None:
    ((cost,),) = database.run(f"SELECT {costs.rounded()} FROM (SELECT CAST({exact} AS HUGEINT) AS exact)")  # noqa: S608
    assert cost == amount(Decimal(exact).scaleb(-15))


def test_only_so_many_names_are_asked_about(
    write: Callable[..., Artifact], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "MOST_NAMES", 2)
    usage = {"gen_ai.usage.input_tokens": whole(5), "gen_ai.usage.output_tokens": whole(6)}
    names = ["o3", "gpt-4o", "o3", "gpt-4o-mini", "gpt-4o"]
    made = [span(10 + n, None, CHAT | usage | {"gen_ai.request.model": string(name)}) for n, name in enumerate(names)]
    log = same(write([*PLAIN, request(*made)]), database)

    assert [event.values["name"] for event in log if event.values.get("priced_by")] == ["o3", "gpt-4o", "o3", "gpt-4o"]
