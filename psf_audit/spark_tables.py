"""The evidence tables in Spark.

Facts go there with the queries. So does a log that is small; a larger one goes as Parquet, through a folder that driver
and executors both see, or stands in a table of Spark already.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from decimal import ROUND_HALF_UP, Decimal
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psf_audit import spark_session
from psf_audit.columns.database import literal
from psf_audit.columns.plain import MAX_CHARACTERS
from psf_audit.columns.rows import short
from psf_audit.columns.table import LogRows
from psf_audit.errors import ConfigurationError
from psf_audit.facts.tables import TABLES, ColumnType, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Row = dict[str, Any]

STAGING = "PSF_AUDIT_SPARK_STAGING"
EVENTS = "PSF_AUDIT_SPARK_EVENTS"
# So that executors can share a log: so many rows in each of its files, or groups of rows, and so many bytes in a file.
_ROWS = 50_000
_BYTES = "16MB"
_PROBES = 16
_UNIT = Decimal("1e-9")
_SPARK = {
    ColumnType.TEXT: "string",
    ColumnType.INTEGER: "bigint",
    ColumnType.DECIMAL: "decimal(18,9)",
    ColumnType.BOOLEAN: "boolean",
}
# What tells two logs apart: how many rows, and sums of numbers that each row has its own of.
_SUMMED = ("ref", "ord", "at_ms")


def check_installed() -> None:
    """See that what the tables need is there.

    Raises:
        ConfigurationError: pyarrow or sqlglot is missing.
    """
    for name in ("pyarrow", "sqlglot"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            hint = "install it with: pip install 'psf-audit[spark]'"
            raise ConfigurationError(f"the engine spark needs {name}, which is not installed", hint=hint) from error


def folder(spark: SparkSession) -> Path:
    """A new folder for the log and what is computed from it, which the driver and all executors see.

    Raises:
        ConfigurationError: on a cluster none is named, or not all see it; or it cannot be written to.
    """
    given = os.environ.get(STAGING)
    if given is None and not spark_session.is_local(spark):
        raise ConfigurationError(
            f"on a cluster, {STAGING} has to name a folder that the driver and all executors see",
            hint="a mounted file share, or a volume; what is written there is removed at the end",
        )
    try:
        made = Path(tempfile.mkdtemp(prefix="psf-audit-", dir=given)).absolute()
    except OSError as error:
        raise ConfigurationError(f"{STAGING}: {error.strerror or error}") from error
    if not spark_session.is_local(spark) and not _is_shared(spark, made):
        shutil.rmtree(made, ignore_errors=True)
        raise ConfigurationError(
            f"{STAGING}: the driver does not find in {given} what executors write there",
            hint="it has to be one folder, under the same path on all machines",
        )
    return made


def _is_shared(spark: SparkSession, made: Path) -> bool:
    """Whether what executors write into a folder can be read again; otherwise it would be lost without an error."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    place = address(made / "shared")
    try:
        spark.range(0, _PROBES, 1, _PROBES).write.parquet(place)
        return bool(spark.read.parquet(place).count() == _PROBES)
    except (PySparkException, Py4JError):
        return False


def address(path: Path) -> str:
    """A path as Spark takes it: without a scheme it would be one of the cluster's own file system."""
    return f"file://{path}"


def schema(table: Table) -> str:
    """The columns of a table as Spark writes them."""
    return ", ".join(f"`{column.name}` {_SPARK[column.type]}" for column in table.columns)


def of_rows(spark: SparkSession, table: Table, rows: Iterable[Row]) -> DataFrame:
    """A table of rows that go to Spark with the queries."""
    return spark.createDataFrame(_arrow(table, rows), schema=schema(table))


# -------------------------------------------------------------------------------------------------------------- logs


def log(spark: SparkSession, events: Collection[Row], staging: Path) -> DataFrame:
    """The table `events` of a log that is not small.

    Raises:
        ConfigurationError: a table is named that does not hold this log, or Spark does not find all of what was staged.
    """
    named = os.environ.get(EVENTS)
    if named is None:
        return _staged(spark, events, staging)
    return _kept(spark, named, events, staging)


def _staged(spark: SparkSession, events: Collection[Row], staging: Path) -> DataFrame:
    place = staging / "events"
    place.mkdir()
    _stage(events, place)
    frame = spark.read.schema(schema(TABLES["events"])).parquet(address(place))
    found = frame.count()
    if found != len(events):
        raise ConfigurationError(f"{place}: Spark finds {found} entries of the {len(events)} of the log")
    return frame


