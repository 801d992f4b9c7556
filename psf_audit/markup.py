"""GitHub-flavoured Markdown that shows text as it is, whoever wrote it.

Every text goes through `escape`, `code` or `fenced`, so that nothing in it is read as markup, as a link or as a mention
of somebody. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psf_audit import rendering
from psf_audit.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PUNCTUATION = re.compile(r"[\\`*_\[\]|~$!]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BLOCK = re.compile(r"^(?:#(?=[#\s]|$)|[-+=](?=[-+=\s]|$)|(\d{1,9})([.)])(?=\s|$))")
_BREAK = "<!-- -->"
_LIVE = re.compile(r"(?<=:)(?=//)|(?<=:)(?!\d\d:)(?=[a-z0-9_+-]+:)|(?<=www)(?=\.)|(?<![\w.])@(?=\w)", re.IGNORECASE)
_LANGUAGE = re.compile(r"[^a-z0-9_+-]")


def escape(text: str) -> str:
    """Text on one line that Markdown shows as it is, wherever it stands.

    Besides markup, GitHub makes links of bare addresses, emoji of `:names:` and mentions of `@names`; an empty comment
    inside them keeps it from doing so.
    """
    folded = rendering.line(text)
    escaped = "".join(_ENTITIES.get(character, character) for character in folded)
    escaped = _PUNCTUATION.sub(r"\\\g<0>", escaped)
    escaped = _LIVE.sub(lambda found: f"{found[0]}{_BREAK}", escaped)
    return _BLOCK.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[0]}", escaped)


def code(text: str) -> str:
    """Text in a code span that it cannot end, for a cell of a table, where a pipe has to be escaped."""
    folded = rendering.line(text)
    if not folded:
        return ""
    fence = "`" * (_longest_run(folded) + 1)
    pad = " " if folded.startswith("`") or folded.endswith("`") else ""
    return f"{fence}{pad}{folded}{pad}{fence}".replace("|", "\\|")


def fenced(text: str, language: str) -> str:
    """A block of code behind a fence that it cannot end."""
    body = clean(text).strip("\n")
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}{_LANGUAGE.sub('', language.lower())}\n{body}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
