"""What each span of OTLP/JSON lines says by itself, as rows: by SQL, or by Python for the lines that are in doubt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psf_audit import spans
from psf_audit.artifact import Losses
from psf_audit.columns import plain
from psf_audit.columns.database import literal
from psf_audit.facts.tables import Column, ColumnType
from psf_audit.reading import MAX_LINE_BYTES
from psf_audit.traces import attributes
from psf_audit.traces.attributes import DOUBT, NO_NUMBER
from psf_audit.values import FIRST_MS, LAST_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psf_audit.spans import Span

_TEXT, _INTEGER, _DECIMAL, _BOOLEAN = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.BOOLEAN
COLUMNS = (
    Column("line", _INTEGER, "which of the lines that are not blank it stands on, from 1"),
    Column("doubtful", _BOOLEAN, "true where only Python can say what stands there"),
    Column("is_span", _BOOLEAN, "false for a line that says that it is of something else"),
    Column("trace", _TEXT, "the trace, empty where there is none"),
    Column("id", _TEXT, "the span"),
    Column("above", _TEXT, "the id of its parent"),
    Column("title", _TEXT, "the name of the span"),
    Column("start_ns", _INTEGER, "when it started, nanoseconds"),
    Column("ended", _BOOLEAN, "whether it has an end"),
    Column("agent", _TEXT, "the agent that it names"),
    Column("conversation", _TEXT, "the conversation that it names"),
    Column("is_mcp", _BOOLEAN, "whether it names a method of MCP"),
    Column("kind", _TEXT, "the kind of event that it is, if it is one; the following are of events only"),
    Column("at_ms", _INTEGER, "as in `events`"),
    Column("outcome", _TEXT, "as in `events`"),
    Column("target", _TEXT, "as in `events`"),
    *(Column(name, _TEXT, "as in `events`") for name in spans.ADDED),
    Column("name", _TEXT, "as in `events`"),
    Column("call", _TEXT, "`id` in `events`"),
    Column("args_digest", _TEXT, "as in `events`"),
    Column("tokens_in", _INTEGER, "as in `events`"),
    Column("tokens_out", _INTEGER, "as in `events`"),
    Column("cost_usd", _DECIMAL, "as in `events`: what the span states"),
    Column("served_by", _TEXT, "who served the model"),
    Column("from_cache", _INTEGER, "tokens read from a cache"),
    Column("to_cache", _INTEGER, "tokens written to a cache"),
    Column("url", _TEXT, "the target as it stands, where it is a URL"),
    Column("arguments", _TEXT, "the arguments of an action as JSON text"),
    Column("lost", _TEXT, "what could not be used, as JSON, but times and outcomes that are not there"),
)
_TEXTS = ("trace", "id", "above", "title", "agent", "conversation", "target", *spans.ADDED, "name", "call", "served_by")
_OF_ALL = (*spans.OPERATION, *spans.MODEL_NAME, *spans.AGENT_NAME, *spans.CONVERSATION)
_OF_EVENTS = {
    spans.MODEL: (
        *spans.USED, *spans.FROM_CACHE, *spans.TO_CACHE, *spans.PROVIDER, *spans.RPC_SYSTEM, spans.AWS_REQUEST,
        spans.RESPONSE_ID,
    ),
    spans.ACTION: (*spans.TOOL_NAME, *spans.ARGUMENTS, spans.CALL_ID),
    "": (spans.FAILURE, *spans.TARGET, *(f"psf.{name}" for name in spans.ADDED)),
}  # fmt: skip
_UNTOLD = {"events.at_ms", "events.outcome"}

_SPAN = {
    "traceId": "JSON", "spanId": "JSON", "parentSpanId": "JSON", "name": "JSON",
    "startTimeUnixNano": "VARCHAR", "endTimeUnixNano": "VARCHAR",
    "status": {"code": "VARCHAR"}, "attributes": [{"key": "VARCHAR", "value": "JSON"}],
}  # fmt: skip
# Each span is JSON text at first: to unnest lists of structures would copy all that is in them, for each level.
_REQUEST = {"resourceSpans": [{"scopeSpans": [{"spans": ["JSON"]}], "instrumentationLibrarySpans": "JSON"}]}
# DuckDB takes these for numbers, and Python takes a line with one for none; inside a text they only cost time.
_NO_NUMBERS = ("NaN", "Infinity")


def of(span: Span, line: int) -> dict[str, Any]:
    """The row of a span that Python read."""
    noted = _Noted()
    span.kind = spans.kind_of(span)
    values = spans.values_of(span, noted) if span.kind else {}
    cached = spans.cached(span)
    return {
        **dict.fromkeys((column.name for column in COLUMNS), None),
        **{name: value for name, value in values.items() if name != "id"},
        "line": line,
        "doubtful": False,
        "is_span": True,
        "trace": span.trace or "",
        "id": span.id,
        "above": span.parent,
        "title": span.name,
        "start_ns": span.start,
        "ended": bool(span.end),
        "agent": span.text(spans.AGENT_NAME),
        "conversation": span.text(spans.CONVERSATION),
        "is_mcp": spans.MCP in span.attributes,
        "kind": span.kind,
        "call": values.get("id"),
        "served_by": span.text(spans.PROVIDER),
        "from_cache": cached[0],
        "to_cache": cached[1],
        "lost": json.dumps(noted.found) if noted.found else None,
    }


class _Noted(Losses):
    """The losses of one span."""

    def __init__(self) -> None:
        super().__init__("span")
        self.found: list[tuple[str, str, str]] = []

    def add(self, pointer: str, kind: str, facts: str, what: str, times: int = 1) -> None:
        """Note it, if the row itself does not tell."""
        del pointer, times
        if facts not in _UNTOLD:
            self.found.append((kind, facts, what))


def select(file: str) -> str:
    """The rows of all spans of a file by SQL, in their order, with the columns of `COLUMNS`.

    A key that stands twice in a span, and a comma after the last thing in a list, for which Python refuses a line, are
    not seen.
    """
    # No join: one would not keep the order of the lines.
    lines = (
        "SELECT row_number() OVER () AS line, CAST(json AS VARCHAR) AS whole, "  # noqa: S608
        f"from_json(json, {literal(json.dumps(_REQUEST))}) AS j "
        f"FROM read_json_objects({literal(file)}, format = 'newline_delimited', ignore_errors = true, "
        f"compression = 'none', maximum_object_size = {MAX_LINE_BYTES})"
    )
    other = "starts_with(whole, '{') AND NOT contains(whole, 'resourceSpans') AND NOT contains(whole, '\\u')"
    odd = " OR ".join(f"COALESCE(contains(whole, '{text}'), TRUE)" for text in _NO_NUMBERS)
    resources = (
        f"SELECT line, COALESCE({other}, FALSE) AS other, ({odd}) AS odd, "  # noqa: S608
        f"{_unnest('j.resourceSpans')} AS r FROM ({lines})"
    )
    scopes = (
        "SELECT line, other, odd OR r.instrumentationLibrarySpans IS NOT NULL AS odd, "  # noqa: S608
        f"{_unnest('r.scopeSpans')} AS x FROM ({resources})"
    )
    texts = f"SELECT line, other, odd, {_unnest('x.spans')} AS text FROM ({scopes})"  # noqa: S608
    found = f"SELECT line, other, odd, from_json(text, {literal(json.dumps(_SPAN))}) AS s FROM ({texts})"  # noqa: S608
    return _events(_raw(found))


def _unnest(listed: str) -> str:
    # A list that is not there, or none, leaves one row, which is in doubt: nothing is lost in silence.
    return f"unnest(COALESCE(NULLIF({listed}, []), [NULL]))"


def _column(name: str) -> str:
    return plain.key(f"a {name}")


def _columns(names: Sequence[str], condition: str = "TRUE") -> str:
    """These attributes as columns, where a condition holds; of a key that stands twice the last value counts."""
    return ", ".join(
        f"CASE WHEN {condition} THEN given[list_position(keys, {literal(name)})] END AS {_column(name)}"
        for name in names
    )


def _raw(found: str) -> str:
    """The ids and the attributes of all spans."""
    listed = (
        "SELECT line, other, odd OR s.attributes IS NULL AS odd, s, "  # noqa: S608
        "list_reverse(list_transform(s.attributes, lambda a: a.key)) AS keys, "
        "list_reverse(list_transform(s.attributes, lambda a: CAST(a.value AS VARCHAR))) AS given "
        f"FROM ({found})"
    )
    return (
        "SELECT line, other, odd OR list_position(keys, NULL) IS NOT NULL AS odd, keys, given, "  # noqa: S608
        f"{attributes.identifier('s.traceId')} AS trace, {attributes.identifier('s.spanId')} AS id, "
        f"{attributes.identifier('s.parentSpanId')} AS above, "
        f"CASE WHEN starts_with(s.name, '\"') THEN {attributes.quoted('s.name')} END AS title, "
        "NULLIF(s.startTimeUnixNano, '') AS started, NULLIF(s.endTimeUnixNano, '') AS finished, "
        f"s.status.code AS code, {_columns(_OF_ALL)} FROM ({listed})"
    )


def _text(*names: str) -> str:
    return attributes.first_text([_column(name) for name in names])


def _whole(*names: str) -> str:
    return attributes.first_whole([_column(name) for name in names])


def _kind() -> str:
    cases = " ".join(f"WHEN '{name}' THEN '{kind}'" for name, kind in spans.OPERATIONS.items())
    none = " ".join(f"WHEN '{name}' THEN NULL" for name in sorted(spans.NO_CALL))
    used = ", ".join(literal(name) for name in spans.USED)
    by_use = f"CASE WHEN named IS NOT NULL AND list_has_any(keys, [{used}]) THEN '{spans.MODEL}' END"
    return f"CASE operation {cases} {none} ELSE {by_use} END"


def _events(raw: str) -> str:
    told = (
        f"SELECT *, {_text(*spans.OPERATION)} AS operation, {_text(*spans.MODEL_NAME)} AS named, "  # noqa: S608
        f"{_text(*spans.AGENT_NAME)} AS agent, {_text(*spans.CONVERSATION)} AS conversation, "
        "TRY_CAST(started AS BIGINT) AS start_ns, TRY_CAST(finished AS BIGINT) AS end_ns FROM "
        f"({raw})"
    )
    kinds = f"SELECT *, {_kind()} AS kind FROM ({told})"  # noqa: S608
    # What only some kinds of events have is looked for in no other: most spans of most traces are no events.
    read = ", ".join(
        _columns(names, f"kind = '{kind}'" if kind else "kind IS NOT NULL") for kind, names in _OF_EVENTS.items()
    )
    given = f"SELECT *, {read} FROM ({kinds})"  # noqa: S608
    found = f"SELECT *, {', '.join(f'{value} AS {name}' for name, value in _values().items())} FROM ({given})"  # noqa: S608
    made = _finished()
    selected = ", ".join(f'{made.get(column.name, column.name)} AS "{column.name}"' for column in COLUMNS)
    return f"SELECT {selected} FROM ({found})"  # noqa: S608


def _values() -> dict[str, str]:
    """The values of events in SQL, as `spans.values_of` has them; NULL where the kind of event has no such thing."""
    prefix = spans.TOOL_PREFIX
    title = f"CASE WHEN starts_with(title, '{prefix}') THEN substr(title, {len(prefix) + 1}) ELSE title END"
    by_aws = f"'{spans.AWS}' IN ({', '.join(_text(name) for name in spans.RPC_SYSTEM)})"
    one = f"COALESCE({', '.join(_column(name) for name in spans.COST)})"
    parts = (f"CASE WHEN {one} IS NULL THEN {attributes.number(_column(name))} END" for name in spans.COST_PARTS)
    names = f"CASE kind WHEN '{spans.MODEL}' THEN named WHEN '{spans.ACTION}' THEN"
    ids = f"CASE kind WHEN '{spans.MODEL}' THEN"
    both = " AND ".join(f"{_column(name)} IS NOT NULL" for name in spans.ARGUMENTS)
    return {
        "failure": _text(spans.FAILURE),
        "aimed": _text(*spans.TARGET),
        **{name: _text(f"psf.{name}") for name in spans.ADDED},
        "name": f"{names} COALESCE({_text(*spans.TOOL_NAME)}, {title}) "
        f"WHEN '{spans.AGENT}' THEN COALESCE(agent, title) END",
        "call": f"COALESCE({ids} COALESCE(CASE WHEN {by_aws} THEN {_text(spans.AWS_REQUEST)} END, "
        f"{_text(spans.RESPONSE_ID)}) WHEN '{spans.ACTION}' THEN {_text(spans.CALL_ID)} END, "
        "CASE WHEN kind IS NOT NULL THEN id END)",
        "tokens_in": _whole(*spans.TOKENS_IN),
        "tokens_out": _whole(*spans.TOKENS_OUT),
        "from_cache": _whole(*spans.FROM_CACHE),
        "to_cache": _whole(*spans.TO_CACHE),
        "served_by": _text(*spans.PROVIDER),
        "cost": attributes.number(one),
        **dict(zip(("cost_in", "cost_out"), parts, strict=True)),
        "arguments": f"COALESCE({', '.join(_column(name) for name in spans.ARGUMENTS)})",
        "both_arguments": both,
    }


def _finished() -> dict[str, str]:
    """The columns that are made of several of those."""
    costs = {name: plain.cost(name) for name in ("cost", "cost_in", "cost_out")}
    parts = f"COALESCE({costs['cost_in'].value}, 0) + COALESCE({costs['cost_out'].value}, 0)"
    no_part = "cost_in IS NULL AND cost_out IS NULL"
    timed_out = f"regexp_matches(failure, '(?i){spans.TIMED_OUT}')"
    ended = "end_ns <> 0 AND (start_ns IS NULL OR end_ns >= start_ns)"
    at_ms = f"start_ns // {spans.NANOSECONDS}"
    failed = "code = '2' OR code = 'STATUS_CODE_ERROR'"
    doubts = [
        "odd",
        *(f"{name} = {DOUBT}" for name in (*_TEXTS, "operation", "failure", "aimed") if name != "target"),
        *(f"strlen({name}) > {plain.MAX_CHARACTERS}" for name in (*_TEXTS, "aimed") if name != "target"),
        *(f"{name} = {NO_NUMBER}" for name in ("tokens_in", "tokens_out", "from_cache", "to_cache")),
        *(f"({cost.doubt})" for cost in costs.values()),
        *(f"NOT regexp_full_match({name}, '[0-9]{{1,19}}')" for name in ("started", "finished")),
        "strlen(failure) <> length(failure)",
        "both_arguments",
    ]
    return {
        "doubtful": f"NOT other AND ({' OR '.join(f'COALESCE({doubt}, FALSE)' for doubt in doubts)})",
        "is_span": "NOT other",
        "trace": "COALESCE(trace, '')",
        "ended": "COALESCE(end_ns <> 0, FALSE)",
        "is_mcp": f"list_contains(keys, '{spans.MCP}')",
        "at_ms": f"CASE WHEN kind IS NOT NULL AND {at_ms} BETWEEN {FIRST_MS} AND {LAST_MS} THEN {at_ms} END",
        "outcome": f"CASE WHEN kind IS NULL THEN NULL WHEN failure IS NOT NULL OR {failed} "
        f"THEN CASE WHEN {timed_out} THEN 'timeout' ELSE 'error' END WHEN {ended} THEN 'ok' END",
        "target": "CASE WHEN contains(aimed, '://') THEN NULL ELSE aimed END",
        "url": "CASE WHEN contains(aimed, '://') THEN aimed END",
        "args_digest": "NULL",
        "cost_usd": f"CASE WHEN cost IS NOT NULL THEN {costs['cost'].value} WHEN {no_part} THEN NULL ELSE {parts} END",
        "lost": "NULL",
    }
