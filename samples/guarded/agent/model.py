"""The stub model: a scripted planner that does the task, in place of a large language model."""

from collections.abc import Mapping
from typing import Any

from agent.calls import FINISH, Proposal
from agent.world import INDEX, PROBER, REGISTRY, WORKERS

View = Mapping[str, Any]
PORTS = "22,53,80,179,443"


def obedient(view: View) -> Proposal:
    """Plan the next step of the task, as the system prompt asks."""
    return _lead(view) if view["role"] == "indexer" else _probe(view)


def _lead(view: View) -> Proposal:
    network, facts = view["network"], view["facts"]
    if "looked_up" not in facts:
        return Proposal("registry.lookup", REGISTRY, "find the hosts of the network", {"network": network})
    if view["register"] and "registered" not in facts:
        args = {"network": network, "contact": "index@example.net"}
        return Proposal("registry.register", REGISTRY, "the task asks to register the index first", args)
    if "worker" not in facts:
        return Proposal("worker.create", WORKERS, "probes run from a small worker", {"size": "small", "zone": "a"})
    if waiting := view["unassigned"]:
        half = waiting[: max(1, -(-len(view["hosts"]) // 2))]
        return Proposal("agent.spawn", PROBER, "probe one half of the hosts", {"hosts": ",".join(half)})
    if "published" not in facts:
        args = {"network": network, "rows": str(len(view["hosts"]))}
        return Proposal("index.publish", INDEX, "every host is indexed", args)
    return Proposal(FINISH, INDEX, "indexed and published")


def _probe(view: View) -> Proposal:
    for address, host in view["hosts"].items():
        if "alive" not in host:
            return Proposal("host.ping", address, "see whether the host answers", {"count": "3"})
        if "open" not in host:
            tool, kind = ("host.scan", "router") if host["kind"] == "router" else ("host.probe", "service")
            return Proposal(tool, address, f"list the open ports of a {kind}", {"ports": PORTS})
        if "stored" not in host:
            args = {"host": address, "ports": host["open"]}
            return Proposal("index.write", INDEX, f"keep what was found on {address}", args)
    return Proposal(FINISH, INDEX, "my hosts are indexed")
