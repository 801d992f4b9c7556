"""What a criterion may be, what it reads, and what an engine promises.

A criterion is one SELECT over the evidence tables and views. It comes with a rubric, and a rubric may come from
anybody, so its syntax tree is held against an allow-list before any engine runs it: no table functions, no functions
that allocate without bound or look around, no statement but SELECT.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from psf_audit.errors import ConfigurationError
from psf_audit.facts.tables import KINDS, TABLES
from psf_audit.facts.views import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from psf_audit.facts.store import Dataset

# What every engine has, that runs in bounded memory and answers to an interrupt.
FUNCTIONS = frozenset(
    {
        *("abs", "ceil", "date_diff", "floor", "greatest", "least", "mod", "nullif", "round"),
        *("bool_and", "bool_or", "count", "count_star", "max", "min", "sum"),
        *("dense_rank", "first_value", "last_value", "rank", "row_number"),
        *("contains", "ends_with", "length", "lower", "regexp_matches", "replace", "split_part"),
        *("starts_with", "substr", "substring", "trim", "upper"),
        *("like_escape", "not_like_escape", "~~", "!~~"),
        *("+", "-", "*", "/", "%", "||"),
    }
)
# Engines work on some two thousand rows at a time and hold every intermediate text of them; not all of that counts
# against their memory limit. So the text that one expression can make is bounded here, and evidence text on loading.
MAX_QUERY_CHARACTERS = 8_000
MAX_TABLES = 40
MAX_NESTING = 12
MAX_EXPANSION = 48
MAX_JOINED = 20
MAX_LITERAL = 200
MAX_PATTERN = 40

PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_AGGREGATES = frozenset({"bool_and", "bool_or", "count", "count_star", "max", "min", "sum"})
_QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE"})
# The syntax that a criterion may use, as DuckDB names it; whatever is not here is refused.
_SYNTAX = _QUERIES | {
    *("BASE_TABLE", "EMPTY", "JOIN", "SUBQUERY"),
    *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "ORDER_MODIFIER"),
    *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
    *("COLUMN_REF", "TYPE", "VALUE_CONSTANT", "VALUE_PARAMETER"),
    *("CASE_EXPR", "FUNCTION", "OPERATOR_CAST", "OPERATOR_COALESCE"),
    *("CONJUNCTION_AND", "CONJUNCTION_OR", "OPERATOR_IS_NOT_NULL", "OPERATOR_IS_NULL", "OPERATOR_NOT"),
    *("COMPARE_BETWEEN", "COMPARE_DISTINCT_FROM", "COMPARE_EQUAL", "COMPARE_IN", "COMPARE_NOT_DISTINCT_FROM"),
    *("COMPARE_NOT_IN", "COMPARE_NOTEQUAL"),
    *("COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO"),
    *("WINDOW_AGGREGATE", "WINDOW_FIRST_VALUE", "WINDOW_LAST_VALUE"),
    *("WINDOW_RANK", "WINDOW_RANK_DENSE", "WINDOW_ROW_NUMBER"),
}
_TYPES = frozenset({"BIGINT", "BOOLEAN", "DECIMAL", "INTEGER", "VARCHAR"})
_LITERALS = frozenset({"BOOLEAN", "INTEGER", "NULL_LITERAL", "NUMERIC", "STRING"})
# Words that SQL reads as a column where there is one, and as a look at the clock or the session where there is none.
_NO_ALIASES = frozenset(
    {
        *("current_catalog", "current_database", "current_date", "current_role", "current_schema", "current_time"),
        *("current_timestamp", "current_user", "localtime", "localtimestamp", "rowid", "session_user", "user"),
    }
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a query reads: tables (through views), the columns it mentions, and its parameters.

    `kinds` has the kinds of rows that it asks for, of the tables of which it does not ask for all.
    """

    tables: frozenset[str]
    columns: frozenset[str]
    parameters: frozenset[str]
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def touched_by(self, facts: str | None, kinds: frozenset[str] = frozenset()) -> bool:
        """Whether a gap in `table` or `table.column` (None: anywhere) could change the answer.

        `kinds` are those that the lacking rows can be of; none given, they can be of any.
        """
        if facts is None:
            return True
        table, _, column = facts.partition(".")
        if kinds and table in self.kinds and not kinds & self.kinds[table]:
            return False
        return table in self.tables and (not column or column in self.columns)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of a criterion's answer, as the engine returns it; `against` is the fact that `ref` disagrees with."""

    ref: int | None
    what: str
    found: Any = None
    expected: Any = None
    unit: str | None = None
    at_ms: int | None = None
    absent: str | None = None
    against: int | None = None


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
    """One engine: `open` loads a dataset and returns a locked session.

    `one_after_the_other` gives another `open`, quicker for many small datasets, with the same answers.
    """

    name: str
    open: Callable[[Dataset, Bounds], Session]
    one_after_the_other: Callable[[], Callable[[Dataset, Bounds], Session]] | None = None


