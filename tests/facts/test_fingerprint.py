from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.facts.fingerprint import fingerprint
from psf_audit.facts.model import Fact

AGENT: dict[str, Any] = {
    "objective": "Index it.",
    "completion": {"done": "all seen", "give_up": "after an hour"},
    "models": [{"name": "m1", "provider": "p"}, {"name": "m2"}],
    "prompts": ["prompts/system.md"],
    "scope": {"targets": ["172.20.0.0/14", "*.example.net"], "expected_size": 2000},
}
PROMPTS = {"prompts/system.md": "a" * 64}
FACTS = [
    Fact("capabilities", "line 1", {"name": "http.get", "effect": "read", "cost_usd": Decimal(0)}, basis="claim"),
    Fact("limits", "line 2", {"resource": "usd", "amount": Decimal(50), "via": "litellm"}),
    Fact("gates", "line 3", {"trigger": "interval", "threshold": Decimal(1800), "effect": "interrupt"}),
    Fact("boundaries", "line 4", {"dimension": "network", "effect": "allow", "pattern": "172.20.0.0/14"}),
    Fact("alerts", "line 5", {"trigger": "spend", "recipient": "R. Okafor"}),
    Fact("logs", "line 6", {"sink": "s3", "append_only": True}),
    Fact("credentials", "line 7", {"subject": "key", "holder": "agent", "issued_ms": 1, "expires_ms": 2}),
]
MARK = fingerprint(AGENT, PROMPTS, FACTS)


def with_value(index: int, **values: Any) -> list[Fact]:
    facts = list(FACTS)
    facts[index] = replace(facts[index], values={**facts[index].values, **values})
    return facts


def test_it_is_a_sha256() -> None:
    assert len(MARK) == 64
    assert int(MARK, 16)


@given(st.permutations(FACTS), st.permutations(AGENT["models"]))
def test_order_does_not_matter(facts: list[Fact], models: list[dict[str, str]]) -> None:
    assert fingerprint({**AGENT, "models": models}, PROMPTS, facts) == MARK


def test_layout_repetition_and_place_do_not_matter() -> None:
    moved = [replace(fact, pointer="/elsewhere") for fact in FACTS]
    absent = with_value(1, lag_seconds=None)

    assert fingerprint(AGENT, PROMPTS, moved + FACTS) == MARK
    assert fingerprint(AGENT, PROMPTS, absent) == MARK
    assert fingerprint(dict(reversed(AGENT.items())), PROMPTS, FACTS) == MARK


def test_how_a_number_is_written_does_not_matter() -> None:
    for amount in (Decimal("50.0"), Decimal("5e1"), 50):
        assert fingerprint(AGENT, PROMPTS, with_value(1, amount=amount)) == MARK
    agent = deepcopy(AGENT)
    agent["scope"]["expected_size"] = Decimal("2000.0")
    assert fingerprint(agent, PROMPTS, FACTS) == MARK


def test_when_a_credential_was_issued_and_until_when_it_holds_do_not_matter() -> None:
    assert fingerprint(AGENT, PROMPTS, with_value(6, issued_ms=77, expires_ms=None)) == MARK


@pytest.mark.parametrize("table", ["people", "tests", "records", "documents"])
def test_what_is_no_configuration_does_not_matter(table: str) -> None:
    values = {"people": {"name": "x"}, "tests": {"name": "x"}, "records": {"kind": "x"}, "documents": {"kind": "x"}}[
        table
    ]
    assert fingerprint(AGENT, PROMPTS, [*FACTS, Fact(table, "line 8", values)]) == MARK


CHANGES: dict[str, tuple[dict[str, Any], dict[str, str], list[Fact]]] = {
    "a model more": ({**AGENT, "models": [*AGENT["models"], {"name": "m3"}]}, PROMPTS, FACTS),
    "another provider": ({**AGENT, "models": [{"name": "m1", "provider": "q"}, {"name": "m2"}]}, PROMPTS, FACTS),
    "another objective": ({**AGENT, "objective": "Index all."}, PROMPTS, FACTS),
    "another completion": ({**AGENT, "completion": {"done": "half seen", "give_up": "after an hour"}}, PROMPTS, FACTS),
    "no scope": ({**AGENT, "scope": {}}, PROMPTS, FACTS),
    "another size": ({**AGENT, "scope": {**AGENT["scope"], "expected_size": 2001}}, PROMPTS, FACTS),
    "another prompt": (AGENT, {"prompts/system.md": "b" * 64}, FACTS),
    "a prompt more": (AGENT, {**PROMPTS, "prompts/b.md": "a" * 64}, FACTS),
    "a prompt of another name": (AGENT, {"prompts/b.md": "a" * 64}, FACTS),
    "another basis": (AGENT, PROMPTS, [replace(FACTS[0], basis="config"), *FACTS[1:]]),
    **{f"without {fact.table}": (AGENT, PROMPTS, [other for other in FACTS if other != fact]) for fact in FACTS},
    "another effect": (AGENT, PROMPTS, with_value(0, effect="pay")),
    "another cost": (AGENT, PROMPTS, with_value(0, cost_usd=Decimal("0.01"))),
    "a cost that is not known": (AGENT, PROMPTS, with_value(0, cost_usd=None)),
    "another ceiling": (AGENT, PROMPTS, with_value(1, amount=Decimal("50.000000001"))),
    "another way": (AGENT, PROMPTS, with_value(1, via="*")),
    "another interval": (AGENT, PROMPTS, with_value(2, threshold=Decimal(3600))),
    "another network": (AGENT, PROMPTS, with_value(3, pattern="172.20.0.0/15")),
    "another recipient": (AGENT, PROMPTS, with_value(4, recipient="nobody")),
    "a log that can be changed": (AGENT, PROMPTS, with_value(5, append_only=False)),
    "another holder": (AGENT, PROMPTS, with_value(6, holder="root")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_everything_that_makes_a_deployment_another_one_shows(change: str) -> None:
    assert fingerprint(*CHANGES[change]) != MARK


def test_no_two_changes_make_the_same_deployment() -> None:
    marks = {fingerprint(*change) for change in CHANGES.values()}
    assert len(marks) == len(CHANGES)


def test_nothing_has_a_fingerprint_too() -> None:
    assert fingerprint({}, {}, []) == fingerprint({"models": [], "scope": {}}, {}, [])
