"""HTML reports as files that somebody may have changed: the place for a signature, the assessment, what they say.

A page is compared with the one that the same assessment renders to: every text that a reader or a screen reader meets,
every attribute, every style. Only the shapes in pictures are left out, for they depend on fonts and versions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from difflib import SequenceMatcher
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from psf_audit.errors import IntegrityError, Unreadable
from psf_audit.reading import decode, parse_json
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOT_START = b'<script type="application/json" id="psf-attestation">'
DATA_START = b'<script type="application/json" id="psf-assessment">'
_END = b"</script>"
_EMPTY = b"null"
_SHAPES = frozenset({"clippath", "defs", "g", "image", "path", "polygon", "polyline", "rect", "use"})
_TOLD = frozenset({"href", "role", "title", "xlink:href"})
_MOST_COMPARED = 4_000
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML report: its bytes with an empty place for a signature, what stands in that place, and its assessment."""

    bare: bytes
    signature: bytes | None
    data: bytes

    @property
    def sha256(self) -> str:
        """The digest of the page with an empty place for the signature."""
        return hashlib.sha256(self.bare).hexdigest()

    def value(self) -> Any:
        """The assessment that is embedded in the page.

        Raises:
            IntegrityError: it is no JSON.
        """
        try:
            return parse_json(decode(self.data))
        except Unreadable as error:
            raise IntegrityError(f"the assessment in the page {error}") from error

    def signed(self, attestation: bytes) -> bytes:
        """The page with an attestation in its place."""
        before, after = self.bare.split(SLOT_START + _EMPTY + _END)
        return before + SLOT_START + attestation + _END + after


def read(data: bytes) -> Page:
    """An HTML report, taken apart.

    Raises:
        IntegrityError: it has no place for a signature or no assessment, or several.
    """
    found = _between(data, SLOT_START, "place for a signature")
    start = data.index(SLOT_START) + len(SLOT_START)
    bare = data[:start] + _EMPTY + data[start + len(found) :]
    return Page(bare, None if found == _EMPTY else found, _between(data, DATA_START, "assessment"))


def _between(data: bytes, start: bytes, what: str) -> bytes:
    if data.count(start) != 1:
        hint = "give an HTML report of an assessment, as `psf-audit assess` wrote it"
        raise IntegrityError(f"the page has {'more than one' if start in data else 'no'} {what}", hint=hint)
    found, end, _ = data.partition(start)[2].partition(_END)
    if not end:
        raise IntegrityError(f"the page ends within its {what}")
    return found


# ------------------------------------------------------------------------------------------------------ what it says


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a page says: where (element, or attribute of one), what, and on which line."""

    where: str
    what: str
    line: int


class _Reader(HTMLParser):
    """Takes down all that a page says, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[Said] = []
        self._open: list[str] = []
        self._pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element: its name, and its attributes unless it is a shape in a picture."""
        self._open.append(tag)
        self._pictures += tag == "svg"
        if not (self._pictures and tag in _SHAPES):
            self._say(f"<{tag}>", "")
        for name, value in attrs:
            if not self._pictures or name in _TOLD or name.startswith(("aria-", "on")):
                self._say(f"<{tag} {name}>", value or "")

    def handle_endtag(self, tag: str) -> None:
        """The end of an element."""
        if not (self._pictures and tag in _SHAPES):
            self._say(f"</{tag}>", "")
        self._pictures -= tag == "svg" and self._pictures > 0
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text, styles and scripts."""
        if data.strip():
            self._say(f"<{self._open[-1]}>" if self._open else "the page", data.strip())

    def handle_comment(self, data: str) -> None:
        """A comment."""
        self._say("a comment", data)

    def handle_decl(self, decl: str) -> None:
        """The type of the document."""
        self._say("the declaration", decl)

    def handle_pi(self, data: str) -> None:
        """What is for another program."""
        self._say("an instruction", data)

    def _say(self, where: str, what: str) -> None:
        self.said.append(Said(where, what, self.getpos()[0]))


def said(page: str) -> list[Said]:
    """All that a page says, in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.said


def differences(page: str, expected: str) -> Iterator[str]:
    """What a page says and its assessment does not, at most ten of them, each with its line."""
    found, wanted = said(page), said(expected)
    start = _common(found, wanted)
    end = _common(found[start:][::-1], wanted[start:][::-1])
    found, wanted = found[start : len(found) - end], wanted[start : len(wanted) - end]
    if not found and not wanted:
        return
    if max(len(found), len(wanted)) > _MOST_COMPARED:
        yield _difference(found[:1], wanted[:1], " and much after it")
        return
    keys, others = ([(one.where, one.what) for one in side] for side in (found, wanted))
    shown = 0
    for kind, a, b, c, d in SequenceMatcher(None, keys, others, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        shown += 1
        if shown > _MOST_SHOWN:
            yield "and more"
            return
        yield _difference(found[a:b], wanted[c:d])


def _common(one: list[Said], other: list[Said]) -> int:
    """How many things two pages say alike from the beginning."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if (a.where, a.what) != (b.where, b.what):
            break
        count += 1
    return count


def _difference(found: list[Said], wanted: list[Said], more: str = "") -> str:
    place = f"line {found[0].line}: " if found else ""
    return f"{place}the page says {_quoted(found)}, the assessment {_quoted(wanted)}{more}"


def _quoted(what: list[Said]) -> str:
    """What is said, as short as it can be: text alone if there is any, else the elements."""
    texts = [one.what for one in what if one.what] or [one.where for one in what]
    return f"{safe(one_line(' '.join(texts)), limit=120)!r}" if texts else "nothing there"