def parameters(sql: str) -> frozenset[str]:
    """The names of the `$parameters` in a criterion."""
    return frozenset(PARAMETER.findall(sql))


def names(sql: str, known: frozenset[str]) -> frozenset[str]:
    """Which of the known names occur as words in a criterion: all that it reads, and perhaps more."""
    return known & frozenset(_WORD.findall(sql))


def sources(sql: str) -> frozenset[str]:
    """The tables and views that a query names.

    Raises:
        ConfigurationError: the text is not exactly one SELECT.
    """
    return _direct(syntax_tree(sql)).tables


def syntax_tree(sql: str) -> dict[str, Any]:
    """The syntax tree of the single statement in a text.

    Raises:
        ConfigurationError: the text is too long, is no SQL, or is not exactly one SELECT.
    """
    if len(sql) > MAX_QUERY_CHARACTERS:
        raise ConfigurationError(f"is longer than {MAX_QUERY_CHARACTERS} characters")
    if not all(character.isprintable() or character in "\n\r\t" for character in sql):
        raise ConfigurationError("holds characters that cannot be printed")
    tree = _parsed(sql)
    if ";" in sql or "--" in sql or "/*" in sql:
        _parsed(in_brackets(sql))
    return tree


def in_brackets(sql: str) -> str:
    """A query as engines put it into their own: on lines of its own, so that a comment in it ends with it."""
    return f"SELECT * FROM (\n{sql}\n) AS psf_answer"  # noqa: S608  it is there to be parsed


def _parsed(sql: str) -> dict[str, Any]:
    parser, failures = _parser()
    try:
        answer = json.loads(parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()[0])
    except RecursionError as error:
        raise ConfigurationError("is nested too deep") from error
    except failures as error:
        raise ConfigurationError("is not SQL that can be parsed") from error
    if answer["error"]:
        message = " ".join(answer.get("error_message", "syntax error").split())
        raise ConfigurationError(f"is not one SELECT that can be parsed: {message[:200]}")
    if len(answer["statements"]) != 1:
        raise ConfigurationError("must be exactly one SELECT")
    tree: dict[str, Any] = answer["statements"][0]["node"]
    return tree


