"""Plain text for what is no report: lists and descriptions, wrapped to the width of the terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "


def width() -> int:
    """The width to write to: the terminal's, 100 when there is none."""
    return max(40, shutil.get_terminal_size((100, 24)).columns)


def columns(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Rows under a header, every column as wide as its longest value; the last one wraps.

    Where that leaves less than a third of the width to the last column, it stands below the others.
    """
    table = [list(header), *([safe(one_line(cell)) for cell in row] for row in rows)]
    sizes = [max(len(row[index]) for row in table) for index in range(len(header) - 1)]
    indent = " " * sum(size + len(_GAP) for size in sizes)
    if width() - len(indent) < width() // 3:
        return _stacked(table)
    room = width() - len(indent)
    lines = []
    for row in table:
        start = "".join(cell.ljust(size) + _GAP for cell, size in zip(row, sizes, strict=False))
        wrapped = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        lines.append((start + wrapped[0]).rstrip())
        lines += [indent + line for line in wrapped[1:]]
    return "\n".join(lines)


def _stacked(table: Sequence[Sequence[str]]) -> str:
    lines = []
    for *start, last in table:
        lines.append(_GAP.join(start))
        lines += textwrap.wrap(last, width(), initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)


def section(title: str, text: str) -> str:
    """A titled paragraph, wrapped and indented."""
    return titled(title, (text,))


def titled(title: str, texts: Sequence[str], items: Sequence[str] = ()) -> str:
    """A title, paragraphs and a list below it, wrapped and indented."""
    indents = [(text, "  ", "  ") for text in texts] + [(item, "  - ", "    ") for item in items]
    body = [
        textwrap.fill(safe(one_line(text)), width(), initial_indent=first, subsequent_indent=rest)
        for text, first, rest in indents
    ]
    return "\n".join([safe(one_line(title)), *body])


def bullet(text: str) -> str:
    """One point of a list, wrapped and indented."""
    plain = safe(one_line(text))
    return textwrap.fill(plain, width(), initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)


def block(title: str, text: str) -> str:
    """A titled piece of text whose line breaks mean something."""
    return f"{title}\n{textwrap.indent(safe(text.strip()), '  ')}"
