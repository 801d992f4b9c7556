"""Puts the parts together: the same way for the normal task and for the drills."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.audit import AuditLog, Event
from agent.calls import Clearance, Task, Ticket
from agent.desk import Desk, silent
from agent.gateway import Gateway
from agent.guardrails import Guardrails, load
from agent.harness import CREDENTIALS, Harness, Outcome
from agent.release import deployment_digest
from agent.telemetry import NO_TRACE, Recorder
from agent.world import World


@dataclass(frozen=True)
class Rules:
    """The two loaded files, and the digest of the whole deployment."""

    gateway: Guardrails
    harness: Guardrails
    deployment: str


def load_rules(root: Path) -> Rules:
    """Load what the components under `root` enforce."""
    config = root / "config"
    return Rules(
        load(config / "gateway.yaml", "gateway"), load(config / "harness.yaml", "harness"), deployment_digest(root)
    )


class Deployment:
    """A gateway with its log, a world behind it, and a harness in front of it."""

    def __init__(  # noqa: PLR0913  the parts of a deployment
        self,
        rules: Rules,
        log: AuditLog,
        world: World,
        *,
        desk: Desk = silent,
        trace: Recorder = NO_TRACE,
        history: Iterable[Event] = (),
    ) -> None:
        self.world = world
        self.gateway = Gateway(rules.gateway, world, log, rules.deployment, history)
        self.harness = Harness(rules.harness, self.gateway, world.clock, desk, trace)

    def run(self, ticket: Ticket, task: Task, clearance: Clearance | None) -> Outcome:
        """Run a task."""
        return self.harness.run(ticket, task, clearance)


def ticket_for(run: str, session: str, task: str) -> Ticket:
    """A ticket with the agent's own two keys."""
    return Ticket(run, session, task, frozenset(CREDENTIALS.values()))
