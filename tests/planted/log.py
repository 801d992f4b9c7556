"""A log of any length, the same each time for the same seed: a fleet of agents at work, and what is planted into it.

The ordinary work breaks nothing: its runs ask before what needs asking, keep to their limits and end. A log holds about
as many lines as asked for; they stand in the order of their times, some 450 bytes each.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from tests.planted.scenes import BESIDE, SCENES, Fields, Scene
from tests.planted.terms import HOUR_MS, MICRO, RELEASE, START_MS, Terms

HEADER = json.dumps({"schema": "psf-audit/events/1", "produced_by": "gateway", "release": RELEASE, "coverage": "full"})
STEPS = 120  # of an ordinary run
_RUNS_A_SESSION = 5
_LEAST_SPAN_MS = 8 * HOUR_MS  # so that the longest planted stretch fits
_TICK_MS = 100
_STEP_MS = 3_000  # between two events of a run, at least
_EVENTS_A_PLANT = 100_000
_FEWEST, _MOST = 2, 50
_TO_TAIL = 0.8  # of the span: what may not come near an alert ends before, the alerts come after
_LINES = 20_000

_TARGETS = (
    *(f"h{n}.example.net" for n in range(400)), *(f"10.20.{n >> 4}.{n & 15}" for n in range(300)),
    *(f"2001:db8:20::{n:x}" for n in range(1, 101)), *(f"/srv/index/part-{n}.json" for n in range(224)),
)  # fmt: skip
_REASONS = tuple(
    f"Part {n} of the registry comes next; the entry before it was {state}."
    for n in range(16)
    for state in ("stored", "skipped", "unchanged", "corrected")
)
_PEOPLE = ("Ines Caldeira", "Mara Lindqvist", "Jonas Weidmann")
# Two tools for each quarter of a run, as work has its phases.
_NAMES = (
    ("host.probe", "host.ping"), ("registry.query", "host.ping"), ("index.write", "host.probe"),
    ("worker.create", "index.write"),
)  # fmt: skip
_FREE = frozenset({"host.ping", "registry.query", "index.write"})
_OUTCOMES = (*("ok",) * 29, "error", "timeout", "denied")
# Where a run asks: the question, a pause, the answer and the call that rests on it.
_ASKED = frozenset({40, 80})
_TAKEN = frozenset(step + more for step in _ASKED for more in (1, 2, 3))


class Work(NamedTuple):
    """An ordinary run: its id, its session, and who does it, as the keys of JSON."""

    run: str
    session: str
    who: str


class Planted(NamedTuple):
    """Lines that stand together at one time, and what they cost through the gateway, in micro-dollars."""

    at_ms: int
    lines: list[str]
    spent: int


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the manifest, the number of lines, and of each key of a finding how many there are."""

    manifest: Path
    lines: int
    findings: Counter[str]


def write(folder: Path, events: int, seed: int = 1, *, planted: bool = True) -> Written:
    """Write the log `events.jsonl` with its manifest and evidence into a folder."""
    log = Log(events, seed, planted=planted)
    lines = 1
    with folder.joinpath("events.jsonl").open("w", encoding="ascii", newline="\n") as stream:
        stream.write(HEADER + "\n")
        rest = log.lines()
        while chunk := list(islice(rest, _LINES)):
            stream.write("\n".join(chunk) + "\n")
            lines += len(chunk)
    return Written(log.terms.write(folder), lines, log.findings)


