"""The HTML report in a real browser: on screens, without its script, by keyboard alone, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import pytest
from pypdf import PdfReader

from psf_audit.cli import main
from psf_audit.compare import compare
from psf_audit.rendering import View
from psf_audit.report.html import HTML
from psf_audit.text import screened
from tests import samples
from tests.browsers import PHONE, WIDE, axe, launched, opened, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("dn42", "guarded", "small", "hostile", "heavy", "comparison")
MODES = {
    "light": {"size": WIDE},
    "dark": {"size": WIDE, "scheme": "dark"},
    "phone": {"size": PHONE},
    "dark phone": {"size": PHONE, "scheme": "dark"},
}
MOST_BYTES = 5_000_000
# Everything is opened in short pages; in long ones axe would look at the same few kinds of elements for minutes.
LONG = ("dn42", "guarded")
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
OPEN_SOME = (
    "document.querySelectorAll('.domain > .control:nth-of-type(3) details').forEach((one) => { one.open = true })"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in NAMES}
    root = Path(__file__).resolve().parents[2]
    for name in ("dn42", "guarded"):
        manifest = root / "samples" / name / "manifest.yaml"
        given = ["--as-of", "2026-11-22", "-o", f"html={found[name]}", "--exit-zero"]
        assert main.run(["assess", str(manifest), *given]) == 0
    for name, made in (
        ("small", samples.small()),
        ("hostile", screened(samples.hostile())),
        ("heavy", samples.heavy()),
    ):
        found[name].write_text(HTML.assessment(made, View()), encoding="utf-8")
    assert HTML.comparison is not None
    compared = HTML.comparison(compare(samples.small(), samples.ready()), View())
    found["comparison"].write_text(compared, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


def test_ten_thousand_findings_stay_small() -> None:
    assert len(HTML.assessment(samples.heavy(), View()).encode()) < MOST_BYTES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "heavy"])
def test_axe_finds_nothing_and_nothing_leaves_the_page(
    browser: Browser, pages: dict[str, Path], name: str, mode: str
) -> None:
    with opened(browser, pages[name], **MODES[mode]) as page:  # type: ignore[arg-type]
        assert overflow(page) <= 0
        page.evaluate(OPEN_SOME if name in LONG else OPEN_ALL)
        assert overflow(page) <= 0
        assert axe(page) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole_without_its_script(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], script=False) as page:
        assert overflow(page) <= 0
        assert page.locator("button, input, select").count() == 0
        controls = page.locator(".control")
        assert controls.count() == page.locator(".control:visible").count()
        if controls.count():
            body, summary = controls.first.locator(".body"), controls.first.locator("summary").first
            assert not body.is_visible()
            summary.click()
            assert body.is_visible()
            page.goto(f"{page.url.partition('#')[0]}#{controls.last.get_attribute('id')}")
            assert controls.last.locator(".body").is_visible()


# 640 pixels are 1280 at a zoom of 200 %, 320 the same at 400 %.
@pytest.mark.parametrize("width", [1024, 640, 320])
@pytest.mark.parametrize("name", NAMES)
def test_it_never_scrolls_sideways(browser: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    with opened(browser, pages[name], (width, 700)) as page:
        page.evaluate(OPEN_ALL)
        assert overflow(page) <= 0


@pytest.mark.parametrize("name", ["dn42", "guarded"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_first_screen_answers(browser: Browser, pages: dict[str, Path], name: str, size: tuple[int, int]) -> None:
    with opened(browser, pages[name], size) as page:
        for part in (".verdict", ".cost", ".change", ".domains", ".facts"):
            box = page.locator(f".glance > {part}").bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= size[1], part


def shown(page: Page) -> list[str]:
    return [str(one.get_attribute("id")) for one in page.locator(".control:visible").all()]


def test_filters_and_search(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["dn42"]) as page:
        everything = shown(page)
        assert len(everything) == 45
        page.get_by_label("Status").select_option("contradicted")
        assert shown(page) == [
            str(one.get_attribute("id")) for one in page.locator('.control[data-status="contradicted"]').all()
        ]
        assert page.get_by_text(f"{len(shown(page))} of 45 controls").is_visible()
        page.get_by_label("Severity").select_option("blocking")
        page.get_by_label("Domain").select_option("Operator oversight checkpoints")
        assert shown(page) == ["control-CHECK-03", "control-CHECK-04"]
        assert page.locator(".domain:visible").count() == 1
        page.get_by_label("Search").fill("UNATTENDED runtime")
        assert shown(page) == ["control-CHECK-04"]
        page.get_by_label("Search").fill("no such words anywhere")
        assert shown(page) == []
        # A link to what is filtered out shows it.
        page.evaluate("location.hash = '#control-SPEND-01'")
        assert page.locator("#control-SPEND-01 .body").is_visible()
        assert shown(page) == everything
        page.get_by_role("button", name="Open all").click()
        assert page.locator(".control > .body:visible").count() == 45
        page.get_by_role("button", name="Close all").click()
        assert page.locator(".control > .body:visible").count() == 0


def test_hostile_text_can_be_searched_for_and_does_nothing(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["hostile"]) as page:
        page.get_by_label("Search").fill("<img src=x onerror=alert(1)>")
        assert 0 < len(shown(page)) <= page.locator(".control").count()
        assert page.locator("img, iframe, form").count() == 0


def test_a_snippet_is_copied(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["dn42"]) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        control = page.locator("#control-SPEND-01")
        control.locator("summary").first.click()
        control.get_by_text("How, for").click()
        snippet = control.locator(".snippet").first
        snippet.get_by_role("button").click()
        snippet.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == snippet.locator("pre").inner_text()


REACHED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  return [[...document.querySelectorAll('*')].indexOf(one),
          style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 && box.width > 0 && box.bottom > 0
          && box.top < innerHeight && box.right > 0];
}"""
WITHIN_REACH = """() => [...document.querySelectorAll('a[href], summary, input, select, button, pre[tabindex]')]
  .filter((one) => one.checkVisibility()).length"""


