"""Loading, checking and choosing rubrics; the rubrics that ship are in test_released_rubrics.py."""

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from psf_audit import resources, rubric
from psf_audit.errors import ConfigurationError
from psf_audit.model import Severity
from psf_audit.rubric import Rubric, TestRule

CONTROL: dict[str, Any] = {
    "id": "SPEND-01",
    "domain": "spend",
    "title": "Hard spend ceiling",
    "severity": "blocking",
    "requirement": "There is a ceiling.",
    "why": "Without it cost grows.",
    "applies_when": "SELECT 1 AS x FROM reach WHERE paid = 1",
    "shows": "SELECT ref, 'ceiling' AS what, amount AS found FROM outside_limits WHERE amount <= $most",
    "present_max_age_days": 30,
    "params": {"most": 100},
    "tested": {"adversarial": True, "max_age_days": 90},
    "documented": {"max_age_days": 180},
    "remedy": {"text": "Set one.", "effort": "hours", "snippets": {"litellm": "max_budget: 50"}},
    "question": "What stops it?",
    "references": {"psf": ["PSF-6"]},
}
RUBRIC: dict[str, Any] = {
    "schema": "psf-audit/rubric/1",
    "id": "small",
    "version": "1.2.3",
    "title": "Small",
    "about": "For\n  tests.",
    "released": "2026-11-22",
    "waivers": {"max_days": 90},
    "limits": ["No query proves it."],
    "domains": [{"id": "spend", "title": "Spend"}],
    "frameworks": {"psf": {"title": "PSF"}},
    "controls": [CONTROL],
}


def written(folder: Path, value: Any) -> Path:
    path = folder / "r.yaml"
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path


def load(folder: Path, value: Any = RUBRIC) -> Rubric:
    return rubric.load(written(folder, value))


def with_control(**changes: Any) -> dict[str, Any]:
    control = {key: value for key, value in {**CONTROL, **changes}.items() if value is not None}
    return {**RUBRIC, "controls": [control]}


def problems(folder: Path, value: Any) -> list[str]:
    path = written(folder, value)
    with pytest.raises(ConfigurationError) as caught:
        rubric.load(path)
    assert all(problem.line for problem in caught.value.problems)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


# ----------------------------------------------------------------------------------------------------------- loading


def test_what_a_rubric_holds(tmp_path: Path) -> None:
    loaded = load(tmp_path)

    assert (loaded.identity.id, loaded.identity.version, loaded.identity.about) == ("small", "1.2.3", "For tests.")
    assert [(domain.id, domain.title) for domain in loaded.domains] == [("spend", "Spend")]
    assert loaded.waiver_max_days == 90
    assert loaded.frameworks == {"psf": "PSF"}
    assert loaded.limits == ("No query proves it.",)
    (control,) = loaded.controls
    assert loaded.control("SPEND-01") is control
    assert loaded.control("SPEND-02") is None
    assert control.severity is Severity.BLOCKING
    assert control.tested == TestRule(adversarial=True, max_age_days=90)
    assert (control.present_max_age_days, control.documented_max_age_days) == (30, 180)
    assert control.remedy.snippets == {"litellm": "max_budget: 50"}
    assert control.references == {"psf": ("PSF-6",)}
    assert list(control.criteria) == ["applies_when", "shows"]


def test_what_a_criterion_reads_and_takes(tmp_path: Path) -> None:
    (control,) = load(tmp_path).controls

    assert control.analyses["shows"].tables == {"limits"}
    assert "amount" in control.analyses["shows"].columns
    assert control.parameters("shows") == {"most": 100}
    assert control.parameters("applies_when") == {}


def test_a_control_that_reads_results_comes_second(tmp_path: Path) -> None:
    assert load(tmp_path).controls[0].in_second_stage is False
    second = with_control(lacks="SELECT NULL AS ref, control AS what FROM results WHERE status = 'missing'")
    assert load(tmp_path, second).controls[0].in_second_stage is True


