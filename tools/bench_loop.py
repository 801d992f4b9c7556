"""The checks on events as one loop over the lines of a log, with orjson: what psf-audit is measured against.

It is written to be quick: one dictionary a line, one state a run, the ceilings that bind a call looked up once,
distinct values matched once. It knows the terms of the generated log and nothing else, and trusts the log to
stand in the order of its times. Money is counted in whole nano-dollars. Run as a program, it prints its findings as
JSON.
"""

import hashlib
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.planted.terms import (
    ALERT_SECONDS,
    CHANGING,
    GATED,
    RETRIES,
    SPEND_GATE,
    STOP_LOSS,
    Terms,
)
from tools import bench_terms as rules
from tools.bench_process import stay_within_free_memory
from tools.bench_state import Cell, RunState
from tools.bench_terms import NANO, Ceiling, Verdicts

Event = dict[str, Any]
_DECIDES = frozenset({"approval", "refusal", "resume", "stop"})
_ANSWERS = frozenset({"approval", "refusal", "resume"})
_HEARS = frozenset({"ack", "approval", "refusal", "pause", "resume", "stop"})
_NEEDED = frozenset({"actor", "name", "outcome", "run", "cost_usd"})
_NEEDED_OF_ACTIONS = _NEEDED | {"target", "args_digest", "reason"}


