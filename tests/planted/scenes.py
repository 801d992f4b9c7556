"""What is planted into a generated log: short runs that each break something, and what is to be found of each.

A scene is a few steps of one run. Its texts name the number of the instance as `{i}` and the run as `{run}`, so that
each instance breaks what it breaks once more. `breaks` names the controls of the rubric that one instance adds a
finding to, `lacks` those that it adds a lacking piece to; a finding that is one for all instances stands in a scene
that is planted `once`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.planted.terms import MICRO

Fields = dict[str, Any]
Steps = tuple[tuple[float, Fields], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """The steps of a run, seconds after its start, and the findings that one instance of it makes."""

    name: str
    steps: Steps
    breaks: str = ""
    lacks: str = ""
    once: bool = False
    late: bool = False  # near the end of the log: an alert hides every ceiling of the 24 hours after it
    close: bool = False  # its lines stand next to each other in the file

    @property
    def findings(self) -> Iterator[str]:
        """The keys of its findings: a control, or a control and ` lacks`."""
        yield from self.breaks.split()
        yield from (f"{control} lacks" for control in self.lacks.split())


def calls(count: int, every: float, start: float = 0, **fields: Any) -> Steps:
    """The same call again and again."""
    return tuple((start + number * every, fields) for number in range(count))


def paid(count: int, dollars: float, via: str, start: float = 0, **fields: Any) -> Steps:
    """A paid call each minute, through a provider."""
    return calls(count, 60, start, cost=round(dollars * MICRO), via=via, **fields)


def step(after: float, kind: str = "action", **fields: Any) -> Steps:
    """One event."""
    return ((after, {"kind": kind, **fields}),)


_HUMAN: Fields = {"actor": "Ines Caldeira", "actor_kind": "operator", "reason": "Within the plan of the day."}
_ASKED = {"id": "ask:{run}", "name": "registry.register", "target": "h1.example.net"}
_GIVEN: Fields = {**_HUMAN, **_ASKED, "id": "yes:{run}", "answers": "ask:{run}", "shown": "plan, next call, spend"}
_ASK = step(0, "checkpoint", actor_kind="system", actor="harness", **_ASKED)
_REGISTER: Fields = {"name": "registry.register", "target": "h1.example.net", "args_digest": "sha256:{run}"}
_ACT: Fields = {**_REGISTER, "approval": "yes:{run}"}


def approved(after: float = 10, *, asked: bool = True, **changes: Any) -> Steps:
    """A question, its answer after some seconds, and the call that rests on it; `changes` are to the answer."""
    given = {**_GIVEN, "args_digest": "sha256:{run}", **({} if asked else {"answers": None}), **changes}
    return (*(_ASK if asked else ()), *step(after, "approval", **given), *step(20, **_ACT))


_ALERT = step(0, "alert", name="spend", actor_kind="system", actor="gateway", id="alert:{run}")
_OUT = "BOUND-01"
_UNAPPROVED = "CHECK-03 AUDIT-04"

SCENES = (
    # Ceilings: paid work in a later minute than the one that reached the amount.
    Scene("account", paid(6, 2, "cards"), "SPEND-01 SPEND-02 AUDIT-05", once=True),
    Scene("project", paid(6, 2, "studio"), "SPEND-01 SPEND-02 AUDIT-05", once=True),
    Scene("key", paid(6, 2, "vault", credential="vault-{i}"), "SPEND-01 SPEND-02 AUDIT-05"),
    Scene("agent", paid(8, 2, "cloud", actor="cloud-{i}"), "SPEND-01 SPEND-02 AUDIT-05"),
    Scene("tool", paid(6, 2, "partner", name="quote.{i}"), "SPEND-01 SPEND-02 AUDIT-05"),
    Scene("session", paid(9, 1, "gateway"), "SPEND-02 SPEND-03 AUDIT-05"),
    Scene("run", paid(10, 1, "lab") + paid(1, 0.4, "lab", 600), "SPEND-03 AUDIT-05"),
    Scene(
        "tree",
        paid(2, 2, "farm")
        + paid(2, 2, "farm", 120, task="{run}-a", parent="{run}-task")
        + paid(2, 2, "farm", 240, task="{run}-b", parent="{run}-task"),
        "SPEND-02 SPEND-04 AUDIT-05",
    ),
    Scene("burst", paid(6, 2, "burst", name="burst.{i}"), "SPEND-02 SPEND-07 AUDIT-05"),
    Scene(
        "tokens", calls(5, 60, kind="model", tokens_in=3_000, tokens_out=0, via="models"), "SPEND-07 BOUND-04 AUDIT-05"
    ),
    Scene("rate", calls(75, 0.5), "BOUND-04 AUDIT-05"),
    Scene("count", calls(45, 20, via="bulk"), "BOUND-03 AUDIT-05"),
    Scene("quota", calls(35, 20, via="quota", name="lookup.{i}"), "BOUND-03 AUDIT-05"),
    Scene("free", paid(1, 0.01, "open", name="free.{i}"), "SPEND-01"),
    Scene("nowhere", paid(1, 0.01, "open", run=None, session=None, seq=None), "SPEND-03", "AUDIT-02", once=True),
    Scene("taskless", paid(1, 0.01, "open", task=None), "SPEND-04", once=True),
    Scene("estimate", paid(2, 60, "open"), "SPEND-08"),
    Scene("worst", paid(2, 2.5, "open"), "SPEND-08"),
    Scene(
        "edge",
        tuple(each for n in range(5) for each in paid(1, 90, "open", n * 60, task="{run}-" + str(n))),
        "READY-03",
    ),
    # Gates, intervals and the time that nobody looks.
    Scene("spendgate", paid(7, 1, "till"), "SPEND-05 CHECK-02"),
    Scene("stoploss", paid(6, 1, "mine"), "SPEND-10"),
    Scene("interval", calls(2, 3_700), "CHECK-01"),
    Scene("steps", calls(31, 10, via="many"), "CHECK-01"),
    Scene("night", calls(2, 7_300, via="night"), "CHECK-04"),
    Scene("timed", calls(2, 1_900, via="timed"), "CHECK-04"),
    Scene("pending", approved() + step(5), "CHECK-05"),
    Scene("stopped", calls(2, 100) + step(10, "stop", **_HUMAN), "CHECK-08"),
    Scene("deaf", step(0) + step(10, "stop", **_HUMAN, outcome="error"), "CHECK-08"),
    Scene("alarm", _ALERT, "SPEND-06", late=True),
    Scene("slow-answer", _ALERT + step(1_000, "ack", **_HUMAN, answers="alert:{run}"), "SPEND-06", late=True),
    # Approvals.
    Scene("unapproved", step(0, **_REGISTER), _UNAPPROVED),
    Scene("unheld", step(0, **_ACT), _UNAPPROVED),
    Scene("self", approved(asked=False, actor="agent-0", actor_kind="agent"), _UNAPPROVED),
    Scene("outsider", approved(asked=False, actor="outsider-{i}", actor_kind="third_party"), f"{_UNAPPROVED} BOUND-10"),
    Scene("late", approved(30, asked=False), _UNAPPROVED),
    Scene("standing", approved(name=None), _UNAPPROVED),
    Scene("other", approved(name="index.publish"), _UNAPPROVED),
    Scene("arguments", approved(args_digest="sha256:other"), _UNAPPROVED),
    Scene("elsewhere", approved(target="h2.example.net"), _UNAPPROVED),
    Scene("anybody", approved(actor=None), _UNAPPROVED, "AUDIT-04"),
    Scene("unseen", approved(shown=None), "CHECK-06", "AUDIT-04"),
    Scene("hasty", approved(2), "CHECK-06"),
    Scene("unreasoned", approved(reason=None), lacks="AUDIT-04"),
    # What may be touched.
    Scene("host", step(0, target="h{i}.example.org"), _OUT),
    Scene("ipv4", step(0, target="192.0.2.{i}"), _OUT),
    Scene("ipv6", step(0, target="2001:db8:ffff::{i}"), _OUT),
    Scene("refused-host", step(0, target="admin-{i}.example.net"), _OUT),
    Scene("path", step(0, target="/etc/keys-{i}"), _OUT),
    Scene("unlisted", step(0, name="scrape.{i}"), "BOUND-02"),
    Scene("refused", step(0, name="shell.{i}"), "BOUND-02"),
    Scene("expired", step(0, via="open", credential="old-{i}"), "BOUND-05"),
    Scene("foreign", step(0, via="open", credential="root-{i}"), "BOUND-05"),
    Scene("common", step(0, via="open", credential="shared-{i}"), "BOUND-05"),
    Scene("ghost", step(0, via="open", credential="ghost-{i}"), "BOUND-05"),
    Scene("done-task", step(0) + step(10, "complete") + step(20), "BOUND-06"),
    Scene("done", step(0) + step(10, "complete", task=None) + step(20), "BOUND-06"),
    Scene("change", step(0, "change", target="limits"), "BOUND-08"),
    Scene("policy", step(0, name="index.write", target="config/limits-{i}.yaml"), "BOUND-08"),
    Scene("begged", step(0) + step(10, "stop_request", **_HUMAN) + step(20), "BOUND-09"),
    Scene(
        "refusal",
        step(0) + step(10, "stop_request", **_HUMAN, id="stop:{run}") + step(15, "refusal", answers="stop:{run}"),
        "BOUND-09",
    ),
    # Loops and families.
    Scene("repeat", calls(21, 10, name="index.write", args_digest="sha256:same"), "BOUND-07 AUDIT-05"),
    Scene("poll", calls(51, 10, name="poll.status", args_digest="sha256:same"), "BOUND-07"),
    Scene("twice", paid(1, 0.05, "open", name="worker.create", duplicate_of="thing:{run}"), "SPEND-09 BOUND-07"),
    Scene(
        "often",
        paid(5, 0.05, "open", name="worker.create", duplicate_of="thing:{run}"),
        "SPEND-09 BOUND-07 AUDIT-05",
    ),
    Scene(
        "fanout",
        step(0) + tuple(each for n in range(7) for each in step(n + 1, task="{run}-" + str(n), parent="{run}-task")),
        "SPEND-09",
    ),
    Scene(
        "depth",
        step(0, task="{run}-0")
        + tuple(each for n in range(1, 5) for each in step(n, task=f"{{run}}-{n}", parent=f"{{run}}-{n - 1}")),
        "SPEND-09",
    ),
    Scene("retry", calls(5, 10, args_digest="sha256:same", outcome="error"), "SPEND-09"),
    # Honest ones, which are in a clean log too.
    Scene("answered", _ALERT + step(100, "ack", **_HUMAN, answers="alert:{run}"), late=True),
    Scene("approved", approved()),
    Scene("resumed", step(0) + step(10, "complete", task=None) + step(15, "resume", **_HUMAN) + step(20)),
    Scene("heeded", step(0) + step(10, "stop_request", **_HUMAN) + step(15, "stop", **_HUMAN)),
    Scene("stopped-in-time", calls(2, 60) + step(10, "stop", **_HUMAN)),
    Scene("kept-out", step(0, name="shell.run", outcome="denied") + step(1, target="192.0.2.1", outcome="denied")),
    Scene("tried-again", calls(4, 10, args_digest="sha256:same", outcome="timeout")),
    Scene("at-the-limit", paid(8, 1, "gateway") + paid(8, 1.25, "lab")),
    Scene("attended", calls(2, 3_700, via="night") + step(3_600, "approval", **_GIVEN, args_digest="sha256:none")),
    # The log itself.
    Scene("gap", step(0) + step(1, seq=3), "AUDIT-01"),
    Scene("twins", step(0) + step(1, seq=1) + step(2, seq=2), "AUDIT-01"),
    Scene("clock", step(5) + step(0), "AUDIT-02", close=True),
    Scene("altered", calls(4, 1, chained=True) + step(4, chained=True, altered=True), "AUDIT-03", close=True),
    Scene("moved", calls(4, 1, chained=True) + step(4, chained=True, moved=True), "AUDIT-03", close=True),
    Scene("nobody", step(0, actor=None), lacks="AUDIT-02", once=True),
    Scene("nothing", step(0, name=None), lacks="AUDIT-02", once=True),
    Scene("no-target", step(0, target=None), lacks="AUDIT-02", once=True),
    Scene("no-arguments", step(0, args_digest=None), lacks="AUDIT-02", once=True),
    Scene("no-reason", step(0, reason=None), lacks="AUDIT-02", once=True),
    Scene("no-result", step(0, outcome=None), lacks="AUDIT-02", once=True),
    Scene("no-cost", step(0, cost=None), lacks="AUDIT-02", once=True),
)
# What the facts beside the log make of it: each once, however long it is.
BESIDE = ("AUDIT-06", "AUDIT-06", "BOUND-09", "READY-01", "READY-05", "READY-06", "READY-07")