# ---------------------------------------------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            with_control(shows="SELECT ref FROM limts", params=None),
            "SPEND-01.shows reads 'limts', which is no evidence",
        ),
        (with_control(shows="SELECT ammount FROM limits", params=None), "SPEND-01.shows reads the column 'ammount'"),
        (with_control(lacks="SELECT getenv('HOME') AS what"), "SPEND-01.lacks uses the function 'getenv'"),
        (with_control(lacks="SELECT 1 AS ref; SELECT 2 AS ref"), "SPEND-01.lacks must be exactly one SELECT"),
        (with_control(lacks="SELECT 1 AS ref;"), "SPEND-01.lacks is not one SELECT that can be parsed"),
        (with_control(breaks="DELETE FROM limits"), "SPEND-01.breaks is not one SELECT that can be parsed"),
        (with_control(claims="SELEC 1"), "SPEND-01.claims is not one SELECT that can be parsed"),
        (with_control(claims="SELECT * FROM limits"), "SPEND-01.claims uses *, which is not allowed"),
        (with_control(domain="money"), "there is no domain 'money', known: spend"),
        (with_control(references={"iso": ["A.1"]}), "SPEND-01 names 'iso', which is not among the frameworks"),
        (with_control(params={}), "SPEND-01: params and SQL do not agree on most"),
        (with_control(params={"most": 1, "lag": 2}), "SPEND-01: params and SQL do not agree on lag"),
        ({**RUBRIC, "controls": [CONTROL, CONTROL]}, "the id SPEND-01 is taken"),
        (with_control(shows=None), "entry 1 lacks shows, add it"),
        (with_control(severity="huge"), "severity cannot be 'huge'"),
        (with_control(id="spend 1"), "id cannot be 'spend 1', write it as SPEND-01"),
        (with_control(remedy={"text": ""}), "text must not be empty"),
        (with_control(tested={"adversarial": True, "max_age_days": 0}), "max_age_days is out of range: 0"),
        (with_control(requirment="x"), "unknown key 'requirment', did you mean 'requirement'?"),
        ({**RUBRIC, "version": "1.0"}, "version cannot be '1.0', write it as"),
        ({**RUBRIC, "schema": "psf-audit/rubric/2"}, "schema must be 'psf-audit/rubric/1'"),
        ({**RUBRIC, "controls": []}, "controls must not be empty"),
        ([], "the document must be a mapping"),
    ],
)
def test_each_problem_has_its_place(tmp_path: Path, value: Any, expected: str) -> None:
    found = problems(tmp_path, value)
    assert any(problem.startswith("r.yaml:") and expected in problem for problem in found), found


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    value = deepcopy(with_control(shows="SELECT x FROM y", domain="money", claims="SELECT 1; SELECT 2"))
    assert len(problems(tmp_path, value)) == 4


def test_the_line_is_that_of_the_criterion(tmp_path: Path) -> None:
    path = written(tmp_path, with_control(breaks="DROP TABLE limits"))
    (line,) = [n for n, text in enumerate(path.read_text().splitlines(), 1) if text.strip().startswith("breaks:")]
    with pytest.raises(ConfigurationError) as caught:
        rubric.load(path)
    assert caught.value.problems[0].line == line


@pytest.mark.parametrize(("data", "message"), [(b"\xff", "not UTF-8"), (b"a: [", "not YAML"), (b"a: 1\na: 2", "twice")])
def test_what_is_no_yaml_is_no_rubric(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "r.yaml").write_bytes(data)
    with pytest.raises(ConfigurationError, match=message) as caught:
        rubric.load(tmp_path / "r.yaml")
    assert caught.value.problems


def test_only_the_sql_of_rubrics_that_ship_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = with_control(breaks="SELECT getenv('HOME') AS what")
    folder = tmp_path / "rubrics" / "small"
    folder.mkdir(parents=True)
    path = written(folder, bad)
    monkeypatch.setattr(resources, "rubrics_dir", lambda: tmp_path / "rubrics")

    assert rubric.load(path).controls
    with pytest.raises(ConfigurationError):
        rubric.lint(path)
    outside = written(tmp_path, bad)
    with pytest.raises(ConfigurationError):
        rubric.load(outside)
    # A link in the folder leads to somebody else's file.
    (folder / "2.0.0.yaml").symlink_to(outside)
    with pytest.raises(ConfigurationError):
        rubric.load(folder / "2.0.0.yaml")


