"""A page that says what its assessment does not say is found, wherever it says it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from psf_audit import pages, wire
from psf_audit.cli import output
from psf_audit.errors import IntegrityError
from psf_audit.verification import Given, Kind
from tests import samples
from tests.deployments import guarded
from tests.signatures import faults


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return output.rendered(guarded(tmp_path_factory.mktemp("deployment")).assess(), "html").decode()


def differences(page: str, old: str, new: str) -> list[str]:
    assert old in page
    return list(pages.differences(page.replace(old, new, 1), page))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<title>acme-indexer", "<title>another"),
        ('aria-label="Contents"', 'aria-label="Not ready"'),
        ("Every blocking control", "No control"),
        ("<th", "<th hidden"),
        ('<main id="main" tabindex="-1">', '<main id="main" tabindex="-1"><p>Certified by the state.</p>'),
        ("<footer>", "<!-- a note --><footer>"),
        ("</style>", "body{display:none}</style>"),
        ('<html lang="en">', '<html lang="de">'),
        ("<!doctype html>", "<!doctype html><?for another program?>"),
        ('class="skip"', 'class="skip" onclick="x"'),
        ("<h2", '<h2 style="display:none"'),
        ("</body>", '<script>alert("x")</script></body>'),
        ("</body>", "<svg><text>Ready</text></svg></body>"),
        ("</body>", '<svg><path onload="x" d="M0 0"/></svg></body>'),
        ('href="#main"', 'href="https://example.com"'),
    ],
)
def test_it_is_found(page: str, old: str, new: str) -> None:
    assert differences(page, old, new)


def test_both_sides_are_named_with_the_line(page: str) -> None:
    line = page[: page.index("Every blocking control")].count("\n") + 1
    (found,) = differences(page, "Every blocking control in every domain is demonstrated", "Nothing is demonstrated")
    assert found == (
        f"line {line}: the page says 'Nothing is demonstrated by the evidence.', "
        "the assessment 'Every blocking control in every domain is demonstrated by the evidence.'"
    )
    (found,) = differences(page, "Every blocking control in every domain is demonstrated by the evidence.", "")
    assert "the page says nothing there" in found


def test_a_page_does_not_differ_from_itself_and_shapes_may_move(page: str) -> None:
    assert list(pages.differences(page, page)) == []
    assert list(pages.differences(page.replace('<path d="', '<path class="x" d="M9 9', 1), page)) == []


def test_much_that_differs_is_cut(page: str) -> None:
    found = list(pages.differences(page.replace("e", "3"), page))
    assert 1 <= len(found) <= 11
    long = "<p>" + "<b>x</b>" * 5_000
    (told,) = pages.differences(long, long.replace("x", "y"))
    assert told.endswith("and much after it")


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_hostile_text_is_compared_too_and_named_inertly(text: str) -> None:
    for told in pages.differences(f"<p>{text}</p>", "<p>harmless</p>"):
        assert "\x1b" not in told
        assert "\n" not in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.replace(pages.SLOT_START, b"<script>"), "the page has no place for a signature"),
        (lambda data: data.replace(pages.DATA_START, b"<script>"), "the page has no assessment"),
        (lambda data: data + pages.SLOT_START + b"null</script>", "the page has more than one place for a signature"),
        (lambda data: data[: data.index(pages.SLOT_START) + 60], "the page ends within its place for a signature"),
        (
            lambda data: data.replace(pages.DATA_START + b"{", pages.DATA_START),
            "the assessment in the page is not JSON",
        ),
    ],
)
def test_what_is_no_page_of_an_assessment_is_named(page: str, change: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        pages.read(change(page.encode())).value()
    (found,) = faults(Given("report.html", change(page.encode())), key=None)
    assert message in found.text
    assert found.kind is Kind.ALTERED_REPORT


def test_a_signed_page_is_the_page_with_the_signature_in_its_place(page: str) -> None:
    read = pages.read(page.encode())
    assert read.signature is None
    assert read.bare == page.encode()
    again = pages.read(read.signed(b"[1]"))
    assert (again.signature, again.bare, again.sha256) == (b"[1]", read.bare, read.sha256)
    assert wire.from_json(again.value()) == wire.from_json(read.value())


def test_bytes_that_are_no_text_are_found(page: str) -> None:
    (found,) = faults(Given("report.html", page.encode().replace(b"Every blocking", b"\xff\xfe")), key=None)
    assert "is not UTF-8" in found.text
