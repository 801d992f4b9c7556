"""Criteria and views in the SQL of Spark, so that they mean there what they mean in DuckDB.

DuckDB decides what a query is: an empty, locked database binds it first, which finds what is wrong with it and says
which columns of which types it has. sqlglot then translates the text. Where the two engines compute differently, the
difference is written out: division is one of floating-point numbers and has no error, sums and rounded numbers have the
types of DuckDB, casts round, LIKE has no escape character of its own. What cannot be said in Spark is refused, which
makes the control unknown. Spark has to run with ANSI rules and without `allowPrecisionLoss`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlglot import exp

_LOCKS = "SET enable_external_access = false; SET lock_configuration = true"
# HUGEINT is what DuckDB sums whole numbers in. A decimal of 29 digits holds 10^10 sums of them, and leaves Spark room
# for the nine decimals of money beside it: of DECIMAL(38, 0) and DECIMAL(18, 9) it makes DECIMAL(38, 0).
_WIDE = "DECIMAL(29, 0)"
_SPARK = {
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "DOUBLE": "DOUBLE",
    "HUGEINT": _WIDE,
    "INTEGER": "INT",
    "NULL": "STRING",
    "VARCHAR": "STRING",
}
_DECIMAL = re.compile(r"DECIMAL\(\d+,\s*\d+\)\Z")
_WHOLE = frozenset({"BIGINT", "HUGEINT", "INT", "INT128", "INTEGER"})
# Beyond this a floating-point number has no fraction, and Spark's FLOOR would make a BIGINT of it.
_FRACTIONS_END = "9007199254740992"
_LARGEST = 2**63
# Patterns of Java and RE2 agree on these; whatever else one holds is refused. Java goes back and tries again where RE2
# does not, so neither repeated groups nor more than two repetitions are among them.
_SAFE_PATTERN = re.compile(
    r"(?:[^\\\[\]$^{}()*+]|\((?!\?)|\)(?![*+?])|[*+](?![*+])|\\[.\\*+?()\[\]|^$/dw-]|\^|\$|\[\^?(?:[^\\\[\]&~^]|\\[.\\\[\]dw-])+\])*\Z"
)
_MOST_REPETITIONS = 2
_REPETITION = re.compile(r"(?<!\\)[*+]")
_DOLLAR = re.compile(r"(\\.|\[(?:\\.|[^\]])*\])|\$", re.DOTALL)


class Untranslatable(Exception):
    """A query that cannot be said in Spark, or not so that it is sure to mean the same; the message says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A query in the SQL of Spark, with the names and DuckDB's types of its columns.

    In the text, which takes parameters as `:name`, the columns are called c0, c1 ...: a query may have two of a name.
    """

    text: str
    names: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that the columns have in the text."""
        return tuple(f"c{index}" for index in range(len(self.names)))


@cache
def view(name: str) -> str:
    """The SQL of a view, its columns named and typed as in DuckDB."""
    statement = translate(next(known.sql for known in views() if known.name == name), ())
    columns = ", ".join(f"`{own}` AS `{name}`" for own, name in zip(statement.columns, statement.names, strict=True))
    return f"SELECT {columns} FROM ({statement.text}) AS psf_view"  # noqa: S608  the program's own views


def statement(sql: str, parameters: Mapping[str, Any]) -> Statement:
    """A criterion as Spark can run it.

    Raises:
        Untranslatable: it is no SQL, cannot be bound, or cannot be said in Spark.
    """
    return translate(sql, tuple(sorted((name, _type_of(name, value)) for name, value in parameters.items())))


