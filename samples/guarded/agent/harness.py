"""Runs the agent: turns its proposals into calls, and stops for a human, a criterion or a surprise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from agent.calls import FINISH, Call, Clearance, Proposal, Result, Task, Ticket
from agent.clock import Clock
from agent.desk import Desk, Question, Reply
from agent.estimate import worst_case
from agent.gateway import Gateway
from agent.guardrails import BadGuardrails, Gate, Guardrails, Limit, matches
from agent.telemetry import NO_TRACE, Recorder
from agent.world import MODEL, MODELS, NETWORK, PROBER

INDEXER = "indexer"
CREDENTIALS: Mapping[str, str] = {INDEXER: "indexer-key", PROBER: "prober-key"}

# The gates and limits without which nothing is run.
NEEDED = frozenset(
    [
        *("interval", "spend", "scope", "size", "ambiguity", "mismatch", "stop_request", "pre_task"),
        *("done", "failed", "give_up", "seconds", "retries", "depth", "fanout"),
    ]
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: done, failed, given_up or halted."""

    status: str
    reason: str


class Halt(Exception):
    """The run ends here."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = Outcome(status, reason)


@dataclass
class Job:
    """The task, or the part of it that a sub-agent has."""

    actor: str
    id: str
    view: dict[str, Any]
    parent: str | None = None
    depth: int = 0
    children: int = 0


@dataclass
class Watch:
    """What a run has done: in all, and since a human last decided."""

    since: datetime
    spend: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    actions: list[str] = field(default_factory=list)
    failures: int = 0

    def decided(self, now: datetime) -> None:
        """A human has looked."""
        self.since, self.spend, self.actions = now, Decimal(0), []


class Harness:
    """One harness runs one task at a time."""

    def __init__(
        self, rules: Guardrails, gateway: Gateway, clock: Clock, desk: Desk, trace: Recorder = NO_TRACE
    ) -> None:
        self._rules, self._gateway, self._clock, self._desk, self._trace = rules, gateway, clock, desk, trace
        has = {gate.trigger for gate in rules.gates} | {limit.resource for limit in rules.limits}
        if missing := sorted(NEEDED - has):
            raise BadGuardrails(f"the harness does not start without {', '.join(missing)}")

    def run(self, ticket: Ticket, task: Task, clearance: Clearance | None) -> Outcome:
        """Run a task to its end, whichever end that is."""
        self._gateway.open(ticket, clearance, (self._rules,))
        self._ticket, self._task, self._watch = ticket, task, Watch(self._clock.now)
        view = {"role": INDEXER, "register": task.register, "facts": {}, "unassigned": []}
        job = Job(INDEXER, task.id, self._view(view, {}))
        try:
            self._before(task)
            self._work(job)
            outcome = Outcome("done", f"{len(job.view['hosts'])} hosts indexed and published")
        except Halt as halt:
            outcome = halt.outcome
        kind = "complete" if outcome.status in {"done", "failed", "given_up"} else "stop"
        result = "ok" if outcome.status in {"done", "halted"} else "error"
        self._gateway.close(ticket, kind, result, f"{outcome.status}: {outcome.reason}")
        return outcome

    def _view(self, view: dict[str, Any], hosts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        own = {address: dict(host) for address, host in hosts.items()}
        return {"network": self._task.network, "step": 0, "notes": [], "hosts": own} | view

    # --- before anything happens -----------------------------------------------------------------------------------

    def _before(self, task: Task) -> None:
        gate, worst = self._gate("pre_task"), worst_case(task)
        if task.estimate_usd < worst:
            raise Halt("halted", f"estimated at {task.estimate_usd} usd, but it can cost {worst} usd")
        if worst >= gate.amount and task.signed_off_by not in gate.approvers:
            raise Halt("halted", f"it can cost {worst} usd, and nobody who may has signed for that")
        gate = self._gate("ambiguity")
        if matches(task.instruction.lower(), gate.patterns):
            self._ask(gate, None, f"the instruction is open-ended: {task.instruction}")

    # --- the loop --------------------------------------------------------------------------------------------------

    def _work(self, job: Job) -> None:
        with self._trace.agent(self._ticket, job.actor, job.id, self._clock):
            while not self._done(job):
                proposal = self._think(job)
                if proposal.tool == FINISH:
                    self._failed("says it is done, and is not")
                else:
                    self._act(job, proposal)

    def _done(self, job: Job) -> bool:
        """The `done` criterion, from what was verified to be stored, not from what the model says."""
        hosts = job.view["hosts"].values()
        stored = bool(hosts) and all("stored" in host for host in hosts)
        return stored and (job.depth > 0 or "published" in job.view["facts"])

    def _think(self, job: Job) -> Proposal:
        job.view["step"] += 1
        text = json.dumps(job.view, sort_keys=True)
        request = Proposal(MODEL, MODELS, "plan the next step", {"view": text})
        result = self._attempt(job, self._call(job, "model", request))
        if not isinstance(result.data, Proposal):
            raise Halt("halted", f"no plan: {result.reason}")
        return result.data

    def _act(self, job: Job, proposal: Proposal) -> None:
        spawns = proposal.tool == "agent.spawn"
        if spawns and (limit := self._too_many(job)):
            reason = f"limit reached: {limit}"
            self._gateway.write(self._ticket, "warning", name="agent.spawn", outcome="denied", reason=reason)
            self._failed(reason)
            return
        result = self._attempt(job, self._call(job, "action", proposal))
        if not result.ok:
            job.view["notes"].append(f"{proposal.tool}: {result.outcome}")
            self._failed(result.reason)
            return
        self._watch.failures = 0
        self._learn(job, proposal, result)
        if spawns:
            self._delegate(job, proposal)

    def _call(self, job: Job, kind: str, proposal: Proposal) -> Call:
        return Call(
            kind=kind,
            name=proposal.tool,
            target=proposal.target,
            args=dict(proposal.args),
            reason=proposal.reason,
            actor=job.actor,
            credential=CREDENTIALS[job.actor],
            task=job.id,
            root=self._task.id,
            parent=job.parent,
        )

    def _attempt(self, job: Job, call: Call) -> Result:
        """Make a call, again if it fails, never more often than the retry limit."""
        tries_left, unattended = (
            int(self._limit("retries").amount),
            timedelta(seconds=int(self._limit("seconds").amount)),
        )
        while True:
            approval = self._checkpoint(call)
            start, deadline = self._clock.now, self._watch.since + unattended
            view = job.view if call.kind == "model" else None
            result = self._gateway.call(self._ticket, call, view, approval, deadline)
            self._trace.call(self._ticket, call, result, (start, self._clock.now))
            self._watch.spend += result.usd
            self._watch.total += result.usd
            self._watch.actions.append(f"{call.name} {call.target} ({result.outcome})")
            if result.halted:
                raise Halt("halted", result.reason)
            if result.outcome in {"ok", "denied"} or not tries_left:
                return result
            tries_left -= 1

    # --- stopping for a human --------------------------------------------------------------------------------------

    def _checkpoint(self, call: Call) -> str | None:
        """Everything that must be settled before this call; returns the approval it rests on, if it needed one."""
        watch, unattended = self._watch, self._limit("seconds")
        elapsed = (self._clock.now - watch.since).total_seconds()
        if elapsed >= unattended.amount:
            raise Halt("halted", f"limit reached: {unattended}, and nobody has looked")
        next_cost, stop_loss = self._gateway.price(call), self._gate("give_up")
        if watch.total + next_cost > stop_loss.amount:
            raise Halt("given_up", f"the stop-loss of {stop_loss.amount} usd is reached")
        interval, spend = self._gate("interval"), self._gate("spend")
        if elapsed >= interval.amount:
            return self._ask(interval, call, f"{elapsed:.0f} s since somebody looked")
        if watch.spend + next_cost > spend.amount:
            return self._ask(spend, call, f"{watch.spend} usd since somebody looked")
        if not self._in_scope(call):
            return self._ask(self._gate("scope"), call, f"{call.target} is outside the task's network")
        gate = self._gateway.needs_approval(call)
        return self._ask(gate, call, f"{call.name} needs a human") if gate else None

    def _in_scope(self, call: Call) -> bool:
        if matches(call.target, (NETWORK,)):
            return matches(call.target, (self._task.network,))
        return self._gateway.rules.permits("target", call.target)

    def _ask(self, gate: Gate, call: Call | None, why: str) -> str | None:
        """Stop until an approver answers; no answer, a bad one or a no ends the run."""
        about = _about(call) or {"name": gate.trigger}
        event = self._gateway.write(self._ticket, "checkpoint", outcome="ok", reason=f"{gate.trigger}: {why}", **about)
        question = Question(
            id=event,
            trigger=gate.trigger,
            call=call,
            digest=call.digest if call else event,
            plan=f"{call.reason}: {call.name} on {call.target}" if call else why,
            actions=tuple(self._watch.actions),
            spend=self._watch.total,
            next_cost=self._gateway.price(call) if call else Decimal(0),
            approvers=gate.approvers,
        )
        reply = self._desk(question)
        if reply is None or reply.after_seconds > gate.timeout_seconds:
            self._clock.advance(gate.timeout_seconds)
            raise Halt("halted", f"no answer to the {gate.trigger} checkpoint in {gate.timeout_seconds} s")
        self._clock.advance(reply.after_seconds)
        if fault := _answer_fault(question, reply):
            raise Halt("halted", f"no valid answer to the {gate.trigger} checkpoint: {fault}")
        return self._decided(question, reply)

    def _decided(self, question: Question, reply: Reply) -> str | None:
        person, reason, call = reply.answer["person"], reply.answer["reason"], question.call
        columns = {"actor": person, "answers": question.id, "shown": question.shown, "reason": reason}
        if reply.answer["decision"] == "no":
            columns |= {"actor_kind": "operator", **_about(call)}
            self._gateway.write(self._ticket, "refusal", outcome="denied", **columns)
            raise Halt("halted", f"{person} said no: {reason}")
        self._watch.decided(self._clock.now)
        if call:
            return self._gateway.approve(self._ticket, call, **columns)
        columns |= {"actor_kind": "operator", "name": question.trigger}
        self._gateway.write(self._ticket, "resume", outcome="ok", **columns)
        return None

    # --- what comes back -------------------------------------------------------------------------------------------

    def _learn(self, job: Job, proposal: Proposal, result: Result) -> None:
        """Take what a tool returned as data: checked, cleaned, and never as an instruction."""
        view, data = job.view, result.data
        match proposal.tool:
            case "registry.lookup":
                self._sized(len(data))
                view["hosts"] = {row["address"]: {"kind": row["kind"]} for row in data}
                view["unassigned"] = list(view["hosts"])
                view["facts"]["looked_up"] = "yes"
            case "registry.register":
                view["facts"]["registered"] = "yes"
            case "worker.create":
                view["facts"]["worker"] = data
            case "index.publish":
                view["facts"]["published"] = "yes"
            case "host.ping":
                view["notes"].append(self._clean(proposal.target, data["banner"]))
                self._host(job, proposal.target)["alive"] = data["alive"]
            case "host.probe" | "host.scan":
                self._host(job, proposal.target)["open"] = data["open"]
            case "index.write":
                if data["stored"] != proposal.args["ports"]:
                    self._ask(self._gate("mismatch"), None, f"{proposal.args['host']} was written and is not there")
                self._host(job, proposal.args["host"])["stored"] = "yes"
            case _:
                pass

    @staticmethod
    def _host(job: Job, address: str) -> dict[str, str]:
        host: dict[str, str] = job.view["hosts"].get(address, {})
        return host

    def _sized(self, found: int) -> None:
        gate = self._gate("size")
        if 100 * found > gate.amount * self._task.expected_size:
            self._ask(gate, None, f"{found} hosts, and {self._task.expected_size} were expected")

    def _clean(self, host: str, text: str) -> str:
        gate = self._gate("stop_request")
        if matches(text.lower(), gate.patterns):
            columns = {"actor": host, "actor_kind": "third_party", "name": "stop_request", "target": host}
            self._gateway.write(self._ticket, "stop_request", outcome="ok", reason="asked to be left alone", **columns)
            self._ask(gate, None, f"{host} asks to be left alone")
        if self._rules.forbids("input", text):
            columns = {"actor": host, "actor_kind": "third_party", "name": "input", "target": host}
            reason = "text that reads as an order was removed"
            self._gateway.write(self._ticket, "warning", outcome="denied", reason=reason, **columns)
            return "[removed]"
        return text

    # --- delegation, criteria, configuration -----------------------------------------------------------------------

    def _too_many(self, job: Job) -> Limit | None:
        depth, fanout = self._limit("depth"), self._limit("fanout")
        if job.depth + 1 > depth.amount:
            return depth
        return fanout if job.children + 1 > fanout.amount else None

    def _delegate(self, job: Job, proposal: Proposal) -> None:
        job.children += 1
        given = [address for address in proposal.args["hosts"].split(",") if address in job.view["hosts"]]
        hosts = {address: job.view["hosts"][address] for address in given}
        part = Job(PROBER, f"{job.id}/{job.children}", self._view({"role": PROBER}, hosts), job.id, job.depth + 1)
        self._work(part)
        job.view["hosts"] |= part.view["hosts"]
        job.view["unassigned"] = [address for address in job.view["unassigned"] if address not in given]

    def _failed(self, reason: str) -> None:
        self._watch.failures += 1
        if self._watch.failures >= self._gate("failed").amount:
            raise Halt("failed", f"{self._watch.failures} failures in a row, the last: {reason}")

    def _gate(self, trigger: str) -> Gate:
        return next(gate for gate in self._rules.gates if gate.trigger == trigger)

    def _limit(self, resource: str) -> Limit:
        return next(limit for limit in self._rules.limits if limit.resource == resource)


def _about(call: Call | None) -> dict[str, str]:
    """What a question and its answer say of the call they are about."""
    return {"name": call.name, "target": call.target, "args_digest": call.digest} if call else {}


def _answer_fault(question: Question, reply: Reply) -> str | None:
    answer = reply.answer
    if not all(isinstance(answer.get(key), str) and answer[key] for key in ("person", "decision", "reason")):
        return "it does not say who, what and why"
    if answer["decision"] not in {"yes", "no"}:
        return "it is neither yes nor no"
    if answer["person"] not in question.approvers:
        return f"{answer['person']} may not decide this"
    if answer.get("question") != question.id or answer.get("digest") != question.digest:
        return "it answers another question"
    return None
