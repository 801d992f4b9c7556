"""A log of any length, the same each time: what a fleet of agents does, with all that can be wrong in it."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psf_audit.facts.log import EVENT_BASE
from psf_audit.facts.tables import TABLES

Row = dict[str, Any]

START = 1_795_000_000_000
RUNS = 100
KINDS = (
    *("action",) * 300, *("model",) * 60, *("approval",) * 8, *("checkpoint",) * 6, *("ack",) * 2, *("alert",) * 2,
    *("refusal",) * 2, "pause", "resume", "warning", "stop_request", "change", "complete", "start", "stop", "error",
)  # fmt: skip
HUMAN = frozenset({"approval", "refusal", "resume", "stop", "ack"})
OUTCOMES = (*("ok",) * 20, None, "denied", "error", "timeout")
ODD_TEXTS = ("", "a_b%c", "caf\u00e9", "\U0001f600", "back\\slash", "quo'te", "two\nlines", "!escape", "x" * 1_500)
_EMPTY: Row = dict.fromkeys(column.name for column in TABLES["events"].columns)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that the facts beside the log use, so that the criteria find what they look for."""

    names: Sequence[str]
    vias: Sequence[str]
    credentials: Sequence[str]
    targets: Sequence[str]
    people: Sequence[str]


class GeneratedLog(Collection[Row]):
    """Rows of the table `events`, made each time they are read."""

    def __init__(self, count: int, seed: int, words: Vocabulary) -> None:
        self._count, self._seed, self._words = count, seed, words

    def __len__(self) -> int:
        return self._count

    def __contains__(self, row: object) -> bool:
        return any(row == other for other in self)

    def __iter__(self) -> Iterator[Row]:
        chance = random.Random(self._seed)  # noqa: S311  the same each time
        clock = START
        numbers = [0] * RUNS
        for index in range(self._count):
            clock += chance.randrange(100)
            run = min(int(chance.expovariate(4 / RUNS)), RUNS - 1)
            numbers[run] += chance.choices((0, 1, 2), (1, 5_000, 1))[0]
            yield self._row(chance, index, run, numbers[run], clock)

    def _row(self, chance: random.Random, index: int, run: int, seq: int, clock: int) -> Row:
        words, kind = self._words, chance.choice(KINDS)
        at_ms = clock - (5_000 if chance.random() < 0.0002 else 0)
        human = kind in HUMAN and chance.random() < 0.9
        row = _EMPTY | {
            "ref": EVENT_BASE + index,
            "source": "gateway" if run % 5 else "agent",
            "ord": at_ms * 2**20 + seq,
            "at_ms": at_ms,
            "run": f"run-{run}" if chance.random() > 0.001 else None,
            "session": f"session-{run}-{seq // 2_000}",
            "task": f"task-{run}-{seq // 300}" if chance.random() > 0.01 else None,
            "parent": f"task-{run}-{seq // 300 - 1}" if seq >= 300 and chance.random() < 0.05 else None,
            "seq": seq,
            "id": f"call-{index}",
            "kind": kind,
            "actor": chance.choice(words.people) if human else f"agent-{run % 7}",
            "actor_kind": "operator" if human else "agent" if chance.random() < 0.97 else "system",
            "outcome": chance.choice(OUTCOMES),
            "reason": "the next host" if chance.random() < 0.9 else None,
            "prev_hash": f"{index - 1:08x}" if chance.random() > 0.0005 else "0",
            "hash": f"{index:08x}",
            "computed_hash": f"{index:08x}" if chance.random() > 0.0005 else "f",
        }
        return row | (self._answer(chance, index) if kind in HUMAN else self._work(chance, index, kind, at_ms))

    def _answer(self, chance: random.Random, index: int) -> Row:
        before = max(0, index - chance.randrange(1, 60))
        return {
            "answers": f"call-{before}",
            "name": chance.choice(self._words.names),
            "target": chance.choice(self._words.targets) if chance.random() < 0.5 else None,
            "shown": "the call" if chance.random() < 0.5 else None,
        }

    def _work(self, chance: random.Random, index: int, kind: str, at_ms: int) -> Row:
        words = self._words
        paid = chance.random()
        number = chance.randrange(len(words.names))
        return {
            "name": words.names[number] if chance.random() < 0.999 else chance.choice(ODD_TEXTS),
            "via": words.vias[number % len(words.vias)] if chance.random() < 0.99 else None,
            "target": chance.choice(words.targets if chance.random() < 0.999 else ODD_TEXTS) if paid < 0.8 else None,
            "credential": words.credentials[number % len(words.credentials)] if chance.random() < 0.99 else None,
            "cost_usd": Decimal(chance.randrange(10**8)).scaleb(-9)
            if paid < 0.5
            else Decimal(0)
            if paid < 0.6
            else None,
            "tokens_in": chance.randrange(10**5) if kind == "model" else None,
            "tokens_out": chance.randrange(10**4) if kind == "model" and paid < 0.9 else None,
            "until_ms": at_ms + 3_600_000 if paid < 0.001 else None,
            "approval": f"call-{max(0, index - chance.randrange(1, 60))}" if paid < 0.1 else None,
            "duplicate_of": f"thing-{chance.randrange(40)}" if chance.random() < 0.0005 else None,
            "args_digest": f"sha256:{chance.randrange(20_000):x}" if chance.random() < 0.9 else None,
        }