@cache
def _parser() -> tuple[Any, type[Exception]]:
    """A locked connection that only parses, and what it raises."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection, duckdb.Error


def analyse(sql: str) -> Analysis:
    """What a criterion reads, once it was held against the allow-list.

    Raises:
        ConfigurationError: it is not one SELECT, or uses a table, column, function or construct that is not allowed.
    """
    tree = syntax_tree(sql)
    allowed = {"BASE_TABLE": _check_table, **_CHECKS}
    for node in _nodes(tree):
        kind = node.get("type")
        if isinstance(kind, str):
            if kind not in _SYNTAX:
                raise ConfigurationError(_refusal(kind))
            if kind in allowed:
                allowed[kind](node)
    direct = _direct(tree)
    if len([node for node in _nodes(tree) if node.get("type") == "BASE_TABLE"]) > MAX_TABLES:
        raise ConfigurationError(f"reads tables in more than {MAX_TABLES} places")
    if len([node for node in _nodes(tree) if node.get("function_name") == "||"]) > MAX_JOINED:
        raise ConfigurationError(f"joins texts in more than {MAX_JOINED} places")
    _check_columns(tree, direct)
    if direct.parameters != parameters(sql):
        raise ConfigurationError("takes parameters that have no name, or holds $ in a text or comment; write $name")
    if _size(tree, _views()).most > MAX_EXPANSION:
        raise ConfigurationError("uses the columns of one query too often in the next")
    known = _views()
    reads = [known[name].analysis for name in direct.tables if name in known]
    return Analysis(
        frozenset(direct.tables & TABLES.keys()).union(*(read.tables for read in reads)),
        direct.columns.union(*(read.columns for read in reads)),
        direct.parameters,
        _kinds(tree, known),
    )


def _kinds(tree: dict[str, Any], known: Mapping[str, _Known]) -> dict[str, frozenset[str]]:
    """Of the tables of which a query asks for rows of certain kinds only: which kinds, in all of its parts together."""
    asked: dict[str, frozenset[str]] = {}
    whole: set[str] = set()
    for query in (node for node in _nodes(tree) if node.get("type") == "SELECT_NODE"):
        sources = [node for node in _split(query)[0] if node.get("type") == "BASE_TABLE"]
        for source in sources:
            for table, kinds in _kinds_of(source, sources, query, known).items():
                if kinds is None:
                    whole.add(table)
                else:
                    asked[table] = asked.get(table, frozenset()) | kinds
    return {table: kinds for table, kinds in asked.items() if table not in whole}


def _kinds_of(
    source: dict[str, Any], sources: Sequence[dict[str, Any]], query: dict[str, Any], known: Mapping[str, _Known]
) -> dict[str, frozenset[str] | None]:
    """For each table that one source of a query reads: the kinds of rows that it takes of it; None for all."""
    name = source["table_name"]
    below = {name} if name in TABLES else known[name].analysis.tables
    found: dict[str, frozenset[str] | None] = {}
    for table in below & KINDS.keys():
        column = KINDS[table]
        # A view hands on the column of its table, where only one of its tables has a column of that name.
        hands_on = name == table or (
            table != "records"
            and column in known[name].columns
            and not any(KINDS[other] == column for other in below & KINDS.keys() - {table})
        )
        others = [other for other in sources if other is not source and column in _columns_in(other, known)]
        own = _literals(query, source, column, alone=not others) if hands_on else None
        found[table] = own if own is not None or name == table else known[name].analysis.kinds.get(table)
    return found


def _columns_in(source: dict[str, Any], known: Mapping[str, _Known]) -> frozenset[str]:
    name = source["table_name"]
    return frozenset(column.name for column in TABLES[name].columns) if name in TABLES else known[name].columns


def _literals(query: dict[str, Any], source: dict[str, Any], column: str, *, alone: bool) -> frozenset[str] | None:
    """The texts that a condition which every row meets allows for a column of a source; None where there is none."""
    alias = source["alias"] or source["table_name"]
    for condition in _conditions(query, source):
        if condition["type"] == "COMPARE_EQUAL":
            tested, *values = condition["left"], condition["right"]
        elif condition["type"] == "COMPARE_IN":
            tested, *values = condition["children"]
        else:
            continue
        names = tested.get("column_names", [])
        texts = [value.get("literal", {}).get("text") for value in values if value["type"] == "VALUE_CONSTANT"]
        if names in ([alias, column], *([[column]] if alone else [])) and len(texts) == len(values):
            return frozenset(texts)
    return None


def _refusal(kind: str) -> str:
    if kind == "STAR":
        return "uses *, which is not allowed; name the columns"
    if kind.endswith(("CTE_NODE", "_QUERY_NODE")):
        return "uses WITH, which is not allowed; write a query in brackets"
    return f"uses {kind.lower().replace('_', ' ')}, which is not allowed"


def _check_table(node: dict[str, Any]) -> None:
    name = node["table_name"]
    if len(node["qualified_name"]["path"]) > 1 or name not in TABLES.keys() | _views().keys():
        raise ConfigurationError(
            f"reads {'.'.join(node['qualified_name']['path'])!r}, which is no evidence table or view"
        )
    if node["sample"] or node["at_clause"] or node["column_name_alias"]:
        raise ConfigurationError(
            f"reads {name} in a way that is not allowed; read all of it, with its own column names"
        )


def _check_select(node: dict[str, Any]) -> None:
    if node["cte_map"]["map"]:
        raise ConfigurationError(_refusal("CTE_NODE"))
    if node.get("sample") or len(node.get("group_sets", ())) > 1:
        raise ConfigurationError("takes a sample or groups in several ways, which is not allowed")
    modifiers = [modifier["type"] for modifier in node["modifiers"]]
    if "LIMIT_MODIFIER" in modifiers and "ORDER_MODIFIER" not in modifiers:
        raise ConfigurationError("uses LIMIT without ORDER BY: which rows it keeps would be chance")


def _check_join(node: dict[str, Any]) -> None:
    if node["ref_type"] not in {"REGULAR", "CROSS"} or node["using_columns"] or node["ranking_expression"]:
        raise ConfigurationError("uses a join without ON, which is not allowed; write JOIN ... ON")


def _check_function(node: dict[str, Any]) -> None:
    name = node["function_name"]
    if len(node["qualified_name"]["path"]) > 1 or name not in FUNCTIONS or node.get("export_state"):
        raise ConfigurationError(f"uses the function {name!r}, which is not on the list of allowed functions")
    if name in {"max", "min"} and len(node["arguments"]) > 1:
        raise ConfigurationError(f"uses {name} with several arguments, which is not allowed")
    if name == "replace":
        _check_replace(node)
    if name == "regexp_matches":
        _check_pattern(node)


def _check_replace(node: dict[str, Any]) -> None:
    """Text of any length could be made with it, and DuckDB does not count that against its memory limit."""
    old, new = _written_out(node, 1), _written_out(node, 2)
    if old is None or new is None or len(new) > len(old):
        raise ConfigurationError("uses replace to make text longer, or with what is not written out")


def _check_pattern(node: dict[str, Any]) -> None:
    """One with counted repetitions takes a minute for two thousand texts, and cannot be interrupted meanwhile."""
    pattern = _written_out(node, 1)
    if pattern is None or "{" in pattern or len(pattern) > MAX_PATTERN or len(node["arguments"]) > 2:  # noqa: PLR2004
        raise ConfigurationError("uses regexp_matches with a pattern that is long, counts, or is not written out")


def _written_out(node: dict[str, Any], index: int) -> str | None:
    """The text that stands as an argument, if it is a literal."""
    if index >= len(node["arguments"]):
        return None
    text: str | None = node["arguments"][index]["expression"].get("literal", {}).get("text")
    return text


def _check_cast(node: dict[str, Any]) -> None:
    name = node["type_expr"].get("type_name", "").upper()
    if name not in _TYPES or len(node["type_expr"]["qualified_name"]["path"]) > 1:
        raise ConfigurationError(
            f"casts to {name or 'a type'}, which is not allowed; cast to {', '.join(sorted(_TYPES))}"
        )


def _check_literal(node: dict[str, Any]) -> None:
    if node["literal"]["kind"] not in _LITERALS:
        raise ConfigurationError(f"holds a literal of the kind {node['literal']['kind'].lower()}, which is not allowed")
    if len(node["literal"]["text"]) > MAX_LITERAL:
        raise ConfigurationError(f"holds a literal of more than {MAX_LITERAL} characters")


def _check_reference(node: dict[str, Any]) -> None:
    if len(node["column_names"]) > 2:  # noqa: PLR2004  alias and column
        raise ConfigurationError(f"reads {'.'.join(node['column_names'])!r}, which is no column")


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "SELECT_NODE": _check_select,
    "SET_OPERATION_NODE": _check_select,
    "JOIN": _check_join,
    "FUNCTION": _check_function,
    **{kind: _check_function for kind in _SYNTAX if kind.startswith("WINDOW_")},
    "OPERATOR_CAST": _check_cast,
    "VALUE_CONSTANT": _check_literal,
    "COLUMN_REF": _check_reference,
}


def _check_columns(tree: dict[str, Any], direct: Analysis) -> None:
    """Every name that a query reads must be a column of what it reads, or a name that it gives itself."""
    known = {column.name for name in direct.tables & TABLES.keys() for column in TABLES[name].columns}
    known |= {column for name in direct.tables - TABLES.keys() for column in _views()[name].columns}
    own = {node["alias"] for node in _nodes(tree) if node.get("alias") and "class" in node}
    own |= {name for node in _nodes(tree) for name in node.get("column_name_alias", ())}
    unknown = sorted(direct.columns - known - (own - _NO_ALIASES))
    if unknown:
        read = ", ".join(sorted(direct.tables)) or "no table"
        raise ConfigurationError(f"reads the column {unknown[0]!r}, which is not in {read}")


@dataclass(frozen=True, slots=True)
class _Size:
    """How often one column can stand in one expression of a query: in what it hands on, and at most."""

    handed: int
    most: int


def _size(query: dict[str, Any], known: Mapping[str, _Known], level: int = 1) -> _Size:
    """The size of the largest expression once an engine has put the queries into each other.

    Engines replace names by what they stand for: `s || s AS s` in each of forty nested queries becomes 2^40 columns.
    """
    if level > MAX_NESTING:
        raise ConfigurationError(f"nests queries more than {MAX_NESTING} deep")
    own, merged, apart = _split(query)
    below = [_size(nested, known, level + 1) for nested in merged]
    below += [known[node["table_name"]].size for node in own if node.get("table_name") in known]
    aside = [_size(nested, known, level + 1).most for nested in apart]
    handed = max((size.handed for size in below), default=1)
    aliases: dict[str, tuple[int, int]] = {}
    sizes = [1]
    for item in query.get("select_list", []):
        columns, totals = _mentions(item, aliases)
        sizes.append(columns * handed + totals)
        if item.get("alias"):
            aliases[item["alias"]] = (columns, totals)
    parts = [_mentions(part, aliases) for part in (*_conditions(query), *_totalled(own))]
    most = [columns * handed + totals for columns, totals in parts] + [size.most for size in below] + aside + sizes
    return _Size(min(max(*sizes, handed if not query.get("select_list") else 1), MAX_EXPANSION + 1), max(most))


def _split(tree: dict[str, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Nodes of a query itself, queries whose columns it may take over, and queries that it only asks for yes or no."""
    own, merged, apart = [], [], []
    stack: list[Any] = list(tree.values())
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict) and item.get("type") in _QUERIES:
            merged.append(item)
        elif isinstance(item, dict):
            own.append(item)
            asks = item.get("subquery_type", "SCALAR") != "SCALAR"
            if asks:
                apart.append(item["subquery"]["node"])
            stack.extend(value for key, value in item.items() if not (asks and key == "subquery"))
    return own, merged, apart


