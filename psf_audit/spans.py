"""What the spans of an agent's trace were: calls of models, actions, starts of agents.

What a span was is read from the semantic conventions for generative AI (status Development;
https://github.com/open-telemetry/semantic-conventions-genai), by their present and their older names, and from
OpenInference. `execute_tool` is an action, a call of a model is `model`, `invoke_agent` is the `start` of a task, whose
id is that of its span; other spans are no events. The conventions have no attribute for cost, approval or reason: cost
is read from what vendors add, `psf.approval`, `psf.reason`, `psf.credential` and `psf.via` from teams that record them.
The provider's name is not the `via`: it says who made the model, not which gateway a call passed.

Usage is counted once. Agent spans repeat the sum of what is below them, and instrumentation at two levels records the
same call twice, one span inside the other: of a call of a model the innermost span becomes the event, of an action the
outermost, because the span of its transport (MCP) does not know which call of the model asked for it.

The id of a call of a model is that of the response, which gateways log as well. Of a call by an SDK of AWS it is
`aws.request_id`, which Bedrock and CloudTrail log: opentelemetry-instrumentation-botocore writes it (checked in
November 2026).

A span that has no end, or ends before it starts, is not known to have run: it has no outcome.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit import arguments
from psf_audit.calls import web_target
from psf_audit.facts.model import Carries, Event, Gap, Item
from psf_audit.pricing import Pricing
from psf_audit.values import amount, in_range, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psf_audit.artifact import Losses

_HEX_ID = re.compile(r"(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})\Z")
_ID_LENGTHS = (8, 16)
NANOSECONDS = 1_000_000

MODEL, ACTION, AGENT = "model", "action", "start"
OPERATIONS = {
    "chat": MODEL, "generate_content": MODEL, "text_completion": MODEL, "embeddings": MODEL,
    "call_llm": MODEL,  # any-agent, before it took the names of the convention
    "execute_tool": ACTION, "invoke_agent": AGENT,
    # OpenInference: https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
    "LLM": MODEL, "EMBEDDING": MODEL, "TOOL": ACTION, "AGENT": AGENT,
}  # fmt: skip
# Spans that name a model and are no call of one.
NO_CALL = frozenset(
    {"create_agent", "invoke_workflow", "plan", "CHAIN", "GUARDRAIL", "EVALUATOR", "RETRIEVER", "RERANKER"}
)
OPERATION = ("gen_ai.operation.name", "openinference.span.kind")
MODEL_NAME = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "embedding.model_name")
TOOL_NAME = ("gen_ai.tool.name", "tool.name", "tool_call.function.name")
AGENT_NAME = ("gen_ai.agent.name", "agent.name")
CONVERSATION = ("gen_ai.conversation.id", "session.id")
TARGET = ("url.full", "mcp.resource.uri", "server.address", "http.url")
TOKENS_IN = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
TOKENS_OUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
COST = ("gen_ai.usage.cost_usd", "gen_ai.usage.cost", "llm.cost.total")
COST_PARTS = ("gen_ai.usage.input_cost", "gen_ai.usage.output_cost")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider")
FROM_CACHE = ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read")
TO_CACHE = ("gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write")
ARGUMENTS = ("gen_ai.tool.call.arguments", "gen_ai.tool.args")
ADDED = ("via", "approval", "reason", "credential")
USAGE = ("cost_usd", "tokens_in", "tokens_out")
USED = (*TOKENS_IN, *TOKENS_OUT, *COST, *COST_PARTS)
FAILURE, TIMED_OUT = "error.type", r"time[ _-]?d?[ _-]?out|deadline"
CALL_ID, TOOL_PREFIX = "gen_ai.tool.call.id", "execute_tool "
RESPONSE_ID, AWS_REQUEST, AWS, RPC_SYSTEM = (
    "gen_ai.response.id", "aws.request_id", "aws-api", ("rpc.system", "rpc.system.name"),
)  # fmt: skip
MCP = "mcp.method.name"
# All attributes that are read: of others nothing needs to be held.
KEYS = (
    *OPERATION, *MODEL_NAME, *TOOL_NAME, *AGENT_NAME, *CONVERSATION, *TARGET, *USED, *PROVIDER, *FROM_CACHE, *TO_CACHE,
    *ARGUMENTS, *(f"psf.{column}" for column in ADDED), FAILURE, CALL_ID, RESPONSE_ID, AWS_REQUEST, *RPC_SYSTEM, MCP,
)  # fmt: skip

NO_START = "without a start in the years 2000 to 2100"
NO_END = "without an end, or with one before its start: whether the call ran is not known"
DOUBLED = "left out whose usage no span inside has: it was the outer of two spans of one call of a model"
NO_EVENT = Gap("lossy", "no span says by the conventions for generative AI what it was", "events")

Values = dict[str, str | int | Decimal | None]


@dataclass(slots=True)
class Span:
    """A span with its ids in one form and its attributes as plain values."""

    pointer: str
    id: str | None
    trace: str | None
    parent: str | None
    name: str | None
    start: int | None
    end: int | None
    failed: bool
    attributes: dict[str, Any]
    kind: str | None = None  # this and the values are worked out here
    values: Values = field(default_factory=dict)

    def text(self, names: tuple[str, ...]) -> str | None:
        """The first of the attributes that has text, or a whole number as text."""
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
        return None


@dataclass(frozen=True, slots=True)
class _Context:
    """What a span has from the spans above it; `call` is the index of the nearest that is an event."""

    task: str | None = None
    parent: str | None = None
    actor: str | None = None
    conversation: str | None = None
    call: int | None = None


def identifier(value: object) -> str | None:
    """An id as lower-case hexadecimal: OTLP/JSON writes hex, protobuf's own JSON base64, some exporters a number."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f"{value:016x}" if value < 2**64 else f"{value:032x}"
    if not isinstance(value, str) or not value.strip("0"):
        return None
    if _HEX_ID.match(value):
        return value.lower()
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    if len(decoded) in _ID_LENGTHS:
        return decoded.hex() if any(decoded) else None
    return value


