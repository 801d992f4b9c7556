from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit import schemas, validation
from psf_audit.reading import Document, parse_yaml

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "count": {"type": "integer", "exclusiveMinimum": 0},
        "share": {"type": ["number", "null"], "maximum": 1},
        "items": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "kind": {"enum": ["one", "two", 3]},
        "either": {
            "description": "write a word or {to: WORD}",
            "anyOf": [
                {"enum": ["all"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["to"],
                    "properties": {"to": {"enum": ["a"]}},
                },
            ],
        },
    },
}


def found(text: str) -> list[str]:
    return [str(problem) for problem in validation.problems(parse_yaml(text), SCHEMA, "x.yaml")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: abc\ncount: 1\nshare: 0.5\nitems: [a]\nkind: 3\neither: all\n", []),
        ("name: a", ["x.yaml:1:1: name must not be empty"]),
        ("name: 5", ["x.yaml:1:1: name must be text, put it in quotes"]),
        ("name: [a]", ["x.yaml:1:1: name must be text"]),
        ("name: true", ["x.yaml:1:1: name must be text, put it in quotes"]),
        ("name: ab\ncount: 0", ["x.yaml:2:1: count is out of range: 0, exclusiveMinimum is 0"]),
        ("name: ab\ncount: 1.0", ["x.yaml:2:1: count must be a whole number"]),
        ("name: ab\ncount: true", ["x.yaml:2:1: count must be a whole number"]),
        ("name: ab\nshare: true", ["x.yaml:2:1: share must be a number or nothing"]),
        ("name: ab\nshare: 1.5", ["x.yaml:2:1: share is out of range: 1.5, maximum is 1"]),
        ("name: ab\nkind: tow", ["x.yaml:2:1: kind cannot be 'tow', did you mean 'two'?"]),
        ("name: ab\nkind: 4", ["x.yaml:2:1: kind cannot be 4, use one of one, two, 3"]),
        ("name: ab\nitems: [a, 5]", ["x.yaml:2:12: entry 2 must be text, put it in quotes"]),
        ("name: ab\nnaem: cd", ["x.yaml:2:1: unknown key 'naem', did you mean 'name'?"]),
        ("name: ab\nzzz: cd", ["x.yaml:2:1: unknown key 'zzz', known keys: count, either, items, kind, name, share"]),
        ("{}", ["x.yaml:1:1: the document lacks name, add it"]),
        ("[]", ["x.yaml:1:1: the document must be a mapping"]),
        ("name: ab\neither: some", ["x.yaml:2:1: either cannot be 'some', write a word or {to: WORD}"]),
        ("name: ab\neither: {to: b}", ["x.yaml:2:10: to cannot be 'b', use one of a"]),
    ],
)
def test_each_problem_has_its_place_and_what_to_do(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_a_rule_that_has_no_words_of_ours_is_told_in_those_of_the_schema() -> None:
    (problem,) = found("name: ab\nitems: [a, a]")
    assert problem.startswith("x.yaml:2:1: items: ")


def test_problems_are_in_the_order_of_the_file_and_each_is_told_once() -> None:
    lines = [problem.split(":")[1] for problem in found("count: 0\nkind: x\nname: a\nzz: 1\nyy: 2\n")]
    assert lines == sorted(lines)
    assert len(lines) == 5


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_held_against_any_schema(value: Any) -> None:
    for name in schemas.names():
        for problem in validation.problems(Document(value, {}), validation.schema(name), "x"):
            assert problem.line == 1
            assert problem.message
