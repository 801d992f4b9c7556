"""The gateway's audit log: append-only, one event a line, each line chained to the one before it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785

from agent.clock import Clock, stamp
from agent.guardrails import LogRule

FIRST = "0" * 64
Event = Mapping[str, Any]


class LogUnavailable(OSError):
    """The log host does not answer; nothing may happen that it cannot record."""


class RetentionError(PermissionError):
    """Somebody wanted to delete what must be kept."""


class AuditLog:
    """The log host. It stands in for a store of its own: the agent never holds a reference to it."""

    def __init__(self, path: Path, clock: Clock, rule: LogRule) -> None:
        self.path, self._clock, self._rule = path, clock, rule
        self._events: list[Event] = []
        self._seq: Counter[str] = Counter()
        self.up = True
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    @property
    def events(self) -> tuple[Event, ...]:
        """What has been written so far."""
        return tuple(self._events)

    @property
    def head(self) -> str:
        """The hash of the newest line: kept elsewhere, it shows a cut tail."""
        return str(self._events[-1]["hash"]) if self._events else FIRST

    def write(self, run: str, kind: str, **columns: Any) -> str:
        """Append one event, and return its id."""
        if not self.up:
            raise LogUnavailable(self._rule.sink)
        self._seq[run] += 1
        event: dict[str, Any] = {"at": stamp(self._clock.now), "run": run, "seq": self._seq[run], "kind": kind}
        event["id"] = f"{run}/{self._seq[run]}"
        event |= {name: value for name, value in columns.items() if value is not None}
        event["prev_hash"] = self.head
        event["hash"] = digest(event)
        with self.path.open("ab") as file:
            file.write(rfc8785.dumps(event) + b"\n")
        self._events.append(event)
        return str(event["id"])

    def delete_before(self, moment: datetime) -> None:
        """Drop old lines; refused for anything still inside the retention time."""
        if moment > self._clock.now - timedelta(days=self._rule.retention_days):
            raise RetentionError(f"kept for {self._rule.retention_days} days")
        self._events = [event for event in self._events if event["at"] >= stamp(moment)]


def digest(event: Event) -> str:
    """SHA-256 over the RFC 8785 form of the event without its own hash."""
    return hashlib.sha256(rfc8785.dumps({k: v for k, v in event.items() if k != "hash"})).hexdigest()


def read(path: Path) -> tuple[Event, ...]:
    """The events of a log file."""
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def faults(events: Iterable[Event], head: str | None = None) -> list[str]:
    """What is wrong with a log: altered, removed, inserted or reordered lines, and (with `head`) a cut tail."""
    found, before = [], FIRST
    seq: Counter[str] = Counter()
    for event in events:
        if event["prev_hash"] != before:
            found.append(f"{event['id']}: not the successor of the line before it")
        if event["hash"] != digest(event):
            found.append(f"{event['id']}: altered")
        seq[event["run"]] += 1
        if event["seq"] != seq[event["run"]]:
            found.append(f"{event['id']}: out of sequence")
        before = event["hash"]
    if head is not None and before != head:
        found.append("the end is missing")
    return found
