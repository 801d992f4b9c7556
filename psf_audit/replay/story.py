"""One replay, put together: the log, what each guardrail would have changed, and what the records contradict.

The values here are what the reports show: dollars as exact decimals, moments as milliseconds, every text screened.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from psf_audit.replay import checks, lists
from psf_audit.replay.account import Account, Held, Result, Split, replay
from psf_audit.replay.steps import GRAINS, Log, dollars
from psf_audit.text import screened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from psf_audit.facts.store import Dataset
    from psf_audit.query import Session
    from psf_audit.replay.account import Curve
    from psf_audit.replay.guardrails import Guardrail
    from psf_audit.replay.lists import Touched
    from psf_audit.replay.survey import Survey
    from psf_audit.replay.triggers import Refused

MOST_STOPS = 50


@dataclass(frozen=True, slots=True)
class Money:
    """What a guardrail would have changed.

    `spent` is what had been spent when it first acted, by those it acted on; `cost` what all would have cost in the
    end. `running` is the part of what is saved or interrupted that was running already: it is kept only if the stop
    ends that too.
    """

    spent: Decimal
    cost: Decimal
    saved: Decimal
    interrupted: Decimal
    running: Decimal


@dataclass(frozen=True, slots=True)
class Stop:
    """One who would have been stopped, or whose calls would have been refused: when, and what that changes."""

    who: str
    at: int
    spent: Decimal
    saved: Decimal
    interrupted: Decimal
    running: Decimal
    calls: int
    normal_runs: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One guardrail and what it would have done.

    People answer what it asks as they answered in the log. `unanswered` is the money if nobody had answered, where that
    makes a difference. `ceiling` is its amount where it is a ceiling in USD without a window.
    """

    words: str
    origin: str
    effect: str
    scope: str
    sweep: str | None
    at: int | None
    stops: int
    times: int
    false_stops: int
    normal_runs: int
    calls: int
    money: Money
    unanswered: Money | None
    unseen: int
    unseen_usd: Decimal
    listed: tuple[Stop, ...]
    ceiling: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """All guardrails at once: which is the first, when, and what they would have changed."""

    by: str
    at: int
    money: Money
    calls: int
    normal_runs: int


@dataclass(frozen=True, slots=True)
class Line:
    """Spend over time, and what happened along it."""

    start: int
    end: int
    spent: tuple[Decimal, ...]
    marks: tuple[tuple[int, str], ...]
    unmarked: int


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log that was read."""

    path: str
    format: str | None
    sha256: str | None
    events: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """The log in numbers."""

    events: int
    undated: int
    calls: int
    unpriced: int
    runs: int
    normal_runs: int
    first: int | None
    last: int | None
    spent: Decimal
    left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """Everything that one replay says."""

    tool: str
    as_of: str
    logs: tuple[LogFile, ...]
    told: Told
    line: Line | None
    tried: tuple[Tried, ...]
    together: Together | None
    untried: tuple[str, ...]
    longest: tuple[tuple[str, checks.Row], ...]
    findings: tuple[checks.Found, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the caller knows: tool, day, the logs, guardrails and why some could not be tried."""

    tool: str
    as_of: str
    logs: tuple[LogFile, ...]
    guardrails: tuple[Guardrail, ...]
    untried: tuple[str, ...] = ()


def tell(dataset: Dataset, session: Session, opened: Callable[[Dataset, int], Session], setting: Setting) -> Replay:
    """The replay of a dataset, with its log loaded in a session of an engine.

    `opened` gives a session over another dataset that returns up to so many rows.
    """
    log = Log(dataset.events, dataset.tables["tasks"], dataset.tables["capabilities"])
    incidents = frozenset(
        row["run"] for row in dataset.tables["records"] if row["kind"] == "incident" and row["run"] is not None
    )

    def judge(guardrails: Iterable[Guardrail], touched: Collection[Touched]) -> dict[Guardrail, Refused]:
        return lists.refused(guardrails, touched, dataset, opened)

    result = replay(log, setting.guardrails, incidents, judge)
    place = _Places(dataset)
    together = result.together
    told = Replay(
        tool=setting.tool,
        as_of=setting.as_of,
        logs=setting.logs,
        told=_told(result.survey, log.undated, dataset),
        line=_line(result.curve, result.survey),
        tried=tuple(_tried(account, result.survey.nano, place) for account in result.accounts),
        together=_together(result, together) if together is not None else None,
        untried=setting.untried,
        longest=tuple(checks.longest(session, place).items()),
        findings=checks.ask(session, place),
        gaps=tuple(sorted({row["what"] for row in dataset.tables["gaps"] if _touches(row["facts"])})),
    )
    return screened(told)


