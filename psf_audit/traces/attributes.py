"""Attributes of OTLP/JSON as SQL over their JSON text, for the forms that most writers use; whatever else is in doubt.

A value that is not in doubt is the same as `psf_audit/spans.py` makes of it. DuckDB gives the JSON text of a value in
its shortest form, numbers as the nearest double writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

# What a column of text holds where only Python can say the value: JSON writes this character as an escape.
DOUBT = "chr(1)"
NO_NUMBER = -1

_STRING = r'\{"stringValue":"(?:[^"\\]|\\.)*"\}'
_TEXTUAL_INT = r'^\{"intValue":"?(0|[1-9][0-9]{0,17})"?\}$'
_NO_TEXT = r'\{"(?:boolValue":(?:true|false)\}|doubleValue":-?[0-9]+[.e][-+.e0-9]*\}|(?:array|kvlist)Value":).*'
_WHOLE = r'^\{"(?:int|double|string)Value":"?([0-9]{1,18})"?\}$'
_WHOLE_DOUBLE = r'^\{"doubleValue":([0-9]{1,15})[.]0\}$'
_INT = r'^\{"intValue":"?([0-9]{1,18})"?\}$'
_NUMBER = r'^\{"(?:double|string)Value":"?([-+.eE0-9]+)"?\}$'

_HEX_ID = '"(?:[0-9a-f]{16}|[0-9a-f]{32})"'
# 16 or 8 bytes, the bits that no byte needs being 0.
_BASE64_ID = '"(?:[A-Za-z0-9+/]{21}[AQgw]==|[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=)"'
_OTHER_ID = '"[-_.:A-Za-z0-9]{0,100}"'

_SCALAR = r'(?:"(?:[^"\\\x00-\x1f]|\\u[0-9A-CEFa-cef][0-9A-Fa-f]{3})*"|0|-?[1-9][0-9]{0,14}|true|false|null)'
_FLAT_OBJECT = r"\{%s(?:, ?%s)*\}" % ((r'"[A-Za-z0-9_]+": ?' + _SCALAR,) * 2)
_WORDS = "[A-Za-z][ A-Za-z0-9_./:-]*"


def quoted(json: str) -> str:
    """The text in a JSON string, NULL where it is empty."""
    escaped = f"json_extract_string({json}, '$')"
    return f"NULLIF(CASE WHEN contains({json}, '\\') THEN {escaped} ELSE {_inside(json)} END, '')"


def text(value: str) -> str:
    """What `Span.text` makes of one attribute."""
    inner = f"substr({value}, 17, length({value}) - 18)"
    escaped = f"NULLIF(json_extract_string({value}, '$.stringValue'), '')"
    return f"""CASE WHEN {value} IS NULL THEN NULL
        WHEN starts_with({value}, '{{"stringValue":"') THEN CASE
            WHEN contains({value}, '\\')
            THEN CASE WHEN regexp_full_match({value}, '{_STRING}') THEN {escaped} ELSE {DOUBT} END
            WHEN contains({inner}, '"') OR NOT ends_with({value}, '"}}') THEN {DOUBT}
            ELSE NULLIF({inner}, '') END
        WHEN starts_with({value}, '{{"intValue":')
        THEN COALESCE(NULLIF(regexp_extract({value}, '{_TEXTUAL_INT}', 1), ''), {DOUBT})
        WHEN regexp_full_match({value}, '{_NO_TEXT}') THEN NULL ELSE {DOUBT} END"""


def first_text(values: Sequence[str]) -> str:
    """What `Span.text` makes of several attributes."""
    return f"COALESCE({', '.join(text(value) for value in values)}, NULL)"


def whole(value: str) -> str:
    """A whole number from 0 of 18 digits at most; `NO_NUMBER` where it is in doubt."""
    found = ", ".join(
        f"TRY_CAST(regexp_extract({value}, '{pattern}', 1) AS BIGINT)" for pattern in (_WHOLE, _WHOLE_DOUBLE)
    )
    return f"CASE WHEN {value} IS NOT NULL THEN COALESCE({found}, {NO_NUMBER}) END"


def first_whole(values: Sequence[str]) -> str:
    """The first of several attributes that is there, as `whole`."""
    return f"COALESCE({', '.join(whole(value) for value in values)}, NULL)"


def number(value: str) -> str:
    """The digits of a number, for `psf_audit/columns/plain.py`; a text that is no number where it is in doubt."""
    found = ", ".join(f"NULLIF(regexp_extract({value}, '{pattern}', 1), '')" for pattern in (_NUMBER, _INT))
    return f"CASE WHEN {value} IS NOT NULL THEN COALESCE({found}, 'x') END"


def identifier(json: str) -> str:
    """What `spans.identifier` makes of an id, over its JSON text."""
    inner = _inside(json)
    decoded = f"lower(hex(from_base64({inner})))"
    zeros = " OR ".join(f"{json} = '\"{'0' * length}\"'" for length in (16, 32))
    return f"""CASE WHEN {json} IS NULL OR {zeros} THEN NULL
        WHEN regexp_full_match({json}, '{_HEX_ID}') THEN {inner}
        WHEN regexp_full_match({json}, '{_BASE64_ID}') THEN {_not_zero(decoded)}
        WHEN regexp_full_match({json}, '(?i){_HEX_ID}') THEN lower({inner})
        WHEN regexp_full_match({json}, '{_OTHER_ID}') THEN {_not_zero(inner)} ELSE {DOUBT} END"""


def digest(text: str) -> str:
    """What `psf_audit.arguments.digest` makes of a text that is a JSON object without others in it, or words.

    NULL for whatever else; the text has to be a column.
    """
    keys = f"json_keys({text})"
    members = (
        f"list_transform(list_sort({keys}), lambda k: '\"' || k || '\":' || json_extract({text}, '$.\"' || k || '\"'))"
    )
    canonical = f"'{{' || array_to_string({members}, ',') || '}}'"
    # A key that stands twice makes it no JSON; what is still escaped may be escaped in another way.
    odd = f"len(list_distinct({keys})) < len({keys}) OR contains({canonical}, '\\')"
    return f"""CASE WHEN regexp_full_match({text}, '{_FLAT_OBJECT}')
        THEN CASE WHEN {odd} THEN NULL ELSE 'sha256:' || sha256({canonical}) END
        WHEN regexp_full_match({text}, '{_WORDS}') THEN 'sha256:' || sha256({text}) END"""


def _inside(json: str) -> str:
    return f"substr({json}, 2, length({json}) - 2)"


def _not_zero(given: str) -> str:
    return f"CASE WHEN ltrim({given}, '0') <> '' THEN {given} END"