def _stage(events: Collection[Row], place: Path) -> None:
    """Write a log as several Parquet files; one that a database holds is written by it, and no row passes here."""
    if isinstance(events, LogRows):
        columns = ", ".join(
            f'CAST("{own.name}" AS {own.type.value}) AS "{own.name}"' for own in TABLES["events"].columns
        )
        events.database.run(
            f"COPY (SELECT {columns} FROM {events.relation}) TO {literal(str(place))} "  # noqa: S608  own names
            f"(FORMAT parquet, FILE_SIZE_BYTES '{_BYTES}', ROW_GROUP_SIZE {_ROWS}, OVERWRITE_OR_IGNORE)",
            what="writing the log for Spark",
        )
        return
    import pyarrow.parquet as pq

    rows = iter(events)
    for number in count():
        chunk = list(islice(rows, _ROWS))
        if not chunk:
            break
        pq.write_table(_arrow(TABLES["events"], chunk), place / f"{number:06}.parquet")


def _kept(spark: SparkSession, named: str, events: Collection[Row], staging: Path) -> DataFrame:
    """The log in a table of the catalog, or in Parquet at an address that Spark knows; written there when it is new."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    is_address = "/" in named
    try:
        if not _is_there(spark, named):
            written = _staged(spark, events, staging).write
            written.parquet(named) if is_address else written.format("parquet").saveAsTable(named)
        frame = spark.read.parquet(named) if is_address else spark.table(named)
        return _checked(frame, named, events)
    except (PySparkException, Py4JError) as error:
        why = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"{EVENTS}: {named} cannot be used: {why}") from error


def _is_there(spark: SparkSession, named: str) -> bool:
    from pyspark.errors import AnalysisException

    try:
        if "/" not in named:
            return bool(spark.catalog.tableExists(named))
        spark.read.parquet(named)
    except AnalysisException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            return False
        raise
    return True


def _checked(frame: DataFrame, named: str, events: Collection[Row]) -> DataFrame:
    """The columns of a table, once it is seen to hold this log."""
    from pyspark.sql import functions

    columns = {column.name: _SPARK[column.type] for column in TABLES["events"].columns}
    kinds = dict(frame.dtypes)
    wrong = [name for name, kind in columns.items() if kinds.get(name) != kind]
    if wrong:
        raise ConfigurationError(
            f"{EVENTS}: {named} has no column {wrong[0]} of the type {columns[wrong[0]]}",
            hint="name one that does not exist yet: the log is then written there",
        )
    sums = [functions.sum(functions.col(name).cast("decimal(38,0)")) for name in _SUMMED]
    found = tuple(frame.agg(functions.count("*"), *sums).collect()[0])
    if found != _sums(events):
        raise ConfigurationError(
            f"{EVENTS}: {named} holds {found[0]} entries, and they are not the {len(events)} of this log",
            hint="name one that does not exist yet: the log is then written there",
        )
    return frame.select(*columns)


def _sums(events: Collection[Row]) -> tuple[Any, ...]:
    """How many rows a log has, and the sums of some columns; none where no row has a value."""
    if isinstance(events, LogRows):
        summed = ", ".join(f"SUM({name})" for name in _SUMMED)
        ((number, *sums),) = events.database.run(f"SELECT COUNT(*), {summed} FROM {events.relation}")  # noqa: S608
        return (number, *(None if value is None else Decimal(value) for value in sums))
    totals: dict[str, Decimal | None] = dict.fromkeys(_SUMMED)
    for row in events:
        for name in _SUMMED:
            if row[name] is not None:
                totals[name] = (totals[name] or Decimal(0)) + row[name]
    return (len(events), *totals.values())


# ------------------------------------------------------------------------------------------------------------- values


def _arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    import pyarrow as pa

    kinds = {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.DECIMAL: pa.decimal128(18, 9),
        ColumnType.BOOLEAN: pa.bool_(),
    }
    held = list(rows)
    columns = {}
    for column in table.columns:
        plain: Callable[[Any], Any] | None = _PLAIN.get(column.type)
        values = [row[column.name] for row in held]
        columns[column.name] = pa.array(
            values if plain is None else [None if value is None else plain(value) for value in values],
            type=kinds[column.type],
        )
    return pa.table(columns)


def _exact(value: Decimal) -> Decimal:
    return Decimal(value).quantize(_UNIT, ROUND_HALF_UP)


def _text(text: str) -> str:
    return short(text) if len(text) > MAX_CHARACTERS else text


_PLAIN: dict[ColumnType, Callable[[Any], Any]] = {ColumnType.DECIMAL: _exact, ColumnType.TEXT: _text}