class Loop:
    """All checks over the events of one log, taken one after the other."""

    def __init__(self, made_under: Terms) -> None:
        self.verdicts = Verdicts(made_under)
        self.found = self.verdicts.found
        self.runs: defaultdict[str | None, RunState] = defaultdict(RunState)
        self.cells: dict[tuple[int, str], Cell] = {}
        self.binding: dict[tuple[str, str | None, str | None], tuple[Ceiling, ...]] = {}
        self.passed: list[int] = []
        self.parents: dict[str, str | None] = {}
        self.roots: dict[str, str] = {}
        self.depths: dict[str, int] = {}
        self.by_task: Counter[str | None] = Counter()
        self.by_name: Counter[str | None] = Counter()
        self.by_via: Counter[str | None] = Counter()
        self.credentials: dict[str, int] = {}
        self.tools: set[str] = set()
        self.targets: set[str] = set()
        self.all_targets: set[str] = set()
        self.lacking: set[tuple[str, ...]] = set()
        self.approvals: dict[str | None, tuple[Event, int]] = {}
        self.gated: list[tuple[Event, int]] = []
        self.outsiders: set[str] = set()
        self.created: dict[str, list[Any]] = {}
        self.alerts: list[tuple[Event, int]] = []
        self.heard: list[tuple[Event, int]] = []
        self.checkpoints: dict[tuple[str | None, str | None], int] = {}
        self.stop_requests: set[str | None] = set()
        self.outside_session = self.outside_task = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.before: tuple[Event, int] | None = None

    def take(self, event: Event) -> None:
        """The next event of the log."""
        at_ms = round(datetime.fromisoformat(event["at"]).timestamp() * 1_000)
        kind = event["kind"]
        name = event.get("run")
        run = self.runs[name]
        if name is not None and (number := event.get("seq")) is not None:
            run.number(number)
        if self.before is not None:
            self._neighbours(event, at_ms)
        self.before = event, at_ms
        task = event.get("task")
        if task is not None and task not in self.parents:
            self._task(task, event.get("parent"))
        if kind in {"action", "model"}:
            if event.get("actor_kind") == "agent":
                self._call(event, kind, at_ms, run)
        else:
            self._mark(event, kind, at_ms, run)

    def _neighbours(self, event: Event, at_ms: int) -> None:
        """An entry against the one before it: the clock, and the chain of digests."""
        before, before_ms = self.before or (event, at_ms)
        if before_ms - at_ms > rules.CLOCK_MS and before.get("run") == event.get("run"):
            self.found["AUDIT-02"] += before.get("seq", 0) < event.get("seq", 0)
        digest = event.get("hash")
        if digest is not None:
            plain = orjson.dumps(
                {key: value for key, value in event.items() if key != "hash"}, option=orjson.OPT_SORT_KEYS
            )
            follows = "prev_hash" not in event or "hash" not in before or event["prev_hash"] == before["hash"]
            self.found["AUDIT-03"] += hashlib.sha256(plain).hexdigest() != digest or not follows

    def _task(self, task: str, parent: str | None) -> None:
        self.parents[task] = parent
        self.roots[task] = task if parent is None else self.roots.get(parent, parent)
        self.depths[task] = 0 if parent is None else self.depths.get(parent, 0) + 1

    def _call(self, event: Event, kind: str, at_ms: int, run: RunState) -> None:
        """What the agent called; refused and failed calls count where they cost."""
        outcome = event.get("outcome", "ok")
        dollars = event.get("cost_usd")
        cost = round(float(dollars) * NANO) if dollars else 0
        self._complete(event, kind, outcome)
        if kind == "action" and outcome != "denied" and (digest := event.get("args_digest")) is not None:
            call = (event.get("name"), event.get("target"), digest)
            run.calls[call] = run.calls.get(call, 0) + 1
        if run.failing or outcome in {"error", "timeout"}:
            self._retry(event, run, outcome)
        self.first_ms = at_ms if self.first_ms is None else min(self.first_ms, at_ms)
        if outcome == "ok" or cost:
            self._use(event, kind, at_ms, run, cost)
        if outcome == "ok":
            self._work(event, kind, at_ms, run, cost)
            if (thing := event.get("duplicate_of")) is not None:
                row = self.created.setdefault(thing, [0, event.get("run"), 0])
                row[0] += 1
                row[2] += cost

    def _complete(self, event: Event, kind: str, outcome: str) -> None:
        needed = _NEEDED_OF_ACTIONS if kind == "action" else _NEEDED
        if needed <= event.keys():
            return
        missing = sorted(needed - event.keys())
        if "cost_usd" in missing and (event.get("name") in rules.FREE_NAMES or outcome != "ok"):
            missing.remove("cost_usd")
        if missing:
            self.lacking.add((kind, *missing))

    def _retry(self, event: Event, run: RunState, outcome: str) -> None:
        if (digest := event.get("args_digest")) is None:
            return
        call = (event.get("name"), digest)
        if outcome == "ok":
            run.failing.pop(call, None)
        elif outcome in {"error", "timeout"}:
            run.failing[call] = failures = run.failing.get(call, 0) + 1
            self.found["SPEND-09"] += failures == RETRIES.amount + 2 and event.get("via") == RETRIES.via

    def _use(self, event: Event, kind: str, at_ms: int, run: RunState, cost: int) -> None:
        """What adds up: money, calls and tokens, against every ceiling that binds the call."""
        name, via, task = event.get("name"), event.get("via"), event.get("task")
        root = self.roots[task] if task is not None else None
        self.last_ms = at_ms if self.last_ms is None else max(self.last_ms, at_ms)
        if (credential := event.get("credential")) is not None:
            self.credentials[credential] = at_ms
        run.vias.add(via)
        if cost:
            self.by_task[root] += cost
            self.by_name[name] += cost
            self.by_via[via] += cost
            self.outside_session += cost if event.get("session") is None and event.get("run") is None else 0
            self.outside_task += cost if task is None else 0
            if via == STOP_LOSS.via:
                self._lose(run, root or event.get("run") or "", at_ms // 60_000, cost)
        if run.tasks_done and task in run.tasks_done and at_ms > run.tasks_done[task]:
            run.flags.add(f"task {task}")
        call = (kind, name, via)
        if call not in self.binding:
            self.binding[call] = rules.binding(*call)
        minute = at_ms // 60_000
        for ceiling in self.binding[call]:
            key = ceiling.key
            who = "*" if key is None else root if key == "root" else event.get(key)
            if who is not None:
                self._meter(ceiling, who, minute, at_ms, _measure(ceiling, event, cost))

    def _meter(self, ceiling: Ceiling, who: str, minute: int, at_ms: int, measure: int) -> None:
        seconds = ceiling.limit.per_seconds
        bucket = 0 if seconds is None else minute * 60 // seconds
        cell = self.cells.get((ceiling.number, who))
        if cell is None or cell.bucket != bucket:
            if cell is not None:
                self._close(ceiling, cell)
            cell = self.cells[ceiling.number, who] = Cell(bucket)
        if minute != cell.minute:
            cell.minute, cell.minute_ms = minute, at_ms
        cell.used = used = cell.used + measure
        cell.top = max(cell.top, measure)
        if used >= ceiling.reach:
            if cell.reached is None:
                cell.reached = minute
            elif cell.at_ms is None and measure > 0 and minute > cell.reached + ceiling.lag_minutes:
                cell.at_ms = cell.minute_ms

    def _close(self, ceiling: Ceiling, cell: Cell) -> None:
        """Whether a window ended past its ceiling: in a later minute, or by more than calls in flight explain."""
        if cell.reached is None:
            return
        dearest = 0 if ceiling.limit.resource == "tokens" else cell.top
        if cell.at_ms is None and ceiling.exceeds(cell.used, dearest):
            cell.at_ms = cell.minute_ms
        if cell.at_ms is not None:
            self.found.update(rules.passed(ceiling, cell.used))
            self.passed.append(cell.at_ms)

    def _lose(self, run: RunState, task: str, minute: int, cost: int) -> None:
        """Spend on a task: which minute it is, what came before that minute, all, and whether a person decided."""
        lost = run.losses.setdefault(task, [minute, 0, 0, 0])
        if minute != lost[0]:
            lost[0], lost[1] = minute, lost[2]
        lost[2] += cost
        if lost[1] >= (STOP_LOSS.threshold or 0) * NANO and not lost[3]:
            run.flags.add(f"loss {task}")

    def _work(self, event: Event, kind: str, at_ms: int, run: RunState, cost: int) -> None:
        """What was done, in the state that its run is in."""
        name, via, target = event.get("name"), event.get("via"), event.get("target")
        if event.get("run") is not None:
            run.work(kind, at_ms, cost)
        if cost and via == SPEND_GATE.via:
            if run.gate >= (SPEND_GATE.threshold or 0) * NANO:
                run.flags.add("gate")
            run.gate += cost
        if kind == "action":
            if target is not None:
                self.all_targets.add(target)
            if via == "gateway":
                self.tools.add(name) if name is not None else None
                self.targets.add(target) if target is not None else None
            if name in GATED:
                self.gated.append((event, at_ms))
        if target is not None and name in CHANGING and target.startswith("config/"):
            self.found["BOUND-08"] += 1

    def _mark(self, event: Event, kind: str, at_ms: int, run: RunState) -> None:
        """What is no call: it changes the state that its run is in."""
        is_human = event.get("actor_kind") == "operator"
        if is_human and kind in _HEARS:
            self.heard.append((event, at_ms))
        if is_human and kind in _DECIDES:
            run.end_leg()
            run.end_stretch(self.found)
            run.gate = 0
        if is_human and kind in _ANSWERS:
            run.asked = run.begged = False
            for lost in run.losses.values() if kind != "refusal" else ():
                lost[3] |= lost[2] >= (STOP_LOSS.threshold or 0) * NANO
        self._other(event, kind, at_ms, run)

    def _other(self, event: Event, kind: str, at_ms: int, run: RunState) -> None:  # noqa: C901  one branch for each kind
        if kind in {"checkpoint", "pause"}:
            run.end_leg()
            if kind == "checkpoint":
                run.asked = True
                self.checkpoints[event.get("run"), event.get("id")] = at_ms
        elif kind == "stop":
            run.stopped_ms, run.begged = at_ms, False
            self.found["CHECK-08"] += event.get("actor_kind") == "operator" and event.get("outcome", "ok") != "ok"
        elif kind in {"start", "resume"}:
            run.stopped_ms, run.done = None, False
            run.tasks_done.clear()
        elif kind == "complete":
            run.done = True
            run.tasks_done.setdefault(event.get("task"), at_ms)
            run.flags.update(() if event.get("task") is None else ("by task",))
        elif kind == "stop_request":
            run.begged = True
            self.stop_requests.add(event.get("id"))
        elif kind == "approval":
            self._approval(event, at_ms)
        elif kind == "alert":
            self.alerts.append((event, at_ms))
        elif kind == "change":
            by = event.get("actor_kind") in {"agent", "third_party"}
            self.found["BOUND-08"] += by and event.get("outcome", "ok") == "ok"
        elif kind == "refusal" and event.get("actor_kind") == "agent":
            self.found["BOUND-09"] += event.get("answers") in self.stop_requests

    def _approval(self, event: Event, at_ms: int) -> None:
        self.approvals[event.get("id")] = event, at_ms
        if event.get("actor_kind") != "operator":
            return
        asked_ms = self.checkpoints.get((event.get("run"), event.get("answers")))
        self.found["CHECK-06"] += event.get("shown") is None
        self.found["CHECK-06"] += asked_ms is not None and at_ms - asked_ms < rules.HASTY_MS
        self.found["AUDIT-04 lacks"] += rules.lacks_of_approval(event)

    def finish(self) -> Counter[str]:
        """The findings by control, once the log has ended."""
        for (number, _), cell in self.cells.items():
            self._close(rules.CEILINGS[number], cell)
        alerted = {event.get("run") for event, _ in self.alerts}
        for name, run in self.runs.items():
            run.conclude(name, alerted, self.found)
        alerts = [at_ms for _, at_ms in self.alerts]
        self.found["AUDIT-05"] += sum(rules.is_unheard(at_ms, alerts) for at_ms in self.passed)
        self.found["SPEND-03"] += self.outside_session > 0
        self.found["SPEND-04"] += self.outside_task > 0
        self.found["AUDIT-02 lacks"] += len(self.lacking)
        self._answered()
        self._judge_gated()
        for count, name, cost in self.created.values():
            self.found["BOUND-07"] += 1
            self.found["SPEND-09"] += cost > 0
            self.found["AUDIT-05"] += count >= rules.MOST_CREATED_UNHEARD and name not in alerted
        self.verdicts.touched(self.tools, self.targets)
        self.verdicts.reach(self.all_targets)
        self.verdicts.credentials(self.credentials)
        self.verdicts.bills(self.by_via)
        self.verdicts.free(self.by_name)
        self.verdicts.estimates(self.by_task)
        self.verdicts.families(self.parents, self.depths)
        self.verdicts.uses(self.first_ms, self.last_ms)
        return +self.found

    def _answered(self) -> None:
        """Alerts of spend that no person answered in time: by their id, or in their run."""
        by_id, by_run = defaultdict(list), defaultdict(list)
        for event, at_ms in self.heard:
            if event.get("answers") is not None:
                by_id[event["answers"]].append(at_ms)
            elif event.get("run") is not None:
                by_run[event["run"]].append(at_ms)
        for event, at_ms in self.alerts:
            answers = [*by_id[event.get("id")], *by_run[event.get("run")]]
            self.found["SPEND-06"] += not any(at_ms <= each <= at_ms + ALERT_SECONDS * 1_000 for each in answers)

    def _judge_gated(self) -> None:
        nobody: tuple[Event | None, int] = (None, 0)
        for event, at_ms in self.gated:
            given, given_ms = self.approvals.get(event["approval"], nobody) if "approval" in event else nobody
            faulty = rules.fault(event, given, at_ms, given_ms)
            self.found["CHECK-03"] += faulty
            self.found["AUDIT-04"] += faulty
            if given is not None and given.get("actor_kind") == "third_party":
                self.outsiders.add(given.get("actor", ""))
        self.found["BOUND-10"] += len(self.outsiders)


def _measure(ceiling: Ceiling, event: Event, cost: int) -> int:
    resource = ceiling.limit.resource
    if resource == "usd":
        return cost
    return (event.get("tokens_in") or 0) + (event.get("tokens_out") or 0) if resource == "tokens" else 1


def findings(log: Path, made_under: Terms) -> Counter[str]:
    """The findings of a log, by control."""
    loop = Loop(made_under)
    with log.open("rb") as stream:
        for line in stream:
            event = orjson.loads(line)
            if "kind" in event:
                loop.take(event)
    return loop.finish()


if __name__ == "__main__":
    stay_within_free_memory()
    folder = Path(sys.argv[1])
    print(json.dumps(findings(folder / "events.jsonl", Terms.read(folder))))
