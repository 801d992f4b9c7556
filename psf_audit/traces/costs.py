"""The computed costs of calls of models in a table: by SQL where a price is a plain rate, else call by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psf_audit import pricing
from psf_audit.columns.rows import definition, insert
from psf_audit.facts.tables import Column, ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.columns.database import Database

_DAY_MS = 86_400_000
# Below this many tokens nothing here overflows.
_MOST_TOKENS = 10**8
_ASKED = tuple(
    Column(name, type_, "as in `events`")
    for name, type_ in (
        ("name", ColumnType.TEXT),
        ("provider", ColumnType.TEXT),
        ("day", ColumnType.INTEGER),
    )
)
_RATES = (*_ASKED, *(Column(name, ColumnType.INTEGER, "see Rates") for name in ("read", "written", "most_read")))
_COSTS = (
    Column("span", ColumnType.INTEGER, "the row of a span"),
    Column("cost_usd", ColumnType.DECIMAL, "what its call cost"),
)


def computed(database: Database, calls: str) -> str:
    """A table with the `span` and the `cost_usd` of the calls of models whose cost is known from their tokens.

    `calls` is a relation of the calls that state no cost and have their tokens: `span`, `name`, `provider`, `at_ms`,
    `tokens_in`, `tokens_out`, `from_cache`, `to_cache`.
    """
    costs, asked, rates = (database.name(stem) for stem in ("costs", "asked", "rates"))
    database.run(f'CREATE TABLE "{costs}" ({definition(_COSTS)}); CREATE TABLE "{rates}" ({definition(_RATES)})')
    # The price table keeps every name that it was asked about; so many are asked about, those that come first.
    database.run(
        f'CREATE TABLE "{asked}" AS SELECT * EXCLUDE (pair, at_ms), at_ms, at_ms // {_DAY_MS} AS day FROM '  # noqa: S608
        "(SELECT *, dense_rank() OVER (ORDER BY first) AS pair FROM "
        f"(SELECT *, MIN(span) OVER (PARTITION BY name, provider) AS first FROM {calls} WHERE name IS NOT NULL)) "
        f"WHERE pair <= {pricing.MOST_NAMES} AND at_ms IS NOT NULL"
    )
    days = database.rows(f'SELECT DISTINCT name, provider, day FROM "{asked}"')  # noqa: S608
    insert(database.logs, rates, _RATES, _rates(days))
    plain = (
        f"from_cache = 0 AND to_cache = 0 AND tokens_in <= r.most_read "
        f"AND tokens_in <= {_MOST_TOKENS} AND tokens_out <= {_MOST_TOKENS}"
    )
    no_price = "r.most_read = 0"
    joined = (
        f'"{asked}" AS a LEFT JOIN "{rates}" AS r ON r.name = a.name AND r.provider IS NOT DISTINCT FROM a.provider '
        "AND r.day = a.day"
    )
    database.run(
        f'INSERT INTO "{costs}" SELECT span, {rounded()} FROM (SELECT a.span, '  # noqa: S608
        "CASE WHEN tokens_in > 0 THEN CAST(r.read AS HUGEINT) * tokens_in ELSE 0 END + "
        "CASE WHEN tokens_out > 0 THEN CAST(r.written AS HUGEINT) * tokens_out ELSE 0 END AS exact "
        f"FROM {joined} WHERE {plain}) WHERE {rounded()} > 0"
    )
    rest = database.rows(f"SELECT a.* FROM {joined} WHERE NOT COALESCE({no_price} OR ({plain}), FALSE)")  # noqa: S608
    insert(database.logs, costs, _COSTS, _one_by_one(rest))
    database.run(f'DROP TABLE "{asked}"; DROP TABLE "{rates}"')
    return costs


def rounded() -> str:
    """Rates times tokens as USD with nine places, halves to even, as `psf_audit.values.amount` rounds."""
    whole, rest = "exact // 1000000", "exact % 1000000"
    up = f"CASE WHEN {rest} > 500000 OR ({rest} = 500000 AND ({whole}) % 2 = 1) THEN 1 ELSE 0 END"
    return f"CAST(CAST({whole} + {up} AS DECIMAL(18, 0)) * CAST(0.000000001 AS DECIMAL(10, 9)) AS DECIMAL(18, 9))"


def _rates(days: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in days:
        found = pricing.rates(row["name"], row["day"] * _DAY_MS, provider=row["provider"])
        if found is not None:
            yield {**row, "read": found.read, "written": found.written, "most_read": found.most_read}


def _one_by_one(calls: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in calls:
        tokens = pricing.Tokens(row["tokens_in"], row["tokens_out"], row["from_cache"], row["to_cache"])
        found = pricing.computed_cost(row["name"], tokens, row["at_ms"], provider=row["provider"])
        if found is not None:
            yield {"span": row["span"], "cost_usd": found[0]}
