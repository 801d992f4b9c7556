"""The humans, as far as a simulation can play them: they read what they are shown, take their time, and can say no."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.calls import Call, Ticket
from agent.clock import Clock
from agent.gateway import Gateway
from agent.guardrails import Alert

SECONDS_TO_OPEN = 35
CHARACTERS_PER_SECOND = 15
LARGEST_NEXT_COST = Decimal("0.50")


@dataclass(frozen=True)
class Question:
    """What a checkpoint puts in front of its approvers."""

    id: str
    trigger: str
    call: Call | None
    digest: str
    plan: str
    actions: tuple[str, ...]
    spend: Decimal
    next_cost: Decimal
    approvers: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The same, as the log keeps it."""
        done = ", ".join(self.actions) or "none"
        return f"plan: {self.plan}; actions: {done}; spend: {self.spend} usd; next_cost: {self.next_cost} usd"


@dataclass(frozen=True)
class Reply:
    """What came back over the channel, and how long it took: any mapping at all, so it has to be checked."""

    after_seconds: float
    answer: Mapping[str, str]


Desk = Callable[[Question], Reply | None]


def silent(_: Question) -> None:
    """Nobody is there."""


def attentive(person: str) -> Desk:
    """Somebody who reads everything, and refuses what costs too much or is larger than the job."""

    def decide(question: Question) -> Reply:
        seconds = SECONDS_TO_OPEN + len(question.shown) // CHARACTERS_PER_SECOND
        too_large = question.call is not None and question.call.args.get("size", "small") != "small"
        if question.next_cost > LARGEST_NEXT_COST or too_large:
            return Reply(seconds, answer(question, person, "no", "far more than this task needs"))
        count, last = len(question.actions), question.actions[-1] if question.actions else "nothing yet"
        reason = f"{question.trigger}: read {count} actions up to {last}; {question.spend} usd fits the estimate"
        return Reply(seconds, answer(question, person, "yes", reason))

    return decide


def careless(person: str) -> Desk:
    """Somebody who says yes to everything: the worst approver a guardrail behind the gates has to survive."""
    return lambda question: Reply(20, answer(question, person, "yes", "go on"))


def answer(question: Question, person: str, decision: str, reason: str) -> dict[str, str]:
    """A well-formed answer: it names the question and the exact call."""
    return {
        "question": question.id,
        "digest": question.digest,
        "person": person,
        "decision": decision,
        "reason": reason,
    }


def on_call(gateway: Gateway, clock: Clock, seconds: float) -> None:
    """Have alerts acknowledged by the person they are for, after that many seconds."""

    def page(event: str, alert: Alert, ticket: Ticket) -> None:
        def read() -> None:
            gateway.acknowledge(event, ticket, alert.recipient, f"looked at the {alert.trigger} alert")

        clock.after(seconds, read)

    gateway.pager = page
