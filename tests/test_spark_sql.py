"""Queries in the SQL of Spark: all that is released can be said in it, and what cannot be said is refused."""

# ruff: noqa: S608  the queries are made of text, and none is run

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from psf_audit import rubric
from psf_audit.facts.views import views
from psf_audit.spark_sql import Untranslatable, _Kinds, _parsed, _schema, bound, statement, view


def spark(expression: str) -> str:
    """An expression over the table `limits` as Spark is given it."""
    text = statement(f"SELECT {expression} AS found FROM limits", {}).text
    return text.partition("FROM (SELECT ")[2].rpartition(" AS `found`")[0]


@pytest.mark.parametrize("name", [known.name for known in views()])
def test_every_view_can_be_said(name: str) -> None:
    assert view(name).startswith("SELECT `c0` AS ")


@pytest.mark.parametrize("name", ["psf-agentic@1.0.0", "psf-agentic@1.1.0", "psf-agentic@1.3.0"])
def test_every_released_criterion_can_be_said(name: str) -> None:
    for control in rubric.load(rubric.find(name)).controls:
        for criterion, sql in control.criteria.items():
            made = statement(sql, control.parameters(criterion))
            assert len(made.columns) == len(made.names) == len(made.types)


def test_kinds_are_those_that_duckdb_has() -> None:
    """Of all columns of all views: otherwise a sum or a rounded number could get another type in Spark."""
    from sqlglot.optimizer.qualify import qualify

    told = {"BIGINT": "whole", "INTEGER": "whole", "HUGEINT": "whole", "DOUBLE": "float", "BOOLEAN": "truth"}
    for known in views():
        tree = qualify(_parsed(known.sql), schema=_schema(), dialect="duckdb")
        for index, kind in enumerate(statement(known.sql, {}).types):
            expected = "exact" if kind.startswith("DECIMAL") else told.get(kind, "text")
            assert _Kinds()._of_output(tree, index) == expected, (known.name, index)


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("amount / 7", "(CAST(`limits`.`amount` AS DOUBLE) / CAST(7 AS DOUBLE))"),
        ("FLOOR(amount)", "FLOOR(`limits`.`amount`)"),
        ("SUM(amount)", "SUM(`limits`.`amount`)"),
        ("SUM(per_seconds)", "CAST(SUM(CAST(`limits`.`per_seconds` AS DECIMAL(28, 0))) AS DECIMAL(29, 0))"),
        ("CAST(amount AS BIGINT)", "CAST(ROUND(`limits`.`amount`, 0) AS BIGINT)"),
        ("via LIKE 'a!_%' ESCAPE '!'", "(`limits`.`via` LIKE 'a\\\\_%' ESCAPE '\\\\')"),
        ("via NOT LIKE 'a%'", "(NOT (`limits`.`via` LIKE 'a%'))"),
        ("regexp_matches(via, 'a[$]$')", "`limits`.`via` RLIKE '(?d)a[$]\\\\z'"),
    ],
)
def test_what_differs_is_written_out(expression: str, written: str) -> None:
    assert spark(expression) == written


@pytest.mark.parametrize(
    "sql",
    [
        *("not SQL", "", "DROP TABLE limits", "SELECT 1; SELECT 2", "SELECT 1) AS a; SELECT 2 FROM (SELECT 1"),
        *("SELECT nothing FROM limits", "SELECT ref FROM nothing", "SELECT ref FROM '/etc/passwd'"),
        *("SELECT * FROM range(5)", "SELECT getenv('HOME')", "SELECT current_date AS what", "SELECT random() AS found"),
        *("SELECT $missing AS found", "WITH x AS (SELECT 1 AS y) SELECT y FROM x", "SELECT [1, 2] AS found"),
        *("SELECT CAST(via AS BIGINT) AS found FROM limits", "SELECT CAST(amount / 2 AS VARCHAR) AS what FROM limits"),
        *("SELECT via || amount / 2 AS what FROM limits", "SELECT round(amount / 2, 1) AS found FROM limits"),
        *("SELECT substr(via, per_seconds) AS what FROM limits", "SELECT substr(via, 0, 2) AS what FROM limits"),
        *("SELECT split_part(via, '', 1) AS what FROM limits", "SELECT split_part(via, ',', 0) AS what FROM limits"),
        "SELECT ref FROM limits WHERE via LIKE 'a!' ESCAPE '!'",
        "SELECT ref FROM limits WHERE via LIKE like ESCAPE 'a'",
        *(
            f"SELECT ref FROM limits WHERE regexp_matches(via, '{pattern}')"
            for pattern in (
                "(a*)*b",
                "(a|b)+c",
                "(?i)a",
                "a*b*c*d",
                r"\bx",
                r"\s",
                "[a&&b]",
                "[[:alpha:]]",
                "a{3}",
                "a++",
            )
        ),
    ],
)
def test_what_cannot_be_said_is_refused(sql: str) -> None:
    with pytest.raises(Untranslatable):
        statement(sql, {})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, "BIGINT"),
        (True, "BOOLEAN"),
        ("x", "VARCHAR"),
        (0.5, "DOUBLE"),
        (Decimal("0.05"), "DECIMAL(3,2)"),
        (None, "VARCHAR"),
    ],
)
def test_a_parameter_has_a_type_of_its_own_and_is_never_text(value: Any, kind: str) -> None:
    text = statement("SELECT ref FROM limits WHERE $x IS NULL", {"x": value}).text

    assert f"CAST(:x AS {kind.replace('VARCHAR', 'STRING').replace(',', ', ')})" in text
    assert bound({"x": value})["x"] in {value, str(value)}


@pytest.mark.parametrize("value", [2**63, Decimal("NaN"), Decimal("1e400")])
def test_a_parameter_that_no_column_could_hold_is_refused(value: Any) -> None:
    with pytest.raises(Untranslatable):
        statement("SELECT ref FROM limits WHERE ref > $x", {"x": value})


def test_what_a_criterion_says_cannot_leave_its_literal() -> None:
    text = statement("SELECT ref FROM limits WHERE via = 'a'' OR \\'' --'", {}).text

    assert r"'a\' OR \\\' --'" in text
