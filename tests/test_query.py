"""The allow-list. What a criterion may not do, it may not do in any disguise."""

# ruff: noqa: S608  the queries are made of text, and none of them may run

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit import query
from psf_audit.errors import ConfigurationError
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.query import Analysis, analyse, names, parameters

REACHES_OUT = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT ref FROM '/etc/passwd'",
    'SELECT ref FROM "file.csv"',
    "SELECT ref FROM 'https://example.net/x.parquet'",
    "SELECT file FROM glob('*')",
    "SELECT getenv('HOME') AS what",
    "SELECT \"getenv\"('HOME') AS what",
    "SELECT main.getenv('HOME') AS what",
    "SELECT system.main.getenv('HOME') AS what",
    "SELECT 'HOME'.getenv() AS what",
    "SELECT main.lower('HOME') AS what",
    "SELECT ref FROM query('SELECT 1')",
    "SELECT ref FROM query_table('limits')",
    "SELECT ref FROM sqlite_scan('x', 'y')",
]
LOOKS_AROUND = [
    "SELECT name FROM duckdb_settings()",
    "SELECT ref FROM duckdb_tables",
    "SELECT ref FROM sqlite_master",
    "SELECT ref FROM information_schema.tables",
    "SELECT ref FROM pg_catalog.pg_class",
    "SELECT ref FROM pg_class",
    "SELECT current_setting('memory_limit') AS what",
    "SELECT version() AS what",
    "SELECT current_database() AS what",
    "SELECT current_user AS what",
    "SELECT session_user AS what FROM limits",
    "SELECT rowid AS ref FROM limits",
    "SELECT limits AS what FROM limits",
    "SELECT limits.ref.x FROM limits",
    "SELECT (limits).ref FROM limits",
]
READS_THE_CLOCK = [
    "SELECT now() AS what",
    "SELECT current_timestamp AS what",
    "SELECT current_date AS what",
    "SELECT random() AS found",
    "SELECT d.what FROM (SELECT 1 AS current_date) AS q JOIN (SELECT current_date AS what) AS d ON TRUE",
    "SELECT ref FROM limits TABLESAMPLE 10%",
    "SELECT ref FROM limits USING SAMPLE 3 ROWS",
    "SELECT ref FROM limits LIMIT 1",
    "SELECT ref FROM limits LIMIT 10%",
]
STATEMENTS = [
    "",
    "   ",
    "-- nothing",
    "SELECT 1 AS ref; SELECT 2 AS ref",
    "SELECT 1 AS ref;",
    "SELECT 1 AS ref; -- x",
    "SELECT 1 AS ref) AS a, (SELECT 2 AS ref",
    "SELECT 1 AS ref /* open",
    "COPY limits TO '/tmp/x'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "ATTACH '/tmp/x'",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "SET threads = 1",
    "RESET threads",
    "CREATE MACRO f(x) AS x",
    "CREATE TABLE t AS SELECT 1",
    "INSERT INTO limits SELECT * FROM limits",
    "UPDATE limits SET ref = 1",
    "DELETE FROM limits",
    "DROP TABLE limits",
    "EXPORT DATABASE '/tmp/x'",
    "CHECKPOINT",
    "VACUUM",
    "EXPLAIN SELECT 1",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "DESCRIBE limits",
    "SHOW TABLES",
    "SUMMARIZE limits",
    "SELECT ref FROM (DESCRIBE limits)",
    "SELECT ref FROM (SHOW ALL TABLES)",
    "SELECT ref FROM (SUMMARIZE limits)",
    "FROM limits",
    "TABLE limits",
    "VALUES (1)",
    "PIVOT limits ON resource USING sum(amount)",
    "UNPIVOT limits ON amount INTO NAME n VALUE v",
    "SELECT ref FROM limits UNPIVOT (v FOR n IN (amount))",
    "SELECT ref FROM limits FOR UPDATE",
    "not SQL at all",
    "SELECT 1 AS ref\x00",
    "SELECT '\ud800' AS what",
    "SELECT '\u202e' AS what",
]
WITH = [
    "WITH a AS (SELECT 1 AS ref) SELECT ref FROM a",
    "WITH limits AS (SELECT 1 AS ref) SELECT ref FROM limits",
    "WITH x AS (DELETE FROM limits RETURNING ref) SELECT ref FROM x",
    "WITH x AS (INSERT INTO limits (ref) SELECT 1 AS ref RETURNING ref) SELECT ref FROM x",
    "WITH x AS (SELECT content FROM read_text('/etc/passwd')) SELECT content FROM x",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
    "WITH RECURSIVE t(n) USING KEY (n) AS (SELECT 1 UNION SELECT n + 1 FROM t) SELECT n FROM t",
    # A name that is a table in one place, to be taken for one everywhere.
    "SELECT ref FROM pg_class WHERE EXISTS (WITH pg_class AS (SELECT 1 AS ref) SELECT ref FROM pg_class)",
    "SELECT ref FROM (WITH a AS (SELECT 1 AS ref) SELECT ref FROM a) AS q",
]
NAMES = [
    "SELECT ref FROM main.limits",
    'SELECT ref FROM "main"."limits"',
    "SELECT ref FROM temp.limits",
    "SELECT ref FROM system.main.limits",
    "SELECT ref FROM memory.main.limits",
    "SELECT ref FROM nothing",
    "SELECT ref FROM LIMITS",
    "SELECT REF FROM limits",
    "SELECT nothing FROM limits",
    "SELECT name FROM limits",
    "SELECT a FROM limits AS l(a)",
    "SELECT ref FROM limits AT (VERSION => 1)",
    "SELECT #1 FROM limits",
    "SELECT ref FROM limits WHERE ref = ?",
    "SELECT ref FROM limits WHERE ref = $1",
    "SELECT '$hidden' AS what FROM limits",
    "SELECT ref FROM limits -- $hidden",
]
CONSTRUCTS = [
    "SELECT * FROM limits",
    "SELECT l.* FROM limits AS l",
    "SELECT COLUMNS(*) FROM limits",
    "SELECT COLUMNS('re.*') FROM limits",
    "SELECT * REPLACE (lower('x') AS ref) FROM limits",
    "SELECT * EXCLUDE (ref) FROM limits",
    "SELECT ref FROM range(10)",
    "SELECT ref FROM limits, generate_series(1, 10)",
    "SELECT unnest([1, 2]) AS ref",
    "SELECT ref FROM unnest([1, 2])",
    "SELECT ref FROM limits, LATERAL (SELECT unnest([1])) AS x",
    "SELECT list_transform([1], x -> x) AS what",
    "SELECT list_transform([1], lambda x: x + 1) AS what",
    "SELECT [x + 1 FOR x IN [1, 2]] AS what",
    "SELECT [1, 2] AS what",
    "SELECT {'a': 1} AS what",
    "SELECT MAP {'a': 1} AS what",
    "SELECT (1, 2) AS what",
    "SELECT ref[1] AS what FROM limits",
    "SELECT resource[1:2] AS what FROM limits",
    "SELECT ARRAY(SELECT ref FROM limits) AS what",
    "SELECT sum(amount) EXPORT_STATE AS what FROM limits",
    "SELECT finalize(sum(amount) EXPORT_STATE) AS what FROM limits",
    "SELECT CAST(ref AS BLOB) AS what FROM limits",
    "SELECT CAST('1' AS BIT) AS what",
    "SELECT CAST('[1]' AS INT[]) AS what",
    "SELECT CAST('{}' AS JSON) AS what",
    "SELECT CAST('a' AS ENUM('a')) AS what",
    "SELECT CAST('x' AS mytype) AS what",
    "SELECT CAST('inf' AS DOUBLE) AS found",
    "SELECT CAST('290000-01-01' AS DATE) AS found",
    "SELECT '1'::INTERVAL AS found",
    "SELECT 'limits'::regclass AS what",
    "SELECT CAST(1 AS main.BIGINT) AS ref",
    "SELECT x'00' AS what",
    "SELECT INTERVAL 1 DAY AS what",
    "SELECT DEFAULT AS what",
    "SELECT TRY(ref) AS ref FROM limits",
    "SELECT resource COLLATE NOCASE AS what FROM limits",
    "SELECT resource AS what FROM limits ORDER BY resource COLLATE de",
    "SELECT ref FROM limits WHERE resource GLOB '*'",
    "SELECT ref FROM limits WHERE resource SIMILAR TO 'a'",
    "SELECT ref FROM limits WHERE resource ILIKE 'a'",
    "SELECT ref FROM limits NATURAL JOIN gates",
    "SELECT limits.ref FROM limits JOIN gates USING (via)",
    "SELECT limits.ref FROM limits POSITIONAL JOIN gates",
    "SELECT l.ref FROM limits AS l ASOF JOIN gates AS g ON l.ref >= g.ref",
    "SELECT ref FROM limits GROUP BY CUBE (ref, via)",
    "SELECT ref FROM limits GROUP BY GROUPING SETS ((ref), (via))",
    "SELECT ref, GROUPING(ref) AS found FROM limits GROUP BY ref",
    "SELECT max(ref, 1000000) AS what FROM limits",
    "SELECT min(ref, 3) AS what FROM limits",
    "SELECT ref FROM (SELECT 1 AS ref UNION ALL SELECT ref FROM read_text('x')) AS q",
]
ALLOCATES = [
    f"SELECT {function} AS what FROM limits"
    for function in (
        "repeat('x', 1000000000)",
        "lpad('x', 1000000000, 'y')",
        "rpad('x', 1000000000, 'y')",
        "printf('%1000000000d', 1)",
        "format('{:1000000000}', 1)",
        "bitstring('1', 1000000000)",
        "levenshtein(via, via)",
        "string_agg(via, ',')",
        "array_agg(via)",
        "list(via)",
        "histogram(via)",
        "regexp_replace(via, 'a', 'bb')",
        "translate(via, 'a', 'b')",
        "regexp_matches(via, '(r|s){1,500}(r|s){1,500}x')",
        "regexp_matches(via, pattern)",
        "regexp_matches(via, '" + "(a|b)*" * 7 + "')",
        "regexp_matches(via, 'a', 'i')",
        "regexp_matches(via, 'a' || 'b')",
        "concat(via, via)",
        "replace(via, 'a', 'bb')",
        "replace(via, '', 'b')",
        "replace(via, 'a', via)",
        "replace(via, via, '')",
        "replace(via, 'a', 'b' || 'c')",
        "2 ** 10",
        "1 << 60",
        "30!",
    )
]
HIDDEN = [
    sql.format("getenv('X')")
    for sql in (
        "SELECT ref FROM limits WHERE {} IS NULL",
        "SELECT ref FROM limits ORDER BY {}",
        "SELECT ref FROM limits ORDER BY ref LIMIT (SELECT {})",
        "SELECT ref FROM limits ORDER BY ref LIMIT 1 OFFSET (SELECT {})",
        "SELECT ref FROM limits GROUP BY ref, {}",
        "SELECT ref FROM limits GROUP BY ref HAVING {} IS NULL",
        "SELECT ref FROM limits QUALIFY {} IS NULL",
        "SELECT count(*) FILTER (WHERE {} IS NULL) AS found FROM limits",
        "SELECT DISTINCT ON ({}) ref FROM limits",
        "SELECT max(via ORDER BY {}) AS what FROM limits",
        "SELECT sum(amount) OVER (PARTITION BY {}) AS found FROM limits",
        "SELECT sum(amount) OVER (ORDER BY {}) AS found FROM limits",
        "SELECT sum(amount) OVER (ORDER BY ref ROWS BETWEEN {} PRECEDING AND CURRENT ROW) AS found FROM limits",
        "SELECT sum(amount) OVER w AS found FROM limits WINDOW w AS (ORDER BY {})",
        "SELECT first_value({}) OVER (ORDER BY ref) AS what FROM limits",
        "SELECT CASE WHEN {} IS NULL THEN 1 END AS found",
        "SELECT COALESCE(via, {}) AS what FROM limits",
        "SELECT CAST({} AS VARCHAR) AS what",
        "SELECT ref FROM limits JOIN gates ON {} IS NULL",
        "SELECT ref FROM limits WHERE ref IN (SELECT {})",
        "SELECT ref FROM limits WHERE ref IN (1, {})",
        "SELECT ref FROM limits WHERE ref BETWEEN 1 AND {}",
        "SELECT ref FROM limits WHERE EXISTS (SELECT 1 FROM gates WHERE {} IS NULL)",
        "SELECT ref FROM limits WHERE via LIKE {} ESCAPE '!'",
        "SELECT ref FROM limits UNION ALL SELECT {}",
        "SELECT ref FROM (SELECT {} AS ref) AS limits",
        "SELECT ref AS getenv, {} AS what FROM limits AS events",
    )
]
REFUSED = [
    *REACHES_OUT, *LOOKS_AROUND, *READS_THE_CLOCK, *STATEMENTS, *WITH, *NAMES, *CONSTRUCTS, *ALLOCATES, *HIDDEN,
]  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_allowed_is_refused(sql: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        analyse(sql)
    assert caught.value.message[0].islower()


ALLOWED = [
    "SELECT 1 AS x FROM reach WHERE paid = 1",
    "SELECT ref, 'a ' || resource AS what, amount AS found, $most AS expected FROM outside_limits",
    "SELECT r.ref FROM reach AS r WHERE NOT EXISTS (SELECT 1 FROM bounded_reach AS b WHERE b.name = r.name)",
    "SELECT MIN(ref) AS ref, COUNT(*) AS found, COUNT(DISTINCT via) AS expected FROM limits HAVING COUNT(*) > 0",
    "SELECT CAST(NULL AS BIGINT) AS ref, n.t AS what FROM (SELECT 'a' AS t UNION ALL SELECT 'b') AS n",
    "SELECT ref FROM limits WHERE via LIKE 'x%' ESCAPE '!' AND (amount BETWEEN 1 AND 2 OR via IN ('a', 'b'))",
    "SELECT ref FROM limits WHERE via NOT IN ('a') AND via IS DISTINCT FROM 'b' AND NOT aligned",
    "SELECT ref, ROW_NUMBER() OVER (PARTITION BY via ORDER BY amount DESC, ref) AS place FROM limits",
    "SELECT ref, SUM(amount) OVER (ORDER BY ref ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS found FROM limits",
    "SELECT ref FROM limits QUALIFY RANK() OVER (ORDER BY amount) = 1",
    "SELECT via AS what, MAX(amount) FILTER (WHERE bound) AS found FROM limits GROUP BY via",
    "SELECT l.ref FROM limits AS l LEFT JOIN gates AS g ON g.via = l.via CROSS JOIN deployment AS d",
    "SELECT ref FROM limits ORDER BY amount, ref LIMIT 3",
    "SELECT DISTINCT via AS what FROM limits UNION SELECT via FROM gates EXCEPT SELECT via FROM logs",
    "SELECT CASE scope WHEN 'run' THEN 1 ELSE 0 END AS found, COALESCE(via, '*') AS what FROM limits",
    "SELECT ref FROM limits WHERE REPLACE(REPLACE(pattern, '*', ''), '.', '') = ''",
    "SELECT ref FROM limits WHERE REGEXP_MATCHES(pattern, '[^*.?]') AND NOT pattern ~ '^[a-z]+$'",
    "SELECT ref FROM limits -- a comment",
    "SELECT ref /* a comment */ FROM limits",
    "SELECT 'a; b -- c /* d' AS what",
    "SELECT (SELECT MAX(amount) FROM limits) AS found, ref FROM gates",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_criteria_need_is_allowed(sql: str) -> None:
    analyse(sql)


# ----------------------------------------------------------------------------------------------------------- bounds


def nested(times: int, outer: str, inner: str) -> str:
    return f"{outer} FROM (" * times + inner + ") AS q" * times


def doubled(times: int) -> str:
    """Each query hands on twice the text of the one in it."""
    return nested(times, "SELECT s || s AS s", "SELECT via AS s FROM limits")


def in_one_list(times: int) -> str:
    """The same in one list: names given earlier in it are written out where they stand."""
    return "SELECT via || via AS s0" + "".join(f", s{n} || s{n} AS s{n + 1}" for n in range(times - 1)) + " FROM limits"


TOO_OFTEN = "uses the columns of one query too often in the next"
TOO_LARGE = [
    ("SELECT " + "9" * query.MAX_QUERY_CHARACTERS, "is longer than 8000 characters"),
    (nested(13, "SELECT ref", "SELECT ref FROM limits"), "nests queries more than 12 deep"),
    (nested(300, "SELECT ref", "SELECT ref FROM limits"), "nests queries more than 12 deep|nested too deep"),
    ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "can be parsed"),
    ("SELECT " + "NOT " * 1500 + "true", "can be parsed"),
    ("SELECT " + "lower(" * 600 + "'x'" + ")" * 600 + " AS what", "is nested too deep"),
    ("SELECT a.ref FROM limits AS a" + ", limits" * 40, "reads tables in more than 40 places"),
    ("SELECT '" + "x" * 201 + "' AS what", "holds a literal of more than 200 characters"),
    ("SELECT " + " || ".join(["via"] * 22) + " AS what FROM limits", "joins texts in more than 20 places"),
    (in_one_list(20), TOO_OFTEN),
    (doubled(6), TOO_OFTEN),
    (doubled(11), TOO_OFTEN),
    (nested(6, "SELECT s + s AS s", "SELECT ref AS s FROM limits"), TOO_OFTEN),
    (nested(1, "SELECT ref", "SELECT ref, via AS s FROM limits WHERE " + " + ".join(["ref"] * 49) + " = 1"), TOO_OFTEN),
    ("SELECT COALESCE((SELECT " + " + ".join(["ref"] * 49) + "), 1) AS found FROM limits", TOO_OFTEN),
    ("SELECT SUM(" + " + ".join(["ref"] * 49) + ") AS found FROM limits", TOO_OFTEN),
    ("SELECT g.ref FROM gates AS g JOIN limits AS l ON " + " + ".join(["l.ref"] * 49) + " = g.ref", TOO_OFTEN),
    # The view makes each of these of two columns.
    ("SELECT ref FROM claim_boundaries WHERE COALESCE(" + ", ".join(["what"] * 30) + ") = 'x'", TOO_OFTEN),
]


@pytest.mark.parametrize(("sql", "message"), TOO_LARGE)
def test_queries_have_a_size(sql: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        analyse(sql)


@pytest.mark.parametrize(
    "sql",
    [
        doubled(5),
        in_one_list(5),
        nested(11, "SELECT ref", "SELECT ref FROM limits"),
        # A total is computed once, whatever is done with it.
        nested(8, "SELECT MAX(s + s) AS s", "SELECT ref AS s FROM limits"),
        nested(8, "SELECT MAX(s + s) OVER (PARTITION BY s) AS s", "SELECT ref AS s FROM limits"),
        # Conditions joined by AND are moved one by one.
        "SELECT ref FROM limits WHERE " + " AND ".join(["ref = ref"] * 60),
        # What only asks for yes or no hands nothing on.
        "SELECT ref FROM limits AS l WHERE EXISTS (SELECT 1 FROM gates AS g WHERE "
        + " AND ".join(["g.ref = l.ref"] * 60)
        + ")",
        " UNION ALL ".join([f"SELECT ref, 'kind {n}' AS what FROM limits" for n in range(20)]),
    ],
)
def test_queries_of_a_usual_size_are_allowed(sql: str) -> None:
    analyse(sql)


WORDS = [
    "SELECT",
    "ref",
    "FROM",
    "limits",
    "WHERE",
    "(",
    ")",
    "'",
    '"',
    ";",
    "--",
    "/*",
    "$x",
    "1",
    ",",
    "*",
    "AS",
    "||",
]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_query_or_a_mistake(sql: str) -> None:
    try:
        analysis = analyse(sql)
    except ConfigurationError:
        return
    assert analysis.tables <= TABLES.keys()
    assert analysis.parameters == parameters(sql)


# ---------------------------------------------------------------------------------------------------------- lineage


def test_a_query_reads_what_its_views_read() -> None:
    analysis = analyse("SELECT ref, amount AS found FROM outside_limits WHERE amount <= $most")
    assert analysis.tables == {"limits"}
    assert {"ref", "amount", "layer", "on_breach", "basis"} <= analysis.columns
    assert analysis.parameters == {"most"}
    assert analyse("SELECT ref FROM past_ceiling").tables == {"capabilities", "events", "limits", "tasks"}


def test_a_gap_touches_what_reads_its_table_or_column() -> None:
    analysis = Analysis(frozenset({"limits"}), frozenset({"amount"}), frozenset())
    touched = {
        facts: analysis.touched_by(facts)
        for facts in (None, "limits", "limits.amount", "limits.via", "gates", "gates.amount")
    }
    assert touched == {
        None: True,
        "limits": True,
        "limits.amount": True,
        "limits.via": False,
        "gates": False,
        "gates.amount": False,
    }


def test_every_view_can_be_read_by_each_of_its_columns() -> None:
    for name, known in query._views().items():
        assert known.columns
        analyse(f"SELECT {', '.join(f'v.{column}' for column in sorted(known.columns))} FROM {name} AS v")
        assert known.analysis.tables <= TABLES.keys()
    assert list(query._views()) == [view.name for view in views()]


def test_names_and_parameters_are_found_without_parsing() -> None:
    sql = "SELECT l.ref, $most FROM limits AS l JOIN reach ON reach.name = l.via AND l.amount < $least"
    assert names(sql, frozenset({"limits", "reach", "gates", "ref"})) == {"limits", "reach", "ref"}
    assert parameters(sql) == {"most", "least"}
    assert parameters("SELECT 1") == frozenset()
