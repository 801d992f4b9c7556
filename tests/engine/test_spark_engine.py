"""Sessions of Spark: what is loaded and how, limits, what is left behind, and what no query reaches.

The tests that start Spark run with `make spark`; `make test` skips them.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from psf_audit import spark_session, spark_tables
from psf_audit.engine.spark_engine import _SMALL_LOG, ENGINE, SparkEngineSession
from psf_audit.errors import ConfigurationError
from psf_audit.facts.store import Dataset
from psf_audit.query import Answer, Bounds
from psf_audit.spark_tables import EVENTS, STAGING
from tests.sparks import LIMITS, both, compared, held, session, starts_spark
from tests.tables import BOUNDS, filled

pytestmark = pytest.mark.usefixtures("spark")


# ----------------------------------------------------------------------------------------------------- without Spark


@pytest.mark.parametrize("missing", ["pyspark", "pyspark.sql", "pyarrow", "sqlglot"])
def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in {missing, *(name for name in sys.modules if name.startswith(f"{missing}."))}:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ConfigurationError, match="is not installed") as raised:
        ENGINE.open(filled(), BOUNDS)

    assert "pip install 'psf-audit[spark]'" in (raised.value.hint or "")


def test_without_java_it_says_which_one_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: make spark installs it")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("JAVA_HOME", "SPARK_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)

    with pytest.raises(ConfigurationError, match="needs Java") as raised:
        spark_session.session(small=True, memory_mib=512)

    assert "Java 17" in (raised.value.hint or "")


# ---------------------------------------------------------------------------------------------------------- session


@starts_spark
def test_rows_are_limited_and_counted_and_firm_ones_come_first() -> None:
    events = [{"name": f"call {number:03}"} for number in range(250)]
    sql = "SELECT ref, name AS what, CASE WHEN name <> 'call 249' THEN 'events.approval' END AS absent FROM events"
    with both(filled(events=events), Bounds(rows=10)) as sessions:
        answers = compared(sessions, sql)
    assert (answers.count, len(answers.rows)) == (250, 10)
    assert [row.what for row in answers.rows if row.absent is None] == ["call 249"]


@starts_spark
def test_every_value_arrives_as_it_was() -> None:
    text = 'é"\\\n\t\x00\U0001f600{}'
    rows = [{"resource": "usd", "amount": Decimal("0.000000001"), "via": text, "aligned": False, "per_seconds": 2**62}]
    with session(limits=rows) as opened:
        answers = opened.ask(
            "SELECT per_seconds AS ref, via AS what, amount AS found, aligned AS expected FROM limits", {}
        )
    assert answers.rows == (Answer(2**62, text, Decimal("0.000000001"), expected=False),)


@starts_spark
def test_results_are_replaced() -> None:
    first = {"control": "A-01", "domain": "d", "status": "missing", "at_ms": 1, "bound": True}
    sql = "SELECT control AS what FROM results"
    with session() as opened:
        assert opened.ask(sql, {}).count == 0
        opened.results([first])
        assert [row.what for row in opened.ask(sql, {}).rows] == ["A-01"]
        opened.results([first | {"control": "B-01"}])
        assert [row.what for row in opened.ask(sql, {}).rows] == ["B-01"]


@starts_spark
def test_a_closed_session_answers_nothing_and_another_sees_none_of_it() -> None:
    with session(limits=LIMITS) as opened:
        assert opened.ask("SELECT ref FROM limits", {}).count == 3
        with session() as other:
            assert other.ask("SELECT ref FROM limits", {}).count == 0
        assert opened.ask("SELECT ref FROM limits", {}).count == 3
    assert opened.ask("SELECT ref FROM limits", {}).failure


@starts_spark
def test_the_time_limit_ends_a_query_and_not_the_session() -> None:
    # Spark looks whether it was told to stop once for each row of the first of them.
    events = [{"seq": number} for number in range(1_500)]
    with session(Bounds(seconds=10), events=events) as opened:
        assert opened.ask("SELECT COUNT(*) AS found FROM events", {}).count == 1
        began = time.monotonic()
        answers = opened.ask(
            "SELECT SUM(a.seq * b.seq + c.seq) AS found FROM events AS a, events AS b, events AS c", {}
        )
        assert answers.failure == "it took longer than 10 seconds"
        assert time.monotonic() - began < 60
        assert opened.ask("SELECT COUNT(*) AS found FROM events", {}).count == 1


@starts_spark
def test_a_log_that_is_not_small_leaves_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STAGING, str(tmp_path))
    events = [{"seq": number, "name": "x"} for number in range(_SMALL_LOG + 1)]
    with session(events=events) as opened:
        assert opened.ask("SELECT MAX(seq) AS found FROM events", {}).rows[0].found == _SMALL_LOG
        assert opened.ask("SELECT ref FROM reach", {}).count == 1
        assert list(tmp_path.rglob("*.parquet"))
    assert list(tmp_path.iterdir()) == []


@starts_spark
def test_a_cluster_needs_a_folder_that_all_see(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spark_session, "is_local", lambda _: False)
    events = [{"seq": number} for number in range(_SMALL_LOG + 1)]
    with pytest.raises(ConfigurationError, match=STAGING):
        SparkEngineSession(filled(events=events), BOUNDS)
    monkeypatch.setenv(STAGING, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=STAGING):
        SparkEngineSession(filled(events=events), BOUNDS)


def many_events(**more: Any) -> Dataset:
    return filled(events=[{"seq": number, "name": "x"} | more for number in range(_SMALL_LOG + 1)])


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of Parquet with the log of `many_events`, which an assessment left behind."""
    (tmp_path / "staging").mkdir()
    monkeypatch.setenv(STAGING, str(tmp_path / "staging"))
    monkeypatch.setenv(EVENTS, f"file://{tmp_path}/log")
    ENGINE.open(many_events(), BOUNDS).close()
    assert list(tmp_path.glob("log/*.parquet"))
    return f"file://{tmp_path}/log"


