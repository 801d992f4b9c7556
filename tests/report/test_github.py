import re

from hypothesis import given, settings

from psf_audit.model import Assessment
from psf_audit.rendering import View
from psf_audit.report.github import GITHUB, command
from tests import samples
from tests.strategies import assessments


def test_what_ends_a_command_is_encoded() -> None:
    assert command("error", "100%\r\n::stop", file="a,b:c%.yaml", line="3") == (
        "::error file=a%2Cb%3Ac%25.yaml,line=3::100%25%0D%0A::stop"
    )


@settings(max_examples=20)
@given(assessments())
def test_every_line_is_one_command(assessment: Assessment) -> None:
    for line in GITHUB.assessment(assessment, View()).removesuffix("\n").split("\n"):
        found = re.fullmatch(r"::(?:error|warning|notice) (?:[a-z]+=[^,:]*,?)+::[^\r\n]*", line)
        assert found, line


def test_only_as_many_annotations_as_github_shows_and_the_rest_named() -> None:
    text = GITHUB.assessment(samples.many(25, "no artifact"), View())
    assert text.count("::warning ") == 10
    summary = text.splitlines()[0]
    assert summary.startswith("::notice title=psf-audit%3A not ready::Gate: ")
    assert "not shown: SPEND-00010 (missing), " in summary
    assert "SPEND-00024 (missing)." in summary