def items(spans: Iterable[Span], losses: Losses) -> Iterator[Item]:
    """The events that the spans are, in their order, and what has to be said of them.

    Spans that an exporter sent again count once. What is lost is counted in `losses`, which is emptied here.
    """
    distinct = _distinct(spans)
    pricing = Pricing()
    events = list(_events(distinct, losses, pricing))
    yield from events
    yield Carries(frozenset(name for event in events for name, value in event.values.items() if value is not None))
    if not events:
        yield NO_EVENT
    yield from pricing.items()
    yield from losses.gaps()


def _distinct(spans: Iterable[Span]) -> list[Span]:
    """The spans without those that an exporter sent again; of two accounts of one span, the one that has an end."""
    kept: dict[object, Span] = {}
    for number, span in enumerate(spans):
        key: object = (span.trace, span.id, span.name, span.start) if span.id else number
        known = kept.get(key)
        if known is None or (not known.end and span.end):
            kept[key] = span
    return list(kept.values())


def kind_of(span: Span) -> str | None:
    """The kind of event that a span is; None where it is none."""
    operation = span.text(OPERATION)
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    # Operations outside the conventions, and conventions before they had operations: it names a model and used tokens.
    names_model = span.text(MODEL_NAME) is not None
    used = any(name in span.attributes for name in USED)
    return MODEL if names_model and used and operation not in NO_CALL else None


def _events(spans: list[Span], losses: Losses, pricing: Pricing) -> Iterator[Event]:
    for span in spans:
        span.kind = kind_of(span)
    contexts = _contexts(spans)
    conversations = _conversations(spans)
    for span in spans:
        if span.kind is not None:
            span.values = values_of(span, losses)
    doubled = _doubled(spans, contexts)
    counted = [index for index, span in enumerate(spans) if span.kind is not None and index not in doubled]
    for row, index in enumerate(counted, 1):
        span = spans[index]
        context = contexts[index]
        session = context.conversation or conversations.get(span.trace)
        above = {
            "run": session or span.trace,
            "session": session,
            "task": context.task,
            "parent": context.parent,
            "actor": context.actor,
            "actor_kind": "agent",
        }
        if span.kind == MODEL:
            _price(span, pricing)
        yield Event(row, span.pointer, {**above, **span.values})
    for index, recorded in sorted(doubled.items()):
        for column in USAGE:
            if spans[index].values.get(column) is not None and column not in recorded:
                losses.add(spans[index].pointer, "lossy", f"events.{column}", DOUBLED)


