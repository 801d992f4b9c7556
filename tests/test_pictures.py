"""Pictures: what they say, what they never hold, and that they are the same wherever they are drawn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit import drawing, illustrations, pictures
from psf_audit.exposure import Bound, Outcome
from psf_audit.pictures import Bar, Spend
from psf_audit.rendering import template
from tests import samples
from tests.strategies import EXPOSURES, activities, raw_texts

FORMULA = r"$\frac{a}{b}$ $x_1^2$ \alpha"
TAGS = {"svg", "title", "desc", "g", "defs", "path", "text", "use", "clipPath", "rect", "pattern"}
SMALL = Spend(
    start=samples.START,
    end=samples.START + samples.HOUR,
    spent=(Decimal(0), Decimal("0.5"), Decimal(2)),
    ceilings=(("1 USD in all", Decimal(1)), ("90 USD in all", Decimal(90))),
    marks=(("checkpoint", (samples.START, samples.START + 60_000)), ("stop", (samples.START + samples.HOUR,))),
    stops=(("a", samples.START + 1), ("b", samples.START + 2), ("c", samples.START + 2 * samples.HOUR)),
)


def parsed(text: str) -> Element:
    root: Element = fromstring(text)
    return root


def texts(root: Element) -> list[str]:
    return [found.text or "" for found in root.iter("text")]


def every() -> dict[str, Element]:
    activity, exposure = samples.ACTIVITY, samples.small().exposure
    assert exposure is not None
    rows = [("10 USD", (Bar("5 USD", (Decimal(5),)), Bar("0 USD", (Decimal(0),))))]
    return {
        "spend": parsed(illustrations.spend(activity)),
        "stretches": parsed(illustrations.stretches(activity)),
        "exposures": parsed(illustrations.exposure(exposure)),
        "sweep-0": parsed(pictures.bars("sweep-0", "Sweep", "words", ("saved", "interrupted"), rows)),
    }


EVERY = every()


@pytest.mark.parametrize("name", list(EVERY))
def test_a_picture_holds_nothing_that_acts_or_loads(name: str) -> None:
    ids = [found.attrib["id"] for found in EVERY[name].iter() if "id" in found.attrib]
    for element in EVERY[name].iter():
        assert element.tag in TAGS
        assert not {"style", "xmlns", "onload"} & element.attrib.keys()
        for key, value in element.attrib.items():
            if key == "href":
                assert value.removeprefix("#") in ids
            assert re.findall(r"url\(#([^)]+)\)", value) == [
                each for each in re.findall(r"url\(#([^)]+)\)", value) if each in ids
            ]
            assert "http" not in value
    assert len(set(ids)) == len(ids)
    assert all(found.startswith(f"{name}-") for found in ids)


@pytest.mark.parametrize("name", list(EVERY))
def test_a_picture_says_what_it_is(name: str) -> None:
    root = EVERY[name]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == f"{name}-title {name}-desc"
    words = {found.attrib["id"]: found.text for found in root if found.tag in {"title", "desc"}}
    assert all(words[each] for each in root.attrib["aria-labelledby"].split())
    assert re.fullmatch(rf"0 0 {drawing.WIDTH} \d+", root.attrib["viewBox"])
    assert "width" not in root.attrib


@pytest.mark.parametrize("name", list(EVERY))
def test_every_colour_is_one_of_the_page(name: str) -> None:
    """So it changes with the page: dark, or on paper."""
    style = template("report.css")
    inks = {color: ink for ink, color in drawing.INKS.items()}
    for element in EVERY[name].iter():
        classes = element.attrib.get("class", "").split()
        for key in ("fill", "stroke"):
            value = element.attrib.get(key, "none")
            if value != "none" and not value.startswith("url("):
                assert f"{key}-{inks[value]}" in classes
        if element.tag == "text":
            assert any(found.startswith("fill-") for found in classes)
        for found in classes:
            assert found == "picture" or f".{found} {{" in style


@settings(max_examples=20)
@given(words=st.one_of(raw_texts(), st.just(FORMULA), st.just("$"), st.just("$$")))
def test_any_name_is_text(words: str) -> None:
    picture = Spend(0, 1000, (Decimal(0), Decimal(9)), ((words, Decimal(5)),), ((words, (1,)),))
    shown = pictures._short(words, 44)
    root = parsed(pictures.spend("p", words, words, picture))
    assert shown in texts(root) or not shown.strip()
    rows = [(words, (Bar(words, (Decimal(1),)), Bar("x", None)))]
    root = parsed(pictures.bars("p", words, words, ("one", "other"), rows))
    assert pictures._short(words) in texts(root) or not shown.strip()
    assert {found.tag for found in root.iter()} <= TAGS


def test_a_formula_stays_as_it_was_written() -> None:
    picture = Spend(0, 1000, (Decimal(0), Decimal(9)), ((FORMULA, Decimal(5)),))
    assert FORMULA in texts(parsed(pictures.spend("p", "t", FORMULA, picture)))


@settings(max_examples=25)
@given(activity=activities(), exposure=EXPOSURES)
def test_whatever_was_found_can_be_drawn(activity: object, exposure: object) -> None:
    """`drawn` would hide it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(illustrations, "drawn", lambda draw: draw())
        for text in (
            illustrations.spend(activity),  # type: ignore[arg-type]
            illustrations.stretches(activity),  # type: ignore[arg-type]
            illustrations.exposure(exposure),  # type: ignore[arg-type]
        ):
            assert not text or parsed(text).tag == "svg"


