"""The database that holds logs: a temporary file, of which no more than a cap is in memory at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from psf_audit.artifact import Artifact

MEMORY_MIB = 1024
LOGS = "logs"
_LOCKS = (
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)
_TICK_SECONDS = 0.1
_ROWS_AT_ONCE = 10_000


class Database:
    """A DuckDB, opened when it is first used. Logs are in a temporary file, compressed; sessions are in memory.

    In memory a log would take as much as its file, and what goes beyond the cap would be written out all the same.
    `watch` is told what is being done and how much of it (0 to 1, None where that is not known).
    """

    def __init__(self, memory_mib: int = MEMORY_MIB, watch: Callable[[str, float | None], None] | None = None) -> None:
        """Nothing is opened yet."""
        self.memory_mib = memory_mib
        self.watch = watch or (lambda _what, _share: None)
        self._numbers = count(1)
        self._locked = False

    @cached_property
    def folder(self) -> Path:
        """A temporary folder that goes when nothing refers to the database any more."""
        folder = tempfile.mkdtemp(prefix="psf-audit-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The first connection; others are its cursors."""
        import duckdb

        connection = duckdb.connect(
            ":memory:",
            # The limit covers DuckDB's buffers, not all it allocates: leave a fifth for the rest.
            config={
                "memory_limit": f"{max(64, self.memory_mib * 8 // 10)}MiB",
                "threads": _threads(),
                "temp_directory": str(self.folder / "spill"),
            },
        )
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        return connection

    @cached_property
    def logs(self) -> duckdb.DuckDBPyConnection:
        """A connection to the file with the logs."""
        # Nobody needs the file after this process: what a crash would lose need not be written twice.
        file = literal(str(self.folder / LOGS))
        self.connection.execute(f"SET wal_autocheckpoint = '1TB'; ATTACH {file} AS {LOGS}")
        connection = self.connection.cursor()
        connection.execute(f"USE {LOGS}")
        return connection

    def _another(self) -> duckdb.DuckDBPyConnection:
        connection = self.logs.cursor()
        connection.execute(f"USE {LOGS}")
        return connection

    def session(self, settings: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
        """A connection with tables of its own, for questions of others: from now on the database reads no file."""
        connection = self.connection.cursor()
        if not self._locked:
            connection.execute(";".join((*settings, *_LOCKS)))
            self._locked = True
        own = self.name("session")
        connection.execute(f"ATTACH ':memory:' AS {own}; USE {own}")
        return connection

    @contextmanager
    def named(self, artifact: Artifact, suffix: str) -> Iterator[Path]:
        """A path to a file under a name of our own: one with a star in it would stand for several files.

        What is compressed is expanded, so that all cores can read it, and no further than to the bound.

        Raises:
            Unreadable: it is damaged, or larger than the bound.
        """
        path = self.folder / f"{self.name('file')}{suffix}"
        try:
            if artifact.is_gzip or artifact.file is None:
                with path.open("wb") as copy:
                    artifact.expand(copy)
            else:
                path.symlink_to(artifact.file.resolve())
            yield path
        finally:
            path.unlink(missing_ok=True)

    def name(self, stem: str) -> str:
        """A name that no table of this database has."""
        return f"{stem}_{next(self._numbers)}"

    def run(self, sql: str, parameters: Any = None, *, what: str = "") -> list[tuple[Any, ...]]:
        """The rows of a statement, with its progress told; Ctrl-C ends it at once.

        Raises:
            duckdb.Error: it cannot be run.
        """
        connection = self._another()
        worker = ThreadPoolExecutor(1, thread_name_prefix="psf-audit-columns")
        try:
            asked = worker.submit(lambda: connection.execute(sql, parameters).fetchall())
            while True:
                try:
                    return asked.result(_TICK_SECONDS)
                except NotYet:
                    if asked.done():
                        raise
                    if what:
                        self.watch(what, _share(connection))
        except BaseException:
            connection.interrupt()
            raise
        finally:
            worker.shutdown()
            connection.close()

    def rows(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of a SELECT one by one, by the names of its columns."""
        connection = self._another()
        try:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            while chunk := cursor.fetchmany(_ROWS_AT_ONCE):
                for row in chunk:
                    yield dict(zip(names, row, strict=True))
        finally:
            connection.close()


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(connection: duckdb.DuckDBPyConnection) -> float | None:
    percent = connection.query_progress()
    return percent / 100 if percent >= 0 else None
