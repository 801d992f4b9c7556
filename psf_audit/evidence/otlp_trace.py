"""OpenTelemetry traces in OTLP/JSON: one request, an array of them, or one a line as the collector writes files.

What a span was is said in `psf_audit/spans.py`; here stands only how this encoding writes spans. Lines may be
compressed with gzip. They are read one by one, but what a span was can depend on any other of its trace, which may
stand anywhere: all spans are held, without the attributes that are not read. Large files are read by a database
instead, in bounded memory; see `psf_audit/traces`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psf_audit import reading, spans
from psf_audit.artifact import Artifact, EvidenceFormat, Losses
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Item
from psf_audit.spans import Span
from psf_audit.traces.lines import SpanLines
from psf_audit.values import whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = re.compile(r'\s*\[?\s*\{\s*"resourceSpans"\s*:')
_READ = frozenset(spans.KEYS)
_ERROR = frozenset({2, "2", "STATUS_CODE_ERROR"})


def _sniff(artifact: Artifact) -> bool:
    if _HEAD.match(artifact.head):
        return True
    return artifact.head.lstrip().startswith("{") and any(
        isinstance(value.get("resourceSpans"), list) for value in (artifact.first_line, artifact.mapping)
    )


def _read(artifact: Artifact) -> Iterator[Item]:
    losses = Losses("span")
    found = list(_spans(artifact, losses))
    if not found:
        raise Unreadable("holds no span", hint="OTLP/JSON with resourceSpans, scopeSpans and spans is expected")
    yield from spans.items(found, losses)


def _spans(artifact: Artifact, losses: Losses) -> Iterator[Span]:
    """The spans, with pointers that are JSON pointers, or `line N` where there is one request a line."""
    try:
        document = artifact.json
    except Unreadable as error:
        yield from _spans_of_lines(artifact, losses, error)
        return
    requests = enumerate(document) if isinstance(document, list) else [("", document)]
    for index, request in requests:
        yield from _spans_of(request, "" if index == "" else f"/{index}", "", losses)


def _spans_of_lines(artifact: Artifact, losses: Losses, error: Unreadable) -> Iterator[Span]:
    found = False
    for number, text in artifact.raw_lines():
        request = _parsed(text)
        found = found or isinstance(request, dict)
        yield from _spans_of(request, "", f"line {number}", losses)
    if not found:
        raise error


def _line(number: int, text: bytes | Unreadable, losses: Losses) -> Iterator[Span]:
    """The spans of one line."""
    return _spans_of(_parsed(text), "", f"line {number}", losses)


def _parsed(text: bytes | Unreadable) -> Any:
    try:
        return None if isinstance(text, Unreadable) else reading.parse_json(reading.decode(text))
    except Unreadable:
        return None


def _spans_of(request: object, start: str, line: str, losses: Losses) -> Iterator[Span]:
    """The spans of one export request; `start` is its JSON pointer, where it has no line."""
    if not isinstance(request, dict):
        losses.add(line or start or "/", "unreadable", "events", "or more on a line that is not a JSON object")
        return
    for at_resource, resource in _each(request, start, ("resourceSpans",), losses, line):
        scopes = ("scopeSpans", "instrumentationLibrarySpans")
        for at_scope, scope in _each(resource, at_resource, scopes, losses, line):
            for at_span, span in _each(scope, at_scope, ("spans",), losses, line):
                if not isinstance(span.get("attributes", []), (list, dict)):
                    losses.add(line or at_span, "unreadable", "events", "whose attributes are no list")
                yield _span(span, line or at_span)


def _each(
    parent: dict[str, Any], pointer: str, keys: tuple[str, ...], losses: Losses, line: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in keys:
        items = parent.get(key, [])
        for index, item in enumerate(items if isinstance(items, list) else [items]):
            place = f"{pointer}/{key}/{index}"
            if isinstance(item, dict):
                yield place, item
            elif item is not None:
                losses.add(line or place, "unreadable", "events", f"or more lost: what stands in {key} is no object")


def _span(span: dict[str, Any], pointer: str) -> Span:
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    name = span.get("name")
    return Span(
        pointer=pointer,
        id=spans.identifier(span.get("spanId")),
        trace=spans.identifier(span.get("traceId")),
        parent=spans.identifier(span.get("parentSpanId")),
        name=name if isinstance(name, str) and name else None,
        start=whole(span.get("startTimeUnixNano")),
        end=whole(span.get("endTimeUnixNano")),
        failed=isinstance(code, (int, str)) and code in _ERROR,
        attributes={key: value for key, value in _attributes(span.get("attributes")).items() if key in _READ},
    )


def _attributes(given: object) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    return {
        item["key"]: _value(item.get("value"))
        for item in (given if isinstance(given, list) else [])
        if isinstance(item, dict) and isinstance(item.get("key"), str)
    }


def _value_of(text: str) -> Any:
    """The value of an attribute from its JSON text."""
    return _value(reading.parse_json(text))


def _value(given: object) -> Any:
    """An AnyValue as a plain value; a whole number may be written as text, as protobuf's JSON does."""
    if not isinstance(given, dict):
        return given
    for key, value in given.items():
        if key == "intValue":
            return whole(value)
        if key in {"stringValue", "doubleValue", "boolValue"}:
            return value
        if key == "arrayValue":
            items = value.get("values") if isinstance(value, dict) else None
            return [_value(item) for item in items] if isinstance(items, list) else []
        if key == "kvlistValue":
            return _attributes(value.get("values") if isinstance(value, dict) else None)
    return None


OTLP_TRACE = EvidenceFormat(
    name="otlp-trace",
    title="OpenTelemetry trace (OTLP/JSON)",
    suffixes=(".json", ".jsonl", ".jsonl.gz"),
    tables=("events",),
    speaks_to=("held",),
    cannot=(
        "What really happened: a trace is the agent's own account, and a span may say other than what was done.",
        "Who approved a call, why it was made, or what it cost, unless a vendor or the team adds that.",
        "That no call is missing: tracing samples, and what is not instrumented leaves no span.",
    ),
    sniff=_sniff,
    read=_read,
    produced_by="agent",
    stack="OpenTelemetry",
    reads=(
        "spans by `gen_ai.operation.name` or `openinference.span.kind`: calls of models, actions, starts of agents",
        "`gen_ai.usage.*`, `llm.token_count.*` and the cost that vendors add: tokens and cost of a call",
        "`gen_ai.tool.name`, `gen_ai.tool.call.id` and a digest of the arguments: what was done",
        "`gen_ai.conversation.id` or the trace id: the run; the nearest `invoke_agent` span: the task",
        "`psf.approval`, `psf.reason`, `psf.credential`, `psf.via`: what a team adds for this audit",
    ),
    proves=(
        "Which tools and models the agent says it called, when, in which order and with which outcome.",
        "How many tokens each call used, and what it cost where that is stated; otherwise the cost is computed.",
    ),
    export=(
        "OpenTelemetry Collector with `exporters: file: path: traces.jsonl`",
        "OTEL_TRACES_EXPORTER=otlp_json_file with opentelemetry-exporter-otlp-json-file",
    ),
    columnar=SpanLines(line=_line, value=_value_of),
)
