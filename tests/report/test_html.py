import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from jinja2 import UndefinedError

from psf_audit import activity_words, illustrations, pictures, plainly, questions, rendering, wire, wire_comparison
from psf_audit.amounts import clock, money
from psf_audit.compare import Comparison, compare
from psf_audit.model import Assessment
from psf_audit.rendering import View, line
from psf_audit.report import html
from psf_audit.report.html import HTML, data_block, policy_digest
from psf_audit.text import screened
from tests import samples

VOID = {"meta", "link", "br", "circle", "path", "rect", "use"}


class Page(HTMLParser):
    """Every element of a page with its attributes, and the text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag] = self.text.get(tag, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def assessed(assessment: Assessment) -> Page:
    return Page(HTML.assessment(assessment, View()))


def compared(comparison: Comparison) -> Page:
    assert HTML.comparison is not None
    return Page(HTML.comparison(comparison, View()))


def pages() -> dict[str, Page]:
    return {
        "small": assessed(samples.small()),
        "ready": assessed(samples.ready()),
        "hostile": assessed(samples.hostile()),
        "diff": compared(compare(samples.small(), samples.ready())),
        "hostile-diff": compared(compare(screened(samples.hostile()), samples.small())),
    }


PAGES = pages()


@pytest.fixture(params=list(PAGES))
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]


def test_nothing_is_active(page: Page) -> None:
    runs = [script for script in page.all("script") if script.get("type") != "application/json"]
    assert runs == ([{}] if page.all("article") else [])
    inert = {"iframe", "object", "embed", "form", "base", "img", "input", "button", "select", "audio", "video"}
    assert not inert & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in {"style", "src", "srcdoc", "action"}
        ]
        if "href" in attributes:
            href = str(attributes["href"])
            assert href.startswith("#") or (tag == "link" and href == "data:,")


def test_the_policy_lets_nothing_in_but_this_very_style_and_script(page: Page) -> None:
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    script = rendering.template("report.js")
    allowed = f"script-src 'sha256-{policy_digest(script)}'; " if page.all("article") else ""
    assert policy == (
        f"default-src 'none'; {allowed}style-src 'sha256-{policy_digest(page.text['style'])}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert len(page.all("style")) == 1
    assert page.elements.index(("style", {})) > [tag for tag, _ in page.elements].index("meta")
    assert ("script" in policy) == (script in page.text["script"])


def test_the_script_reaches_nothing_outside_the_page() -> None:
    script = rendering.template("report.js")
    assert "</" not in script
    for name in (
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "import",
        "eval",
        "innerHTML",
        "outerHTML",
        "Storage",
        "cookie",
    ):
        assert name not in script


def test_the_style_loads_nothing() -> None:
    style = rendering.template("report.css")
    assert "url(" not in style
    assert "@import" not in style
    assert "</" not in style


def test_the_page_is_well_built(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("thead"))
    assert {heading.get("scope") for heading in page.all("th")} <= {"col", "row"}
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {str(link["href"])[1:] for link in page.all("a")}
    assert links <= set(ids)
    assert {str(use["href"])[1:] for use in page.all("use")} <= set(ids)


def test_icons_never_stand_alone_and_pictures_have_words(page: Page) -> None:
    ids = {str(attributes["id"]): tag for tag, attributes in page.elements if "id" in attributes}
    for svg in page.all("svg"):
        if svg.get("class") != "picture":
            assert svg.get("aria-hidden") == "true"
            continue
        assert svg["role"] == "img"
        title, description = str(svg["aria-labelledby"]).split()
        assert (ids[title], ids[description]) == ("title", "desc")


def test_the_assessment_is_embedded_as_it_is() -> None:
    for sample in (samples.small(), screened(samples.hostile())):
        text = HTML.assessment(sample, View())
        (block,) = re.findall(r'<script type="application/json" id="psf-assessment">(.*?)</script>', text, re.DOTALL)
        assert wire.from_json(json.loads(block)) == sample


def test_the_comparison_is_embedded_as_it_is() -> None:
    comparison = compare(samples.small(), samples.ready())
    (block,) = re.findall(
        r'<script type="application/json" id="psf-comparison">(.*?)</script>',
        HTML.comparison(comparison, View()) if HTML.comparison else "",
        re.DOTALL,
    )
    assert json.loads(block) == wire_comparison.comparison_to_json(comparison)


@pytest.mark.parametrize("text", [HTML.assessment(samples.small(), View()), HTML.assessment(samples.hostile(), View())])
def test_the_place_of_a_signature_is_the_last_element_and_empty(text: str) -> None:
    assert text.count('id="psf-attestation"') == 1
    assert text.endswith('\n<script type="application/json" id="psf-attestation">null</script>\n</body>\n</html>\n')


def test_a_data_block_cannot_be_ended() -> None:
    value = {"</script>": "<!--<script>&\u2028\u2029"}
    block = data_block(value)
    assert not set("<>&\u2028\u2029") & set(block)
    assert json.loads(block) == value


def test_hostile_text_is_shown_as_text() -> None:
    body = PAGES["hostile"].text["main"]
    assert "</script><script>alert(1)</script>" in body
    assert "{{ 7 * 7 }}" in body
    assert "<img src=x onerror=alert(1)>" in body


def test_paper_shows_all_controls() -> None:
    """What a details element folds stands after it, and is hidden by a rule for screens alone."""
    style = rendering.template("report.css")
    screen = style.partition("@media screen {")[2].partition("\n}")[0]
    assert "details:not([open]) + .fold { display: none; }" in screen
    assert style.count("+ .fold { display: none; }") == 1
    text = HTML.assessment(samples.small(), View())
    for details in re.findall(r"<details[^>]*>(.*?)</details>(\s*<div class=\"[\w ]*fold)?", text, re.DOTALL):
        assert details[0].count("<summary>") == 1
        assert details[0].endswith("</summary>")
        assert details[1]


def test_the_first_screen_has_what_a_buyer_asks_first() -> None:
    head = re.sub(r"\s+", " ", PAGES["small"].text["header"])
    for wanted in ("acme-indexer", "2.4.0", "May it go live? No", "not ready", "What could it cost? No limit",
                   "What must change? the first 3 of 5", "Breach pauses the agent", "2026-12-11", "91%", "14%",
                   "does not pass", "nobody is named", "psf-agentic@1.0.0", "2026-11-22",
                   "1 waiver in force"):  # fmt: skip
        assert wanted in head


def test_the_answer_has_the_colour_of_the_gate_not_of_the_verdict() -> None:
    for made, tone in (
        (samples.ready(), "good"),
        (samples.small(), "bad"),
        (replace(samples.ready(), coverage=Fraction(1, 2)), "unsure"),
    ):
        assert f'<section class="verdict is-{tone}">' in HTML.assessment(made, View())


def test_each_control_opens_to_all_that_is_known_of_it() -> None:
    text = re.sub(r"\s+", " ", PAGES["small"].text["article"])
    for wanted in ("Requirement", "Claimed by the manifest", "Shown by the evidence", "Records that contradict it",
                   "Tests", "Documents", "History", "2026-11-13 02:10:44 UTC contradicted usd limit", "Remedy",
                   "max_budget: 50", "References", "NIST AI RMF: MANAGE 2.4"):  # fmt: skip
        assert wanted in text


def test_questions_limits_and_glossary_stand_on_the_page() -> None:
    text = re.sub(r"\s+", " ", PAGES["small"].text["main"])
    for answer in questions.answers(samples.small()):
        assert line(answer.question.question) in text
        assert line(answer.words) in text
    for _, terms in plainly.glossary():
        for term, told in terms:
            assert f"{term}{told}" in text
    assert all(limit in text for limit in samples.LIMITS)


def test_steps_have_a_remedy_and_what_they_leave_open() -> None:
    text = PAGES["small"].text
    assert "Give every path that costs money a ceiling" in text["ol"]
    assert "without a bound: cloud.create_stack" in text["ol"]
    assert "max_budget: 50" in text["pre"]


def _channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _luminance(color: str) -> float:
    digits = color if len(color) == 6 else "".join(digit * 2 for digit in color)
    red, green, blue = (_channel(int(digits[at : at + 2], 16)) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_light_and_dark() -> None:
    themes = re.findall(r":root \{(.*?)\}", rendering.template("report.css"), re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colors = dict(re.findall(r"--([\w-]+): #([0-9a-f]{3,6});", theme))
        for name in ("ink", "muted", "link", "bad", "warn", "unsure", "good"):
            for ground in ("paper", "surface"):
                assert _contrast(colors[name], colors[ground]) >= 4.5, (name, ground)
        assert _contrast(colors["strong-line"], colors["paper"]) >= 3


def test_a_template_writes_nothing_that_is_not_there() -> None:
    environment = html._environment()
    with pytest.raises(UndefinedError):
        environment.from_string("{{ assessment.scroe }}").render(assessment=samples.small())
    with pytest.raises(TypeError, match="writes None"):
        environment.from_string("{{ score }}").render(score=None)


# ------------------------------------------------------------------------------------------------- pictures and tables


def tables(text: str) -> dict[str, list[list[str]]]:
    """The cells of each table, by the start of its caption."""
    found = {}
    for table in re.findall(r"<table[^>]*>(.*?)</table>", text, re.DOTALL):
        caption = unescape(re.findall(r"<caption>(.*?)</caption>", table, re.DOTALL)[0])
        rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
        found[caption] = [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]
    return found


def test_every_number_of_a_picture_stands_in_a_table() -> None:
    activity = samples.ACTIVITY
    found = tables(HTML.assessment(samples.small(), View()))
    spent = found["What had been spent, in USD, at the moments (UTC) at which it had changed"]
    assert spent == [[clock(activity.moment(step)), money(sum_)] for step, sum_ in enumerate(activity.spent)]
    marks = found["What happened along the way"]
    assert [(row[0], int(row[1])) for row in marks] == [(mark.kind.label, mark.count) for mark in activity.marks]
    assert [row[2:] for row in marks] == [[clock(mark.at), clock(mark.until)] for mark in activity.marks]
    stops = found["When what is enforced would have stopped it"]
    assert [(row[0][2:], row[1]) for row in stops] == [(each.what, clock(each.at)) for each in activity.stops]
    assert [row[0][0] for row in stops] == ["a", "b"]
    stretches = found["The 2 longest of 64 stretches without a decision of a person"]
    assert stretches == [
        ["1 run-7f", "2026-11-22 09:00:00", "14 h", "1,834.20", "900", "811"],
        ["2 run-80", "2026-11-22 00:00:00", "1 h", "not stated", "20", "0"],
    ]


def test_moments_at_which_nothing_had_changed_are_left_out() -> None:
    spent = (Decimal(1),) * 40 + (Decimal(2),) * 57
    activity = replace(samples.ACTIVITY, spent=spent)
    rows = list(activity_words.spent_rows(activity))
    assert [row[1] for row in rows] == ["1.00", "2.00", "2.00"]
    assert [row[0] for row in rows] == [clock(activity.moment(step)) for step in (0, 40, 96)]


def test_each_picture_is_there_with_ids_of_its_own() -> None:
    drawn = [svg for svg in PAGES["small"].all("svg") if svg.get("class") == "picture"]
    assert [str(svg["aria-labelledby"]).split("-")[0] for svg in drawn] == ["exposures", "spend", "stretches"]


def test_a_page_is_whole_when_the_library_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no font")

    before = HTML.assessment(samples.small(), View())
    monkeypatch.setattr(pictures, "svg", broken)
    text = HTML.assessment(samples.small(), View())
    assert text.count(illustrations.UNDRAWN) == 3
    assert 'class="picture"' not in text
    assert tables(text) == tables(before)


def test_where_there_was_no_log_the_page_says_so() -> None:
    assert activity_words.NOTHING in PAGES["ready"].text["main"]


def test_a_cost_that_is_not_stated_is_not_nothing() -> None:
    nothing = replace(samples.ACTIVITY, spent=(Decimal(0),) * 97)
    assert activity_words.headline(nothing).startswith("no stated cost in 1201 calls")
    assert activity_words.headline(replace(nothing, unpriced=0)).startswith("0.00 USD in 1201 calls")
    assert activity_words.headline(replace(nothing, spent=(), start=None, stretches=())) == "1201 calls."
