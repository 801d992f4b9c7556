"""Values of JSON lines as SQL over their text, for the forms that most writers use; whatever else is in doubt.

A value that is not in doubt is the same as `psf_audit/values.py` makes of it. A database reads any JSON value as text,
numbers as the nearest double writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psf_audit.values import FIRST_MS, LAST_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# Beyond this many characters a text is cut when it is stored, which is done in one place.
MAX_CHARACTERS = 1_000
# A file with more lines in doubt than these, and than this share of all, is left to Python.
_MANY = 10_000
_SHARE = 20

_TIME = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Plain:
    """The value of a key in SQL, and when it is in doubt; empty where that is seen from the value afterwards."""

    value: str
    doubt: str = ""


def are_many(doubtful: int, lines: int) -> bool:
    """Whether so many of the lines are in doubt that there is no gain in reading the others here."""
    return doubtful > max(_MANY, lines // _SHARE)


def key(name: str) -> str:
    """The name of a key as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def text(name: str) -> Plain:
    """Any text; an empty one is none."""
    return Plain(f"NULLIF({key(name)}, '')")


def choice(name: str, choices: Collection[str]) -> Plain:
    """One of a few words."""
    # Not as IN: DuckDB makes a join of that, and a join does not keep the order of the lines.
    cases = " ".join(f"WHEN '{word}' THEN FALSE" for word in (*choices, ""))
    return Plain(f"NULLIF({key(name)}, '')", f"{key(name)} IS NOT NULL AND CASE {key(name)} {cases} ELSE TRUE END")


def moment(name: str) -> Plain:
    """A time with date, `T`, seconds to a millionth and a zone, as milliseconds UTC."""
    given = key(name)
    # DuckDB itself takes times without a zone for UTC, an hour of 24 for the next day, and a space for a digit.
    value = f"CASE WHEN regexp_full_match({given}, '{_TIME}') THEN epoch_ms(TRY_CAST({given} AS TIMESTAMPTZ)) END"
    return Plain(value, f"{given} <> '' AND COALESCE({value}, 0) NOT BETWEEN {FIRST_MS} AND {LAST_MS}")


def digest(name: str) -> Plain:
    """A digest as it stands; one that says of which kind it is, is in doubt."""
    return Plain(text(name).value, f"starts_with({key(name)}, 'sha256:')")


def cost(name: str) -> Plain:
    """An amount from 0, rounded to nine places; halves between two of them, and large sums, are in doubt."""
    given = key(name)
    value = f"TRY_CAST({given} AS DECIMAL(18, 9))"
    half = (
        f"CASE WHEN strlen({given}) > 11 OR contains({given}, 'e') "
        f"THEN abs(TRY_CAST({given} AS DECIMAL(38, 20)) - {value}) = 0.0000000005 ELSE FALSE END"
    )
    # Up to a hundred thousand a double holds nine places and more.
    return Plain(value, f"{given} <> '' AND (COALESCE({value}, -1) NOT BETWEEN 0 AND 99999 OR COALESCE({half}, TRUE))")


def whole(name: str) -> Plain:
    """A whole number from 0, as its digits."""
    given = key(name)
    value = f"TRY_CAST({given} AS BIGINT)"
    return Plain(value, f"{given} <> '' AND (COALESCE({value}, -1) < 0 OR CAST({value} AS VARCHAR) <> {given})")


def no_text(columns: Sequence[str]) -> str:
    """When a column that takes any text may have been given JSON that is none, or more than is stored."""
    # Comparisons of ranges come first: the database knows the least and the greatest value of each block.
    return " OR ".join(
        f"({name} < 'a' AND (({name} >= '[' AND {name} < '\\') OR ({name} >= '-' AND {name} < ':' "
        f"AND strlen({name}) < 32 AND TRY_CAST({name} AS DOUBLE) IS NOT NULL "
        f"AND NOT regexp_full_match({name}, '-?[0-9]+')))) OR ({name} >= '{{' AND {name} < '|') "
        f"OR {name} = 'true' OR {name} = 'false' OR strlen({name}) > {MAX_CHARACTERS}"
        for name in columns
    )