def _price(span: Span, pricing: Pricing) -> None:
    """The computed cost of a call that states none; by the convention the input tokens include those of the cache."""
    from_cache, to_cache = cached(span)
    pricing.fill(span.values, provider=span.text(PROVIDER), from_cache=from_cache, to_cache=to_cache)


def cached(span: Span) -> tuple[int, int]:
    """The tokens of a call that came from a cache, and those that went into it; 0 where the span does not say."""
    return whole(_first(span, FROM_CACHE)) or 0, whole(_first(span, TO_CACHE)) or 0


def _contexts(spans: list[Span]) -> list[_Context]:
    """What each span has from those above it; each is worked out once, and a circle of parents is cut."""
    by_id = {(span.trace, span.id): index for index, span in enumerate(spans) if span.id}
    parents = without_circles([by_id.get((span.trace, span.parent)) if span.parent else None for span in spans])
    contexts: list[_Context | None] = [None] * len(spans)
    for index in range(len(spans)):
        chain: list[int] = []
        current: int | None = index
        while current is not None and contexts[current] is None:
            chain.append(current)
            current = parents[current]
        for below in reversed(chain):
            parent = parents[below]
            above = contexts[parent] if parent is not None else None
            if parent is None or above is None:
                contexts[below] = _below(spans[below], _Context(), None)
            else:
                contexts[below] = _below(spans[below], above, parent if spans[parent].kind else above.call)
    return [context or _Context() for context in contexts]


def without_circles(parents: Sequence[int | None]) -> list[int | None]:
    """The parent of each span by index, without the one by which a walk up from the first span in a circle comes back.

    The walk starts at the first span that is in the circle or below it.
    """
    kept = list(parents)
    known = [False] * len(kept)
    for index in range(len(kept)):
        chain: list[int] = []
        current: int | None = index
        on_chain: set[int] = set()
        while current is not None and not known[current] and current not in on_chain:
            chain.append(current)
            on_chain.add(current)
            current = kept[current]
        if current is not None and not known[current]:
            kept[chain[-1]] = None
        for below in chain:
            known[below] = True
    return kept


def _below(span: Span, above: _Context, call: int | None) -> _Context:
    """The context of a span: what it says of itself, else what holds above it."""
    starts = span.kind == AGENT and span.id is not None
    return _Context(
        task=span.id if starts else above.task,
        parent=above.task if starts else above.parent,
        actor=span.text(AGENT_NAME) or above.actor,
        conversation=span.text(CONVERSATION) or above.conversation,
        call=call,
    )


def _conversations(spans: list[Span]) -> dict[str | None, str]:
    """The conversation of each trace that has exactly one: frameworks put it on some spans only."""
    found: dict[str | None, set[str]] = {}
    for span in spans:
        conversation = span.text(CONVERSATION)
        if conversation and span.trace:
            found.setdefault(span.trace, set()).add(conversation)
    return {trace: next(iter(ids)) for trace, ids in found.items() if len(ids) == 1}


def _doubled(spans: list[Span], contexts: list[_Context]) -> dict[int, set[str]]:
    """The spans of calls that another span records, with the usage that the other has.

    They are the outer of two calls of a model, and the transport (MCP) of an action right above it.
    """
    doubled: dict[int, set[str]] = {}
    for index, span in enumerate(spans):
        outer = contexts[index].call
        if _is_mcp_of(span, spans[outer] if outer is not None else None):
            doubled[index] = set()
        while span.kind == MODEL and outer is not None and spans[outer].kind == MODEL:
            recorded = {column for column in USAGE if span.values[column] is not None}
            doubled.setdefault(outer, set()).update(recorded)
            outer = contexts[outer].call
    return doubled


