"""Where a run and a window stand while `tools/bench_loop.py` goes over a log, and what a run makes in the end."""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.planted.terms import EDGE_CASE_USD, INTERVALS, REPEATS, RUN_SECONDS
from tools import bench_terms as rules
from tools.bench_terms import NANO


class Cell:
    """What was counted against a ceiling in one window."""

    __slots__ = ("at_ms", "bucket", "minute", "minute_ms", "reached", "top", "used")

    def __init__(self, bucket: int) -> None:
        self.bucket, self.minute, self.used, self.top = bucket, -1, 0, 0
        self.minute_ms = 0
        self.reached: int | None = None
        self.at_ms: int | None = None


class RunState:
    """Where a run stands."""

    __slots__ = (
        "actions",
        "asked",
        "begged",
        "calls",
        "done",
        "failing",
        "first_ms",
        "flags",
        "gate",
        "highest",
        "holes",
        "interval_ms",
        "intervals",
        "last_ms",
        "leg_last",
        "leg_ms",
        "long",
        "losses",
        "lowest",
        "repeated_numbers",
        "stopped_ms",
        "tasks_done",
        "usd",
        "vias",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls: dict[tuple[str | None, str | None, str], int] = {}
        self.failing: dict[tuple[str | None, str], int] = {}
        self.losses: dict[str, list[int]] = {}
        self.tasks_done: dict[str | None, int] = {}
        self.flags: set[str] = set()
        self.vias: set[str | None] = set()
        self.intervals: list[int] = []
        self.holes: set[int] = set()
        self.long: list[int] = []
        self.asked = self.begged = self.done = False
        self.stopped_ms: int | None = None
        self.first_ms: int | None = None
        self.leg_ms: int | None = None
        self.last_ms = self.leg_last = self.actions = self.usd = self.gate = 0
        self.lowest = self.highest = -1
        self.repeated_numbers = False

    def number(self, number: int) -> None:
        """The next sequence number."""
        if self.highest < 0:
            self.lowest = self.highest = number
        elif number > self.highest:
            if number > self.highest + 1:
                self.holes.update(range(self.highest + 1, number))
            self.highest = number
        elif number in self.holes:
            self.holes.discard(number)
        elif number < self.lowest:
            self.holes.update(range(number + 1, self.lowest))
            self.lowest = number
        else:
            self.repeated_numbers = True

    def work(self, kind: str, at_ms: int, cost: int) -> None:
        """Work that was done in the state that the run is in."""
        if self.first_ms is None:
            self.first_ms = at_ms
        if self.leg_ms is None:
            self.leg_ms = at_ms
        self.last_ms = self.leg_last = at_ms
        self.usd += cost
        self.actions += kind == "action"
        if self.asked:
            self.flags.add("pending")
        if self.stopped_ms is not None and at_ms > self.stopped_ms + rules.STOP_MS:
            self.flags.add("stopped")
        if self.done:
            self.flags.add("done")
        if self.begged:
            self.flags.add("begged")

    def end_leg(self) -> None:
        """A checkpoint, a pause or a decision: what came before it is held against the intervals."""
        if self.leg_ms is not None:
            seconds = (self.leg_last - self.leg_ms) // 1_000
            for number, gate in enumerate(INTERVALS):
                most = gate.threshold or 0
                if (seconds > most + rules.GRACE_SECONDS) if gate.unit == "seconds" else self.actions > most:
                    self.intervals.append(number)
        self.leg_ms, self.actions = None, 0

    def end_stretch(self, found: Counter[str]) -> None:
        """A person decided: nobody did since the last time."""
        if self.first_ms is not None:
            self.long.append((self.last_ms - self.first_ms) // 1_000)
            found["READY-03"] += self.usd > EDGE_CASE_USD * NANO
        self.first_ms, self.usd = None, 0

    def conclude(self, name: str | None, alerted: set[str | None], found: Counter[str]) -> None:
        """What the run of that name makes in the end; `alerted` are the runs with an alert."""
        for (tool, _, _), count in self.calls.items():
            if count > REPEATS.amount:
                is_limited = tool is not None and tool.startswith(REPEATS.pattern.removesuffix("*"))
                found["BOUND-07"] += is_limited or count > rules.MOST_REPEATS
                found["AUDIT-05"] += rules.matters(tool) and name not in alerted
        if name is None:
            return
        self.end_leg()
        self.end_stretch(found)
        found["AUDIT-01"] += bool(self.holes) + self.repeated_numbers
        found["CHECK-01"] += sum(INTERVALS[number].via in self.vias for number in self.intervals)
        unattended = rules.UNATTENDED_SECONDS + rules.GRACE_SECONDS
        found["CHECK-04"] += sum(seconds > unattended for seconds in self.long)
        if RUN_SECONDS.via in self.vias:
            found["CHECK-04"] += sum(seconds > RUN_SECONDS.amount + rules.GRACE_SECONDS for seconds in self.long)
        self._conclude_flags(found)

    def _conclude_flags(self, found: Counter[str]) -> None:
        for flag in self.flags:
            if flag.startswith("task "):
                found["BOUND-06"] += 1
            elif flag.startswith("loss "):
                found["SPEND-10"] += 1
        found["BOUND-06"] += "done" in self.flags and "by task" not in self.flags
        found["CHECK-05"] += "pending" in self.flags
        found["CHECK-08"] += "stopped" in self.flags
        found["BOUND-09"] += "begged" in self.flags
        for control in ("SPEND-05", "CHECK-02"):
            found[control] += "gate" in self.flags