@starts_spark
@pytest.mark.parametrize("in_database", [True, False])
@pytest.mark.parametrize("as_table", [True, False])
def test_a_log_that_spark_keeps_is_staged_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str, *, as_table: bool, in_database: bool
) -> None:
    dataset = many_events()
    if in_database:
        dataset = replace(dataset, events=held(dataset.events))
    if as_table:
        monkeypatch.setenv(EVENTS, "log_of_test")
        ENGINE.open(dataset, BOUNDS).close()
    try:
        with both(dataset) as sessions:
            assert list(tmp_path.rglob("staging/**/*.parquet")) == []
            assert compared(sessions, "SELECT MAX(seq) AS found, COUNT(*) AS expected FROM events").failure is None
            assert compared(sessions, "SELECT ref, name AS what FROM reach").count == 1
        assert list(tmp_path.glob("staging/*")) == []
    finally:
        spark_session.session(small=True, memory_mib=512).sql("DROP TABLE IF EXISTS log_of_test")
    assert kept


@starts_spark
@pytest.mark.parametrize(
    ("dataset", "named", "message"),
    [
        (lambda: filled(events=[{"seq": 1}]), "{kept}", "holds 5001 entries, and they are not the 1 of this log"),
        (lambda: many_events(at_ms=1_795_305_600_009), "{kept}", "they are not the 5001 of this log"),
        (many_events, "no_such_schema.log", "cannot be used"),
        (many_events, "nosuch://host/log", "cannot be used"),
        (many_events, "{kept}/../other", "has no column source of the type string"),
    ],
)
def test_a_log_that_is_another_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, kept: str, dataset: Any, named: str, message: str
) -> None:
    one = spark_session.session(small=True, memory_mib=512).sql("SELECT CAST(1 AS BIGINT) AS ref")
    one.write.parquet(f"{kept}/../other")
    monkeypatch.setenv(EVENTS, named.format(kept=kept))

    with pytest.raises(ConfigurationError, match=message):
        ENGINE.open(dataset(), BOUNDS)

    assert list(Path(os.environ[STAGING]).iterdir()) == []


@starts_spark
def test_a_folder_that_executors_do_not_share_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spark_session, "is_local", lambda _: False)
    monkeypatch.setattr(spark_tables, "address", lambda path: f"file://{tmp_path}/elsewhere{path}")
    opened = spark_session.session(small=True, memory_mib=512)
    monkeypatch.setenv(STAGING, str(tmp_path))
    assert spark_tables.folder(opened).is_dir()
    monkeypatch.setattr(spark_tables, "address", lambda _: f"file://{Path(__file__)}/none")

    with pytest.raises(ConfigurationError, match="the driver does not find"):
        spark_tables.folder(opened)


# --------------------------------------------------------------------------------------------------------- the lock

UNCHECKED = [
    "SELECT * FROM parquet.`{folder}`", "SELECT * FROM text.`{file}`", "SELECT * FROM '{file}'",
    "SELECT * FROM read_text('{file}')",
    "SELECT java_method('java.lang.System', 'getenv', 'HOME') AS what",
    "SELECT reflect('java.lang.System', 'exit', 1) AS what",
    "SELECT getenv('HOME') AS what", "SELECT current_user() AS what", "SELECT current_timestamp AS what",
    "SELECT * FROM range(10)",
    "SELECT 1) AS a; COPY limits TO '{folder}/out.csv'; SELECT 2 FROM (SELECT 1", "SELECT 1; SELECT 2",
    "DROP TABLE limits",
    "WITH x AS (DELETE FROM limits RETURNING ref) SELECT ref FROM x", "SET spark.sql.ansi.enabled = false",
    "not SQL", "",
    "SELECT nothing FROM limits", "SELECT ref FROM nothing", "SELECT CAST(scope AS BIGINT) AS ref FROM limits",
    "SELECT mod(1, 0) AS found",
    "SELECT (SELECT ref FROM limits) AS ref",
    "SELECT 99999999999999999999 * 99999999999999999999 * 99999999999999999999 AS found",
]  # fmt: skip


@starts_spark
@pytest.mark.parametrize("sql", UNCHECKED)
def test_even_what_was_not_checked_reaches_no_file_and_no_setting(tmp_path: Path, sql: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\nhunter22,1\n")
    with session(limits=LIMITS) as opened:
        answers = opened.ask(sql.format(file=tmp_path / "secret.csv", folder=tmp_path), {})
        assert answers.failure
        assert len(answers.failure) <= 200
        assert "hunter22" not in str(answers)
        assert opened.ask("SELECT ref FROM limits", {}).count == 3
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
