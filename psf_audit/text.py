"""Safe text: what may leave the program, whoever wrote it.

Evidence is written by somebody with an interest, or by a model. Nothing of it reaches a report before it went through
`screened`, which removes what a terminal or a browser would act on and what nobody may read.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import TypeVar

MAX_CHARACTERS = 2_000

# Directional marks, embeddings, overrides and isolates: they make a line read other than it is.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_INVISIBLE = frozenset("\u200b\u2060\ufeff\u00ad\u180e")

# Every repetition below is bounded, or consumes what it looked at: the time is linear in the text, whoever wrote it.
_NAMED = r"(?i)((?:password|passwd|secret|api[_-]?key|access[_-]?key|master[_-]?key|private[_-]?key)[\w\-]{0,40}"
# What stands between a name and its value; and what is no value but says where one is kept.
_ASSIGNED = r"[\"']?\s*[:=]\s*[\"']?)"
# Not `\b`: a name may be put together of others with `_`, as in `mcp__server__tool`.
_START = r"(?<![A-Za-z0-9])"
_ACCOUNT = r"(?:\d{12}\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
_NO_REFERENCE = r"(?!os\.environ|\$|<|\[|env\b|null\b|true\b|false\b)"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", "[private key]"),
        (_START + r"(?:AKIA|ASIA|AIDA|AROA)[0-9A-Z]{12,}(?![0-9A-Za-z])", "[aws key id]"),
        (_START + r"sk-[A-Za-z0-9_\-]{3,}", "[api key]"),
        (
            _START + r"(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|npm_|pypi-|hf_|lsv2_|AIza)[A-Za-z0-9_\-]{8,}",
            "[token]",
        ),
        (_START + r"eyJ[A-Za-z0-9_\-]{10,}(?:\.[A-Za-z0-9_\-]*){0,4}", "[token]"),
        # `Basic understanding` is no credential: one is long, or has a digit or an upper-case letter inside.
        (
            r"\b([Bb]earer|[Bb]asic|BEARER|BASIC)\s+(?=\S[A-Za-z._~+/\-]{0,200}[0-9A-Z=]|\S{20})[A-Za-z0-9._~+/\-]{8,}=*",
            r"\1 [token]",
        ),
        # `~1~1` is `//` in a JSON pointer.
        (r"(?i)\b([a-z][a-z0-9+.\-]{0,20}:(?://|~1~1))[^\s/@:]*:[^\s/]+@", r"\1[credentials]@"),
        # After `=`, or in quotes, anything is taken for the value; after a colon, only what no word looks like.
        (_NAMED + r"[\"']?\s*(?:=\s*[\"']?|:\s*[\"']))" + _NO_REFERENCE + r"[^\s\"',;}\]]{4,}", r"\1[secret]"),
        (_NAMED + r":\s*)" + _NO_REFERENCE + r"(?=[^\s\"',;}\]]{0,200}[0-9_+/=$!@#])[^\s\"',;}\]]{6,}", r"\1[secret]"),
        (r"(?i)(token" + _ASSIGNED + _NO_REFERENCE + r"[^\s\"',;}\]]{16,}", r"\1[token]"),
        (r"(arn:aws[\w\-]*:[\w\-]*:[\w\-]*:)\d{12}", r"\1[account]"),
        (_START + r"\d{12}(\.dkr\.ecr\.)", r"[account]\1"),
        (r"(\bsqs\.[\w\-]{1,40}\.amazonaws\.com/)\d{12}\b", r"\1[account]"),
        (r"(?i)((?:account|subscription)[ _\-]?id" + _ASSIGNED + _ACCOUNT, r"\1[account]"),
        (r"(?i)(/subscriptions/)" + _ACCOUNT, r"\1[account]"),
        (r"(\bprojects/)\d{6,20}\b", r"\1[account]"),
    )
)
# A name in front of a domain, which its first letter and the domain stand for.
_NO_NAME = r"\s@<>()\[\]{}\"',;:/\\|=&?#%`*"
_MAIL = re.compile(
    rf"(?<![^{_NO_NAME}])([^{_NO_NAME}])([^{_NO_NAME}]*+)(@|%40)(?=(?:[\w\-]{{1,63}}\.){{1,8}}[^\W\d_]{{2}})"
)

# Something that every secret above has in it: text without any of it, which is most text, is done with at once.
_SUSPECT = re.compile(
    r"(?i)private key|A(?:KIA|SIA|IDA|ROA)|sk-|gh[pousr]_|github_pat_|glpat-|xox|npm_|pypi-|hf_|lsv2_|AIza|eyJ|bearer"
    r"|basic|://|:~1~1|passw|secret|key|token|arn:aws|\.dkr\.|sqs\.|account|subscription|projects/"
)

T = TypeVar("T")


def clean(value: str) -> str:
    """The text without terminal sequences, control, bidirectional and invisible characters; newlines and tabs stay."""
    value = _ANSI.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
    value = _BIDI.sub("", value)
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        character
        for character in unicodedata.normalize("NFC", value)
        if character in "\n\t" or not (unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _INVISIBLE)
    )


def redact(value: str) -> str:
    """The text with everything that looks like a credential replaced by what it was."""
    if not _SUSPECT.search(value):
        return value
    for pattern, replacement in _SECRETS:
        value = pattern.sub(replacement, value)
    return value


def unaddressed(value: str) -> str:
    """The text with the names in mail addresses cut to their first letter, so that nobody can write to them.

    Who approved or answers may be known by an address alone: `r…@example.com` still says who to those who know them,
    and the evidence file that is named beside it has the whole of it.
    """
    return _MAIL.sub(_initial, value) if "@" in value or "%40" in value else value


def _initial(match: re.Match[str]) -> str:
    return f"{match[1] if match[2] else ''}…{match[3]}"


def cut(value: str, limit: int) -> str:
    """The text, cut at a bound; its last character says so."""
    return value if len(value) <= limit else value[: limit - 1] + "…"


def safe(value: str, *, limit: int = MAX_CHARACTERS) -> str:
    """The text as a report may show it: cleaned, screened for secrets and mail addresses, and cut at a bound."""
    return cut(unaddressed(redact(clean(value))), limit)


def is_unicode(value: str) -> bool:
    """Whether text can be written down: half a surrogate pair can be escaped in JSON, and is no text (RFC 7493)."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def one_line(value: str) -> str:
    """The text on one line, runs of white space folded."""
    return " ".join(value.split())


def screened(value: T) -> T:
    """The same frozen value with every text in it made safe, however deep it lies."""
    return _screen(value)  # type: ignore[return-value]


# The words of a rubric stand in every assessment that it makes.
_REMEMBERED = 1_000
_known = lru_cache(maxsize=4_096)(safe)


def _screen(value: object) -> object:
    if type(value) is str:
        return _known(value) if len(value) <= _REMEMBERED else safe(value)
    if isinstance(value, tuple):
        return tuple(_screen(item) for item in value)
    if isinstance(value, dict):
        return {_screen(key): _screen(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for name in _field_names(type(value)):
            old = getattr(value, name)
            new = _screen(old)
            if new is not old and new != old:
                changed[name] = new
        return replace(value, **changed) if changed else value
    return value


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def plural(count: int, noun: str) -> str:
    """`1 control`, `3 controls`, `2 policies`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{count} {noun}s"
