"""What one rubric asks otherwise than another, and the forms in which that is told."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from psf_audit import revision, revision_forms, rubric, schemas
from psf_audit.cli import main
from psf_audit.rendering import View
from tests.test_rubric import CONTROL, RUBRIC

VIEW = View(width=100, color=False)


def load(folder: Path, name: str, **changes: Any) -> rubric.Rubric:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**deepcopy(RUBRIC), **changes}, sort_keys=False), encoding="utf-8")
    return rubric.load(path)


def control(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(CONTROL), **changes}


@pytest.mark.parametrize("name", ["psf-agentic@1.0.0", "psf-agentic@1.3.0", "payments", "read-only"])
def test_nothing_differs_from_itself(name: str) -> None:
    known = rubric.load(rubric.find(name))
    found = revision.between(known, known)

    assert (found.added, found.removed, found.revised, found.became, found.changelog, found.other) == ((),) * 6
    assert found.same_scoring


def test_what_1_3_0_asks_otherwise_than_1_2_0() -> None:
    found = revision.between(
        rubric.load(rubric.find("psf-agentic@1.2.0")), rubric.load(rubric.find("psf-agentic@1.3.0"))
    )

    assert [one.id for one in found.added] == ["SPEND-11", "BOUND-11", "BOUND-12"]
    assert [one.lifecycle for one in found.added] == ["experimental"] * 3
    assert [one.after for one in found.revised] == ["SPEND-09"]  # as its changelog says: nothing else
    assert found.revised[0].decides == ()
    assert {sql.criterion for sql in found.revised[0].criteria} == {"claims", "shows", "lacks", "breaks"}
    assert [(one.control, one.kind, one.to) for one in found.became] == [
        ("SPEND-09", "split", ("SPEND-09", "BOUND-12"))
    ]
    assert [entry[:6] for entry in found.changelog] == ["1.3.0:"]
    assert not found.same_scoring


def test_backwards_what_was_added_is_removed() -> None:
    old, new = rubric.load(rubric.find("psf-agentic@1.0.0")), rubric.load(rubric.find("psf-agentic@1.3.0"))
    there, back = revision.between(old, new), revision.between(new, old)

    assert [one.id for one in there.added] == [one.id for one in back.removed]
    assert {one.after for one in there.revised} == {one.before for one in back.revised}
    assert (back.changelog, back.became) == ((), ())


def test_a_renamed_control_is_held_against_itself(tmp_path: Path) -> None:
    migrations = [{"since": "1.3.0", "control": "SPEND-01", "to": ["SPEND-21"], "why": "Clearer."}]
    new = control(id="SPEND-21", aliases=["SPEND-01"], severity="high", params={"most": 50}, stricter={"most": "lower"})
    found = revision.between(
        load(tmp_path, "old"), load(tmp_path, "new", version="1.3.0", controls=[new], migrations=migrations)
    )

    assert (found.added, found.removed) == ((), ())
    (revised,) = found.revised
    assert (revised.before, revised.after) == ("SPEND-01", "SPEND-21")
    assert revised.decides == ("severity: high instead of blocking (asks less)", "most: 50 instead of 100 (asks more)")
    assert [one.kind for one in found.became] == ["renamed"]


def test_directions_and_wording(tmp_path: Path) -> None:
    new = control(
        present_max_age_days=60,
        tested={"adversarial": False, "max_age_days": 30},
        params={"most": 200},
        why="Otherwise.",
        breaks="SELECT ref, 'x' AS what FROM limits",
        lacks=None,
    )
    new = {key: value for key, value in new.items() if value is not None}
    (revised,) = revision.between(load(tmp_path, "old"), load(tmp_path, "new", controls=[new])).revised

    assert revised.decides == (
        "age of its evidence in days: 60 instead of 30 (asks less)",
        "age of its tests in days: 30 instead of 90 (asks more)",
        "its test need not try to defeat it (asks less)",
        "most: 200 instead of 100",  # the rubric does not say in which direction it asks more
    )
    assert [sql.words for sql in revised.criteria] == ["breaks added"]
    assert revised.wording == ("why",)


def test_two_rubrics_are_no_versions_of_one(tmp_path: Path) -> None:
    other = load(tmp_path, "other", id="other", version="9.0.0", changelog=["9.0.0: all."])
    found = revision.between(load(tmp_path, "old"), other)

    assert found.changelog == ()
    assert "two rubrics" in found.other[0]


@pytest.mark.parametrize(("old", "new"), [("1.0.0", "1.3.0"), ("1.3.0", "payments"), ("1.3.0", "read-only@1.0.0")])
def test_the_command_says_it_in_each_form(capsysbinary: pytest.CaptureFixture[bytes], old: str, new: str) -> None:
    said = {}
    for form in ("terminal", "markdown", "json"):
        assert main.run(["rubric", "diff", old, new, "-f", form]) == 0
        said[form] = capsysbinary.readouterr().out.decode()

    value = json.loads(said["json"])
    Draft202012Validator(schemas.load("rubric-diff")).validate(value)
    for entry in (*value["added"], *value["removed"]):
        assert all(entry["id"] in text for text in said.values())
    for entry in value["changed"]:
        assert all(entry["after"] in text for text in said.values())


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script> [x](javascript:y) \x1b[2J\u202e | @everyone"
    with_text = load(tmp_path, "new", version="1.9.0", controls=[control(id="SPEND-02", title=bad, requirement=bad)])
    found = revision.between(load(tmp_path, "old"), with_text)

    for text in (revision_forms.text(found, VIEW), revision_forms.markdown(found, VIEW)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>" not in revision_forms.markdown(found, VIEW)
