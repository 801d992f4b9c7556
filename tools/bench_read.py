"""DuckDB's bare reading of a log into a table, with a type for each column: what an assessment is measured against.

It has the threads and the memory that psf-audit gives its own database. Run as a program, it prints how many rows the
table has.
"""

import sys
import tempfile
from pathlib import Path

import duckdb

from psf_audit.facts.tables import TABLES
from psf_audit.query import Bounds

THREADS = 2  # of psf-audit's own database
_MADE = {"ref", "source", "ord", "computed_hash"}  # when a log is loaded: no line has them


def columns() -> str:
    """The columns of a line of the log with their types, as `read_json` takes them."""
    types = {
        column.name.removesuffix("_ms"): "TIMESTAMPTZ" if column.name.endswith("_ms") else column.type.value
        for column in TABLES["events"].own
        if column.name not in _MADE
    }
    return "{" + ", ".join(f"\"{name}\": '{kind}'" for name, kind in types.items()) + "}"


def main() -> None:
    """Read the log that is named, and print the number of its rows."""
    # psf-audit keeps a tenth of what it may use for what DuckDB does not count.
    memory = f"{Bounds().memory_mib * 9 // 10}MiB"
    with tempfile.TemporaryDirectory(prefix="psf-audit-bench-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory, "threads": THREADS, "temp_directory": spill,
        }  # fmt: skip
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute(
                f"CREATE TABLE log AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {columns()})",  # noqa: S608
                [str(Path(sys.argv[1]) / "events.jsonl")],
            )
            print(connection.sql("SELECT COUNT(*) FROM log").fetchall()[0][0])


if __name__ == "__main__":
    main()