def bound(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values of parameters as Spark takes them: exact decimals and whole numbers go as text, which is cast."""
    return {
        name: str(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value
        for name, value in parameters.items()
    }


def _type_of(name: str, value: Any) -> str:
    """The type that DuckDB binds a parameter with."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        if not -_LARGEST <= value < _LARGEST:
            raise Untranslatable(f"the parameter {name} is too large for BIGINT")
        return "BIGINT"
    if isinstance(value, Decimal):
        return _type_of_decimal(name, value)
    if value is None:
        return "VARCHAR"
    return "DOUBLE" if isinstance(value, float) else "VARCHAR"


def _type_of_decimal(name: str, value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise Untranslatable(f"the parameter {name} is no number")
    scale = max(0, -exponent)
    width = max(len(digits) + max(0, exponent), scale + 1)
    if width > 38:  # noqa: PLR2004  the widest decimal that there is
        raise Untranslatable(f"the parameter {name} has more digits than a decimal can have")
    return f"DECIMAL({width},{scale})"


@lru_cache(maxsize=1024)
def translate(sql: str, parameters: tuple[tuple[str, str], ...]) -> Statement:
    """A query as Spark can run it, for parameters of these types.

    Raises:
        Untranslatable: as `statement`.
    """
    tree = _parsed(sql)
    names, types = _columns(sql, parameters)
    known = dict(parameters)
    inner = _in_spark(tree, known)
    columns = ", ".join(f"`c{index}`" for index in range(len(names)))
    cast = ", ".join(f"CAST(`c{index}` AS {_spark_type(kind)}) AS `c{index}`" for index, kind in enumerate(types))
    return Statement(f"SELECT {cast} FROM ({inner}) AS psf_query ({columns})", names, types)  # noqa: S608  analysed


# ---------------------------------------------------------------------------------------------------------- binding


@cache
def _empty() -> Any:
    """An empty database with all tables and views, locked: it binds queries and knows the types of their columns."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1})
    for table in TABLES.values():
        columns = ", ".join(f'"{column.name}" {column.type.value}' for column in table.columns)
        connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
    for known in views():
        connection.execute(f"CREATE VIEW {known.name} AS {known.sql}")
    connection.execute(_LOCKS)
    return connection


def _columns(sql: str, parameters: tuple[tuple[str, str], ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    import duckdb

    values = {name: _example(kind) for name, kind in parameters}
    try:
        made = _empty().cursor().sql(f"SELECT * FROM (\n{sql}\n) AS psf_answer", params=values)  # noqa: S608  to be bound
        return tuple(made.columns), tuple(str(kind).strip('"') for kind in made.types)
    except duckdb.Error as error:
        raise Untranslatable(str(error)) from error


def _example(kind: str) -> Any:
    """A value that DuckDB binds with this type."""
    if kind == "BIGINT":
        from duckdb.value.constant import LongValue

        return LongValue(1)
    if kind.startswith("DECIMAL"):
        width, scale = (int(part) for part in kind.removeprefix("DECIMAL(").removesuffix(")").split(","))
        return Decimal((0, (1,) * width, -scale))
    return {"BOOLEAN": True, "DOUBLE": 0.5, "VARCHAR": "x"}[kind]


def _spark_type(kind: str) -> str:
    if kind in _SPARK:
        return _SPARK[kind]
    if _DECIMAL.match(kind):
        return kind
    raise Untranslatable(f"has a column of the type {kind}")


# ------------------------------------------------------------------------------------------------------ translation


def _parsed(sql: str) -> exp.Query:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise Untranslatable("is not SQL that can be parsed") from error
    # A comment that stands alone is no statement.
    trees = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise Untranslatable("must be exactly one SELECT")
    for node in trees[0].walk():
        if type(node).__name__ not in _syntax():
            raise Untranslatable(f"uses {node.key}, which is not known to mean the same in Spark")
    return trees[0]


@cache
def _syntax() -> frozenset[str]:
    """What may stand in a query, by the names of sqlglot: no function that is not on the list of allowed functions."""
    return frozenset(
        {
            *("Select", "Union", "Intersect", "Except", "Subquery", "Table", "TableAlias", "From", "Join", "Where"),
            *("Group", "Having", "Qualify", "Order", "Ordered", "Limit", "Offset", "Distinct", "Star", "Alias"),
            *("Column", "Identifier", "Literal", "Null", "Boolean", "Placeholder", "Paren", "Tuple", "Neg"),
            *("And", "Or", "Not", "Is", "In", "Between", "Exists", "Case", "If", "Coalesce", "Nullif"),
            *("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Like", "Escape"),
            *("Add", "Sub", "Mul", "Div", "Mod", "DPipe", "Cast", "DataType", "DataTypeParam"),
            *("Abs", "Ceil", "Floor", "Greatest", "Least", "Round"),
            *("LogicalAnd", "LogicalOr", "Count", "Max", "Min", "Sum", "Filter"),
            *("Window", "WindowSpec", "DenseRank", "FirstValue", "LastValue", "Rank", "RowNumber"),
            *("Contains", "EndsWith", "Length", "Lower", "RegexpLike", "Replace", "StartsWith", "Substring", "Trim"),
            *("SplitPart", "Upper"),
        }
    )


def _in_spark(tree: exp.Query, parameters: Mapping[str, str]) -> str:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    tree = tree.copy()
    for node in list(tree.find_all(exp.Placeholder)):
        if node.name not in parameters:
            raise Untranslatable(f"takes a parameter {node.name!r} that has no value")
        kind = exp.DataType.build(parameters[node.name], dialect="duckdb")
        node.replace(exp.Cast(this=exp.Placeholder(this=node.name), to=kind))
    try:
        tree = qualify(tree, schema=_schema(), dialect="duckdb", quote_identifiers=True)
        _rewrite(tree)
        return tree.sql("spark")
    except SqlglotError as error:
        raise Untranslatable(str(error)) from error


@cache
def _schema() -> Any:
    """The columns of all tables and views, as sqlglot takes them."""
    from sqlglot.schema import MappingSchema

    return MappingSchema({name: dict(columns) for name, columns in _types().items()}, dialect="duckdb")


@cache
def _types() -> dict[str, dict[str, str]]:
    """The columns of all tables and views with DuckDB's types."""
    found = {}
    for name in (*TABLES, *(known.name for known in views())):
        made = _empty().cursor().table(name)
        found[name] = dict(zip(made.columns, (str(kind).strip('"') for kind in made.types), strict=True))
    return found


# ------------------------------------------------------------------------------------------------------ differences


def _rewrite(tree: exp.Query) -> None:
    """Write out, in place, what Spark would compute differently; the innermost expressions first."""
    rewriters = _rewriters()
    kinds = _Kinds()
    # The kinds are told before anything is changed.
    found = [(node, kinds.of(_operand(node))) for node in tree.walk() if type(node) in rewriters]
    for node, kind in reversed(found):
        new = rewriters[type(node)](node, kind)
        if new is not None:
            _outermost(node).replace(new)


@cache
def _rewriters() -> dict[type, Callable[[Any, str], exp.Expr | None]]:
    """What writes each kind of expression anew; None where it means the same in Spark as it stands."""
    from sqlglot import exp

    return {
        exp.Cast: _cast,
        exp.Ceil: _whole_number,
        exp.DPipe: _joined,
        exp.Div: _quotient,
        exp.Floor: _whole_number,
        exp.Like: _like,
        exp.Mod: _remainder,
        exp.RegexpLike: _matches,
        exp.Round: _rounded,
        exp.SplitPart: _split,
        exp.Substring: _part,
        exp.Sum: _sum,
    }


def _operand(node: Any) -> Any:
    """The expression whose kind decides how another one is written."""
    from sqlglot import exp

    return node if isinstance(node, (exp.Div, exp.Like, exp.Mod)) else node.this


def _outermost(node: Any) -> Any:
    """An expression with the window, filter or escape that belongs to it."""
    from sqlglot import exp

    while isinstance(node.parent, (exp.Window, exp.Filter, exp.Escape)) and node.parent.this is node:
        node = node.parent
    return node


def _written(template: str, **parts: Any) -> exp.Expr:
    """An expression of Spark in which `:name` stands for a part."""
    import sqlglot
    from sqlglot import exp

    made = sqlglot.parse_one(template, read="spark")
    for hole in list(made.find_all(exp.Placeholder)):
        part = parts[hole.name].copy()
        hole.replace(part if isinstance(part, (exp.Column, exp.Literal, exp.Cast)) else exp.Paren(this=part))
    return made


def _quotient(node: Any, _: str) -> exp.Expr:
    """A number divided by zero is infinite, or none, and no error."""
    from sqlglot import exp

    parts = {"dividend": node.this, "divisor": node.expression}
    if isinstance(node.expression, exp.Literal) and node.expression.to_py() != 0:
        return _in_brackets(_written("CAST(:dividend AS DOUBLE) / CAST(:divisor AS DOUBLE)", **parts))
    return _written(
        "CASE WHEN CAST(:divisor AS DOUBLE) = 0 THEN CAST(:dividend AS DOUBLE) * CAST('Infinity' AS DOUBLE) "
        "ELSE CAST(:dividend AS DOUBLE) / CAST(:divisor AS DOUBLE) END",
        **parts,
    )


def _in_brackets(made: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.Paren(this=made)


def _remainder(node: Any, kind: str) -> exp.Expr | None:
    if kind != "float":
        return None
    parts = {"dividend": node.this, "divisor": node.expression}
    return _written(
        "CASE WHEN :divisor = 0 THEN CAST(:dividend AS DOUBLE) * CAST('NaN' AS DOUBLE) "
        "ELSE CAST(:dividend AS DOUBLE) % CAST(:divisor AS DOUBLE) END",
        **parts,
    )


def _whole_number(node: Any, kind: str) -> exp.Expr | None:
    """FLOOR and CEIL give a floating-point number of anything but a decimal."""
    if kind == "exact":
        return None
    name = node.key.upper()
    return _written(
        f"CASE WHEN ABS(CAST(:number AS DOUBLE)) < {_FRACTIONS_END} "
        f"THEN CAST({name}(CAST(:number AS DOUBLE)) AS DOUBLE) ELSE CAST(:number AS DOUBLE) END",
        number=node.this,
    )


def _rounded(node: Any, kind: str) -> None:
    if kind == "float" and node.args.get("decimals") is not None:
        raise Untranslatable("rounds a floating-point number to some decimals, which Spark does differently")


def _sum(node: Any, kind: str) -> exp.Expr | None:
    """Whole numbers are summed without overflow."""
    from sqlglot import exp

    if kind not in {"whole", "truth", "null"}:
        return None
    summed = node.this
    if isinstance(summed, exp.Distinct):
        summed.set("expressions", [_written("CAST(:number AS DECIMAL(28, 0))", number=summed.expressions[0])])
    elif not _is_flag(summed):
        node.set("this", _written("CAST(:number AS DECIMAL(28, 0))", number=summed))
    return exp.Cast(this=_outermost(node).copy(), to=exp.DataType.build(_WIDE, dialect="spark"))


def _is_flag(node: Any) -> bool:
    """Whether it is a CASE with nothing but small numbers written out, of which BIGINT holds any sum."""
    from sqlglot import exp

    if not isinstance(node, exp.Case):
        return False
    results = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default") or exp.Null()]
    return all(isinstance(result, exp.Null) or (result.is_int and len(result.name) < 9) for result in results)  # noqa: PLR2004


def _cast(node: Any, kind: str) -> exp.Expr | None:
    """Casts to whole numbers round; those from and to text differ between engines in too many ways."""
    to = node.to.sql("duckdb")
    if kind in {"null", "parameter"}:
        return None
    if kind == "text" and to not in {"TEXT", "VARCHAR"}:
        raise Untranslatable("casts text to something else, which Spark does differently")
    if kind == "float" and to in {"TEXT", "VARCHAR"}:
        raise Untranslatable("casts a floating-point number to text, which Spark does differently")
    if to in _WHOLE and kind in {"exact", "float"}:
        rounding = "ROUND(:number, 0)" if kind == "exact" else "RINT(:number)"
        return _written(f"CAST({rounding} AS {'INT' if to in {'INT', 'INTEGER'} else 'BIGINT'})", number=node.this)
    return None


def _like(node: Any, _: str) -> exp.Expr | None:
    """LIKE has no escape character unless it names one, and any character may follow that."""
    from sqlglot import exp

    pattern = node.expression
    escape = node.parent.expression.name if isinstance(node.parent, exp.Escape) else None
    if escape is not None and len(escape) != 1:
        raise Untranslatable("names an escape character that is none")
    if isinstance(pattern, exp.Literal):
        made: exp.Expr = exp.Literal.string(_like_pattern(pattern.name, escape))
    elif escape is None:
        made = _written(r"REPLACE(:pattern, '\\', '\\\\')", pattern=pattern)
    else:
        if not re.fullmatch("[!#@~]", escape):
            raise Untranslatable("names an escape character other than ! # @ ~")
        made = _written(f"REGEXP_REPLACE(:pattern, '{escape}([^{escape}_%])|({escape}.)', '$1$2')", pattern=pattern)
    like: exp.Expr = exp.Like(this=node.this.copy(), expression=made)
    if escape is not None:
        like = exp.Escape(this=like, expression=exp.Literal.string("\\" if made.is_string else escape))
    return exp.Paren(this=exp.Not(this=exp.Paren(this=like)) if node.args.get("negate") else like)


def _like_pattern(pattern: str, escape: str | None) -> str:
    r"""The same pattern with \ as its escape character, before nothing but %, _ and itself."""
    made, special = "", iter(pattern)
    for character in special:
        if character == escape:
            following = next(special, None)
            if following is None:
                raise Untranslatable("holds a LIKE pattern that ends with its escape character")
            made += "\\" * (following in {"%", "_", "\\"}) + following
        else:
            made += "\\" * (character == "\\") + character
    return made


def _joined(node: Any, _: str) -> None:
    kinds = _Kinds()
    if "float" in {kinds.of(node.this), kinds.of(node.expression)}:
        raise Untranslatable("makes text of a floating-point number, which Spark does differently")


def _matches(node: Any, _: str) -> exp.Expr:
    from sqlglot import exp

    pattern = node.expression.name
    is_safe = isinstance(node.expression, exp.Literal) and not node.args.get("flag") and _SAFE_PATTERN.match(pattern)
    if not is_safe or len(_REPETITION.findall(pattern)) > _MOST_REPETITIONS:
        raise Untranslatable("uses a regular expression that is not sure to mean the same in Java")
    # Only a line feed ends a line, and $ is the end of the text, as in RE2.
    java = "(?d)" + _DOLLAR.sub(lambda found: found[1] or r"\z", pattern)
    return exp.RegexpLike(this=node.this.copy(), expression=exp.Literal.string(java))


def _split(node: Any, _: str) -> None:
    delimiter, index = node.args["delimiter"], node.args["part_index"]
    if not delimiter.is_string or not delimiter.name or not index.is_int or index.to_py() == 0:
        raise Untranslatable("uses split_part with a separator or number that is none, or not written out")


def _part(node: Any, _: str) -> None:
    start, length = node.args["start"], node.args.get("length")
    if not start.is_int or start.to_py() == 0 or (length is not None and not (length.is_int and length.to_py() >= 0)):
        raise Untranslatable("uses substr with a start or length of no use, or not written out")


# ------------------------------------------------------------------------------------------------------------ kinds

_WIDTH = ("null", "truth", "whole", "exact", "float", "text")


class _Kinds:
    """The kind of each value in a qualified query: null, truth, whole, exact, float, text."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}

    def of(self, node: Any) -> str:
        """The kind of an expression; `parameter` for a parameter, whose cast says what it is."""
        if id(node) not in self._known:
            # The expression is held, so that no other gets its number.
            self._known[id(node)] = (node, self._of(node))
        return self._known[id(node)][1]

    def _of(self, node: Any) -> str:
        from sqlglot import exp

        told = _plain_kinds().get(type(node))
        if told is None and isinstance(node, exp.Cast):
            told = _kind(node.to.sql("duckdb"))
        elif told is None and isinstance(node, exp.Literal):
            told = _kind_of_literal(node)
        elif told is None and isinstance(node, exp.Column):
            told = self._of_column(node)
        elif told is None and isinstance(node, exp.Query):
            told = self._of_output(node, 0)
        elif told is None and isinstance(node, exp.Floor | exp.Ceil):
            told = "exact" if self.of(node.this) == "exact" else "float"
        elif told is None and isinstance(node, exp.Predicate | exp.Connector):
            told = "truth"
        return told or self._widest(_values(node))

    def _widest(self, nodes: list[Any]) -> str:
        if not nodes:
            raise Untranslatable("holds an expression whose type is not known")
        kinds = [self.of(node) for node in nodes]
        return max((kind for kind in kinds if kind != "parameter"), key=_WIDTH.index, default="text")

    def _of_column(self, column: Any) -> str:
        from sqlglot import exp

        select = column.find_ancestor(exp.Select)
        while select is not None:
            for source in _sources(select):
                if source.alias_or_name == column.table:
                    return self._of_source(source, column.name)
            select = select.find_ancestor(exp.Select)
        raise Untranslatable(f"holds a column {column.name!r} whose type is not known")

    def _of_source(self, source: Any, name: str) -> str:
        from sqlglot import exp

        if isinstance(source, exp.Table):
            return _kind(_types()[source.name][name])
        query = source.this
        return self._of_output(query, [own.lower() for own in query.named_selects].index(name.lower()))

    def _of_output(self, query: Any, index: int) -> str:
        """The kind of a column that a query has."""
        from sqlglot import exp

        if isinstance(query, exp.Subquery):
            return self._of_output(query.this, index)
        if isinstance(query, exp.SetOperation):
            sides = (self._of_output(query.left, index), self._of_output(query.right, index))
            return max(sides, key=_WIDTH.index)
        return self.of(query.selects[index])


def _sources(select: Any) -> list[Any]:
    joins = select.args.get("joins") or []
    first = select.args.get("from_") or select.args.get("from")
    return [found.this for found in ([first] if first else []) + joins]


def _kind(kind: str) -> str:
    """The kind of values of a type."""
    if kind in _WHOLE:
        return "whole"
    if kind.startswith("DECIMAL"):
        return "exact"
    return {"BOOLEAN": "truth", "DOUBLE": "float", "NULL": "null", "TEXT": "text", "VARCHAR": "text"}[kind]


def _kind_of_literal(literal: Any) -> str:
    if literal.is_string:
        return "text"
    return "float" if "e" in literal.name.lower() else "exact" if "." in literal.name else "whole"


@cache
def _plain_kinds() -> dict[type, str]:
    """What has values of one kind, whatever it is made of."""
    from sqlglot import exp

    whole: tuple[type, ...] = (exp.Count, exp.DenseRank, exp.Length, exp.Rank, exp.RowNumber)
    text: tuple[type, ...] = (exp.DPipe, exp.Lower, exp.Replace, exp.SplitPart, exp.Substring, exp.Trim, exp.Upper)
    truth: tuple[type, ...] = (
        *(exp.Boolean, exp.Contains, exp.EndsWith, exp.Exists, exp.LogicalAnd, exp.LogicalOr, exp.Not),
        *(exp.RegexpLike, exp.StartsWith),
    )
    own: dict[type, str] = {exp.Div: "float", exp.Null: "null", exp.Placeholder: "parameter"}
    groups = ((whole, "whole"), (text, "text"), (truth, "truth"))
    return {**own, **{known: kind for group, kind in groups for known in group}}


def _values(node: Any) -> list[Any]:
    """The expressions of which one is the value of another, or from which it takes its kind."""
    from sqlglot import exp

    if isinstance(node, exp.Case):
        results = [branch.args["true"] for branch in node.args["ifs"]]
        return [*results, node.args["default"]] if node.args.get("default") else results
    if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Distinct | exp.Tuple):
        return list(node.expressions)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
        return [node.this, node.expression]
    return [node.this] if node.args.get("this") is not None else []
