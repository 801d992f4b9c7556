import re

import pytest
from hypothesis import example, given
from markdown_it import MarkdownIt
from markdown_it.token import Token

from psf_audit import rendering
from psf_audit.compare import compare
from psf_audit.markup import code, escape, fenced, table
from psf_audit.rendering import View
from psf_audit.report.markdown import MARKDOWN
from psf_audit.text import clean, screened
from tests import samples
from tests.strategies import raw_texts

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALLOWED_HTML = {"<br>", "<!-- -->"}
BLOCKS = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}


def inlines(markdown: str) -> list[Token]:
    return [child for token in PARSER.parse(markdown) for child in token.children or ()]


def shown(tokens: list[Token]) -> str:
    """What a reader sees; comments are not seen."""
    return "".join(token.content for token in tokens if token.type not in {"html_inline", "html_block"})


@given(raw_texts())
@example("1. one")
@example("- item")
@example("---")
@example("# heading")
@example("a|b\\|c")
@example("a\\")
def test_escaped_text_reads_as_it_was(text: str) -> None:
    tokens = PARSER.parse(escape(text))
    kinds = {token.type for token in tokens}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close"}
    children = inlines(escape(text))
    assert {child.type for child in children} <= {"text", "text_special", "html_inline"}
    assert all(child.content in ALLOWED_HTML for child in children if child.type == "html_inline")
    assert shown(children) == rendering.line(text)


@given(raw_texts(), raw_texts())
def test_cells_hold_what_was_put_in_them(text: str, other: str) -> None:
    made = table(["h", "i"], [[escape(text), code(other)]])
    rows = [token for token in PARSER.parse(made) if token.type == "inline"]
    assert [shown(row.children or []) for row in rows] == ["h", "i", rendering.line(text), rendering.line(other)]


@given(raw_texts(), raw_texts())
def test_a_fence_cannot_be_ended_from_inside(text: str, language: str) -> None:
    (token,) = PARSER.parse(fenced(text, language))
    assert token.type == "fence"
    assert token.content == clean(text).strip("\n") + "\n"
    assert re.fullmatch(r"[a-z0-9_+-]*", token.info)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("https://evil.example/x", "https://"),
        ("www.evil.example", "www.evil"),
        ("thanks @someone", "@someone"),
        (":warning:", ":warning:"),
    ],
)
def test_what_github_makes_live_is_interrupted(text: str, never: str) -> None:
    assert never not in escape(text)


def test_times_stay_readable() -> None:
    assert escape("2026-11-13 02:10:44 UTC, psf-agentic@1.0.0") == "2026-11-13 02:10:44 UTC, psf-agentic@1.0.0"


@pytest.mark.parametrize("name", ["assessment", "comparison"])
def test_hostile_text_makes_no_structure(name: str) -> None:
    if name == "assessment":
        text = MARKDOWN.assessment(samples.hostile(), View())
        usual = MARKDOWN.assessment(samples.small(), View())
    else:
        assert MARKDOWN.comparison is not None
        text = MARKDOWN.comparison(compare(samples.small(), screened(samples.hostile())), View())
        usual = text
    blocks = {token.type.removesuffix("_open") for token in PARSER.parse(text) if token.nesting == 1}
    assert blocks <= BLOCKS
    inner = [child.type for child in inlines(text)]
    assert not {"link_open", "image", "autolink", "s_open"} & set(inner)
    html = {child.content for child in inlines(text) if child.type == "html_inline"}
    assert html <= ALLOWED_HTML
    assert not [token for token in PARSER.parse(text) if token.type == "html_block"]
    headings = [token.tag for token in PARSER.parse(text) if token.type == "heading_open"]
    assert headings == [token.tag for token in PARSER.parse(usual) if token.type == "heading_open"]


def test_claims_stand_beside_the_evidence() -> None:
    text = MARKDOWN.assessment(samples.small(), View())
    assert "| Claimed by the manifest | Shown by the evidence |" in text
    assert "and 2 more" in text


def test_a_snippet_is_shown_with_its_gap_only() -> None:
    text = MARKDOWN.assessment(samples.small(), View())
    assert "```terraform\nresource" in text
    assert "```" not in MARKDOWN.assessment(samples.ready(), View())
