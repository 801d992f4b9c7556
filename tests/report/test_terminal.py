import re
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from psf_audit import rendering
from psf_audit.compare import compare
from psf_audit.model import Assessment
from psf_audit.rendering import View
from psf_audit.report.terminal import TERMINAL
from tests import samples

SGR = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = [40, 60, 80, 120, 200]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", [samples.small, samples.large, samples.hostile])
def test_no_line_is_wider_than_the_terminal(make: Callable[[], Assessment], width: int) -> None:
    for line in TERMINAL.assessment(make(), View(width)).splitlines():
        assert cell_len(line) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut(width: int) -> None:
    text = TERMINAL.assessment(samples.small(), View(width))
    assert "…" not in text
    folded = re.sub(r"[\s│]+", "", text)
    for control in samples.small().controls:
        assert control.id in text
        if control.status.is_gap:
            assert control.reason.replace(" ", "") in folded
    assert "evidence/calls.jsonl,line48213" in folded


def test_piped_text_has_no_escape_codes() -> None:
    assert "\x1b" not in TERMINAL.assessment(samples.small(), View(80))


def test_colour_adds_nothing_but_colour() -> None:
    colored = TERMINAL.assessment(samples.small(), View(80, color=True))
    assert SGR.search(colored)
    plain = [line.rstrip() for line in SGR.sub("", colored).splitlines()]
    assert plain == TERMINAL.assessment(samples.small(), View(80)).splitlines()


def test_hostile_text_brings_no_escape_code_of_its_own() -> None:
    colored = TERMINAL.assessment(samples.hostile(), View(80, color=True))
    assert "\x1b" not in SGR.sub("", colored)
    assert "\x07" not in colored


def test_markup_and_emoji_stay_text() -> None:
    folded = re.sub(r"[\s│]+", "", TERMINAL.assessment(samples.hostile(), View(200)))
    assert "[/blue][boldred]x[/]" in folded
    assert ":warning:" in folded


@pytest.mark.parametrize("width", [80, 200])
def test_many_gaps_stay_scannable(width: int) -> None:
    text = TERMINAL.assessment(samples.large(), View(width))
    assert "What to do first (29 gaps, 10 blocking)" in text
    assert "16 more gaps, not blocking" in text
    assert len(text.splitlines()) < 200
    third = rendering.next_steps(samples.large())[2].id
    assert text.index(f"{third}:") < text.index("Blocking gaps, and what is contradicted") < text.index("16 more gaps")


def test_nothing_to_do_is_not_told() -> None:
    text = TERMINAL.assessment(samples.ready(), View(80))
    assert "What to do first" not in text
    assert "✓ READY" in text


def test_a_long_list_that_did_not_get_worse_is_short() -> None:
    large = samples.large()
    grown = TERMINAL.comparison
    assert grown is not None
    text = grown(compare(samples.assessment([]), large), View(80))
    assert "New (45)" in text
    assert len(text.splitlines()) < 75
