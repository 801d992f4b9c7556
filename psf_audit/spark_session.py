"""Reaching Spark: which one, how it is started, and what every session of it is set to.

`PSF_AUDIT_SPARK_MASTER` names a master (`local[4]`, `yarn`, `spark://host:7077`, `sc://host`). Without it Spark's own
settings decide, where there are any; else Spark runs inside this machine, reachable from nowhere else.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER = "PSF_AUDIT_SPARK_MASTER"
# Any of these says that somebody has set Spark up, or that this program was started by spark-submit.
_SET_UP = (
    "SPARK_REMOTE",
    "SPARK_CONNECT_MODE_ENABLED",
    "MASTER",
    "SPARK_HOME",
    "SPARK_CONF_DIR",
    "PYSPARK_SUBMIT_ARGS",
)
_INSTALL = "install it with: pip install 'psf-audit[spark]'"
_JAVA = "Spark needs Java 17 or newer: apt-get install openjdk-17-jre-headless on Debian and Ubuntu, or set JAVA_HOME"
# Sums, casts and divisions must be those of DuckDB: psf_audit/spark_sql.py relies on the first two.
_RULES = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.crossJoin.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
# On a log of a few thousand entries, Spark takes longer to plan, compile and spread the criteria than to run them.
_FOR_SMALL_LOGS = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.leafNodeDefaultParallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
# Nor is it worth the time to optimise the machine code of a Java that runs for a few minutes at most.
_JAVA_FOR_SMALL_LOGS = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF"}
_NAME = "psf-audit"
_LOCAL = re.compile(r"local(\[|$)")
_STARTING = Lock()


def session(*, small: bool, memory_mib: int) -> SparkSession:
    """A session of its own, with no table in it, in the Spark that is running or is started for it.

    Raises:
        ConfigurationError: pyspark or Java is missing, or Spark cannot be reached.
    """
    with _STARTING:
        spark = _started(memory_mib, small=small).newSession()
    rules = _RULES | _FOR_SMALL_LOGS if small else _RULES
    if not small and is_local(spark):
        # What is spread further than this over the processors of one machine takes longer.
        rules = rules | {"spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1))}
    for name, value in rules.items():
        spark.conf.set(name, value)
    return spark


def is_local(spark: SparkSession) -> bool:
    """Whether the files of this machine are those of all its executors; where a Connect server runs is not known."""
    return not _is_remote(spark) and (spark.conf.get("spark.master", "") or "").startswith("local")


def name_jobs(spark: SparkSession, name: str) -> None:
    """Give a name to what this thread asks of Spark from now on."""
    if _is_remote(spark):
        spark.addTag(name)
    else:
        spark.sparkContext.setJobGroup(name, _NAME, interruptOnCancel=True)


def cancel_jobs(spark: SparkSession, name: str) -> None:
    """Tell Spark to stop what goes on under this name, whichever thread asked for it."""
    if _is_remote(spark):
        spark.interruptTag(name)
    else:
        spark.sparkContext.cancelJobGroup(name)


def _is_remote(spark: SparkSession) -> bool:
    """Whether it is one of Spark Connect, which has no context; the others do not find tags across threads."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def _started(memory_mib: int, *, small: bool) -> SparkSession:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigurationError("the engine spark needs pyspark, which is not installed", hint=_INSTALL) from error
    # pyspark writes every failing query to stderr, and the engine reports it; of pandas nothing is used.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    master = os.environ.get(MASTER) or (None if any(name in os.environ for name in _SET_UP) else "local[*]")
    remote = master if master and master.startswith("sc://") else os.environ.get("SPARK_REMOTE")
    if remote is None and not _has_java():
        raise ConfigurationError("the engine spark needs Java, and there is none", hint=_JAVA)
    try:
        if remote is not None:
            return SparkSession.builder.remote(remote).appName(_NAME).getOrCreate()
        if master is not None and _LOCAL.match(master):
            _start_here(master, memory_mib, small=small)
        builder: Any = SparkSession.builder.appName(_NAME)
        for name, value in (_QUIET | ({"spark.master": master} if master else {})).items():
            builder = builder.config(name, value)
        return builder.getOrCreate()
    except (PySparkException, ImportError, OSError, RuntimeError) as error:
        raise _unreachable(error, master or remote) from error
    except Exception as error:
        # py4j has an exception of its own for each way in which Java fails.
        if not type(error).__module__.startswith("py4j"):
            raise
        raise _unreachable(error, master or remote) from error


def _start_here(master: str, memory_mib: int, *, small: bool) -> None:
    """Start Spark inside this machine: bound to it alone, in a folder of its own, its warnings in a file there."""
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._active_spark_context is not None:  # noqa: SLF001  pyspark has no other way to ask
        return
    folder = Path(tempfile.mkdtemp(prefix="psf-audit-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = _QUIET | {
        "spark.app.name": _NAME,
        "spark.master": master,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{max(512, memory_mib)}m",
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
    }
    if small:
        settings["spark.driver.extraJavaOptions"] = _JAVA_FOR_SMALL_LOGS
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    with (folder / "stderr").open("wb") as said:
        context = SparkContext(conf=conf, gateway=launch_gateway(conf, {"stderr": said}))
    # Functions registered last are called first: Spark ends, then its folder goes.
    atexit.register(context.stop)


def _unreachable(error: Exception, master: str | None) -> ConfigurationError:
    why = " ".join(str(error).split())[:200]
    return ConfigurationError(f"Spark ({master or 'as it is set up'}) cannot be started: {why}", hint=_JAVA)


def _has_java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return (Path(home, "bin", "java").exists() if home else False) or shutil.which("java") is not None
