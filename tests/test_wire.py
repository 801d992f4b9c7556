import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from psf_audit import schemas
from psf_audit.errors import ConfigurationError, ExitCode
from psf_audit.model import Assessment
from psf_audit.text import screened
from psf_audit.wire import SCHEMA, dumps, from_json, to_json
from tests import samples
from tests.strategies import assessments

VALIDATOR = Draft202012Validator(schemas.load("assessment"))
Change = Callable[[dict[str, Any]], object]


def parsed(assessment: Assessment) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(dumps(to_json(assessment)))
    return value


def test_the_published_schema_is_one() -> None:
    Draft202012Validator.check_schema(schemas.load("assessment"))
    assert schemas.load("assessment")["properties"]["schema"] == {"const": SCHEMA}


@settings(max_examples=60)
@given(assessments())
def test_what_is_written_is_read_again(assessment: Assessment) -> None:
    value = parsed(assessment)
    assert list(VALIDATOR.iter_errors(value)) == []
    assert from_json(value) == assessment
    assert dumps(to_json(from_json(value))) == dumps(value)


@pytest.mark.parametrize("make", [samples.small, samples.ready, samples.large])
def test_samples_come_back(make: Callable[[], Assessment]) -> None:
    assert from_json(parsed(make())) == make()


def test_an_assessment_of_before_has_no_lines_and_loads() -> None:
    value = parsed(samples.small())
    del value["gate"]["manifest_line"]
    for part in (*value["evidence"], *(control for domain in value["domains"] for control in domain["controls"])):
        del part["manifest_line"]
    assert list(VALIDATOR.iter_errors(value)) == []
    assert from_json(value) == samples.small()


def test_what_is_read_is_screened() -> None:
    value = to_json(samples.hostile())
    assert from_json(value) == screened(samples.hostile())
    assert "\x1b" not in from_json(value).deployment.name


def test_numbers_are_exact_with_percent_beside() -> None:
    value = to_json(samples.small())
    assert value["score"] == {"exact": "1/7", "percent": 14}
    assert value["coverage"] == {"exact": "21/23", "percent": 91}


def test_sums_are_text_and_what_is_not_known_is_null() -> None:
    exposure = to_json(samples.ready())["exposure"]
    assert exposure["enforced"]["worst"] == "as_declared"
    assert exposure["enforced"]["situations"][3]["in_all"] == {
        "outcome": "bounded",
        "through_usd": "50",
        "lag_usd": "13.464",
        "in_flight_usd": "2.5",
        "total_usd": "65.964",
        "a_day_usd": None,
        "decided_by": [
            {
                "what": "limit of 50 usd for each session (gateway)",
                "evidence": "config/gateway.yaml",
                "pointer": "/limits/0",
                "usd": "65.964",
            }
        ],
    }
    assert to_json(replace(samples.ready(), exposure=None))["exposure"] is None


@pytest.mark.parametrize(
    ("side", "change", "message"),
    [
        ("enforced", {"worst": "slow_api"}, "names another situation than its worst one"),
        ("claimed", {"situations": None}, "is not that of the four situations"),
    ],
)
def test_an_exposure_that_contradicts_itself_is_refused(side: str, change: dict[str, Any], message: str) -> None:
    value = to_json(samples.ready())
    found = value["exposure"][side]
    found |= {**change, "situations": found["situations"][:1] * 4 if "situations" in change else found["situations"]}
    with pytest.raises(ConfigurationError, match=message):
        from_json(value)


@pytest.mark.parametrize("change", [{"total_usd": "1"}, {"lag_usd": None}, {"total_usd": None}, {"outcome": "stopped"}])
def test_a_sum_that_is_not_that_of_its_parts_is_refused(change: dict[str, Any]) -> None:
    value = to_json(samples.ready())
    value["exposure"]["enforced"]["situations"][0]["capabilities"][0]["bound"] |= change
    with pytest.raises(ConfigurationError, match="a sum that is not that of its parts"):
        from_json(value)


