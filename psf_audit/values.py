"""Values as files write them, and the types of the evidence tables that they become.

None for whatever is no such value: what that means is for the reader of the file to say.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_MAX_TIME_CHARACTERS = 64
FIRST_MS, LAST_MS = 946_684_800_000, 4_133_980_799_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = Decimal(10) ** 9
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def milliseconds(value: object) -> int | None:
    """An RFC 3339 time with zone as milliseconds UTC; None when it is not one, or lies outside 2000 to 2100."""
    if not isinstance(value, str) or len(value) > _MAX_TIME_CHARACTERS:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        return in_range((moment - _EPOCH) // timedelta(milliseconds=1))
    except OverflowError:
        return None


def in_range(value: int) -> int | None:
    """Milliseconds UTC if they lie in the years 2000 to 2100, else None."""
    return value if FIRST_MS <= value <= LAST_MS else None


def day_of(value: object) -> date | None:
    """A date, or the UTC day of a time with zone, from ISO 8601 text; None when it is neither."""
    if not isinstance(value, str):
        return None
    if _DATE.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    moment = milliseconds(value)
    return None if moment is None else day_of_milliseconds(moment)


def day_of_milliseconds(value: int) -> date:
    """The UTC day of milliseconds."""
    return (_EPOCH + timedelta(milliseconds=value)).date()


def midnight(value: object) -> int | None:
    """A date or a time with zone as milliseconds UTC; a date is its first moment."""
    moment = milliseconds(value)
    if moment is not None:
        return moment
    day = day_of(value)
    if day is None:
        return None
    return in_range((datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1))


def amount(value: object) -> Decimal | None:
    """A number, or a number as text, as an exact decimal that the tables can hold; None when it is not one.

    Booleans, NaN, infinities and anything of a billion or more are not amounts.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, float)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    # Unlike `abs`, `copy_abs` does not round, which overflows where the exponent is huge.
    if not number.is_finite() or number.copy_abs() >= _LARGEST:
        return None
    number = number.quantize(Decimal("1e-9"))
    if number.copy_abs() >= _LARGEST:
        return None
    return number.normalize() if number else Decimal(0)


def whole(value: object) -> int | None:
    """A whole number, or one as text, that a 64-bit column can hold; None when it is not one."""
    number = value
    if isinstance(value, str):
        text = value.strip()
        if not re.fullmatch(r"[-+]?\d{1,19}", text):
            return None
        number = int(text)
    if isinstance(number, Decimal) and number.is_finite() and number == number.to_integral_value():
        number = int(number) if number.copy_abs() < 2**63 else None
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if -(2**63) <= number < 2**63 else None


def words(value: object) -> str | None:
    """Text, or a list of texts joined with commas; None for anything else or nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return ", ".join(item for item in value if isinstance(item, str)) or None
    return None


def mapping_of(value: object) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: third-party files hold anything anywhere."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def stated_sha256(value: object) -> str | None:
    """The digest in `sha256:<64 hexadecimal digits>`, in lower case; None for anything else."""
    match = _SHA256.match(value) if isinstance(value, str) else None
    return match[1].lower() if match else None
