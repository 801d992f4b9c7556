from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.facts.rows import ROW_KEYS, Shape, input_schema, row_facts, row_keys, row_problems
from psf_audit.facts.store import typed
from psf_audit.facts.tables import TABLES

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-2, max_value=2**64)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1, max_value=2 * 10**9)
    | st.sampled_from(["", "usd", "run", "deny", "agent", "gateway", "2026-11-01", "2026-11-01T10:00:00Z", "x"])
)
TEXTS = st.lists(st.sampled_from(["", "a", "b"]), max_size=2)


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    table = draw(st.sampled_from(sorted(ROW_KEYS)))
    keys = row_keys(table)
    row: dict[str, Any] = {}
    for name, key in keys.items():
        values: st.SearchStrategy[Any] = SCALARS | TEXTS
        if key.choices:
            values |= st.sampled_from(key.choices)
        if name in ROW_KEYS[table] or draw(st.booleans()):
            row[name] = draw(values)
    return table, row


@pytest.mark.parametrize("table", sorted(ROW_KEYS))
def test_every_column_can_be_written(table: str) -> None:
    keys = row_keys(table)
    columns = {column.name for column in TABLES[table].own}
    assert {key.column for key in keys.values()} == columns - {"like", "lo", "hi"}
    assert ("patterns" in keys) == ("like" in columns)
    assert set(ROW_KEYS[table]) <= set(keys)
    jsonschema.Draft202012Validator.check_schema(input_schema(table))


def test_tables_that_are_not_written_by_hand_have_no_keys() -> None:
    with pytest.raises(KeyError):
        row_keys("events")


@given(rows())
def test_the_schema_and_the_check_agree(drawn: tuple[str, dict[str, Any]]) -> None:
    """They may differ only on dates, of which the schema knows the form but not the calendar; none is drawn here."""
    table, row = drawn
    valid = jsonschema.Draft202012Validator(input_schema(table)).is_valid(row)
    assert valid is (list(row_problems(table, row)) == [])


@given(rows())
def test_a_row_without_problems_fits_its_table(drawn: tuple[str, dict[str, Any]]) -> None:
    table, row = drawn
    if not list(row_problems(table, row)):
        made = row_facts(table, row, {"via": "aws", "layer": "gateway"})
        assert len(made) == max(1, len(row.get("patterns", [])))
        for values in made:
            typed(table, values)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("2026-11-01", 1793491200000),
        ("2026-11-01T02:00:00+02:00", 1793491200000),
        ("2026-11-01T00:00:00.5Z", 1793491200500),
        ("2026-11-01T00:00:00", None),
        ("2026-02-30", None),
        ("1999-12-31", None),
        ("2100-01-01", None),
        ("1 November", None),
    ],
)
def test_times_have_a_zone_or_are_days(value: str, milliseconds: int | None) -> None:
    row = {"name": "key", "issued": value}
    if milliseconds is None:
        assert [key for key, _ in row_problems("credentials", row)] == ["issued"]
    else:
        assert row_facts("credentials", row) == [{"subject": "key", "issued_ms": milliseconds}]


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), 10**9, -1, True, "5", 1.5])
def test_an_amount_is_an_exact_number_that_the_column_holds(amount: object) -> None:
    assert [key for key, _ in row_problems("limits", {"resource": "usd", "amount": amount})] == ["amount"]


def test_amounts_are_rounded_to_what_the_column_holds() -> None:
    (values,) = row_facts("limits", {"resource": "usd", "amount": Decimal("0.12345678949")})
    assert values["amount"] == Decimal("0.123456789")


def test_defaults_fill_only_what_the_row_and_the_table_leave_open() -> None:
    defaults = {"via": "aws", "layer": "gateway"}
    row = {"dimension": "tool", "effect": "allow", "layer": "harness"}
    assert row_facts("boundaries", row, defaults) == [{**row, "via": "aws"}]
    assert row_facts("alerts", {"trigger": "spend"}, defaults) == [{"trigger": "spend"}]


def test_what_is_wrong_says_what_would_be_right() -> None:
    problems = dict(row_problems("gates", {"triger": "spend", "effect": "interupt", "threshold": "much"}))
    assert problems["triger"] == "is not a key of gates; did you mean `trigger`?"
    assert problems["effect"] == "must be one of interrupt, ask, deny, notify; did you mean `interrupt`?"
    assert problems["threshold"] == f"must be {Shape.NUMBER.value}"
    assert problems[None] == "lacks the key `trigger`"
    assert list(row_problems("gates", [1])) == [(None, "must be a mapping with the keys of gates")]
