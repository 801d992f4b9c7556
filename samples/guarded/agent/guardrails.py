"""Loads a `psf-audit/guardrails/1` file: every number that the gateway and the harness enforce comes from here."""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

import yaml

SCHEMA = "psf-audit/guardrails/1"


class BadGuardrails(ValueError):
    """The file is not one this deployment may start with."""


def matches(value: str, patterns: Iterable[str]) -> bool:
    """Whether a name, a path or an address falls under one of the globs or networks."""
    return any(_matches(value, pattern) for pattern in patterns)


def _matches(value: str, pattern: str) -> bool:
    try:
        network = ipaddress.ip_network(pattern)
    except ValueError:
        return fnmatchcase(value, pattern)
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the file; a key the row does not know is an error."""

    @classmethod
    def of(cls, raw: Mapping[str, Any], via: str) -> Self:
        """Build the row from YAML values."""
        known = {field.name: field for field in fields(cls)}
        if unknown := sorted(set(raw) - set(known)):
            raise BadGuardrails(f"{cls.__name__}: unknown keys {', '.join(unknown)}")
        values = {"via": via} if "via" in known else {}
        return cls(**{**values, **{key: _value(key, value) for key, value in raw.items()}})


def _value(key: str, value: Any) -> Any:
    if key in {"amount", "threshold"}:
        return Decimal(str(value))
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


@dataclass(frozen=True, kw_only=True)
class Limit(Row):
    """A ceiling on a resource, and what happens at it."""

    resource: str
    amount: Decimal
    scope: str
    on_breach: str
    via: str
    patterns: tuple[str, ...] = ("*",)
    per_seconds: int | None = None
    aligned: bool = False
    lag_seconds: int = 0

    def __str__(self) -> str:
        window = f" in {self.per_seconds} s" if self.per_seconds else ""
        return f"{self.amount} {self.resource} a {self.scope}{window}"


@dataclass(frozen=True, kw_only=True)
class Gate(Row):
    """A point where something other than the agent decides."""

    trigger: str
    effect: str
    via: str
    threshold: Decimal | None = None
    unit: str | None = None
    patterns: tuple[str, ...] = ("*",)
    on_timeout: str = "halt"
    timeout_seconds: int = 0
    approvers: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def amount(self) -> Decimal:
        """The threshold of a gate that cannot work without one."""
        if self.threshold is None:
            raise BadGuardrails(f"the {self.trigger} gate needs a threshold")
        return self.threshold


@dataclass(frozen=True, kw_only=True)
class Boundary(Row):
    """What may be touched in one dimension."""

    dimension: str
    effect: str
    via: str
    patterns: tuple[str, ...] = ()
    default: bool = False


@dataclass(frozen=True, kw_only=True)
class Alert(Row):
    """When a person is called, and how soon they must answer."""

    trigger: str
    threshold: Decimal
    unit: str
    channel: str
    recipient: str
    ack_seconds: int


@dataclass(frozen=True, kw_only=True)
class LogRule(Row):
    """Where the log goes and how it is kept."""

    sink: str
    via: str
    patterns: tuple[str, ...] = ("*",)
    append_only: bool = False
    hash_chained: bool = False
    off_host: bool = False
    retention_days: int = 0


@dataclass(frozen=True, kw_only=True)
class Credential(Row):
    """A key, what it opens (`scope`: tools, separated by blanks) and for how long."""

    name: str
    holder: str
    issued: datetime
    expires: datetime
    shared: bool
    scope: str
    via: str


@dataclass(frozen=True, kw_only=True)
class Guardrails:
    """One loaded file, frozen, with the digest of exactly the bytes that were read."""

    component: str
    layer: str
    release: str
    via: str
    digest: str
    limits: tuple[Limit, ...] = ()
    gates: tuple[Gate, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    alerts: tuple[Alert, ...] = ()
    logs: tuple[LogRule, ...] = ()
    credentials: tuple[Credential, ...] = ()

    def limits_on(self, *resources: str) -> tuple[Limit, ...]:
        """The limits on these resources."""
        return tuple(limit for limit in self.limits if limit.resource in resources)

    def gate(self, trigger: str) -> Gate | None:
        """The gate on this trigger, if the file has one."""
        return next((gate for gate in self.gates if gate.trigger == trigger), None)

    def permits(self, dimension: str, value: str) -> bool:
        """Deny rows win, then allow rows, then nothing: what no row names is refused."""
        rows = [row for row in self.boundaries if row.dimension == dimension and not row.default]
        if any(row.effect == "deny" and matches(value, row.patterns) for row in rows):
            return False
        return any(row.effect == "allow" and matches(value, row.patterns) for row in rows)

    def denies_by_default(self, dimension: str) -> bool:
        """Whether the file says that everything else is refused."""
        return any(row.default and row.effect == "deny" for row in self.boundaries if row.dimension == dimension)

    def forbids(self, dimension: str, text: str) -> bool:
        """Whether a deny row of this dimension catches the text, whatever its case."""
        return any(
            matches(text.lower(), (pattern.lower() for pattern in row.patterns))
            for row in self.boundaries
            if row.dimension == dimension and row.effect == "deny"
        )


ROWS: Mapping[str, type[Row]] = {
    "limits": Limit,
    "gates": Gate,
    "boundaries": Boundary,
    "alerts": Alert,
    "logs": LogRule,
    "credentials": Credential,
}


def load(path: Path, component: str) -> Guardrails:
    """Read and check the file of one component."""
    content = path.read_bytes()
    raw = yaml.safe_load(content)
    if raw.pop("schema", None) != SCHEMA or raw.get("component") != component:
        raise BadGuardrails(f"{path.name} is not the {SCHEMA} file of the {component}")
    via = raw["via"]
    rows: dict[str, Any] = {key: tuple(kind.of(row, via) for row in raw.pop(key, [])) for key, kind in ROWS.items()}
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return Guardrails(**raw, **rows, digest=digest)