@pytest.mark.parametrize("name", ["small", "dn42"])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    with opened(browser, pages[name]) as page:
        page.keyboard.press("Tab")
        assert page.locator(".skip").evaluate("(one) => one === document.activeElement")
        reached = set()
        wanted = page.evaluate(WITHIN_REACH)
        while (at := page.evaluate(REACHED)) is not None and at[0] not in reached:
            assert at[1], page.evaluate("document.activeElement.outerHTML")
            reached.add(at[0])
            page.keyboard.press("Tab")
        assert len(reached) == wanted
        page.locator(".control summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator(".control .body").first.is_visible()


def test_the_skip_link_skips(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["small"]) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def printed(page: Page, paper: str) -> list[str]:
    """The text of each page on paper, without white space; letters that a font joins are letters again."""
    reader = PdfReader(BytesIO(page.pdf(format=paper)))
    return [re.sub(r"\s+", "", normalize("NFKC", sheet.extract_text())) for sheet in reader.pages]


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_on_paper_it_is_whole_with_headers_repeated_and_no_row_cut(
    browser: Browser, pages: dict[str, Path], paper: str
) -> None:
    with opened(browser, pages["guarded"]) as page:
        page.get_by_label("Search").fill("no such words anywhere")
        sheets = printed(page, paper)
        questions = [re.sub(r"\s+", "", text) for text in page.locator(".control .question").all_text_contents()]
        digests = page.locator(".register .digest").all_text_contents()
    assert all(f"{number}/{len(sheets)}" in sheet for number, sheet in enumerate(sheets, 1))
    whole = "".join(sheets)
    assert len(questions) == 48
    for question in questions:
        assert question in whole
    # The register is longer than a page: each page of it has its header, and no digest is spread over two.
    register = [sheet for sheet in sheets if any(digest in sheet for digest in digests)]
    assert len(register) > 1
    assert all("ProducerCollectedReleaseControlsSHA-256" in sheet for sheet in register)
    assert len(digests) == 15
    assert all(any(digest in sheet for sheet in register) for digest in digests)


def test_no_row_of_a_table_is_cut_on_paper(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["small"]) as page:
        page.emulate_media(media="print")
        rows = page.locator("tbody tr:visible")
        assert rows.count() > 10
        assert set(rows.evaluate_all("(all) => all.map((one) => getComputedStyle(one).breakInside)")) == {"avoid"}
        heads = page.locator("thead:visible")
        assert set(heads.evaluate_all("(all) => all.map((one) => getComputedStyle(one).display)")) <= {
            "table-header-group"
        }


def test_paper_counts_the_rows_that_it_leaves_out(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["heavy"]) as page:
        assert page.get_by_text("and 9975 more").first.count() == 1
        page.emulate_media(media="print")
        body = page.locator(".control .body").first
        assert body.get_by_text("and 9997 more, in the file").first.is_visible()
        assert not body.get_by_text("and 9975 more").first.is_visible()
        contradicted = body.locator("table").filter(has_text="Records that contradict it")
        assert contradicted.locator("tbody tr").count() == 25
        assert contradicted.locator("tbody tr:visible").count() == 3
