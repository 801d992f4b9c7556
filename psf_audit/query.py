"""What a criterion may be, what it reads, and what an engine promises.

A criterion is one SELECT over the evidence tables and views. It comes with a rubric, and a rubric may come from
anybody, so its syntax tree is held against an allow-list before any engine runs it: no table functions, no functions
that allocate without bound or look around, no statement but SELECT.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psf_audit.errors import ConfigurationError
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from psf_audit.facts.store import Dataset

# What every engine has, that runs in bounded memory and answers to an interrupt.
FUNCTIONS = frozenset(
    ["abs", "bool_and", "bool_or", "ceil", "coalesce", "concat", "contains", "count", "count_star", "date_diff", "dense_rank", "ends_with", "first_value", "floor", "greatest", "last_value", "least", "length", "like_escape", "list_contains", "lower", "max", "min", "mod", "not_like_escape", "nullif", "rank", "regexp_matches", "replace", "round", "row_number", "split_part", "starts_with", "substr", "substring", "sum", "trim", "upper"]
)
OPERATORS = frozenset({"+", "-", "*", "/", "||", "~~", "!~~", "%"})
MAX_QUERY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a query reads: tables (views expanded), the column names it mentions, and the parameters it takes."""

    tables: frozenset[str]
    columns: frozenset[str]
    parameters: frozenset[str]

    def touched_by(self, facts: str | None) -> bool:
        """Whether a gap in `table` or `table.column` (None: anywhere) could change the answer."""
        if facts is None:
            return True
        table, _, column = facts.partition(".")
        return table in self.tables and (not column or column in self.columns)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of a criterion's answer, as the engine returns it."""

    ref: int | None
    what: str
    found: Any = None
    expected: Any = None
    unit: str | None = None
    at_ms: int | None = None
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The rows of one criterion up to the row limit, how many there are in all, and why it could not be answered."""

    rows: tuple[Answer, ...] = ()
    count: int = 0
    failure: str | None = None


class Session(Protocol):
    """An engine with one dataset loaded."""

    def ask(self, sql: str, parameters: Mapping[str, Any]) -> Answers:
        """The answer to a criterion that was checked; never raises for what the SQL does."""

    def results(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of the table `results`."""

    def close(self) -> None:
        """Give back what the session holds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a session may use: rows returned a criterion, seconds a criterion, memory in MiB."""

    rows: int = 100
    seconds: float = 60.0
    memory_mib: int = 1024


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine: `open` loads a dataset and returns a locked session; `parse` gives the syntax tree of a statement."""

    name: str
    open: Callable[[Dataset, Bounds], Session]


def syntax_tree(sql: str) -> dict[str, Any]:
    """The syntax tree of the single statement in a text.

    Raises:
        ConfigurationError: the text is too long, is no SQL, or is not exactly one SELECT.
    """
    if len(sql) > MAX_QUERY_CHARACTERS:
        raise ConfigurationError(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
    answer = json.loads(_parser().execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()[0])
    if answer["error"]:
        raise ConfigurationError(f"not one SELECT that can be parsed: {answer.get('error_message', 'syntax error')}")
    if len(answer["statements"]) != 1:
        raise ConfigurationError("a criterion is exactly one SELECT")
    tree: dict[str, Any] = answer["statements"][0]
    return tree


_CONNECTION: list[Any] = []


def _parser() -> Any:
    if not _CONNECTION:
        import duckdb

        connection = duckdb.connect(":memory:", config={"threads": 1})
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        _CONNECTION.append(connection)
    return _CONNECTION[0]


def analyse(sql: str) -> Analysis:
    """What a criterion reads, once it was held against the allow-list.

    Raises:
        ConfigurationError: it is not one SELECT, or uses a table, function or construct that is not allowed.
    """
    direct = _direct(sql)
    tables: set[str] = set()
    columns = set(direct.columns)
    for name in direct.tables:
        if name in TABLES:
            tables.add(name)
        else:
            tables |= _view_reads()[name].tables
            columns |= _view_reads()[name].columns
    return Analysis(frozenset(tables), frozenset(columns), direct.parameters)


_VIEW_READS: dict[str, Analysis] = {}


def _view_reads() -> dict[str, Analysis]:
    if not _VIEW_READS:
        for view in views():
            direct = _direct(view.sql)
            tables, columns = set(direct.tables & TABLES.keys()), set(direct.columns)
            for name in direct.tables - TABLES.keys():
                tables |= _VIEW_READS[name].tables
                columns |= _VIEW_READS[name].columns
            _VIEW_READS[view.name] = Analysis(frozenset(tables), frozenset(columns), frozenset())
    return _VIEW_READS


def _direct(sql: str) -> Analysis:
    known = TABLES.keys() | {view.name for view in views()}
    tree = syntax_tree(sql)
    tables: set[str] = set()
    columns: set[str] = set()
    parameters: set[str] = set()
    own = {entry["key"] for node in _nodes(tree) for entry in (node.get("cte_map") or {}).get("map", [])}
    for node in _nodes(tree):
        match node.get("type"):
            case "BASE_TABLE":
                name = node["table_name"]
                if node.get("schema_name") or node.get("catalog_name") or name not in known | own:
                    raise ConfigurationError(f"reads {name!r}, which is no evidence table or view")
                tables |= {name} - own
            case "TABLE_FUNCTION" | "PIVOT" | "SHOW_REF" | "RECURSIVE_CTE_NODE" | "COLUMN_DATA" | "DELIM_GET" as kind:
                raise ConfigurationError(f"uses {kind.lower().replace('_', ' ')}, which is not allowed")
            case "COLUMN_REF":
                columns.add(node["column_names"][-1])
            case "VALUE_PARAMETER":
                parameters.add(node["identifier"])
            case _:
                pass
        function = node.get("function_name")
        if function and function not in FUNCTIONS | OPERATORS:
            raise ConfigurationError(f"uses the function {function!r}, which is not on the list of allowed functions")
    return Analysis(frozenset(tables), frozenset(columns), frozenset(parameters))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