# ---------------------------------------------------------------------------------------------------------- choosing


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/1.0.0", "a/1.2.0", "a/1.10.0", "a/2.0.0", "a/10.0.0", "a/1.0.0.cases", "b/0.1.0"):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    monkeypatch.setattr(resources, "rubrics_dir", lambda: tmp_path)
    return tmp_path


@pytest.mark.usefixtures("shipped")
def test_versions_are_numbers() -> None:
    assert rubric.available() == {"a": ["1.0.0", "1.2.0", "1.10.0", "2.0.0", "10.0.0"], "b": ["0.1.0"]}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("a", "a/10.0.0"),
        ("a@1", "a/1.10.0"),
        ("a@1.2", "a/1.2.0"),
        ("a@1.0.0", "a/1.0.0"),
        ("a@2", "a/2.0.0"),
        ("b@0", "b/0.1.0"),
    ],
)
def test_the_newest_version_that_fits_is_found(shipped: Path, spec: str, name: str) -> None:
    assert rubric.find(spec) == rubric.locate(spec) == shipped / f"{name}.yaml"


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("c", "there is no rubric 'c'"),
        ("a@3", "rubric a has no version 3"),
        ("a@1.0.1", "rubric a has no version 1.0.1"),
        ("a@1.1", "rubric a has no version 1.1"),
        *(
            (wrong, "is not a name like")
            for wrong in ("", "A", "a@", "a@x", "a@1.0.0.0", "../a", "a@1\n", "a b", "a/b")
        ),
    ],
)
def test_what_is_not_there_is_said(spec: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        rubric.find(spec)


def test_a_path_is_a_path() -> None:
    assert rubric.locate("my/rubric.yaml") == Path("my/rubric.yaml")
    assert rubric.locate("rubric.yml") == Path("rubric.yml")


# ----------------------------------------------------------------------------------------------------------- digests

SCORING = {
    "severity": "high",
    "domain": "other",
    "shows": "SELECT ref FROM limits WHERE amount < $most",
    "lacks": "SELECT ref FROM limits",
    "present_max_age_days": 31,
    "tested": {"adversarial": False, "max_age_days": 90},
    "documented": {"max_age_days": 181},
    "params": {"most": 101},
    "id": "SPEND-02",
}
WORDING = {
    "title": "Other",
    "requirement": "Other.",
    "why": "Other.",
    "question": "Other?",
    "remedy": {"text": "Other."},
    "references": {"psf": ["PSF-7"]},
}


def digests(folder: Path, value: Any) -> tuple[str, str]:
    identity = load(
        folder, {**value, "domains": [{"id": "spend", "title": "S"}, {"id": "other", "title": "O"}]}
    ).identity
    return identity.content_digest, identity.scoring_digest


@pytest.mark.parametrize("key", SCORING)
def test_what_decides_a_status_changes_both_digests(tmp_path: Path, key: str) -> None:
    before, after = digests(tmp_path, RUBRIC), digests(tmp_path, with_control(**{key: SCORING[key]}))
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("key", WORDING)
def test_wording_changes_the_content_digest_alone(tmp_path: Path, key: str) -> None:
    before, after = digests(tmp_path, RUBRIC), digests(tmp_path, with_control(**{key: WORDING[key]}))
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize("key", ["version", "title", "about", "limits"])
def test_the_head_of_a_rubric_decides_no_status(tmp_path: Path, key: str) -> None:
    changed = {**RUBRIC, key: {"version": "1.2.4", "limits": ["x"]}.get(key, "x")}
    before, after = digests(tmp_path, RUBRIC), digests(tmp_path, changed)
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_layout_changes_no_digest(tmp_path: Path) -> None:
    before = load(tmp_path).identity
    (tmp_path / "r.yaml").write_text("# a comment\n" + yaml.safe_dump(RUBRIC, sort_keys=True, indent=8, width=40))
    assert rubric.load(tmp_path / "r.yaml").identity == before


@pytest.mark.parametrize("number", ["0.05", "0.050", "5e-2"])
def test_how_a_number_is_written_changes_no_digest(number: str) -> None:
    assert rubric._digest({"most": Decimal(number)}) == rubric._digest({"most": Decimal("0.05")})
    assert rubric._digest({"most": Decimal(number)}) != rubric._digest({"most": Decimal("0.06")})
