"""What the generated deployment was allowed: the limits, gates and lists that its log keeps to, or is planted to break.

The guardrail file, the manifest and the records are written from these values, and whoever checks the log with other
means than psf-audit reads them here. Most limits sit on a provider of their own, so that what breaks one of them
breaks no other; those of the provider `gateway` hold for the ordinary work too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

RELEASE = "1.0.0"
DEPLOYMENT = "registry-fleet"
START_MS = 1_790_834_400_000  # 2026-10-01 06:00 UTC
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MICRO = 10**6  # of a dollar: the unit in which the generator counts money


@dataclass(frozen=True, slots=True)
class Limit:
    """A ceiling of whole units for each of its scope, on one provider; `pattern` is a glob of names."""

    resource: str
    amount: int
    scope: str
    via: str = "gateway"
    pattern: str = "*"
    per_seconds: int | None = None
    aligned: bool = True
    lag_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """A point where a person decides whether the work goes on."""

    trigger: str
    threshold: int | None = None
    unit: str | None = None
    via: str = "gateway"
    pattern: str = "*"


# Ceilings on what the work adds up to.
CEILINGS = (
    Limit("usd", 100_000, "account", per_seconds=86_400),
    Limit("usd", 8, "session"),
    Limit("tokens", 2_000_000, "session", per_seconds=600),
    Limit("requests", 60, "session", per_seconds=60),
    Limit("actions", 400, "run"),
    Limit("usd", 10, "account", "cards", per_seconds=86_400),
    Limit("usd", 10, "project", "studio"),
    Limit("usd", 10, "key", "vault", per_seconds=86_400),
    Limit("usd", 10, "agent", "cloud", per_seconds=86_400, lag_seconds=120),
    Limit("usd", 10, "tool", "partner", "quote.*"),
    Limit("usd", 10, "run", "lab"),
    Limit("usd", 10, "task", "farm"),
    Limit("usd", 5, "tool", "burst", per_seconds=600, aligned=False),
    Limit("tokens", 10_000, "session", "models", per_seconds=600),
    Limit("actions", 40, "run", "bulk"),
    Limit("requests", 30, "tool", "quota", per_seconds=86_400),
)
RUN_SECONDS = Limit("seconds", 1_800, "run", "timed")
RETRIES = Limit("retries", 3, "run")
FANOUT = Limit("fanout", 6, "run")
DEPTH = Limit("depth", 3, "run")
REPEATS = Limit("repeats", 20, "run", pattern="index.*")
LIMITS = (*CEILINGS, RUN_SECONDS, RETRIES, FANOUT, DEPTH, REPEATS)

INTERVALS = (
    Gate("interval", 3_600, "seconds"),
    Gate("interval", 30, "actions", "many"),
)
SPEND_GATE = Gate("spend", 5, "usd", "till")
STOP_LOSS = Gate("give_up", 4, "usd", "mine")
GATES = (*INTERVALS, SPEND_GATE, STOP_LOSS, Gate("action", pattern="registry.register"))
# What a gate or its own nature puts behind a human.
GATED = frozenset({"registry.register", "index.publish"})

TOOLS = (
    "planner-1", "host.probe", "host.ping", "registry.query", "registry.register", "index.write", "index.publish",
    "worker.create", "poll.status",
)  # fmt: skip
REFUSED_TOOLS = ("shell.*",)
TARGETS = ("*.example.net", "10.20.0.0/16", "2001:db8:20::/48")
REFUSED_TARGETS = ("admin-*.example.net",)
PATHS = ("/srv/*", "config/*")
POLICIES = ("config/*",)

ALERT_SECONDS = 900
EDGE_CASE_USD = 400
ESTIMATES = {"worst": 3}
# The tools that change something, of those that are free; what costs is paid anyway.
CHANGING = frozenset({"index.write", "index.publish", "registry.register", "worker.create"})
FREE = frozenset({"registry.query", "index.write", "index.publish", "poll.status", "host.ping"})

_EFFECTS = {
    "registry.register": "create", "worker.create": "create", "index.write": "change", "index.publish": "publish",
}  # fmt: skip
BILLS = {"vault": 1, "cards": 30}  # far less, and far more, than what is planted there costs


@dataclass(frozen=True, slots=True)
class Terms:
    """What differs between logs: how many violations of each sort there are, how long the log is, what it cost.

    `planted` is the number of violations of each sort, 0 in a clean log; `spent` what the log says that calls through
    the gateway cost, in micro-dollars.
    """

    planted: int
    end_ms: int
    spent: int

    @property
    def expected_size(self) -> int:
        """How many targets the manifest declares: far fewer than there are, where that is to be found."""
        return 20 if self.planted else 2_000

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """The keys that configuration knows; those named ghost are in the log alone."""
        own = {"holder": "agent", "shared": False}
        rows: list[dict[str, Any]] = [{"name": "fleet-key", **own}]
        for number in range(self.planted):
            rows += [
                {"name": f"vault-{number}", **own},
                {"name": f"old-{number}", **own, "expires": "2026-09-01"},
                {"name": f"root-{number}", "holder": "root"},
                {"name": f"shared-{number}", "holder": "agent", "shared": True},
            ]
        return rows

    def write(self, folder: Path) -> Path:
        """Write the manifest and all evidence but the log `events.jsonl` into a folder; the path of the manifest."""
        folder.joinpath("terms.json").write_text(json.dumps(asdict(self)), encoding="utf-8")
        folder.joinpath("guardrails.json").write_bytes(self.guardrails)
        folder.joinpath("records.json").write_bytes(_document(self._records()))
        manifest = folder / "manifest.yaml"  # JSON is YAML
        manifest.write_bytes(_document(self._manifest()))
        return manifest

    @classmethod
    def read(cls, folder: Path) -> Terms:
        """The terms that were written into a folder."""
        return cls(**json.loads(folder.joinpath("terms.json").read_bytes()))

    @property
    def guardrails(self) -> bytes:
        """The guardrail file; it counts where the log says that the gateway loaded it."""
        return _document(self._guardrails())

    @property
    def as_of(self) -> str:
        """The day after the last event."""
        return _day(self.end_ms + DAY_MS)

    def _guardrails(self) -> dict[str, Any]:
        limits = [{**_row(limit), "on_breach": "pause"} for limit in LIMITS]
        gates = [{**_row(gate), "effect": "ask" if gate.trigger == "action" else "interrupt"} for gate in GATES]
        return {
            "schema": "psf-audit/guardrails/1",
            "component": "gateway",
            "layer": "gateway",
            "release": RELEASE,
            "limits": limits,
            "gates": gates,
            "boundaries": [
                _boundary("tool", "allow", TOOLS),
                _boundary("tool", "deny", REFUSED_TOOLS),
                _boundary("target", "allow", TARGETS),
                _boundary("target", "deny", REFUSED_TARGETS),
                _boundary("policy", "deny", POLICIES),
            ],
            "alerts": [
                {"trigger": "spend", "threshold": 50, "unit": "percent", "channel": "pager",
                 "recipient": "Jonas Weidmann", "ack_seconds": ALERT_SECONDS},
            ],
            "credentials": [{**row, "via": "gateway"} for row in self.credentials],
        }  # fmt: skip

    def _records(self) -> dict[str, Any]:
        before = _day(START_MS - DAY_MS)
        period = {"from": _instant(START_MS), "to": _instant(self.end_ms), "at": _day(self.end_ms), "by": "Finance"}
        bills = {"gateway": str(Decimal(self.spent) / MICRO), **(BILLS if self.planted else {})}
        signed = {"at": before, "by": "Mara Lindqvist", "subject": DEPLOYMENT, "release": RELEASE}
        good = [
            {"kind": "assessment", **signed, "decision": "ready"},
            {"kind": "sign_off", **signed, "decision": "approved"},
        ]
        stale = [{"kind": "assessment", **signed, "at": "2026-01-05", "release": "0.9.0", "fingerprint": "0" * 64}]
        rows = [
            {"kind": "edge_case", **signed, "amount_usd": EDGE_CASE_USD},
            *({"kind": "estimate", **signed, "subject": task, "amount_usd": usd} for task, usd in ESTIMATES.items()),
            *({"kind": "sign_off", **signed, "subject": task, "decision": "approved"} for task in ESTIMATES),
            *({"kind": "bill", **period, "subject": via, "amount_usd": usd} for via, usd in bills.items()),
            *(stale if self.planted else good),
        ]
        return {"schema": "psf-audit/records/1", "records": rows}

    def _manifest(self) -> dict[str, Any]:
        names: Sequence[str] = [*TOOLS, *(f"free.{number}" for number in range(self.planted))]
        return {
            "schema": "psf-audit/manifest/1",
            "deployment": {"name": DEPLOYMENT, "release": RELEASE, "environment": "production"},
            "people": [{"name": "Mara Lindqvist", "role": "owner"}],
            "rubric": "psf-agentic@1.1.0",
            "agent": {
                "capabilities": [_capability(name) for name in names],
                "scope": {"expected_size": self.expected_size},
            },
            "guardrails": {"boundaries": [{"dimension": "path", "effect": "allow", "patterns": list(PATHS)}]},
            "evidence": [
                {"path": "events.jsonl", "collected": _day(self.end_ms)},
                {"path": "guardrails.json", "collected": _day(self.end_ms), "produced_by": "gateway"},
                {"path": "records.json", "collected": _day(self.end_ms), "produced_by": "operator"},
            ],
        }


def _row(term: Limit | Gate) -> dict[str, Any]:
    values = {name: value for name, value in asdict(term).items() if value is not None and name != "pattern"}
    return values if term.pattern == "*" else {**values, "patterns": [term.pattern]}


def _boundary(dimension: str, effect: str, patterns: Sequence[str]) -> dict[str, Any]:
    return {"dimension": dimension, "effect": effect, "patterns": list(patterns), "via": "gateway"}


def _capability(name: str) -> dict[str, Any]:
    is_free = name in FREE or name.startswith("free.")
    cost = "free" if is_free else {"usd": 0.01, "per": "call"}
    kind = "model" if name == "planner-1" else "tool"
    via = {} if name.startswith("free.") else {"via": "gateway"}
    return {"name": name, "kind": kind, "effect": _EFFECTS.get(name, "read"), "cost": cost, **via}


def _document(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode()


def _day(at_ms: int) -> str:
    return _instant(at_ms)[:10]


def _instant(at_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).isoformat()
