"""Spark answers as DuckDB does: on every case of the rubrics, and on what a rubric could write.

The tests that start Spark run with `make spark`; `make test` skips them.
"""

# ruff: noqa: S608  the queries are made of text

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from psf_audit import answering, audit, cases
from psf_audit.facts.store import Dataset
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.query import Bounds, Session, names
from tests.sparks import both, compared, facts_of_all_cases, newest, released, starts_spark, with_log
from tests.tables import filled

pytestmark = pytest.mark.usefixtures("spark")

Question = tuple[str, str, dict[str, Any]]


def rows_read(sql: str, tables: dict[str, Any]) -> str:
    """All rows that a query could read."""
    needed = answering.views_in(sql)
    texts = [sql, *(view.sql for view in views() if view.name in needed)]
    read = frozenset().union(*(names(text, frozenset(TABLES)) for text in texts))
    return repr([(table, tables[table]) for table in sorted(read)])


def asked_alike(dataset: Dataset, results: list[dict[str, Any]], questions: list[Question]) -> None:
    """Ask the questions of one case, each with its name."""
    with both(dataset) as sessions:
        for opened in sessions:
            opened.results(results)
        for name, sql, parameters in questions:
            assert compared(sessions, sql, parameters).failure is None, name


def controls() -> list[str]:
    return sorted({entry.id for known, _ in released() for entry in known.controls})


@starts_spark
@pytest.mark.parametrize("control", controls())
def test_every_case_is_answered_alike(control: str, pytestconfig: pytest.Config) -> None:
    """Every criterion of it on every case. The same query over the same rows is asked once: the answer is the same."""
    rubrics = released() if pytestconfig.getoption("--spark-full") else newest()
    if not any(known.control(control) for known, _ in rubrics):
        pytest.skip("only older versions have it: make spark-full asks those too")
    known_questions = set()
    work = []
    for known, case_file in rubrics:
        entry = known.control(control)
        for case in (case for case in case_file.cases if entry and case.control == control):
            dataset = cases._dataset(known, case, case_file.as_of)
            results = [cases._values("results", row, case_file.as_of) for row in case.rows.get("results", [])]
            tables = {**dataset.tables, "events": list(dataset.events), "results": results}
            questions: list[Question] = []
            for name, sql in entry.criteria.items() if entry else ():
                parameters = entry.parameters(name) if entry else {}
                question = (sql, repr(sorted(parameters.items())), rows_read(sql, tables))
                if question not in known_questions:
                    known_questions.add(question)
                    questions.append((f"{control} case {case.number}: {name}", sql, parameters))
            if questions:
                work.append((dataset, results, questions))
    assert work
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(asked_alike, *zip(*work, strict=True)):
            pass


@starts_spark
def test_a_case_ends_in_the_same_status() -> None:
    outcomes: list[cases.Outcome] = []
    for known, case_file in newest():
        some = {known.controls[0].id, next(entry.id for entry in known.controls if entry.in_second_stage)}
        picked = {(case.control, case.status): case for case in case_file.cases if case.control in some}
        own = cases.CaseFile(case_file.as_of, tuple(picked.values()))
        outcomes += cases.run(known, own, audit.engine("spark"))

    assert len(outcomes) >= 10
    assert [outcome.case.name for outcome in outcomes if not outcome.holds] == []


@starts_spark
def test_every_view_has_the_rows_that_it_has_in_duckdb() -> None:
    with both(with_log(facts_of_all_cases(), 500), Bounds(rows=10_000)) as sessions:
        for view in views():
            compared(sessions, f"SELECT * FROM {view.name}")