class _Places:
    """The file and the pointer of a row of the log or of a fact."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._paths = {file.id: file.path for file in dataset.files}

    def __call__(self, ref: int) -> tuple[str, str] | None:
        found = self._dataset.place(ref)
        return None if found is None else (self._paths.get(found[0], found[0]), found[1])


def _touches(facts: str | None) -> bool:
    return facts is None or facts.partition(".")[0] == "events"


def _told(survey: Survey, undated: int, dataset: Dataset) -> Told:
    return Told(
        events=survey.events,
        undated=undated,
        calls=survey.calls,
        unpriced=survey.unpriced,
        runs=len(survey.runs),
        normal_runs=survey.normal,
        first=survey.first,
        last=survey.last,
        spent=dollars(survey.nano),
        left_out=tuple(sorted(dataset.left_out.items())),
    )


def _line(curve: Curve | None, survey: Survey) -> Line | None:
    if curve is None:
        return None
    spent = tuple(dollars(value) for value in curve.spent)
    return Line(curve.start, curve.end, spent, tuple(survey.marks), survey.unmarked)


def _tried(account: Account, spent: int, place: Callable[[int], tuple[str, str] | None]) -> Tried:
    guardrail, first = account.guardrail, account.first
    unanswered = account.total(unanswered=True)
    answered = guardrail.asks and unanswered != account.total()
    ordered = sorted(account.held.items(), key=lambda item: (item[1].position, item[0]))
    return Tried(
        words=guardrail.words,
        origin=guardrail.origin,
        effect=guardrail.effect,
        scope=guardrail.scope,
        sweep=guardrail.sweep,
        at=first[0][0] if first is not None else None,
        stops=len(account.held),
        times=account.times,
        false_stops=account.false_stops,
        normal_runs=len(account.cut),
        calls=account.calls,
        money=_money(account.total(), spent),
        unanswered=_money(unanswered, spent) if answered else None,
        unseen=account.unseen,
        unseen_usd=dollars(account.unseen_nano),
        listed=tuple(_stop(who, held, place) for who, held in ordered[:MOST_STOPS]),
        ceiling=guardrail.amount if guardrail.measure == "usd" and guardrail.row.get("per_seconds") is None else None,
    )


def _stop(who: str, held: Held, place: Callable[[int], tuple[str, str] | None]) -> Stop:
    money = _money(held.money, 0)
    places = (place(ref) for ref in held.refs)
    return Stop(
        who=who,
        at=held.position[0],
        spent=money.spent,
        saved=money.saved,
        interrupted=money.interrupted,
        running=money.running,
        calls=held.calls,
        normal_runs=len(held.cut),
        first=tuple(f"{found[0]} {found[1]}" for found in places if found is not None),
    )


def _money(split: Split, total: int) -> Money:
    """Grains as dollars, so that nothing is lost of the whole of what it counts, whatever is cut off.

    What is doubtful is rounded up: what was running already is saved only if a stop ends it too.
    """
    spent, after, interrupted = split.spent // GRAINS, split.after // GRAINS, split.interrupted // GRAINS
    kept = (split.spent + split.after + split.kept) // GRAINS - spent - after
    interrupted = interrupted if split.saved else kept
    return Money(
        spent=dollars(spent),
        cost=dollars(total - kept),
        saved=dollars(kept - interrupted),
        interrupted=dollars(interrupted),
        running=dollars(-(-split.running // GRAINS)),
    )


def _together(result: Result, held: Held) -> Together:
    return Together(
        by=result.together_by.words if result.together_by is not None else "",
        at=held.position[0],
        money=_money(held.money, result.survey.nano),
        calls=held.calls,
        normal_runs=len(held.cut),
    )


def guardrail_order(tried: Sequence[Tried]) -> list[Tried]:
    """What would have stopped first comes first, what never would have last; as given where that is equal."""
    return sorted(tried, key=lambda each: (each.at is None, each.at or 0))
