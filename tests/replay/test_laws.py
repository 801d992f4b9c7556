"""What holds for every log: properties that no example shows."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit.replay import run, steps, wire
from psf_audit.replay.grammar import guardrails
from psf_audit.replay.steps import GRAINS, Log
from tests.replay.logs import at, told
from tests.tables import START, Row, filled

AS_OF = date(2026, 11, 30)
KINDS = ("action", "action", "action", "model", "approval", "complete", "alert", "stop", "warning", "stop_request")


@st.composite
def events(draw: st.DrawFn, most: int = 14) -> list[Row]:
    """A log in the order of its times; ids are unique, times may be equal, costs may accrue."""
    found = []
    for number in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(KINDS))
        start = draw(st.integers(0, 90))
        row = at(start, kind=kind, id=f"e{number:02}", run=draw(st.sampled_from("rq")))
        row["session"] = draw(st.sampled_from(("s", "t", None)))
        row["name"] = draw(st.sampled_from(("a.x", "b.y")))
        if kind in {"action", "model"}:
            row["cost_usd"] = str(Decimal(draw(st.integers(0, 10**10))).scaleb(-9))
            if draw(st.booleans()):
                row["until_ms"] = row["at_ms"] + draw(st.integers(0, 40 * 60_000))
            row["args_digest"] = draw(st.sampled_from(("d", "e", None)))
        else:
            row["actor_kind"] = draw(st.sampled_from(("operator", "system")))
            row["actor"] = "P"
        found.append(row)
    return sorted(found, key=lambda row: row["at_ms"])


AMOUNTS = st.integers(1, 40)
TEMPLATES = st.sampled_from(
    [
        "--limit {}usd", "--limit {}usd/session", "--limit {}usd/run,lag=7m", "--limit {}usd/30m",
        "--limit {}usd/30m,window=sliding", "--limit {}requests/10m,on=pause,window=sliding",
        "--limit {}actions/run", "--limit {}requests/10m,on=pause", "--limit {}repeats/run", "--limit {}instances",
        "--limit {}m/run", "--gate {}m", "--gate {}usd", "--gate {}actions",
    ]
)  # fmt: skip


def flag(template: str, amount: int) -> tuple[str, str]:
    name, _, text = template.format(amount).partition(" ")
    return name.removeprefix("--"), text


@given(log=events(), template=TEMPLATES, amounts=st.tuples(AMOUNTS, AMOUNTS))
def test_a_tighter_guardrail_never_stops_later(log: list[Row], template: str, amounts: tuple[int, int]) -> None:
    tight, loose = told(log, flag(template, min(amounts)), flag(template, max(amounts))).accounts
    for who, held in loose.held.items():
        assert tight.held[who].position <= held.position


@given(log=events(), template=TEMPLATES, amounts=st.tuples(AMOUNTS, AMOUNTS))
def test_a_tighter_guardrail_that_nobody_answers_never_costs_more(
    log: list[Row], template: str, amounts: tuple[int, int]
) -> None:
    tight, loose = told(log, flag(template, min(amounts)), flag(template, max(amounts))).accounts
    kept = [account.total(unanswered=True).kept for account in (tight, loose)]
    assert kept[0] >= kept[1]


@given(log=events(), template=TEMPLATES, amount=AMOUNTS)
def test_spent_and_saved_and_interrupted_are_the_total(log: list[Row], template: str, amount: int) -> None:
    account = told(log, flag(template, amount)).accounts[0]
    charged = [step for step in Log(filled(events=log).events, [], []) if step.is_charge]
    for who, held in account.held.items():
        whole = sum(step.cost for step in charged if account.guardrail.name_of(step) == who)
        assert held.money.spent + held.money.after + held.money.kept == whole * GRAINS
        assert 0 <= held.money.running <= held.money.kept
        unanswered = account.unanswered[who].money
        assert unanswered.spent + unanswered.kept == whole * GRAINS


@given(log=events(), template=TEMPLATES, amount=AMOUNTS)
def test_what_was_spent_by_a_stop_is_what_the_steps_had_accrued(log: list[Row], template: str, amount: int) -> None:
    """The running sums of the triggers against a sum that is made anew."""
    account = told(log, flag(template, amount)).accounts[0]
    for who, held in account.held.items():
        begun = [step for step in Log(filled(events=log).events, [], []) if step.position <= held.position]
        mine = [step for step in begun if step.is_charge and account.guardrail.name_of(step) == who]
        spent = sum(step.accrued(max(step.at, held.position[0])) for step in mine)
        assert held.money.spent == spent
        if account.guardrail.measure == "usd" and account.guardrail.row.get("per_seconds") is None:
            assert spent >= amount * 10**9 * GRAINS


WINDOWS = st.sampled_from(["--limit {}usd/30m", "--limit {}requests/20m,on=pause", "--limit {}tokens/h/run"])


@given(log=events(), template=WINDOWS, amount=AMOUNTS, shift=st.integers(0, 3_599_999))
def test_a_sliding_window_never_stops_later_than_a_fixed_one_wherever_that_begins(
    log: list[Row], template: str, amount: int, shift: int
) -> None:
    moved = [
        row | {name: row[name] + shift for name in ("at_ms", "until_ms") if row.get(name) is not None} for row in log
    ]
    name, text = flag(template, amount)
    fixed, sliding = told(moved, (name, text), (name, f"{text},window=sliding")).accounts
    for who, held in fixed.held.items():
        assert sliding.held[who].position <= held.position
    unlimited = told(moved, (name, text.replace("/30m", "").replace("/20m", "").replace("/h", ""))).accounts[0]
    for who, held in sliding.held.items():
        assert unlimited.held[who].position <= held.position


@given(
    cost=st.integers(0, 10**18 - 1), length=st.integers(1, 10**11), cuts=st.lists(st.integers(0, 10**11), max_size=4)
)
def test_what_accrues_adds_up_to_the_cost(cost: int, length: int, cuts: list[int]) -> None:
    row = {"cost_usd": str(Decimal(cost).scaleb(-9)), "at_ms": START, "until_ms": START + length}
    (step,) = Log(filled(events=[row]).events, [], [])
    assert step.rate * length + step.rest == cost * GRAINS
    accrued = [step.accrued(START + min(cut, length)) for cut in sorted(cuts)]
    assert accrued == sorted(accrued)
    assert step.accrued(START) == (0 if length else cost * GRAINS)
    assert step.accrued(START + length) == cost * GRAINS


@given(log=events(), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_never_matters(log: list[Row], order: Any) -> None:
    shuffled = list(log)
    order.shuffle(shuffled)
    flags = (("limit", "9usd"), ("gate", "20m"), ("limit", "1repeats/run"), ("rate", "2/10m"))
    assert outcome(log, flags) == outcome(shuffled, flags)


def outcome(log: list[Row], flags: tuple[tuple[str, str], ...]) -> Any:
    result = told(log, *flags)
    held = [{who: (one.position, one.money, one.calls) for who, one in each.held.items()} for each in result.accounts]
    together = None if result.together is None else (result.together.position, result.together.money)
    return result.survey, held, together, result.curve


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_sorting_piece_by_piece_is_sorting(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    log = [at(minute, id=str(minute)) for minute in (5, 3, 9, 1, 7, 2, 8, 3)]
    rows = filled(events=log).events
    whole = [step.at for step in Log(rows, [], [])]
    monkeypatch.setattr(steps, "_SORTED_AT_ONCE", at_once)
    assert [step.at for step in Log(rows, [], [])] == whole == sorted(whole)


# --------------------------------------------------------------------------------------------------------------- files


def line(row: Row) -> str:
    times = {"at": steps.moment(row["at_ms"]), "until": steps.moment(row.get("until_ms"))}
    named = {name: value for name, value in row.items() if not name.endswith("_ms") and value is not None}
    return json.dumps({"actor_kind": "agent", **named, **{key: value for key, value in times.items() if value}})


def replayed(folder: Path, files: list[list[Row]], names: list[str]) -> dict[str, Any]:
    paths = []
    for name, rows in zip(names, files, strict=True):
        if rows:
            paths.append(folder / name)
            paths[-1].write_text("".join(f"{line(row)}\n" for row in rows), encoding="utf-8")
    flags = [("--limit", "9usd/session"), ("--gate", "20m"), ("--limit", "1..20usd"), ("--deny", "b.*")]
    document = wire.to_json(run.run(paths, run.Options(as_of=AS_OF, guardrails=tuple(guardrails(flags)))))
    for guardrail in document["guardrails"]:
        for stop in guardrail["listed"]:
            del stop["first_calls"]  # they name the file
    return {key: value for key, value in document.items() if key not in {"logs", "findings", "longest"}}


@settings(max_examples=8)
@given(log=events(8), cut=st.integers(0, 8), swapped=st.booleans())
def test_how_a_log_is_split_over_files_and_their_order_change_nothing(log: list[Row], cut: int, swapped: bool) -> None:
    names = ["b.jsonl", "a.jsonl"] if swapped else ["a.jsonl", "b.jsonl"]
    with tempfile.TemporaryDirectory() as folder:
        whole = replayed(Path(folder), [log], ["whole.jsonl"])
    with tempfile.TemporaryDirectory() as folder:
        assert replayed(Path(folder), [log[:cut], log[cut:]], names) == whole
    with tempfile.TemporaryDirectory() as folder:
        assert replayed(Path(folder), [log[cut:], log[:cut]], names) == whole
