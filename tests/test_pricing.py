import socket
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit import pricing
from psf_audit.facts.model import Gap, Item, Remark
from psf_audit.pricing import Pricing, Tokens, computed_cost

AT = 1_780_000_000_000  # 28 May 2026


@pytest.fixture
def table() -> str:
    """The name of the price table; the test is skipped where the extra is not installed."""
    pytest.importorskip("genai_prices")
    name = pricing.price_table()
    assert name is not None
    return name


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "_package", lambda: None)


def call(**changed: Any) -> dict[str, Any]:
    return {"name": "gpt-4o", "tokens_in": 1000, "tokens_out": 100, "at_ms": AT, "cost_usd": None, **changed}


def said(*calls: dict[str, Any], **usage: Any) -> list[Item]:
    prices = Pricing()
    for values in calls:
        prices.fill(values, **usage)
    return list(prices.items())


def test_tokens_of_a_known_model_have_a_price_with_its_table(table: str) -> None:
    cost = computed_cost("gpt-4o", Tokens(1000, 100), AT)

    assert cost == (Decimal("0.0035"), table)
    assert table.startswith("genai-prices ")


@pytest.mark.usefixtures("table")
def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert computed_cost("claude-opus-4-5", Tokens(10, 10), AT) is not None


@pytest.mark.usefixtures("table")
def test_tokens_from_a_cache_are_cheaper_and_into_it_dearer() -> None:
    plain, read, written = (
        computed_cost("claude-opus-4-5", tokens, AT)
        for tokens in (Tokens(1000, 1), Tokens(1000, 1, from_cache=900), Tokens(1000, 1, to_cache=900))
    )

    assert read is not None
    assert plain is not None
    assert written is not None
    assert read[0] < plain[0] < written[0]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("m-large", None),
        ("gpt-4o", "nobody"),
        ("gpt-4o-my-finetune", None),
        ("gpt-4o", "github-copilot"),  # billed otherwise: the table has 0
        ("x" * 201, None),
    ],
)
def test_a_model_without_a_price_costs_an_unknown_amount_and_not_0(model: str, provider: str | None) -> None:
    assert computed_cost(model, Tokens(1000, 100), AT, provider=provider) is None


def test_more_tokens_in_the_cache_than_were_read_give_no_cost() -> None:
    assert computed_cost("claude-opus-4-5", Tokens(2, 100, to_cache=7780), AT) is None


def test_without_a_time_there_is_no_price() -> None:
    assert computed_cost("gpt-4o", Tokens(1000, 100), None) is None


@pytest.mark.usefixtures("table")
def test_tokens_of_a_direction_without_a_price_are_not_taken_for_free() -> None:
    assert computed_cost("text-embedding-3-small", Tokens(1000, 0), AT, provider="openai") is not None
    assert computed_cost("text-embedding-3-small", Tokens(1000, 5), AT, provider="openai") is None


def test_the_name_of_a_model_may_start_with_its_provider(table: str) -> None:
    assert computed_cost("openai/gpt-4o", Tokens(1000, 100), AT) == (Decimal("0.0035"), table)
    assert computed_cost("nobody/gpt-x", Tokens(1000, 100), AT) is None


def test_a_cost_beyond_the_table_is_unknown() -> None:
    assert computed_cost("gpt-4o", Tokens(2**62, 2**62), AT) is None


def test_a_computed_cost_names_its_table_and_the_file_says_so_once(table: str) -> None:
    first, second = call(), call()

    (remark,) = said(first, second)

    assert (first["cost_usd"], first["priced_by"]) == (Decimal("0.0035"), table)
    assert second["cost_usd"] is not None
    assert isinstance(remark, Remark)
    assert remark.what == f"the cost of 2 calls is computed from tokens with {table}: list prices, not what was billed"


def test_a_stated_cost_is_left_as_it_is() -> None:
    stated = call(cost_usd=Decimal("0.25"))

    assert said(stated) == []
    assert stated == call(cost_usd=Decimal("0.25"))


@pytest.mark.parametrize("column", ["tokens_in", "tokens_out"])
def test_a_call_without_its_tokens_has_no_cost(column: str) -> None:
    values = call(**{column: None})

    assert said(values) == []
    assert values["cost_usd"] is None


def test_calls_without_a_price_are_a_gap_beside_calls_with_one() -> None:
    (gap,) = said(call(cost_usd=Decimal(1)), call(name="m-large"), call(name="m-large"))

    assert isinstance(gap, Gap)
    assert gap.facts == "events.cost_usd"
    assert gap.what.startswith("the cost of 2 calls is unknown: ")


def test_a_call_that_names_no_model_has_an_unknown_cost() -> None:
    (remark,) = said(call(name=None))

    assert isinstance(remark, Remark)
    assert remark.what.startswith("the cost of 1 call is unknown: ")


def test_where_no_call_has_a_cost_that_is_a_remark_alone(table: str) -> None:
    (remark,) = said(call(name="m-large"))

    assert isinstance(remark, Remark)
    assert f"{table} has no price" in remark.what


@pytest.mark.usefixtures("without_the_extra")
def test_without_the_extra_no_cost_is_computed_and_the_file_says_why() -> None:
    values = call()

    (remark,) = said(values)

    assert values["cost_usd"] is None
    assert isinstance(remark, Remark)
    assert remark.what == "the cost of 1 call is unknown: psf-audit[prices] would compute it from their tokens"


@pytest.mark.usefixtures("table")
def test_a_file_with_very_many_models_has_no_cost_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "MOST_NAMES", 2)
    calls = [call(name=name) for name in ("m-1", "gpt-4o", "claude-opus-4-5", "gpt-4o")]

    said(*calls)

    assert [values["cost_usd"] is not None for values in calls] == [False, True, False, True]


@given(
    st.text(max_size=30) | st.sampled_from(["gpt-4o", "claude-opus-4-5", "azure/gpt-4o", "/", "a/b/c"]),
    st.none() | st.text(max_size=10) | st.sampled_from(["openai", "litellm", "aws.bedrock"]),
    st.builds(Tokens, *[st.integers(0, 2**63 - 1) | st.integers(0, 2000)] * 4),
    st.integers(946_684_800_000, 4_133_980_799_999),
)
def test_names_and_tokens_of_any_kind_give_a_cost_or_none(
    model: str, provider: str | None, tokens: Tokens, at_ms: int
) -> None:
    cost = computed_cost(model, tokens, at_ms, provider=provider)

    assert cost is None or 0 < cost[0] < 10**9
