"""The only way to a tool or to the model.

It decides from its own file and its own log, never from what the agent says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from agent.audit import AuditLog, Event
from agent.calls import Call, Clearance, Result, Ticket
from agent.guardrails import Alert, BadGuardrails, Gate, Guardrails, Limit, matches
from agent.ledger import Ledger
from agent.world import World, argument_faults

DOMAINS = frozenset({"spend", "checkpoints", "boundaries", "auditability", "readiness"})
Pager = Callable[[str, Alert, Ticket], None]


class Refused(PermissionError):
    """The gateway does not let this deployment start."""


@dataclass(frozen=True)
class Refusal:
    """Why a call does not pass, and whether it also pauses what it belongs to."""

    reason: str
    pauses: tuple[str, str] | None = None
    halts: bool = False


def no_pager(_: str, __: Alert, ___: Ticket) -> None:
    """A channel that is down: the page goes nowhere."""


class Gateway:
    """Enforces budgets, rates, counts, allow-lists, approvals, clearance and stops, and writes the audit log."""

    def __init__(
        self, rules: Guardrails, world: World, log: AuditLog, deployment: str, history: Iterable[Event] = ()
    ) -> None:
        self.rules, self.log = rules, log
        self.pager: Pager = no_pager
        for dimension in ("tool", "target"):
            if not rules.denies_by_default(dimension):
                raise BadGuardrails(f"the gateway does not start without a default deny on each {dimension}")
        self._world, self._clock, self._deployment = world, world.clock, deployment
        self._ledger = Ledger(history)
        self._open: set[Ticket] = set()
        self._paused: dict[tuple[str, str], str] = {}
        self._stopped: set[Ticket] = set()
        self._workers: dict[str, Ticket] = {}
        self._raised: set[tuple[Ticket, Alert]] = set()
        self._pending: set[str] = set()
        self._approvals: dict[str, str] = {}

    # --- starting and ending -------------------------------------------------------------------------------------

    def open(self, ticket: Ticket, clearance: Clearance | None, components: Iterable[Guardrails]) -> None:
        """Start a run, if somebody with authority cleared exactly this deployment for it."""
        reason = self._not_cleared(ticket, clearance)
        for component in (self.rules, *components):
            self.write(
                ticket,
                "start",
                name=component.component,
                args_digest=component.digest,
                target=component.release,
                outcome="denied" if reason else "ok",
                reason=reason or f"loaded its guardrails for session {ticket.session}",
            )
        if reason:
            raise Refused(reason)
        self._open.add(ticket)

    def close(self, ticket: Ticket, kind: str, outcome: str, reason: str) -> None:
        """End a run: tear down what it started, then say how it ended."""
        self._tear_down(ticket)
        self.write(ticket, kind, name=ticket.task, outcome=outcome, reason=reason)
        self._open.discard(ticket)

    def write(self, ticket: Ticket, kind: str, **columns: Any) -> str:
        """Record something of a run that is not a call."""
        columns = {"actor": "gateway", "actor_kind": "system", "task": ticket.task} | columns
        return self.log.write(ticket.run, kind, session=ticket.session, **columns)

    def _not_cleared(self, ticket: Ticket, clearance: Clearance | None) -> str | None:
        live, change = self.rules.gate("go_live"), self.rules.gate("change")
        if clearance is None:
            return "nobody has signed the go-live"
        now, problems = self._clock.now, []
        if not (clearance.owner and clearance.deputy):
            problems.append("no owner and deputy who answer for it")
        if live is None or clearance.signed_by not in live.approvers:
            problems.append(f"{clearance.signed_by} has no authority to sign the go-live")
        if clearance.signed_at > now:
            problems.append("the go-live is signed only later")
        if missing := sorted(DOMAINS - clearance.domains):
            problems.append(f"not assessed: {', '.join(missing)}")
        if live and now - clearance.assessed_at > timedelta(seconds=int(live.amount)):
            problems.append("the assessment has expired")
        if change is None or clearance.deployment != self._deployment or clearance.release != self.rules.release:
            problems.append("this is not the deployment that was assessed")
        problems += [fault for name in sorted(ticket.credentials) if (fault := self._credential_fault(name, now))]
        return "; ".join(problems) or None

    # --- calls ---------------------------------------------------------------------------------------------------

    def call(
        self,
        ticket: Ticket,
        call: Call,
        view: Mapping[str, Any] | None = None,
        approval: str | None = None,
        deadline: datetime | None = None,
    ) -> Result:
        """Make one call, or refuse it; either way it is in the log before anybody hears of it."""
        if not self.log.up:
            return Result("", "denied", "refused: what cannot be logged may not happen", halted=True)
        refusal = self._refusal(ticket, call, approval)
        if refusal:
            return self._refuse(ticket, call, refusal)
        if approval:
            del self._approvals[approval]
        return self._perform(ticket, call, view or {}, approval, deadline)

    def needs_approval(self, call: Call) -> Gate | None:
        """The gate that a human must open for this call."""
        gated = (gate for gate in self.rules.gates if gate.trigger in {"action", "new_resource"})
        return next((gate for gate in gated if call.kind == "action" and matches(call.name, gate.patterns)), None)

    def approve(self, ticket: Ticket, call: Call, **columns: Any) -> str:
        """Record a human's yes to exactly this call; it opens the gate once."""
        columns |= {"name": call.name, "target": call.target, "args_digest": call.digest}
        approval = self.write(ticket, "approval", actor_kind="operator", outcome="ok", **columns)
        self._approvals[approval] = call.digest
        return approval

    def price(self, call: Call) -> Decimal:
        """The most a call can cost; nothing for what the gateway would refuse anyway."""
        return self._world.price(call) if call.kind == "model" or call.name in self._world.tools else Decimal(0)

    def _refusal(self, ticket: Ticket, call: Call, approval: str | None) -> Refusal | None:
        checks = (self._stopped_or_paused, self._outside, self._malformed, self._over_limit)
        for check in checks:
            if refusal := check(ticket, call):
                return refusal
        gate = self.needs_approval(call)
        if (gate or approval) and self._approvals.get(approval or "") != call.digest:
            return Refusal("no unused approval of exactly this call")
        return None

    def _stopped_or_paused(self, ticket: Ticket, call: Call) -> Refusal | None:
        if ticket in self._stopped or ticket not in self._open:
            return Refusal("the run is not open", halts=True)
        scopes = ("account", "*"), ("key", call.credential), ("session", ticket.session), ("task", call.root)
        for scope in scopes:
            if scope in self._paused:
                return Refusal(f"the {scope[0]} is paused: {self._paused[scope]}", halts=True)
        return None

    def _outside(self, ticket: Ticket, call: Call) -> Refusal | None:
        return next((Refusal(reason) for reason in self._crossed(ticket, call)), None)

    def _crossed(self, ticket: Ticket, call: Call) -> Iterator[str]:
        """Which boundaries a call crosses, the worst first."""
        rules, texts = self.rules, (call.target, *call.args.values())
        if call.kind == "action" and any(rules.forbids("policy", text) for text in texts):
            yield "no policy file may be touched by the agent"
        if call.kind == "action" and any(rules.forbids("credential", text) for text in texts):
            yield "no place of keys may be touched by the agent"
        if not rules.permits("tool", call.name):
            yield "the tool is not on the allow-list"
        if not rules.permits("target", call.target):
            yield "the target is not on the allow-list"
        if call.credential not in ticket.credentials:
            yield "the credential is not this run's"
        if fault := self._credential_fault(call.credential, self._clock.now):
            yield fault
        if not matches(call.name, self._scope_of(call.credential)):
            yield "the credential does not open this tool"

    def _malformed(self, _: Ticket, call: Call) -> Refusal | None:
        if not call.reason.strip():
            return Refusal("no reason was given")
        if call.kind == "model":
            return None
        if any(self.rules.forbids("output", text) for text in call.args.values()):
            return Refusal("the output carries what must not leave")
        wrong = argument_faults(self._world.tools[call.name], call.args)
        return Refusal("; ".join(wrong)) if wrong else None

    def _over_limit(self, ticket: Ticket, call: Call) -> Refusal | None:
        for limit in self.rules.limits:
            if not matches(call.name, limit.patterns):
                continue
            if limit.resource == "instances":
                over = call.name == "worker.create" and len(self._world.workers) >= limit.amount
            else:
                used = self._ledger.used(limit, ticket, call, self._clock.now)
                over = used + self._next(limit, call) > limit.amount
            if over:
                return Refusal(f"limit reached: {limit}", self._pauses(limit, ticket, call))
        return None

    def _next(self, limit: Limit, call: Call) -> Decimal:
        if limit.resource == "usd":
            return self._world.price(call)
        if limit.resource == "tokens":
            return Decimal(self._world.tokens(call))
        if limit.resource == "requests":
            return Decimal(1)
        return Decimal(call.kind == "action") if limit.resource in {"actions", "repeats"} else Decimal(0)

    def _pauses(self, limit: Limit, ticket: Ticket, call: Call) -> tuple[str, str] | None:
        if limit.on_breach != "pause":
            return None
        who = {"key": call.credential, "session": ticket.session, "task": call.root, "run": ticket.session}
        scope = "session" if limit.scope == "run" else limit.scope
        return (scope, who[limit.scope]) if limit.scope in who else ("account", "*")

    def _refuse(self, ticket: Ticket, call: Call, refusal: Refusal) -> Result:
        repeated = self._ledger.earlier(ticket, call) if "repeats" in refusal.reason else None
        event = self._log_call(ticket, call, "denied", f"refused: {refusal.reason}", duplicate_of=repeated)
        if refusal.pauses:
            self._pause(ticket, refusal.pauses, refusal.reason)
        self._watch(ticket, call)
        return Result(event, "denied", refusal.reason, halted=refusal.halts or refusal.pauses is not None)

    def _perform(
        self, ticket: Ticket, call: Call, view: Mapping[str, Any], approval: str | None, deadline: datetime | None
    ) -> Result:
        before = set(self._world.workers)
        reply = self._world.complete(call, view) if call.kind == "model" else self._world.perform(call)
        for worker in set(self._world.workers) - before:
            self._workers[worker] = ticket
        end = self._clock.now + timedelta(seconds=reply.seconds)
        self._clock.advance_to(min(end, deadline) if deadline else end)
        outcome, reason = reply.outcome, call.reason
        if ticket in self._stopped:
            outcome, reason = "error", f"{call.reason} (cut off by the stop)"
        elif deadline and end > deadline:
            outcome, reason = "timeout", f"{call.reason} (cut off at the longest unattended time)"
        usd = self._price_of(call, reply.tokens_in + reply.tokens_out)
        tokens = {"tokens_in": reply.tokens_in or None, "tokens_out": reply.tokens_out or None}
        event = self._log_call(ticket, call, outcome, reason, usd, approval=approval, **tokens)
        self._watch(ticket, call)
        data, stopped = reply.data if outcome == "ok" else None, ticket in self._stopped
        return Result(event, outcome, reason, data, usd, reply.tokens_in, reply.tokens_out, approval, stopped)

    def _price_of(self, call: Call, tokens: int) -> Decimal:
        return self._world.price_of_tokens(tokens) if call.kind == "model" else self._world.price(call)

    def _log_call(
        self, ticket: Ticket, call: Call, outcome: str, reason: str, usd: Decimal = Decimal(0), **columns: Any
    ) -> str:
        event = self.log.write(
            ticket.run,
            call.kind,
            session=ticket.session,
            task=call.task,
            parent=call.parent,
            actor=call.actor,
            actor_kind="agent",
            name=call.name,
            target=call.target,
            via=self.rules.via,
            credential=call.credential,
            cost_usd=f"{usd:.4f}",
            outcome=outcome,
            reason=reason,
            args_digest=call.digest,
            **columns,
        )
        self._ledger.add(self.log.events[-1])
        return event

    def _credential_fault(self, name: str, now: datetime) -> str | None:
        known = next((row for row in self.rules.credentials if row.name == name), None)
        if known is None or known.shared or known.holder != "agent":
            return f"{name} is not a credential of this agent"
        return None if known.issued <= now < known.expires else f"{name} is not valid now"

    def _scope_of(self, name: str) -> list[str]:
        return next(row.scope.split() for row in self.rules.credentials if row.name == name)

    # --- pausing and stopping --------------------------------------------------------------------------------------

    def stop(self, person: str, reason: str) -> None:
        """Stop every run, from outside: no call passes any more, and what was started is torn down."""
        gate = self.rules.gate("manual")
        if gate is None or person not in gate.approvers:
            raise Refused(f"{person} has no authority to stop")
        for ticket in sorted(self._open, key=lambda ticket: (ticket.run, ticket.task)):
            self._stopped.add(ticket)
            columns = {"actor": person, "actor_kind": "operator", "name": ticket.task, "outcome": "ok"}
            self.write(ticket, "stop", reason=reason, **columns)
            self._tear_down(ticket)

    def pause(self, ticket: Ticket, person: str, reason: str) -> None:
        """Hold a session, by hand."""
        self._pause(ticket, ("session", ticket.session), reason, actor=person, actor_kind="operator")

    def resume(self, ticket: Ticket, person: str, reason: str) -> None:
        """Let a session go on; a limit that is used up stays used up."""
        gate = self.rules.gate("manual")
        if gate is None or person not in gate.approvers:
            raise Refused(f"{person} has no authority to resume")
        self._paused.pop(("session", ticket.session), None)
        columns = {"actor": person, "actor_kind": "operator", "name": ticket.session, "outcome": "ok"}
        self.write(ticket, "resume", reason=reason, **columns)

    def _pause(self, ticket: Ticket, scope: tuple[str, str], reason: str, **who: str) -> None:
        self._paused[scope] = reason
        self.write(ticket, "pause", name=scope[0], target=scope[1], outcome="ok", reason=reason, **who)

    def _tear_down(self, ticket: Ticket) -> None:
        for worker in sorted(name for name, owner in self._workers.items() if owner == ticket):
            self._world.remove_worker(worker)
            del self._workers[worker]
            columns = {"name": "worker.delete", "target": worker, "outcome": "ok"}
            self.write(ticket, "action", reason="the run that started it is over", **columns)

    # --- alerts ----------------------------------------------------------------------------------------------------

    def acknowledge(self, alert: str, ticket: Ticket, person: str, reason: str) -> None:
        """Somebody has seen an alert."""
        self._pending.discard(alert)
        columns = {"actor": person, "actor_kind": "operator", "name": "alert", "answers": alert, "outcome": "ok"}
        self.write(ticket, "ack", reason=reason, **columns)

    def _watch(self, ticket: Ticket, call: Call) -> None:
        for alert in self.rules.alerts:
            level = self._level(alert, ticket, call)
            if level < alert.threshold or (ticket, alert) in self._raised:
                continue
            self._raised.add((ticket, alert))
            event = self.write(
                ticket,
                "alert",
                name=alert.trigger,
                target=alert.recipient,
                outcome="ok",
                reason=f"{alert.trigger} at {level:.0f} {alert.unit}, told to {alert.channel}",
            )
            self._pending.add(event)
            self._clock.after(alert.ack_seconds, partial(self._unanswered, event, ticket))
            self.pager(event, alert, ticket)

    def _level(self, alert: Alert, ticket: Ticket, call: Call) -> Decimal:
        match alert.trigger:
            case "spend":
                budget = next(row for row in self.rules.limits_on("usd") if row.scope == "session")
                return 100 * self._ledger.spent(ticket.session) / budget.amount
            case "velocity":
                breaker = next(row for row in self.rules.limits_on("usd") if row.per_seconds and not row.aligned)
                return 100 * self._ledger.used(breaker, ticket, call, self._clock.now) / breaker.amount
            case "loop":
                return Decimal(self._ledger.attempts(ticket.run, call.digest))
            case "anomaly":
                return Decimal(self._ledger.refusals(ticket.run))
            case _:
                raise ValueError(f"no such alert: {alert.trigger}")

    def _unanswered(self, alert: str, ticket: Ticket) -> None:
        if alert in self._pending and ticket in self._open:
            self._pause(ticket, ("session", ticket.session), "nobody acknowledged an alert in time")
