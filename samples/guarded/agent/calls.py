"""The values that pass between the model, the harness and the gateway."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import rfc8785


@dataclass(frozen=True)
class Proposal:
    """What the model would like to do next; it has no effect by itself."""

    tool: str
    target: str
    reason: str
    args: Mapping[str, str] = field(default_factory=dict)


FINISH = "finish"


@dataclass(frozen=True)
class Call:
    """One call as it reaches the gateway."""

    kind: str
    name: str
    target: str
    args: Mapping[str, str]
    reason: str
    actor: str
    credential: str
    task: str
    root: str
    parent: str | None = None

    @cached_property
    def text(self) -> str:
        """The tool, the target and every argument, in one canonical spelling."""
        return rfc8785.dumps({"name": self.name, "target": self.target, "args": dict(self.args)}).decode()

    @cached_property
    def digest(self) -> str:
        """What an approval is bound to: all of that."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Result:
    """What came of a call."""

    id: str
    outcome: str
    reason: str = ""
    data: Any = None
    usd: Decimal = Decimal(0)
    tokens_in: int = 0
    tokens_out: int = 0
    approval: str | None = None
    halted: bool = False

    @property
    def ok(self) -> bool:
        """Whether it had its effect."""
        return self.outcome == "ok"


@dataclass(frozen=True)
class Ticket:
    """The right to make calls in one run."""

    run: str
    session: str
    task: str
    credentials: frozenset[str]


@dataclass(frozen=True)
class Clearance:
    """Who let this deployment go live, on which assessment, and what exactly they let go live."""

    release: str
    deployment: str
    owner: str
    deputy: str
    signed_by: str
    signed_at: datetime
    assessed_at: datetime
    domains: frozenset[str]


@dataclass(frozen=True)
class Task:
    """One piece of work, with its size and its limits stated before it starts."""

    id: str
    instruction: str
    network: str
    expected_size: int
    register: bool = False
    estimate_usd: Decimal = Decimal(0)
    signed_off_by: str | None = None
