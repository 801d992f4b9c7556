"""A rubric as a document: everything that it asks stands in it, in both forms, and nothing of it is live."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from psf_audit import collection, rubric, rubric_book
from psf_audit.cli import main
from psf_audit.rubric import Rubric
from tests.test_revision import control
from tests.test_rubric import RUBRIC

FORMATS = tuple(collection.formats().values())
NAMES = [f"{name}@{version}" for name, versions in rubric.available().items() for version in versions]
NAMES += list(rubric.overlays())


def book(name: str) -> tuple[Rubric, str, str]:
    known = rubric.load(rubric.find(name))
    return known, rubric_book.markdown(known, FORMATS), rubric_book.html(known, FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_asked_stands_in_it(name: str) -> None:
    known, markdown, html = book(name)
    plain = MarkdownIt().render(markdown)

    for text in (plain, html):
        for domain in known.domains:
            assert domain.title in text
        for one in known.controls:
            assert text.count(f"{one.id} ") >= 2  # in the contents, and where it is described
        assert "unendorsed" in text
        assert known.identity.content_digest in text
    assert markdown.count("**Asks:**") == len(known.controls)
    assert html.count("<strong>Counts as a test:</strong>") == len(known.controls)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    _, markdown, html = book(name)
    headings = [line.lstrip("# ") for line in MarkdownIt().render(markdown).splitlines() if line.startswith("<h3>")]
    anchors = {
        "".join(c for c in text.removeprefix("<h3>").removesuffix("</h3>").lower() if c.isalnum() or c in " -").replace(
            " ", "-"
        )
        for text in headings
    }
    links = {part.partition(")")[0] for part in markdown.split("](#")[1:]}

    assert links <= anchors
    assert all(f'id="{part.partition(chr(34))[0]}"' in html for part in html.split('href="#')[2:])


def test_it_is_the_same_text_each_time_and_says_what_an_overlay_does() -> None:
    known, markdown, html = book("read-only")
    assert rubric_book.markdown(known, FORMATS) == markdown
    assert rubric_book.html(known, FORMATS) == html
    assert "left out" in markdown
    assert "With the overlay read-only@1.0.0" in html


def test_the_words_follow_the_rubric(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    entry = control(severity="high", tested={"adversarial": False, "max_age_days": 7})
    path.write_text(yaml.safe_dump({**RUBRIC, "controls": [entry]}), encoding="utf-8")
    text = rubric_book.markdown(rubric.load(path), FORMATS)

    assert "A passed test, review or drill, of this release, at most 7 days old" in text
    assert "numeric ceilings. At most 30 days old" in text
    assert "**Numbers in it:** most 100." in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)> [x](javascript:y) \x1b[2J\u202e"
    path = tmp_path / "r.yaml"
    entry = control(title=bad, requirement=bad, why=bad, question=bad)
    path.write_text(yaml.safe_dump({**RUBRIC, "title": bad, "about": bad, "limits": [bad], "controls": [entry]}))
    known = rubric.load(path)
    for text in (rubric_book.markdown(known, FORMATS), rubric_book.html(known, FORMATS)):
        assert "<img" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_command_writes_both(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    page = tmp_path / "book.html"
    assert main.run(["rubric", "docs", "payments", "-o", f"html={page}"]) == 0
    assert capsysbinary.readouterr().out.decode() == book("payments")[1]
    assert page.read_text(encoding="utf-8") == book("payments")[2]
    assert main.run(["rubric", "docs", "-f", "pdf"]) == 2