def test_lists_say_how_many_rows_there_are_in_all() -> None:
    control = to_json(samples.small())["domains"][0]["controls"][0]
    assert control["breaks"]["count"] == 3
    assert len(control["breaks"]["rows"]) == 1
    assert control["breaks"]["rows"][0] == {
        "what": "usd limit for each session passed by run-7f",
        "found": "1834.2",
        "expected": "50",
        "unit": "usd",
        "at": "2026-11-13T02:10:44Z",
        "source": {
            "evidence": "evidence/calls.jsonl",
            "path": "evidence/calls.jsonl",
            "pointer": "line 48213",
            "sha256": "b" * 64,
        },
    }


def test_the_gate_says_what_the_exit_code_says() -> None:
    assert to_json(samples.small())["gate"] == {
        "require": "ready",
        "min_coverage": 100,
        "min_score": 80,
        "fail_on": ["unknown"],
        "manifest_line": None,
        "met": False,
        "exit_code": ExitCode.GATE_NOT_MET.value,
        "reason": "Resource and spend governance: SPEND-01 contradicted, SPEND-02 missing; and 2 other domains",
    }
    assert to_json(samples.ready())["gate"]["met"] is True


def test_text_is_kept_readable_and_ends_in_a_newline() -> None:
    assert dumps({"b": "é", "a": []}) == '{\n  "b": "é",\n  "a": []\n}\n'


def _set(*path: str | int, to: Any) -> Change:
    def change(value: dict[str, Any]) -> None:
        target: Any = value
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return change


def _twice(value: dict[str, Any]) -> None:
    value["domains"][0]["controls"].append(value["domains"][0]["controls"][0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schema", to="psf-audit/assessment/2"), "its schema is not psf-audit/assessment/1"),
        (_set("verdict", to="ready"), "the verdict ready does not follow from the controls"),
        (_set("score", to={"exact": "1", "percent": 100}), "the score is not that of the lowest domain"),
        (_set("score", to={"exact": "1/7", "percent": 99}), "the score is not that of the lowest domain"),
        (_set("score", to={"exact": "2/14", "percent": 14}), "the score is not that of the lowest domain"),
        (_set("coverage", to={"exact": "1", "percent": 100}), "the coverage does not follow from the controls"),
        (_set("domains", 0, "passes", to=True), "the result of the domain spend does not follow from its controls"),
        (_set("domains", 0, "score", "percent", to=15), "the domain spend has a percentage that is not its score"),
        (_set("domains", 0, "controls", 0, "breaks", "count", to=0), "SPEND-01 has more rows in breaks than it counts"),
        (_set("domains", 0, "controls", 0, "status", to="fine"), "/domains/0/controls/0/status: 'fine' is not one of"),
        (_set("extra", to=1), "the document: Additional properties are not allowed"),
        (_set("as_of", to="2026-02-30"), "day is out of range"),
        (_set("as_of", to="2026-11-22\n"), "Invalid isoformat string"),
        (_set("coverage", to={"exact": "1/0", "percent": 0}), "/coverage/exact: '1/0' does not match"),
        (_set("waivers", 0, "state", to="granted"), "/waivers/0/state: 'granted' is not one of"),
        (_twice, "a control is there twice"),
        (lambda value: value.pop("limits_of_assessment"), "'limits_of_assessment' is a required property"),
    ],
)
def test_a_file_that_is_no_assessment_is_refused(change: Change, message: str) -> None:
    value = deepcopy(parsed(samples.small()))
    change(value)
    with pytest.raises(ConfigurationError) as caught:
        from_json(value, "old.json")
    assert message in caught.value.message
    assert caught.value.problems[0].path == "old.json"


@pytest.mark.parametrize("value", [None, [], "text", {}, {"schema": 1}])
def test_other_documents_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="its schema is not psf-audit/assessment/1"):
        from_json(value)


def test_only_the_first_problems_are_told_and_never_raw() -> None:
    value = parsed(samples.small())
    value["evidence"] = [{"\x1b[31m": "x" * 10_000}] * 50
    with pytest.raises(ConfigurationError) as caught:
        from_json(value)
    assert len(caught.value.problems) == 10
    assert all(len(problem.message) <= 300 and "\x1b" not in problem.message for problem in caught.value.problems)
