"""Replay against an oracle that works everything out again, millisecond by millisecond."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit.facts.store import typed
from psf_audit.replay.account import replay
from psf_audit.replay.guardrails import Guardrail
from psf_audit.replay.steps import Log
from tests.replay.oracle import Oracle
from tests.tables import START, Row, filled

# Whole seconds, so that windows begin in the middle of the log, and a log of a few of them.
LENGTH = 3_200


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Some calls with a cost, at once or accruing, and some approvals, in two runs and two sessions."""
    rows = []
    for number in range(draw(st.integers(1, 9))):
        at = START + draw(st.integers(0, 16)) * 200 + draw(st.sampled_from((0, 0, 1, 33)))
        row: Row = {"at_ms": at, "id": f"e{number}", "run": draw(st.sampled_from("qr"))}
        row |= {"session": draw(st.sampled_from("st")), "name": "call"}
        if draw(st.integers(0, 4)) == 0:
            row |= {"kind": "approval", "actor_kind": "operator", "actor": "P"}
        else:
            row["cost_usd"] = str(Decimal(draw(st.integers(0, 6))) + Decimal(draw(st.integers(0, 3))).scaleb(-9))
            if draw(st.booleans()):
                row["until_ms"] = at + draw(st.integers(1, 8)) * 150
        rows.append(row)
    return rows


@st.composite
def rules(draw: st.DrawFn) -> Guardrail:
    """A limit or a gate; with and without windows of both kinds, and a lag."""
    kind = draw(st.sampled_from(("usd", "requests", "gate usd", "gate actions")))
    amount = draw(st.integers(1, 9 if "usd" in kind else 4))
    if kind.startswith("gate"):
        values = {"trigger": "spend", "unit": "usd"} if "usd" in kind else {"trigger": "interval", "unit": "actions"}
        row = {**values, "threshold": amount, "effect": "interrupt", "on_timeout": "halt"}
        return Guardrail("gates", (typed("gates", row),), "here")
    row = {"resource": kind, "amount": amount, "scope": draw(st.sampled_from(("account", "run", "session")))}
    row["on_breach"] = draw(st.sampled_from(("deny", "pause")))
    row["per_seconds"] = draw(st.sampled_from((None, 1, 2)))
    row["aligned"] = draw(st.booleans())
    row["lag_seconds"] = draw(st.sampled_from((0, 0, 1)))
    return Guardrail("limits", (typed("limits", row),), "here")


@settings(max_examples=100)
@given(rows=logs(), named=st.lists(rules(), min_size=1, max_size=3))
def test_alone_and_together_as_worked_out_by_brute_force(rows: list[Row], named: list[Guardrail]) -> None:
    log = Log(filled(events=rows).events, [], [])
    steps = list(log)
    told = replay(log, named)
    for account in told.accounts:
        alone = Oracle([account.guardrail]).play(steps)
        assert account.total().kept == alone.kept
        assert account.calls == alone.calls
        assert {who: held.position[0] for who, held in account.held.items()} == alone.rules[0].first
    together = Oracle(named).play(steps)
    kept = 0 if told.together is None else told.together.money.kept
    assert kept == together.kept
    assert (0 if told.together is None else told.together.calls) == together.calls
