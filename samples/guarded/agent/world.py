"""The simulated outside: two dozen hosts, a registry, an index, small workers, and a provider that bills for them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any

from agent.calls import Call, Proposal
from agent.clock import Clock

NETWORK = "172.20.0.0/14"
REGISTRY = "registry.example.net"
INDEX = "index.example.net"
WORKERS = "workers.example.net"
MODELS = "models.example.net"
PROBER = "prober"
MODEL = "stub-planner-1"
USD_PER_1K_TOKENS = Decimal("0.02")
PROMPT_TOKENS = 600
MAX_TOKENS_OUT = 200
MODEL_SECONDS = 15

Planner = Callable[[Mapping[str, Any]], Proposal]


@dataclass(frozen=True)
class Tool:
    """A tool's published definition: price, usual duration, and the only arguments and values it takes."""

    usd: Decimal
    seconds: float
    params: Mapping[str, str]


PORTS = r"\d{1,5}(,\d{1,5}){0,9}"
TOOLS: Mapping[str, Tool] = {
    "registry.lookup": Tool(Decimal(0), 10, {"network": r"[0-9./]+"}),
    "registry.register": Tool(Decimal("0.25"), 30, {"network": r"[0-9./]+", "contact": r"[\w.@ -]+"}),
    "worker.create": Tool(Decimal("0.05"), 30, {"size": r"small", "zone": r"[ab]"}),
    "agent.spawn": Tool(Decimal(0), 5, {"hosts": r"[0-9.,]+"}),
    "host.ping": Tool(Decimal(0), 20, {"count": r"[1-9]\d?"}),
    "host.probe": Tool(Decimal("0.10"), 30, {"ports": PORTS}),
    "host.scan": Tool(Decimal("0.25"), 45, {"ports": PORTS}),
    "index.write": Tool(Decimal(0), 10, {"host": r"[0-9.]+", "ports": PORTS}),
    "index.publish": Tool(Decimal(0), 20, {"network": r"[0-9./]+", "rows": r"\d{1,4}"}),
}


@dataclass(frozen=True)
class Host:
    """A machine somebody else owns."""

    address: str
    kind: str
    banner: str


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong outside: slow, failing, lost, or talking."""

    seconds: float | None = None
    outcome: str = "ok"
    loses: bool = False
    banner: str | None = None
    hosts: int | None = None


@dataclass(frozen=True)
class Reply:
    """What the outside gave back, and how long it took."""

    outcome: str
    seconds: float
    data: Any = None
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True)
class Charge:
    """A line of the provider's bill, kept by the provider."""

    at: datetime
    what: str
    usd: Decimal


def _hosts() -> dict[str, Host]:
    """Six hosts in each of the four /16 networks; the second network has most of the routers."""
    hosts = {}
    for part in range(4):
        for number in range(6):
            address = f"172.{20 + part}.{16 * number}.{10 + number}"
            kind = "router" if number < (4 if part == 1 else 1) else "service"
            hosts[address] = Host(address, kind, f"{kind} {part}-{number}, hobby network")
    return hosts


@dataclass
class World:
    """The outside, its state, and its faults by tool."""

    clock: Clock
    planner: Planner
    hosts: dict[str, Host] = field(default_factory=_hosts)
    tools: dict[str, Tool] = field(default_factory=lambda: dict(TOOLS))
    faults: dict[str, Fault] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    index: dict[str, str] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    workers: dict[str, str] = field(default_factory=dict)
    bill: list[Charge] = field(default_factory=list)

    def price(self, call: Call) -> Decimal:
        """The most this call can cost, known before it is made."""
        if call.kind == "model":
            return self.price_of_tokens(self.tokens(call))
        return self.tools[call.name].usd

    @staticmethod
    def tokens(call: Call) -> int:
        """The most tokens this call can use."""
        return _tokens(call.args["view"]) + MAX_TOKENS_OUT if call.kind == "model" else 0

    @staticmethod
    def price_of_tokens(tokens: int) -> Decimal:
        """What the model's provider charges for so many tokens, to a hundredth of a cent."""
        return Decimal(math.ceil(USD_PER_1K_TOKENS * tokens * 10)) / 10_000

    def complete(self, call: Call, view: Mapping[str, Any]) -> Reply:
        """Ask the model."""
        proposal = self.planner(view)
        tokens_in = _tokens(call.args["view"])
        tokens_out = min(MAX_TOKENS_OUT, 40 + len(proposal.reason) // 4 + 8 * len(proposal.args))
        self._charge(call, self.price_of_tokens(tokens_in + tokens_out))
        return Reply("ok", MODEL_SECONDS, proposal, tokens_in, tokens_out)

    def perform(self, call: Call) -> Reply:
        """Do what a tool does."""
        tool, fault = self.tools[call.name], self.faults.get(call.name, Fault())
        seconds = tool.seconds if fault.seconds is None else fault.seconds
        self._charge(call, tool.usd)
        if fault.outcome != "ok":
            return Reply(fault.outcome, seconds)
        return Reply("ok", seconds, getattr(self, "_" + call.name.replace(".", "_"))(call, fault))

    def remove_worker(self, worker: str) -> None:
        """Tear one worker down."""
        del self.workers[worker]

    def _charge(self, call: Call, usd: Decimal) -> None:
        if usd:
            self.bill.append(Charge(self.clock.now, call.name, usd))

    def _registry_lookup(self, call: Call, fault: Fault) -> list[dict[str, str]]:
        network = ip_network(call.args["network"])
        found = [host for host in self.hosts.values() if ip_address(host.address) in network]
        if fault.hosts is not None:
            found = [Host(f"172.20.{n // 250}.{n % 250 + 1}", "service", "") for n in range(fault.hosts)]
        return [{"address": host.address, "kind": host.kind} for host in found]

    def _registry_register(self, call: Call, _: Fault) -> str:
        self.registered.add(call.args["network"])
        return "registered"

    def _worker_create(self, call: Call, _: Fault) -> str:
        worker = f"worker-{len(self.bill)}"
        self.workers[worker] = call.args["zone"]
        return worker

    def _agent_spawn(self, call: Call, _: Fault) -> str:
        return call.target

    def _host_ping(self, call: Call, fault: Fault) -> dict[str, str]:
        host = self.hosts.get(call.target)
        return {"alive": "yes" if host else "no", "banner": fault.banner or (host.banner if host else "")}

    def _host_probe(self, call: Call, _: Fault) -> dict[str, str]:
        return {"open": call.args["ports"].split(",")[0]}

    _host_scan = _host_probe

    def _index_write(self, call: Call, fault: Fault) -> dict[str, str | None]:
        if not fault.loses:
            self.index[call.args["host"]] = call.args["ports"]
        return {"stored": self.index.get(call.args["host"])}

    def _index_publish(self, call: Call, _: Fault) -> str:
        self.published.append(call.args["network"])
        return "published"


def _tokens(text: str) -> int:
    return PROMPT_TOKENS + len(text) // 4


def argument_faults(tool: Tool, args: Mapping[str, str]) -> list[str]:
    """What is wrong with the arguments: names or values outside the published definition."""
    wrong = [f"{name} is not an argument" for name in sorted(set(args) - set(tool.params))]
    wrong += [f"{name} is missing" for name in sorted(set(tool.params) - set(args))]
    return wrong + [
        f"{name} has a value that is not allowed"
        for name, pattern in sorted(tool.params.items())
        if name in args and not re.fullmatch(pattern, args[name])
    ]
