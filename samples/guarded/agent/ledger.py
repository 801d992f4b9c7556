"""What has been used, by whom and when: counted from the audit log, so that a restart forgets nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agent.audit import Event
from agent.calls import Call, Ticket
from agent.guardrails import Limit, matches


@dataclass(frozen=True)
class Use:
    """One call that went through, or tried to."""

    at: datetime
    event: str
    kind: str
    run: str
    session: str
    root: str
    key: str
    tool: str
    digest: str
    usd: Decimal
    tokens: int
    through: bool

    def measure(self, resource: str) -> Decimal:
        """How much of a resource this call used."""
        match resource:
            case "usd":
                return self.usd
            case "tokens":
                return Decimal(self.tokens)
            case "requests":
                return Decimal(1)
            case "actions" | "repeats":
                return Decimal(self.kind == "action")
            case _:
                raise ValueError(f"the gateway does not count {resource}")


class Ledger:
    """The uses so far."""

    def __init__(self, history: Iterable[Event] = ()) -> None:
        self._uses: list[Use] = []
        self._roots: dict[str, str] = {}
        for event in history:
            if event["kind"] in {"action", "model"} and event["actor_kind"] == "agent":
                self.add(event)

    def add(self, event: Event) -> None:
        """Count an event of the log."""
        task = event["task"]
        parent = event.get("parent", "")
        self._roots[task] = self._roots.get(parent, parent) or task
        self._uses.append(
            Use(
                at=datetime.fromisoformat(event["at"]),
                event=event["id"],
                kind=event["kind"],
                run=event["run"],
                session=event["session"],
                root=self._roots[task],
                key=event["credential"],
                tool=event["name"],
                digest=event["args_digest"],
                usd=Decimal(event["cost_usd"]),
                tokens=event.get("tokens_in", 0) + event.get("tokens_out", 0),
                through=event["outcome"] != "denied",
            )
        )

    def used(self, limit: Limit, ticket: Ticket, call: Call, now: datetime) -> Decimal:
        """How much of a limit is used, seen from the call that comes next."""
        uses = (use for use in self._within(limit, now) if _same(limit.scope, use, ticket, call))
        if limit.resource == "repeats":
            uses = (use for use in uses if use.digest == call.digest)
        return sum((use.measure(limit.resource) for use in uses), Decimal(0))

    def spent(self, session: str) -> Decimal:
        """What a session has cost."""
        return sum((use.usd for use in self._uses if use.session == session), Decimal(0))

    def attempts(self, run: str, digest: str) -> int:
        """How often a run has tried exactly this call, refusals included."""
        return sum(1 for use in self._uses if use.run == run and use.digest == digest)

    def refusals(self, run: str) -> int:
        """How many calls of a run were refused."""
        return sum(1 for use in self._uses if use.run == run and not use.through)

    def earlier(self, ticket: Ticket, call: Call) -> str | None:
        """The event that already did exactly this in the session."""
        same = (use for use in self._uses if use.through and use.session == ticket.session)
        return next((use.event for use in same if use.digest == call.digest), None)

    def _within(self, limit: Limit, now: datetime) -> Iterable[Use]:
        start = datetime.min.replace(tzinfo=now.tzinfo)
        if limit.per_seconds and limit.aligned:
            start = datetime.fromtimestamp(now.timestamp() // limit.per_seconds * limit.per_seconds, now.tzinfo)
        elif limit.per_seconds:
            start = now - timedelta(seconds=limit.per_seconds)
        return (use for use in self._uses if use.through and use.at >= start and matches(use.tool, limit.patterns))


def _same(scope: str, use: Use, ticket: Ticket, call: Call) -> bool:
    match scope:
        case "account":
            return True
        case "key":
            return use.key == call.credential
        case "session":
            return use.session == ticket.session
        case "run":
            return use.run == ticket.run
        case "task":
            return use.root == call.root
        case "tool":
            return use.tool == call.name
        case _:
            raise ValueError(f"the gateway does not enforce a limit a {scope}")
