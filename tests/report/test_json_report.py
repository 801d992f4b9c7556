import json

from jsonschema import Draft202012Validator

from psf_audit import schemas, wire, wire_comparison
from psf_audit.compare import compare
from psf_audit.rendering import View
from psf_audit.report.json_report import JSON
from psf_audit.text import screened
from tests import samples


def test_an_assessment_is_the_published_document() -> None:
    for sample in (samples.small(), samples.ready(), screened(samples.hostile())):
        value = json.loads(JSON.assessment(sample, View()))
        assert value == wire.to_json(sample)
        assert list(Draft202012Validator(schemas.load("assessment")).iter_errors(value)) == []


def test_a_comparison_is_the_published_document() -> None:
    comparison = compare(samples.small(), samples.ready())
    assert JSON.comparison is not None
    value = json.loads(JSON.comparison(comparison, View()))
    assert value == wire_comparison.comparison_to_json(comparison)
    assert list(Draft202012Validator(schemas.load("comparison")).iter_errors(value)) == []