# ------------------------------------------------------------------------------------------------------ what they show


def test_spend_shows_ceilings_marks_and_stops() -> None:
    found = texts(parsed(pictures.spend("p", "t", "d", SMALL)))
    assert "1 USD in all" in found
    assert "90 USD in all" not in found, "too high for the picture: the table has it"
    assert {"checkpoint", "stop", "a", "b", "0 USD", "1 USD", "2 USD"} <= set(found)
    assert "c" not in found, "after the end"


def test_what_nothing_bounds_is_never_a_number_and_what_is_not_known_is_no_bar() -> None:
    for outcome, words in ((Outcome.UNBOUNDED, "no bound"), (Outcome.UNKNOWN, "not known")):
        bar = illustrations._bar(Bound(outcome, through=Decimal(7), a_day=Decimal(9)))
        assert (bar.words, bar.parts, bar.endless) == (words, None, outcome is Outcome.UNBOUNDED)
    stopped = illustrations._bar(Bound(Outcome.STOPPED, through=Decimal(7), in_flight=Decimal(1)))
    assert (stopped.words, stopped.parts) == ("over 7.00 USD, not known how far", (Decimal(7),))
    bounded = illustrations._bar(samples.BOUNDED)
    assert (bounded.words, bounded.parts) == ("65.96 USD", (Decimal(50), Decimal("13.464"), Decimal("2.5")))


def _widths(root: Element) -> list[float]:
    """How wide each filled bar is, in points; the first is that of the legend."""
    found = []
    for path in root.iter("path"):
        if path.attrib.get("fill") == drawing.INKS["ink"] and "opacity" in path.attrib:
            places = [float(x) for x in re.findall(r"[ML] ?(-?[\d.]+)", path.attrib["d"])]
            found.append(max(places) - min(places))
    return found[1:]


def test_bars_are_as_long_as_their_sums() -> None:
    rows = [
        (name, (Bar(name, (Decimal(size),)), Bar("", None))) for name, size in (("one", 10), ("half", 5), ("tenth", 1))
    ]
    one, half, tenth = _widths(parsed(pictures.bars("p", "t", "d", ("", ""), rows)))
    assert half == pytest.approx(one / 2, abs=0.02)
    assert tenth == pytest.approx(one / 10, abs=0.02)


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (5 * 60_000, ["00:00\n2026-11-22", "00:01", "00:02", "00:03", "00:04", "00:05"]),
        (30 * 3_600_000, ["00:00\n2026-11-22", "06:00", "12:00", "18:00", "00:00\n2026-11-23", "06:00"]),
        (3 * 86_400_000, ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"]),
        (7, ["00:00\n2026-11-22", "00:00:00"]),
    ],
)
def test_moments_on_the_axis_are_round(length: int, labels: list[str]) -> None:
    assert pictures._labels(pictures._moments(samples.START, samples.START + length)) == labels


@pytest.mark.parametrize("top", ["0.000000001", "0.3", "1", "2.2", "7.05", "110", "6531.3", "123456789.987654321"])
def test_sums_on_the_axis_are_round_and_few(top: str) -> None:
    ticks = pictures._ticks(Decimal(top))
    assert 2 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] <= Decimal(top)
    assert {str(tick.normalize().as_tuple().digits[0]) for tick in ticks[1:]} <= set("12345678")


def test_nothing_to_draw_is_no_picture() -> None:
    from dataclasses import replace

    bare = replace(samples.ACTIVITY, spent=(Decimal(0),) * 97, marks=())
    assert illustrations.spend(bare) == ""
    assert illustrations.spend(replace(samples.ACTIVITY, start=None)) == ""
    assert illustrations.stretches(replace(samples.ACTIVITY, stretches=())) == ""


def test_what_fails_to_draw_is_no_picture() -> None:
    assert illustrations.drawn(lambda: str(1 / 0)) == ""


# --------------------------------------------------------------------------------------------------------- the library


def started(folder: Path, *arguments: str) -> str:
    """What Python prints in a process of its own, in this folder."""
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "MPLCONFIGDIR": str(folder / "none" / "such")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


DRAW = "from psf_audit import illustrations; from tests import samples; print(illustrations.spend(samples.ACTIVITY))"


def test_a_configuration_for_the_library_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 40\nlines.linewidth: 9\nsvg.fonttype: path\nbackend: module://nothing\nnonsense\n"
    )
    assert started(tmp_path, "-c", DRAW).strip() == illustrations.spend(samples.ACTIVITY)


def test_a_configuration_that_breaks_the_library_costs_no_report(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: \xff\xfe\n")
    assert started(tmp_path, "-c", DRAW).strip() == ""


LOADED = (
    "import sys; from psf_audit.cli import main; code = main.run(sys.argv[1:]);"
    "print([name for name in sys.modules if name == 'matplotlib'], code)"
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["assess", "--help"],
        ["assess", "M"],
        ["assess", "M", "-f", "json"],
        ["assess", "M", "-f", "markdown"],
    ],
)
def test_the_library_is_loaded_for_pages_alone(tmp_path: Path, repo: Path, arguments: list[str]) -> None:
    manifest = str(repo / "samples" / "dn42" / "manifest.yaml")
    root = Path(__file__).resolve().parent.parent
    given_ = [manifest if each == "M" else each for each in arguments]
    command = [sys.executable, "-c", LOADED, *given_]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("[] ")