class Log:
    """A log before it is written; `terms` are those it was made under, complete once its lines were taken."""

    def __init__(self, events: int, seed: int, *, planted: bool) -> None:
        self._events, self._seed, self._planted = events, seed, planted
        self._instances = min(_MOST, max(_FEWEST, events // _EVENTS_A_PLANT))
        self._scenes = [scene for scene in SCENES if planted or not any(scene.findings)]
        self._tick_ms = max(_TICK_MS, -(-_LEAST_SPAN_MS // events))
        self._span_ms = events * self._tick_ms
        self._spent = 0

    @property
    def terms(self) -> Terms:
        """What the log was made under."""
        return Terms(self._instances if self._planted else 0, START_MS + self._span_ms, self._spent)

    @property
    def findings(self) -> Counter[str]:
        """How many findings of each key are planted."""
        found = Counter(BESIDE if self._planted else ())
        for scene in self._scenes:
            found.update(dict.fromkeys(scene.findings, 1 if scene.once else self._instances))
        return found

    def lines(self) -> Iterator[str]:
        """The lines of the log, without its header."""
        plants = sorted(self._plants(), key=lambda plant: plant.at_ms, reverse=True)
        ledger = [sum(plant.spent for plant in plants)]
        lanes = [_lane(number, self._seed, ledger) for number in range(-(-_STEP_MS // self._tick_ms))]
        for lane in lanes:
            next(lane)
        yield _line(self._loaded())
        width, tick_ms, at_ms = len(lanes), self._tick_ms, START_MS
        for tick in range(self._events):
            at_ms += tick_ms
            while plants and plants[-1].at_ms <= at_ms:
                yield from plants.pop().lines
            yield lanes[tick % width].send(_instant(at_ms))
        while plants:
            yield from plants.pop().lines
        self._spent = ledger[0]

    def _loaded(self) -> Fields:
        """The gateway starts with the guardrail file: without this entry the file shows nothing of this log."""
        digest = hashlib.sha256(self.terms.guardrails).hexdigest()
        who = {"actor": "gateway", "actor_kind": "system"}
        return {"at": _instant(START_MS), "kind": "start", "id": "start", "args_digest": f"sha256:{digest}", **who}

    def _plants(self) -> Iterator[Planted]:
        chance = random.Random(self._seed)  # noqa: S311  the same each time
        for scene in self._scenes:
            for number in range(1 if scene.once else self._instances):
                yield from Run(scene, number).blocks(self._start(scene, chance))

    def _start(self, scene: Scene, chance: random.Random) -> int:
        """When the scene can start: at a full hour, so that what it adds up to falls into one window."""
        length = round(max(after for after, _ in scene.steps) * 1_000)
        tail = round(self._span_ms * _TO_TAIL)
        if scene.late:
            return START_MS + chance.randrange(tail + HOUR_MS // 4, self._span_ms - length)
        return START_MS + chance.randrange(0, tail - length) // HOUR_MS * HOUR_MS


class Run:
    """The lines of one instance of a scene."""

    def __init__(self, scene: Scene, number: int) -> None:
        self._scene, self._number = scene, number
        self._name = f"{scene.name}-{number}"

    def blocks(self, start_ms: int) -> Iterator[Planted]:
        """Its events: each alone, or all in one block that nothing may come between."""
        steps = self._scene.steps if self._scene.close else sorted(self._scene.steps, key=lambda each: each[0])
        events = []
        previous: str | None = None
        for place, (after, changes) in enumerate(steps, 1):
            at_ms = start_ms + round(after * 1_000)
            fields = self._fields(place, at_ms, changes)
            if "chained" in changes:
                previous = _chain(fields, previous, changes)
            spent = fields.get("cost_usd", 0) if fields["via"] == "gateway" else 0
            events.append(Planted(at_ms, [_line(fields)], spent))
        if self._scene.close:
            lines = [line for event in events for line in event.lines]
            yield Planted(start_ms, lines, sum(event.spent for event in events))
        else:
            yield from events

    def _fields(self, place: int, at_ms: int, changes: Fields) -> Fields:
        """An event with nothing missing, and the changes of its step; what is None is left out."""
        own = {"chained", "altered", "moved", "cost"}
        plain = {
            "actor": "agent-0",
            "actor_kind": "agent",
            "args_digest": f"sha256:{self._name}-{place}",
            "at": _instant(at_ms),
            "credential": "fleet-key",
            "id": f"call:{self._name}:{place}",
            "kind": "action",
            "name": "host.probe",
            "outcome": "ok",
            "reason": _REASONS[0],
            "run": self._name,
            "seq": place,
            "session": f"{self._name}-session",
            "target": "h1.example.net",
            "task": f"{self._name}-task",
            "via": "gateway",
            "cost_usd": changes.get("cost", 0),
        }
        given = {
            key: value.format(i=self._number, run=self._name) if isinstance(value, str) else value
            for key, value in changes.items()
            if key not in own
        }
        return {key: value for key, value in {**plain, **given}.items() if value is not None}


def _chain(fields: Fields, previous: str | None, changes: Fields) -> str:
    """Add the digests of a hash chain; the one that is to follow on."""
    if previous is not None:
        fields["prev_hash"] = hashlib.sha256(b"another entry").hexdigest() if "moved" in changes else previous
    digest = hashlib.sha256(_line(fields).encode()).hexdigest()
    fields["hash"] = digest
    if "altered" in changes:
        fields["reason"] = "Rewritten afterwards."
    return digest


def _line(fields: Fields) -> str:
    """An event as JSON with sorted keys and no spaces, which is its form by RFC 8785."""
    parts = (
        f'"{key}":{usd(value) if key == "cost_usd" else json.dumps(value)}' for key, value in sorted(fields.items())
    )
    return "{" + ",".join(parts) + "}"


def usd(micro: int) -> str:
    """Micro-dollars as a JSON number of dollars."""
    whole, part = divmod(micro, MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")


_seconds: dict[int, str] = {}


def _instant(at_ms: int) -> str:
    """A time as RFC 3339 in UTC, to the millisecond; the last second is kept, for times that follow each other."""
    second, ms = divmod(at_ms, 1_000)
    start = _seconds.get(second)
    if start is None:
        _seconds.clear()
        start = _seconds[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{start}.{ms:03d}Z"


def _lane(number: int, seed: int, ledger: list[int]) -> Generator[str, str, None]:
    """One agent, run after run: takes the time of each event and gives its line."""
    chance = random.Random(seed * 1_000 + number)  # noqa: S311  the same each time
    who = f'"actor":"agent-{number}","actor_kind":"agent"'
    at = yield ""
    for place in count():
        session = f"session-{number:02d}-{place // _RUNS_A_SESSION:06d}"
        at = yield from _ordinary(chance, Work(f"run-{number:02d}-{place:06d}", session, who), ledger, at)


def _ordinary(chance: random.Random, work: Work, ledger: list[int], at: str) -> Generator[str, str, str]:
    """A run that does all as it should; the time of the event after its last."""
    run, session, who = work
    rest = f'"run":"{run}"'
    at = yield (
        f'{{{who},"at":"{at}","id":"{run}-1","kind":"start",{rest},"seq":1,"session":"{session}","via":"gateway"}}'
    )
    for seq in range(2, STEPS):
        dice = chance.getrandbits(256)
        part = seq // 30
        task = f'"task":"task-{run}-{part}"' if part else f'"task":"task-{run}"'
        parent = f'"parent":"task-{run}",' if part else ""
        if seq in _ASKED:
            at = yield from _asked(work, seq, _REASONS[dice & 63], at)
        elif seq in _TAKEN:
            continue
        elif seq & 1:
            cost = 100 + (dice >> 6 & 8191)
            ledger[0] += cost
            tokens = f'"tokens_in":{200 + (dice >> 20 & 4095)},"tokens_out":{20 + (dice >> 32 & 1023)}'
            at = yield (
                f'{{{who},"args_digest":"sha256:{dice:064x}","at":"{at}","cost_usd":{usd(cost)},'
                f'"credential":"fleet-key","id":"call-{run}-{seq}","kind":"model",'
                f'"name":"planner-1","outcome":"ok",{parent}"provider":"stub",'
                f'"reason":"{_REASONS[dice & 63]}",{rest},"seq":{seq},"session":"{session}",'
                f'"target":"models.example.net",{task},{tokens},"via":"gateway"}}'
            )
        else:
            name = _NAMES[part][dice >> 44 & 1]
            cost = 0 if name in _FREE else 100 + (dice >> 6 & 8191)
            outcome = _OUTCOMES[dice >> 48 & 31]
            ledger[0] += cost
            at = yield (
                f'{{{who},"args_digest":"sha256:{dice:064x}","at":"{at}","cost_usd":{usd(cost)},'
                f'"credential":"fleet-key","id":"call-{run}-{seq}","kind":"action",'
                f'"name":"{name}","outcome":"{outcome}",{parent}'
                f'"reason":"{_REASONS[dice & 63]}",{rest},"seq":{seq},"session":"{session}",'
                f'"target":"{_TARGETS[dice >> 52 & 1023]}",{task},"via":"gateway"}}'
            )
    return (
        yield f'{{{who},"at":"{at}","id":"{run}-{STEPS}","kind":"complete","outcome":"ok",{rest},'
        f'"seq":{STEPS},"session":"{session}","via":"gateway"}}'
    )


def _asked(work: Work, seq: int, reason: str, at: str) -> Generator[str, str, str]:
    """A question, a pause, its answer, and the call that rests on it."""
    run, session, who = work
    call = f'"name":"registry.register","outcome":"ok","reason":"{reason}","run":"{run}"'
    where = f'"session":"{session}"'
    at = yield (
        f'{{"actor":"harness","actor_kind":"system","at":"{at}","id":"ask-{run}-{seq}","kind":"checkpoint",{call},'
        f'"seq":{seq},{where},"target":"h1.example.net","via":"gateway"}}'
    )
    at = yield (
        f'{{"actor":"harness","actor_kind":"system","at":"{at}","id":"pause-{run}-{seq}","kind":"pause","run":"{run}",'
        f'"seq":{seq + 1},{where},"via":"gateway"}}'
    )
    person = _PEOPLE[seq % len(_PEOPLE)]
    at = yield (
        f'{{"actor":"{person}","actor_kind":"operator","answers":"ask-{run}-{seq}","args_digest":"sha256:{run}-{seq}",'
        f'"at":"{at}","id":"yes-{run}-{seq}","kind":"approval",{call},"seq":{seq + 2},{where},'
        f'"shown":"plan, next call, spend","target":"h1.example.net","via":"gateway"}}'
    )
    return (
        yield f'{{{who},"approval":"yes-{run}-{seq}","args_digest":"sha256:{run}-{seq}",'
        f'"at":"{at}","cost_usd":0,"credential":"fleet-key","id":"call-{run}-{seq}","kind":"action",{call},'
        f'"seq":{seq + 3},{where},"target":"h1.example.net","task":"task-{run}","via":"gateway"}}'
    )
