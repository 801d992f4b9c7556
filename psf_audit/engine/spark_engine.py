"""Spark, on this machine or on any cluster: for logs that one machine is too small for.

The criteria and views are those of every other engine, translated by `psf_audit.spark_sql`; `psf_audit.spark_tables`
says how facts and logs come to Spark.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from psf_audit import answering, spark_session, spark_sql, spark_tables
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.query import Answers, Bounds, Engine, names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from concurrent.futures import Future as Asked
    from pathlib import Path

    from pyspark.sql import DataFrame

    from psf_audit.facts.store import Dataset

_SMALL_LOG = 5_000
_PATIENCE = 10.0


class SparkEngineSession:
    """One dataset in one session of Spark; tables and views are made when a criterion first reads them."""

    def __init__(self, dataset: Dataset, bounds: Bounds) -> None:
        """Reach Spark, and stage the log there if it is not small."""
        spark_tables.check_installed()
        self._bounds = bounds
        self._rows = dict(dataset.tables)
        self._is_small = len(dataset.events) <= _SMALL_LOG and spark_tables.EVENTS not in os.environ
        self._spark = spark_session.session(small=self._is_small, memory_mib=bounds.memory_mib)
        self._folder: Path | None = None
        self._made: set[str] = set()
        self._closed = False
        self._asked = 0
        try:
            self._load(dataset.events)
        except BaseException:
            self.close()
            raise

    def _load(self, events: Collection[dict[str, Any]]) -> None:
        if self._is_small:
            frame = spark_tables.of_rows(self._spark, TABLES["events"], events)
        else:
            self._folder = spark_tables.folder(self._spark)
            frame = spark_tables.log(self._spark, events, self._folder)
        frame.createOrReplaceTempView("events")
        self._made.add("events")

    def ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        """The rows of a criterion in a stable order, at most the row limit of them, with their full count."""
        return answering.bounded(lambda asked: self._within_time(asked, parameters), sql, self._bounds.rows)

    def _within_time(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        if self._closed:
            return Answers(failure="the session is closed")
        self._asked += 1
        tag = f"psf-audit-{id(self)}-{self._asked}"
        asked: Asked[Answers] = Future()
        # A thread that ends with the program: Java may be deep in a computation that hears no interrupt.
        Thread(target=self._answer, args=(asked, tag, sql, parameters), daemon=True, name=tag).start()
        try:
            return asked.result(self._bounds.seconds)
        except TimeoutError:
            if not self._stopped(asked, tag):
                self._closed = True
            return Answers(failure=f"it took longer than {self._bounds.seconds:g} seconds")
        except BaseException:
            spark_session.cancel_jobs(self._spark, tag)
            raise

    def _stopped(self, asked: Asked[Answers], tag: str) -> bool:
        """Whether a query ended once it was told to; a query is many jobs, and planned between them."""
        for _ in range(int(_PATIENCE / 0.2)):
            spark_session.cancel_jobs(self._spark, tag)
            with suppress(TimeoutError):
                asked.result(0.2)
                return True
        return False

    def _answer(self, asked: Asked[Answers], tag: str, sql: str, parameters: Mapping[str, Any]) -> None:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            spark_session.name_jobs(self._spark, tag)
            asked.set_result(self._ask(sql, parameters))
        except (spark_sql.Untranslatable, PySparkException, Py4JError) as error:
            asked.set_result(answering.failure(error))
        except BaseException as error:  # noqa: BLE001  the thread that waits raises it
            asked.set_exception(error)

    def _ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        statement = spark_sql.statement(sql, parameters)
        self._make(sql)
        order = ", ".join(f"`{column}` NULLS LAST" for column in statement.columns)
        text = f"SELECT * FROM ({statement.text}) AS psf_rows ORDER BY {order} LIMIT {self._bounds.rows}"  # noqa: S608
        values = spark_sql.bound(parameters)
        found = self._spark.sql(text, args=values).collect()
        total = len(found)
        if total == self._bounds.rows:
            text = f"SELECT COUNT(*) FROM ({statement.text}) AS psf_rows"  # noqa: S608  analysed, and translated
            total = self._spark.sql(text, args=values).collect()[0][0]
        records = [
            {
                name: int(value) if kind == "HUGEINT" and value is not None else value
                for name, kind, value in zip(statement.names, statement.types, row, strict=True)
            }
            for row in found
        ]
        return Answers(rows=answering.rows(records), count=total)

    # ------------------------------------------------------------------------------------------------ tables and views

    def _make(self, sql: str) -> None:
        """Make the tables and views that a query reads and that are not there yet."""
        needed = answering.views_in(sql)
        texts = [sql, *(view.sql for view in views() if view.name in needed)]
        for name in sorted(frozenset().union(*(names(text, frozenset(TABLES)) for text in texts))):
            if name not in self._made:
                frame = spark_tables.of_rows(self._spark, TABLES[name], self._rows[name])
                frame.createOrReplaceTempView(name)
                self._made.add(name)
        for view in views():
            if view.name in needed and view.name not in self._made:
                frame = self._spark.sql(spark_sql.view(view.name))
                (self._keep(view.name, frame) if view.kept else frame).createOrReplaceTempView(view.name)
                self._made.add(view.name)

    def _keep(self, name: str, frame: DataFrame) -> DataFrame:
        """The same rows, computed once: of a small log as values, else as Parquet.

        Either way the queries that read them are planned as if it were a table, which a frame that Spark caches is not:
        planning then takes longer with each view that is built on another.
        """
        if self._folder is None:
            return self._spark.createDataFrame(frame.toArrow(), schema=frame.schema)
        path = spark_tables.address(self._folder / f"view-{name}")
        frame.write.parquet(path)
        return self._spark.read.schema(frame.schema).parquet(path)

    def results(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of the table `results`."""
        self._rows["results"] = rows
        self._made.discard("results")

    def close(self) -> None:
        """Give back what the session holds; Spark itself goes on until the program ends."""
        self._closed = True
        for name in self._made:
            self._spark.catalog.dropTempView(name)
        self._made.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


ENGINE = Engine(name="spark", open=SparkEngineSession)