NUMBERS = [-7, -1, 0, 1, 2, 3, 59, 60, 61, 2**31, 2**53 + 1, 2**62]
# What a rubric could write, over columns x (whole), y (decimal), s and t (text), b (truth), all of which can be NULL.
EXPRESSIONS = [
    "x / y", "x / 3", "y / x", "x / 0", "0 / 0", "-1 / 0", "y / 7", "x / NULLIF(x, 0)",
    "FLOOR(x)", "FLOOR(y)", "FLOOR(x / 60)", "FLOOR(y / 60)", "CEIL(x / 60)", "CEIL(y)", "FLOOR(x / 0)",
    "FLOOR(-1.5)",
    "ROUND(y, 2)", "ROUND(y)", "ROUND(x)", "ROUND(x / 4)", "ABS(y)", "ABS(x)",
    "x % 60", "MOD(x, 7)", "y % 3", "MOD(x, 0)", "MOD(x / 2, 0)", "(x / 2) % 2",
    "y * y", "y * 10", "y * 0.01", "y + x", "y - 1", "x + 1", "x * 60", "x * x", "y * y * y * y", "2147483647 * 2",
    "GREATEST(x, y)", "LEAST(x, 5)", "COALESCE(y, x)", "CASE WHEN b THEN x ELSE y END",
    "CASE WHEN b THEN 1 ELSE x / 2 END",
    "CAST(y AS BIGINT)", "CAST(x / 4 AS BIGINT)", "CAST(x AS INTEGER)", "CAST(y AS VARCHAR)", "CAST(x AS VARCHAR)",
    "CAST(b AS VARCHAR)", "CAST(y AS DECIMAL(18, 2))", "CAST(x AS DECIMAL(38, 9))", "CAST(NULL AS DECIMAL(18, 9))",
    "b IS TRUE", "b IS NOT TRUE", "b IS FALSE", "NOT b", "x IS DISTINCT FROM 1", "y IS NOT DISTINCT FROM x",
    "x BETWEEN 0 AND y",
    "s || t", "s || x", "s || NULL", "s || y", "LENGTH(s)", "LOWER(s)", "UPPER(t)", "TRIM(s)", "TRIM(s, '*.?')",
    "REPLACE(s, '!!', '')",
    "SUBSTR(s, 3)", "SUBSTR(s, -2)", "SUBSTRING(s, 2, 1)", "SPLIT_PART(s, '_', 2)", "SPLIT_PART(s, '/', -1)",
    "CONTAINS(s, t)", "STARTS_WITH(s, t)", "ENDS_WITH(s, t)", "CONTAINS(s, '')",
    "s LIKE t", "s NOT LIKE t", "s LIKE t ESCAPE '!'", "s NOT LIKE t ESCAPE '!'", "s LIKE 'a\\_%'",
    "s LIKE '%\\%'", "s LIKE 'a!_%' ESCAPE '!'",
    "s LIKE '%!!' ESCAPE '!'", "s LIKE '!a%' ESCAPE '!'", "s NOT LIKE '%b%'", "s LIKE '_'", "s LIKE '%'",
    "LOWER(s) LIKE LOWER(t) ESCAPE '!'",
    "s LIKE 'a#%' ESCAPE '#'", "s LIKE t ESCAPE '#'",
    "REGEXP_MATCHES(s, '^a.b$')", "REGEXP_MATCHES(s, 'b$')", "REGEXP_MATCHES(s, '[a-z_]+\\d')",
    "REGEXP_MATCHES(s, 'a|\\.|\\\\')", "REGEXP_MATCHES(s, '[$.]')",
    "s < t", "s = t", "s IN ('a', 'a_b')", "s IN ('a', NULL)", "x IN (1, 2)", "'quo''te\\n' || s",
    "1e300 * 1e300", "1.5", "'\\'",
]  # fmt: skip
AGGREGATES = [
    "SUM(x)", "SUM(y)", "SUM(x * 1)", "SUM(DISTINCT x)", "SUM(CASE WHEN b THEN 1 ELSE 0 END)", "SUM(x / 2)",
    "COUNT(*)", "COUNT(x)",
    "COUNT(DISTINCT s)", "MIN(s)", "MAX(t)", "MAX(y)", "BOOL_AND(b)", "BOOL_OR(b)", "COUNT(*) FILTER (WHERE b)",
    "SUM(x) FILTER (WHERE b)",
    "SUM(x) / COUNT(*)", "FLOOR(SUM(x) / 7)", "SUM(y) * MAX(y)", "SUM(x) * MAX(y)", "COALESCE(SUM(y), SUM(x))",
    "CASE WHEN MAX(b) THEN SUM(x) ELSE SUM(y) END",
]  # fmt: skip
WINDOWS = [
    "SUM(x) OVER (PARTITION BY b ORDER BY r)",
    "SUM(y) OVER (ORDER BY r ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "ROW_NUMBER() OVER (ORDER BY s, r)", "RANK() OVER (ORDER BY s)", "DENSE_RANK() OVER (ORDER BY t DESC)",
    "FIRST_VALUE(s) OVER (ORDER BY x, r)",
    "LAST_VALUE(s) OVER (PARTITION BY b ORDER BY r)", "MAX(CASE WHEN b THEN r END) OVER (ORDER BY r)",
    "COUNT(*) OVER ()",
]  # fmt: skip
TEXTS = [
    None, "", "a", "b", "a_b", "a%b", "a!b", "a!_b", "!!", "%", "_", "a\nb", "ab\n", "a\\b", "a\\_c", "A_1", " a ",
    "*.?x*", "caf\u00e9", "\U0001f600", "x/y/z", "'", "$1",
    "a.b", "x" * 1_200, "x" * 1_200 + "y", "%!!", "\u03a3", "a#_",
]  # fmt: skip
# What overflows or divides by zero in DuckDB on these values.
FAILING = frozenset({"MOD(x, 0)", "x * 60", "x * x", "y * y * y * y", "2147483647 * 2", "CAST(x AS INTEGER)"})
TABLE = "(SELECT ref AS r, per_seconds AS x, amount AS y, via AS s, limits.like AS t, aligned AS b FROM limits) AS q"