def _is_mcp_of(span: Span, outer: Span | None) -> bool:
    """Whether the span is that of MCP for the action above it."""
    if outer is None or not span.kind == outer.kind == ACTION or MCP not in span.attributes:
        return False
    return span.values["name"] == outer.values["name"]


def values_of(span: Span, losses: Losses) -> Values:
    """What a span whose kind is known says of its event by itself."""
    at_ms = in_range(span.start // NANOSECONDS) if span.start is not None else None
    if at_ms is None:
        losses.add(span.pointer, "lossy", "events.at_ms", NO_START)
    values: Values = {
        "at_ms": at_ms,
        "kind": span.kind,
        "outcome": _outcome(span, losses),
        "target": _target(span),
        **{column: span.text((f"psf.{column}",)) for column in ADDED},
    }
    if span.kind == ACTION:
        name = span.text(TOOL_NAME) or (span.name.removeprefix(TOOL_PREFIX) if span.name else None)
        digest = arguments.digest(_first(span, ARGUMENTS))
        return {**values, "name": name, "id": span.text((CALL_ID,)) or span.id, "args_digest": digest}
    if span.kind == AGENT:
        return {**values, "name": span.text(AGENT_NAME) or span.name, "id": span.id}
    return {
        **values,
        "name": span.text(MODEL_NAME),
        "id": _request(span) or span.text((RESPONSE_ID,)) or span.id,
        "tokens_in": _tokens(span, "tokens_in", TOKENS_IN, losses),
        "tokens_out": _tokens(span, "tokens_out", TOKENS_OUT, losses),
        "cost_usd": _cost(span, losses),
    }


def _request(span: Span) -> str | None:
    """The id by which AWS itself logs a call that its SDK made; elsewhere the attribute can be that of a function."""
    return span.text((AWS_REQUEST,)) if AWS in (span.text((name,)) for name in RPC_SYSTEM) else None


def _target(span: Span) -> str | None:
    """What a call was made to; a URL without what may hold secrets."""
    for name in TARGET:
        value = span.attributes.get(name)
        found = web_target(value) if isinstance(value, str) and "://" in value else span.text((name,))
        if found:
            return found
    return None


def _outcome(span: Span, losses: Losses) -> str | None:
    reason = span.text((FAILURE,))
    if span.failed or reason:
        timed_out = reason is not None and re.search(TIMED_OUT, reason, re.IGNORECASE)
        return "timeout" if timed_out else "error"
    if not span.end or (span.start is not None and span.end < span.start):
        losses.add(span.pointer, "lossy", "events.outcome", NO_END)
        return None
    return "ok"


def _tokens(span: Span, column: str, names: tuple[str, ...], losses: Losses) -> int | None:
    for name in names:
        given = span.attributes.get(name)
        if given is None:
            continue
        tokens = whole(given)
        if tokens is not None and tokens >= 0:
            return tokens
        losses.add(span.pointer, "lossy", f"events.{column}", f"whose `{name}` is not a whole number from 0")
    return None


def _first(span: Span, names: tuple[str, ...]) -> Any:
    """The first of the attributes that is there."""
    return next((span.attributes[name] for name in names if span.attributes.get(name) is not None), None)


def _cost(span: Span, losses: Losses) -> Decimal | None:
    """What the vendor says the call cost; of a cost in parts, a part that is not there is free."""
    one = next(([name] for name in COST if span.attributes.get(name) is not None), None)
    names = one or [name for name in COST_PARTS if span.attributes.get(name) is not None]
    costs = [amount(span.attributes[name]) for name in names]
    valid = [cost for cost in costs if cost is not None and cost >= 0]
    if len(valid) < len(costs):
        what = "whose cost is not a number from 0 to below a billion: the cost is unknown, not 0"
        losses.add(span.pointer, "lossy", "events.cost_usd", what)
        return None
    return amount(sum(valid, Decimal(0))) if valid else None
