"""The agent's own account of its work: OpenTelemetry spans with the GenAI conventions."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import IO, Protocol

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from agent.calls import Call, Result, Ticket
from agent.clock import Clock


class Recorder(Protocol):
    """What the harness tells whoever traces it."""

    def agent(self, ticket: Ticket, name: str, task: str, clock: Clock) -> AbstractContextManager[None]:
        """An agent is at work for as long as this is open."""

    def call(self, ticket: Ticket, call: Call, result: Result, between: tuple[datetime, datetime]) -> None:
        """A call was made."""


class NoTrace:
    """Records nothing."""

    def agent(self, *_: object) -> AbstractContextManager[None]:
        """Open nothing."""
        return nullcontext()

    def call(self, *_: object) -> None:
        """Keep nothing."""


NO_TRACE = NoTrace()


class SeededIds(IdGenerator):
    """The same ids for the same run, so that the same day gives the same bytes."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  ids, no secrets

    def generate_span_id(self) -> int:
        """A span id."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """A trace id."""
        return self._random.getrandbits(128) or 1


class Trace:
    """One trace a run, written as one line of OTLP JSON when the run ends."""

    def __init__(self, stream: IO[str], run: str, release: str, environment: str) -> None:
        resource = Resource(
            {
                "service.name": "registry-indexer",
                "service.version": release,
                "deployment.environment.name": environment,
            }
        )
        self._spans, self._out = InMemorySpanExporter(), FileSpanExporter(stream=stream)
        provider = TracerProvider(id_generator=SeededIds(run), resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._tracer = provider.get_tracer("guarded.harness", release)
        self._parents: list[Context] = [Context()]

    @contextmanager
    def agent(self, ticket: Ticket, name: str, task: str, clock: Clock) -> Iterator[None]:
        """Keep an `invoke_agent` span open; the outermost one is the run."""
        attributes = self._common(ticket, "invoke_agent", name, task)
        span = self._tracer.start_span(
            f"invoke_agent {name}", self._parents[-1], SpanKind.INTERNAL, attributes, start_time=_nanos(clock.now)
        )
        self._parents.append(set_span_in_context(span, Context()))
        try:
            yield
        finally:
            self._parents.pop()
            span.end(_nanos(clock.now))

    def call(self, ticket: Ticket, call: Call, result: Result, between: tuple[datetime, datetime]) -> None:
        """Add a `chat` or `execute_tool` span."""
        model = call.kind == "model"
        attributes = self._common(ticket, "chat" if model else "execute_tool", call.actor, call.task)
        attributes |= {"server.address": call.target, "gen_ai.usage.cost_usd": float(result.usd)}
        attributes |= {"psf.reason": call.reason, "psf.credential": call.credential}
        if result.approval:
            attributes["psf.approval"] = result.approval
        if model:
            attributes |= {"gen_ai.provider.name": "stub", "gen_ai.request.model": call.name}
            attributes |= {"gen_ai.response.id": result.id, "gen_ai.usage.input_tokens": result.tokens_in}
            attributes |= {"gen_ai.usage.output_tokens": result.tokens_out}
        else:
            attributes |= {"gen_ai.tool.name": call.name, "gen_ai.tool.type": "function"}
            attributes |= {"gen_ai.tool.call.id": result.id, "gen_ai.tool.call.arguments": call.text}
        name = f"{attributes['gen_ai.operation.name']} {call.name}"
        span = self._tracer.start_span(
            name, self._parents[-1], SpanKind.CLIENT, attributes, start_time=_nanos(between[0])
        )
        if not result.ok:
            span.set_attribute("error.type", result.outcome)
            span.set_status(Status(StatusCode.ERROR, result.reason))
        span.end(_nanos(between[1]))

    def close(self) -> None:
        """Write the spans, the earliest first."""
        spans = sorted(self._spans.get_finished_spans(), key=lambda span: (span.start_time or 0, span.end_time or 0))
        self._out.export(spans)

    @staticmethod
    def _common(ticket: Ticket, operation: str, agent: str, task: str) -> dict[str, str | int | float]:
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.conversation.id": ticket.run,
            "gen_ai.agent.name": agent,
            "session.id": ticket.session,
            "psf.task": task,
        }


def _nanos(at: datetime) -> int:
    return round(at.timestamp() * 1000) * 1_000_000
