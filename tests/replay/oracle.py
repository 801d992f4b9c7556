"""What would have happened under some guardrails, worked out millisecond by millisecond.

Nothing is kept but the list of what happened: every sum is made anew, every time. It is slow and knows nothing of
meters, timers or worlds, and reads its guardrails from the rows of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psf_audit.replay.guardrails import Guardrail
from psf_audit.replay.steps import GRAINS, Step


@dataclass
class Piece:
    """A step that happened: `end` is when it accrued no more."""

    step: Step
    end: int


@dataclass
class Rule:
    """One guardrail and what it has done; `since` is from which piece and moment on it counts for somebody."""

    row: dict[str, Any]
    is_gate: bool
    held: dict[str, str | None] = field(default_factory=dict)
    coming: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    since: dict[str, tuple[int, int]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    @property
    def of(self) -> str:
        if self.is_gate:
            return "usd" if self.row["trigger"] == "spend" else "actions"
        return str(self.row["resource"])

    @property
    def most(self) -> int:
        amount = self.row["threshold"] if self.is_gate else self.row["amount"]
        return int(amount * 10**9) * GRAINS if self.of == "usd" else int(amount)

    @property
    def refuses(self) -> bool:
        return self.row.get("on_breach") == "deny" and self.window > 0

    @property
    def window(self) -> int:
        return 1000 * (self.row.get("per_seconds") or 0)

    @property
    def lag(self) -> int:
        return 1000 * (self.row.get("lag_seconds") or 0)

    def who(self, step: Step) -> str | None:
        scope = "run" if self.is_gate else self.row["scope"]
        return "*" if scope == "account" else step.session if scope == "session" else step.run

    def counts(self, step: Step) -> bool:
        return step.is_charge if self.of == "usd" else step.is_call


class Oracle:
    """One world; `kept` are the grains that were not spent, `calls` the calls that did not happen."""

    def __init__(self, guardrails: list[Guardrail]) -> None:
        self.rules = [Rule(dict(each.row), each.table == "gates") for each in guardrails]
        self.pieces: list[Piece] = []
        self.kept = 0
        self.calls = 0

    def play(self, steps: list[Step]) -> Oracle:
        """Let time pass, one millisecond after the other."""
        first = min(step.at for step in steps)
        last = max(step.until for step in steps) + 2 + max(rule.lag for rule in self.rules)
        for now in range(first, last + 1):
            for rule in self.rules:
                for who, (at, run) in list(rule.coming.items()):
                    if at + 1 == now:
                        del rule.coming[who]
                        self.hold(rule, who, at, run)
            if self.accrues(now):
                for rule in self.rules:
                    self.accrue(rule, now)
            for step in steps:
                if step.at == now:
                    self.step(step)
        return self

    def total(self, rule: Rule, who: str, now: int, before: int | None = None) -> int:
        """What is counted for somebody; `before` leaves out what happens at or after a moment."""
        piece_from, time_from = rule.since.get(who, (0, 0))
        low = now // rule.window * rule.window if rule.window and rule.row["aligned"] else now - rule.window
        found = 0
        for index, piece in enumerate(self.pieces):
            step = piece.step
            if rule.who(step) != who or not rule.counts(step):
                continue
            points = []
            if rule.of != "usd":
                points = [(step.at, 1)]
            elif step.until == step.at:
                points = [(step.at, step.cost * GRAINS)]
            else:
                start = max(step.at, time_from, low if rule.window else 0)
                found += step.rate * max(0, min(now, piece.end) - start)
                points = [(step.until, step.rest)] if piece.end == step.until <= now else []
            for at, amount in points:
                if (at == step.at and index < piece_from) or at < time_from or (before is not None and at >= before):
                    continue
                if rule.window and (at < low if rule.row["aligned"] else at <= low):
                    continue
                found += amount
        return found

    def accrues(self, now: int) -> bool:
        return any(piece.step.at < now <= piece.end for piece in self.pieces)

    def accrue(self, rule: Rule, now: int) -> None:
        if rule.of != "usd" or rule.refuses:
            return
        for who in sorted({rule.who(piece.step) or "" for piece in self.pieces if piece.step.until > piece.step.at}):
            accrues = any(rule.who(piece.step) == who and piece.step.at < now <= piece.end for piece in self.pieces)
            if accrues and self.total(rule, who, now) >= rule.most:
                run = next(p.step.run for p in reversed(self.pieces) if rule.who(p.step) == who and p.step.is_charge)
                self.act(rule, who, now, run)

    def act(self, rule: Rule, who: str, now: int, run: str | None) -> None:
        if who in rule.held or who in rule.coming:
            return
        if rule.lag:
            rule.coming[who] = (now + rule.lag, run)
        else:
            self.hold(rule, who, now, run)

    def hold(self, rule: Rule, who: str, now: int, run: str | None) -> None:
        rule.held[who] = run
        rule.first.setdefault(who, now)
        for piece in self.pieces:
            if rule.who(piece.step) == who and piece.end > now:
                self.kept += piece.step.cost * GRAINS - piece.step.accrued(now)
                piece.end = now

    def step(self, step: Step) -> None:
        if step.is_decision:
            self.decide(step)
            return
        mine = [(rule, rule.who(step)) for rule in self.rules]
        known = [(rule, who) for rule, who in mine if who is not None]
        if any(who in rule.held for rule, who in known) or self.is_refused(step, known) or self.is_over(step, known):
            self.kept += step.cost * GRAINS
            self.calls += 1
            return
        self.pieces.append(Piece(step, step.until))
        for rule, who in known:
            due_at_once = rule.of == "usd" and not rule.refuses and step.until == step.at and step.is_charge
            if due_at_once and self.total(rule, who, step.at) >= rule.most:
                self.act(rule, who, step.at, step.run)

    def is_refused(self, step: Step, known: list[tuple[Rule, str]]) -> bool:
        refusing = [(rule, who) for rule, who in known if rule.refuses and self.is_full(rule, who, step)]
        for rule, who in refusing:
            rule.first.setdefault(who, step.at)
        return bool(refusing)

    def is_over(self, step: Step, known: list[tuple[Rule, str]]) -> bool:
        caps = [(rule, who) for rule, who in known if rule.of != "usd" and not rule.refuses]
        over = [(rule, who) for rule, who in caps if self.total(rule, who, step.at) >= rule.most]
        for rule, who in over:
            self.act(rule, who, step.at, step.run)
        return any(who in rule.held for rule, who in over)

    def is_full(self, rule: Rule, who: str, step: Step) -> bool:
        if not rule.lag:
            return self.total(rule, who, step.at) >= rule.most
        seen = step.at - rule.lag
        return self.total(rule, who, seen, before=seen) >= rule.most

    def decide(self, step: Step) -> None:
        for rule in self.rules:
            asks = rule.is_gate or rule.row["on_breach"] == "pause"
            for who, run in list(rule.held.items()):
                own = who == "*" or run == step.run or who == rule.who(step)
                if asks and own:
                    del rule.held[who]
                    rule.since[who] = (len(self.pieces), step.at)
            if rule.is_gate and step.run is not None:
                rule.since[step.run] = (len(self.pieces), step.at)
