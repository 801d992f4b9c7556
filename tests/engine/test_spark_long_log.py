"""Spark finds in a long log what DuckDB finds. `make spark` gives it a process, and so a Spark, of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import spark_session
from psf_audit.engine.spark_engine import SparkEngineSession
from psf_audit.query import Bounds
from tests.sparks import MASTER, both, compared, facts_of_all_cases, newest, starts_spark, with_log
from tests.tables import BOUNDS

if TYPE_CHECKING:
    import pytest

COUNT, FULL_COUNT = 200_000, 1_000_000


@starts_spark
def test_a_long_log_is_answered_alike(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(spark_session.MASTER, MASTER)
    count = FULL_COUNT if pytestconfig.getoption("--spark-full") else COUNT
    found = []
    with both(with_log(facts_of_all_cases(), count), Bounds(seconds=600, memory_mib=4096)) as sessions:
        assert isinstance(sessions[1], SparkEngineSession)
        sessions[1]._spark.conf.set("spark.sql.files.maxPartitionBytes", "2m")
        assert sessions[1]._spark.table("events").rdd.getNumPartitions() >= 4
        for known, _ in newest():
            for entry in known.controls:
                for name, sql in entry.criteria.items():
                    answers = compared(sessions, sql, entry.parameters(name))
                    assert answers.failure is None, (entry.id, name)
                    found.append(answers.count)
    # Otherwise two engines that find nothing would be alike.
    assert sum(1 for number in found if number) > len(found) // 2
    assert max(found) > BOUNDS.rows