def _conditions(query: dict[str, Any], met_by: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """The conditions of a query, those joined by AND one by one: engines move each on its own.

    With `met_by`, only those that every row of this source meets that the query uses: the condition of an outer join
    says nothing of the rows on the side that is kept whole.
    """
    stack = [query.get("where_clause"), query.get("having"), query.get("qualify")]
    joins = (node for node in _split(query)[0] if node.get("type") == "JOIN")
    stack += [join["condition"] for join in joins if met_by is None or _is_bound(join, met_by)]
    while stack:
        condition = stack.pop()
        if condition is None:
            continue
        if condition["type"] == "CONJUNCTION_AND":
            stack.extend(condition["children"])
        else:
            yield condition


def _is_bound(join: dict[str, Any], source: dict[str, Any]) -> bool:
    """Whether a join leaves out the rows of a source that do not meet its condition."""
    sides = {"INNER": ("left", "right"), "LEFT": ("right",), "RIGHT": ("left",)}.get(join["join_type"], ())
    return any(node is source for side in sides for node in _nodes(join[side]))


def _is_total(node: dict[str, Any]) -> bool:
    """Whether it is computed over many rows: then its value is a column of its own, and nothing is put into it."""
    return node.get("class") == "WINDOW" or node.get("function_name") in _AGGREGATES


def _totalled(own: list[Any]) -> Iterator[Any]:
    """What the totals of a query are computed from."""
    for node in own:
        if _is_total(node):
            for value in node.values():
                yield from value if isinstance(value, list) else [value]


def _mentions(expression: Any, aliases: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """How many columns and totals an expression mentions, names given earlier in the same list written out."""
    columns, totals, stack = 0, 0, [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict) and _is_total(item):
            totals += 1
        elif isinstance(item, dict) and item.get("type") == "COLUMN_REF":
            name = item["column_names"]
            more = aliases.get(name[0], (1, 0)) if len(name) == 1 else (1, 0)
            columns, totals = columns + more[0], totals + more[1]
        elif isinstance(item, dict):
            asks = item.get("subquery_type", "SCALAR") != "SCALAR"
            stack.extend(value for key, value in item.items() if not (asks and key == "subquery"))
    return columns, totals


def _direct(tree: dict[str, Any]) -> Analysis:
    """What a query itself mentions."""
    tables, columns, parameters = set(), set(), set()
    for node in _nodes(tree):
        match node.get("type"):
            case "BASE_TABLE":
                tables.add(node["table_name"])
            case "COLUMN_REF":
                columns.add(node["column_names"][-1])
            case "VALUE_PARAMETER":
                parameters.add(node["identifier"])
            case _:
                pass
    return Analysis(frozenset(tables), frozenset(columns), frozenset(parameters))


@dataclass(frozen=True, slots=True)
class _Known:
    """A view as its users see it: what it reads, the columns it has, and how far it expands."""

    analysis: Analysis
    columns: frozenset[str]
    size: _Size


@cache
def _views() -> dict[str, _Known]:
    """Every view by name. They are the program's own, so they are not held against the allow-list."""
    found: dict[str, _Known] = {}
    for view in views():
        tree = _parsed(view.sql)
        direct = _direct(tree)
        below = [found[name] for name in sorted(direct.tables - TABLES.keys())]
        analysis = Analysis(
            frozenset(direct.tables & TABLES.keys()).union(*(known.analysis.tables for known in below)),
            direct.columns.union(*(known.analysis.columns for known in below)),
            frozenset(),
            _kinds(tree, found),
        )
        # What a kept view holds is computed once: nothing is put into it.
        size = _Size(1, 1) if view.kept else _size(tree, found)
        found[view.name] = _Known(analysis, _columns_of(tree, found), size)
    return found


def _columns_of(query: dict[str, Any], known: Mapping[str, _Known]) -> frozenset[str]:
    """The names of the columns that a query has."""
    while query["type"] != "SELECT_NODE":
        query = query["children"][0]
    names: set[str] = set()
    for item in query["select_list"]:
        if item["type"] == "STAR":
            source = query["from_table"]["table_name"]
            names |= {column.name for column in TABLES[source].columns} if source in TABLES else known[source].columns
        else:
            names.add(item.get("alias") or item["column_names"][-1])
    return frozenset(names)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
