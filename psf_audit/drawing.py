"""A drawing of matplotlib as SVG that stands in a page: no style sheet, no metadata, nothing that loads or acts.

Matplotlib is imported when the first picture is drawn. What a user or a folder has configured for it does not count:
the same picture gives the same bytes. Texts are written as text, whatever signs stand in them, and never as formulas.

A page gives the colours: each part of a drawing has one of the `INKS`, and becomes an element with the class `fill-INK`
or `stroke-INK`; the colours here are those of a reader without the style sheet.
"""

from __future__ import annotations

import logging
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from psf_audit.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

# Six colours that no library uses by itself, so that each can be told from what stands for it.
INKS = {
    "ink": "#1b1f25",
    "muted": "#57606b",
    "line": "#d5dae1",
    "paper": "#fefffe",
    "bad": "#a1201b",
    "good": "#1a6638",
}
WIDTH = 480
FONT = 11.5

_POINTS = 72
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DECIMALS = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NO_TURN = re.compile(r"rotate\(-?0(?:\.0+)?[ )][^)]*\)")
# What is kept of the style that matplotlib writes on each element; fonts are the page's.
_KEPT = frozenset(
    {
        *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linejoin"),
        *("stroke-linecap", "stroke-dashoffset", "opacity", "text-anchor", "font-size", "font-weight"),
    }
)
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "psf-audit",
    "text.usetex": False,
    "text.parse_math": False,
    "axes.unicode_minus": False,
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "hatch.linewidth": 1.2,
    "hatch.color": INKS["ink"],
    "path.simplify": False,
}


def svg(name: str, title: str, description: str, height: int, paint: Callable[[Figure], None]) -> str:
    """An SVG element of `WIDTH` by `height` points: what `paint` puts on an empty figure.

    `name` keeps its ids apart from those of other pictures of the page; `title` and `description` are what a screen
    reader says.
    """
    root = _parsed(_drawn(height, paint))
    made = Element(
        "svg",
        {
            "class": "picture",
            "viewBox": f"0 0 {WIDTH} {height}",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
            "focusable": "false",
        },
    )
    SubElement(made, "title", {"id": f"{name}-title"}).text = _words(title)
    SubElement(made, "desc", {"id": f"{name}-desc"}).text = _words(description)
    used = _used(root)
    for child in root:
        made.extend(_plain(child, name, used))
    return tostring(made, encoding="unicode", short_empty_elements=True)


def _words(text: str) -> str:
    return " ".join(clean(text).split())


def _drawn(height: int, paint: Callable[[Figure], None]) -> str:
    import io

    # It says where it keeps its list of fonts when it cannot write to the home folder: no concern of a report.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # It warns of letters that its own font lacks; the page is read with the fonts of whoever reads it.
    with warnings.catch_warnings(action="ignore"), mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(WIDTH / _POINTS, height / _POINTS), dpi=_POINTS)
        figure.patch.set_visible(False)
        FigureCanvasSVG(figure)
        paint(figure)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        return sink.getvalue()


def _parsed(text: str) -> Element:
    from defusedxml.ElementTree import fromstring

    root: Element = fromstring(text)
    return root


def _used(root: Element) -> frozenset[str]:
    """The ids that something in the drawing refers to."""
    found = set()
    for element in root.iter():
        found |= {element.attrib[_HREF].removeprefix("#")} if _HREF in element.attrib else set()
        for value in element.attrib.values():
            found |= set(_REFERENCE.findall(value))
    return frozenset(found)


def _plain(element: Element, name: str, used: frozenset[str]) -> Iterator[Element]:
    """The element for a page, without namespace, style and names that nothing refers to; groups of one fall away."""
    tag = element.tag.removeprefix(_SVG)
    if tag in {"metadata", "style"}:
        return
    children = [made for child in element for made in _plain(child, name, used)]
    attributes = dict(_attributes(element, name, used))
    if tag in {"g", "defs"} and not children:
        return
    if tag == "g" and not attributes:
        yield from children
        return
    made = Element(tag, attributes)
    made.text = clean(element.text) if element.text and element.text.strip() else None
    made.extend(children)
    yield made


def _attributes(element: Element, name: str, used: frozenset[str]) -> Iterator[tuple[str, str]]:
    classes = []
    for key, value in _stated(element):
        if key == "id":
            if value in used:
                yield "id", f"{name}-{value}"
        elif key == _HREF:
            yield "href", f"#{name}-{value.removeprefix('#')}"
        elif key == "transform" and _NO_TURN.fullmatch(value):
            continue
        else:
            yield key, _DECIMALS.sub(_short, _REFERENCE.sub(rf"url(#{name}-\1)", " ".join(value.split())))
            classes += [f"{key}-{ink}" for ink, color in INKS.items() if key in {"fill", "stroke"} and value == color]
    if element.tag == f"{_SVG}text" and not any(found.startswith("fill-") for found in classes):
        classes.append("fill-ink")
    if classes:
        yield "class", " ".join(classes)


def _stated(element: Element) -> Iterator[tuple[str, str]]:
    """The attributes of an element, and those of its style that are kept, as attributes."""
    for key, value in element.attrib.items():
        if key != "style":
            yield key, value
    for declaration in element.attrib.get("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if key.strip() in _KEPT:
            yield key.strip(), value.strip()


def _short(found: re.Match[str]) -> str:
    """A number to two places; more than that nobody sees."""
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