def mixed() -> Dataset:
    rows = [
        {
            "resource": "usd",
            "via": text,
            "like": TEXTS[(number * 7 + 3) % len(TEXTS)],
            "per_seconds": NUMBERS[number % len(NUMBERS)] if number % 5 else None,
            "aligned": (True, False, None)[number % 3],
        }
        | ({"amount": Decimal(NUMBERS[number % 9] * 1_234_567).scaleb(-6)} if number % 7 else {})
        for number, text in enumerate(TEXTS * 2)
    ]
    return filled(limits=rows)


@pytest.fixture(scope="module")
def mixed_sessions(spark: None) -> Iterator[tuple[Session, Session]]:  # noqa: ARG001  Spark is started first
    with both(mixed(), Bounds(rows=1_000)) as sessions:
        yield sessions


@starts_spark
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_the_value_that_it_has_in_duckdb(
    mixed_sessions: tuple[Session, Session], expression: str
) -> None:
    first, second = mixed_sessions
    sql = f"SELECT r AS ref, {expression} AS found FROM {TABLE}"
    expected, found = first.ask(sql, {}), second.ask(sql, {})
    assert bool(expected.failure) == bool(found.failure) == (expression in FAILING)
    assert (found.rows, found.count) == (expected.rows, expected.count)
    assert repr(found.rows) == repr(expected.rows)


@starts_spark
@pytest.mark.parametrize("expression", [*AGGREGATES, *WINDOWS])
def test_a_total_has_the_value_that_it_has_in_duckdb(mixed_sessions: tuple[Session, Session], expression: str) -> None:
    keys = "r AS ref, " if expression in WINDOWS else ""
    sql = f"SELECT {keys}{expression} AS found FROM {TABLE} WHERE x IS NULL OR x < 1000000"
    assert compared(mixed_sessions, sql).failure is None


@starts_spark
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ref, via AS what FROM limits ORDER BY via DESC, ref LIMIT 4",
        "SELECT ref, amount AS found, ref AS ref FROM limits",
        "SELECT ref, 99 AS psf_count FROM limits",
        "SELECT DISTINCT resource AS what FROM limits UNION SELECT NULL",
        "SELECT ref FROM limits WHERE via NOT IN (SELECT via FROM limits WHERE via = 'a')",
        "SELECT ref FROM limits EXCEPT SELECT ref FROM limits WHERE aligned",
        "SELECT a.ref FROM limits AS a LEFT JOIN limits AS b ON b.via = a.like AND b.ref > a.ref WHERE b.ref IS NULL",
        "SELECT a.ref, (SELECT MIN(b.amount) FROM limits AS b WHERE b.via = a.via) AS found FROM limits AS a",
        "SELECT a.ref FROM limits AS a WHERE ref > 9 OR EXISTS (SELECT 1 FROM limits AS b WHERE b.via < a.via)",
        "SELECT ref, ROW_NUMBER() OVER (PARTITION BY via ORDER BY ref) AS n FROM limits QUALIFY n = 1",
        "SELECT 'x' AS what", "SELECT 1 AS x", "SELECT ref FROM limits -- a comment",
        "SELECT TRUE AS ref, 1.5 AS at_ms",
        "SELECT 'a' AS ref, 5 AS what, 'b' AS at_ms, 7 AS unit, TRUE AS absent",
        "SELECT MAX(ref) AS ref FROM limits HAVING COUNT(*) > 3",
    ],
)  # fmt: skip
def test_a_query_is_answered_alike(mixed_sessions: tuple[Session, Session], sql: str) -> None:
    assert compared(mixed_sessions, sql).failure is None


@starts_spark
def test_parameters_have_the_types_that_duckdb_binds(mixed_sessions: tuple[Session, Session]) -> None:
    sql = (
        "SELECT ref, $n * 2000000000 AS found, amount * $share AS expected, $text AS what FROM limits WHERE via > $text"
    )
    values = {"n": 2000, "share": Decimal("0.05"), "text": 'a\' OR \\ "TRUE" -- :n'}
    assert compared(mixed_sessions, sql, values).count
    for value in (Decimal("1e400"), Decimal("NaN"), 10**30, True, None, 0.25, "x" * 10**5):
        answers = mixed_sessions[1].ask("SELECT ref FROM limits WHERE CAST($x AS VARCHAR) = 'y'", {"x": value})
        assert answers.failure or answers.count == 0
    assert mixed_sessions[1].ask("SELECT ref FROM limits WHERE ref > $n", {}).failure
    assert mixed_sessions[1].ask("SELECT ref FROM limits", {"unused": 5}).failure
