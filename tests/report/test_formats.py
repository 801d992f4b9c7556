"""What every report format promises."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psf_audit.compare import Comparison, compare
from psf_audit.model import Assessment
from psf_audit.plugins import discover, names
from psf_audit.rendering import ReportFormat, View
from psf_audit.text import screened
from tests import samples
from tests.goldens import undrawn
from tests.strategies import assessments

FORMATS = discover("psf_audit.report", ReportFormat)
OWN = ["terminal", "markdown", "html", "json"]  # what lists every control in the words of its id
VIEWS = [View(80), View(200), View(40, color=True, folder="deploy/agent")]
Golden = Callable[[str, str], None]

ASSESSMENTS: dict[str, Callable[[], Assessment]] = {
    "small": samples.small,
    "ready": samples.ready,
    "hostile": lambda: screened(samples.hostile()),
}


def _swapped() -> Comparison:
    return compare(samples.ready(), samples.small())


def _other_scoring() -> Comparison:
    ready = samples.ready()
    rubric = replace(ready.rubric, version="1.1.0", scoring_digest="sha256:" + "8" * 64)
    deployment = replace(ready.deployment, capabilities=("http.get", "mail.send"))
    return compare(samples.small(), replace(ready, rubric=rubric, deployment=deployment))


COMPARISONS: dict[str, Callable[[], Comparison]] = {
    "improved": lambda: compare(samples.small(), samples.ready()),
    "regressed": _swapped,
    "other-scoring": _other_scoring,
    "hostile": lambda: compare(samples.small(), screened(samples.hostile())),
}


def forbidden(text: str) -> set[str]:
    """Characters that a terminal acts on, or that make a line read other than it is."""
    return {
        character
        for character in text
        if character != "\n" and (unicodedata.category(character) in {"Cc", "Cs"} or character in "\u202e\u2066\u200b")
    }


def comparison(kind: ReportFormat, value: Comparison, view: View) -> str:
    assert kind.comparison is not None
    return kind.comparison(value, view)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sample", list(ASSESSMENTS))
def test_assessments_are_as_they_were(name: str, sample: str, golden: Golden) -> None:
    kind = FORMATS[name]
    golden(f"report/{sample}{kind.suffixes[0]}", undrawn(kind.assessment(ASSESSMENTS[sample](), View(80))))


@pytest.mark.parametrize("name", [kind.name for kind in FORMATS.values() if kind.comparison is not None])
@pytest.mark.parametrize("sample", list(COMPARISONS))
def test_comparisons_are_as_they_were(name: str, sample: str, golden: Golden) -> None:
    kind = FORMATS[name]
    golden(f"report/diff-{sample}{kind.suffixes[0]}", comparison(kind, COMPARISONS[sample](), View(80)))


@pytest.mark.parametrize("kind", FORMATS.values(), ids=list(FORMATS))
def test_a_format_says_what_it_is(kind: ReportFormat) -> None:
    assert kind.title
    assert kind.suffixes
    assert all(suffix.startswith(".") for suffix in kind.suffixes)


@settings(max_examples=25)
@given(assessment=assessments(), view=st.sampled_from(VIEWS))
def test_any_assessment_gives_the_same_text_twice(assessment: Assessment, view: View) -> None:
    for kind in FORMATS.values():  # drawing an assessment takes longer than writing it
        text = kind.assessment(assessment, view)
        assert text == kind.assessment(assessment, view), kind.name
        assert text.endswith("\n"), kind.name
        text.encode()


@pytest.mark.parametrize("kind", FORMATS.values(), ids=list(FORMATS))
@settings(max_examples=15)
@given(old=assessments(), new=assessments(), view=st.sampled_from(VIEWS))
def test_any_comparison_gives_the_same_text_twice(
    kind: ReportFormat, old: Assessment, new: Assessment, view: View
) -> None:
    if kind.comparison is not None:
        made = compare(old, new)
        assert kind.comparison(made, view) == kind.comparison(made, view)


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_nothing_that_acts_survives_even_if_nobody_screened(name: str) -> None:
    text = FORMATS[name].assessment(samples.hostile(), View(80))
    visible = text.partition('<script type="application/json"')[0]
    assert forbidden(visible) == set()


@pytest.mark.parametrize("name", OWN)
def test_every_control_is_named(name: str) -> None:
    for sample in (samples.small(), samples.large()):
        text = FORMATS[name].assessment(sample, View(80))
        for control in sample.controls:
            assert control.id in text


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_verdict_and_waivers_are_told(name: str) -> None:
    text = FORMATS[name].assessment(samples.small(), View(120)).lower()
    assert "not ready" in text
    assert "1 waiver in force: check-04" in text
    assert "the waivers of the manifest were ignored" in (
        FORMATS[name].assessment(replace(samples.small(), waivers_ignored=True), View(120)).lower()
    )


def test_formats_are_known_by_the_names_of_their_modules() -> None:
    assert names("psf_audit.report") == tuple(discover("psf_audit.report", ReportFormat))
