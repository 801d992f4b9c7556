import re

from hypothesis import given
from junitparser import JUnitXml

from psf_audit.model import Verdict
from psf_audit.rendering import View
from psf_audit.report.junit import JUNIT, legal
from tests import samples
from tests.strategies import raw_texts


def test_junitparser_reads_what_the_properties_say() -> None:
    read = JUnitXml.fromstring(JUNIT.assessment(samples.small(), View()).encode())
    assert (read.tests, read.failures, read.errors) == (
        sum(1 for suite in read for _ in suite),
        sum(any(type(one).__name__ == "Failure" for one in case.result) for suite in read for case in suite),
        sum(any(type(one).__name__ == "Error" for one in case.result) for suite in read for case in suite),
    )
    about = {one.name: one.value for one in next(iter(read)).properties()}  # type: ignore[no-untyped-call]
    assert about["psf-audit.verdict"] == Verdict.NOT_READY.value
    names_ = [(case.classname, case.name) for suite in read for case in suite]
    assert len(set(names_)) == len(names_)


@given(raw_texts())
def test_what_xml_has_no_form_for_is_left_out(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", legal(text + "\x0b\ufffe\ud800"))
