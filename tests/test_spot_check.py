"""What a second person is given to check by hand: drawn by what matters, the same everywhere, exact in what it says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from psf_audit import audit, schemas, spot_check, spot_check_forms, validation
from psf_audit.model import Assessment, Finding, Findings, Severity, Status
from psf_audit.reading import parse_yaml
from psf_audit.rendering import View
from psf_audit.spot_check import Part, Row, Sample, Weight
from psf_audit.spot_check_forms import AtHand, Worksheet
from tests import samples
from tests.strategies import assessments

DIGEST = hashlib.sha256(b"an assessment").hexdigest()
WEIGHTS = st.lists(st.sampled_from([2**power for power in range(8)]), min_size=1, max_size=30)
SEEDS = st.integers(0, 2**64)


def drawn(assessment: Assessment, seed: int = 7, count: int = 5) -> Sample:
    return spot_check.sample(assessment, DIGEST, seed=seed, count=count)


# ------------------------------------------------------------------------------------------------------------ the draw


def by_the_book(weights: Sequence[int], digest: str, seed: int, count: int) -> list[int]:
    """The draw again, as its description says, one step at a time."""
    left = dict(enumerate(weights))
    found = []
    for number in range(1, count + 1):
        total, attempt = sum(left.values()), 0
        while True:
            text = f"psf-audit/sample/1 {digest} {seed} {number} {attempt}"
            value = int(hashlib.sha256(text.encode()).hexdigest(), 16)
            if value < (2**256 // total) * total:
                break
            attempt += 1
        point = value % total
        laid = [place for place, weight in left.items() for _ in range(weight)]
        found.append(laid[point])
        del left[laid[point]]
    return found


@given(WEIGHTS, SEEDS, st.data())
def test_the_draw_is_what_its_description_says(weights: list[int], seed: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(weights)))
    assert spot_check.draw(weights, DIGEST, seed, count) == by_the_book(weights, DIGEST, seed, count)


@given(WEIGHTS, SEEDS)
def test_nothing_is_drawn_twice_and_everything_in_the_end(weights: list[int], seed: int) -> None:
    assert sorted(spot_check.draw(weights, DIGEST, seed, len(weights))) == list(range(len(weights)))


@given(WEIGHTS, SEEDS)
def test_a_larger_sample_begins_with_the_smaller_one(weights: list[int], seed: int) -> None:
    whole = spot_check.draw(weights, DIGEST, seed, len(weights))
    for count in range(len(weights)):
        assert spot_check.draw(weights, DIGEST, seed, count) == whole[:count]


def test_one_draw_is_known() -> None:
    """Whatever becomes of Python or of this code: the same seed draws the same rows."""
    assert spot_check.draw([1, 2, 4, 8, 16, 32, 64, 128], "0" * 64, 7, 8) == [7, 5, 2, 6, 4, 3, 1, 0]


def test_a_point_past_the_last_full_multiple_is_thrown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first numbers would be a little more likely than the others."""
    monkeypatch.setattr(spot_check, "_SPACE", 2**256 // 3)
    weights = [1, 2, 4, 8]
    found = [spot_check.draw(weights, DIGEST, seed, 1)[0] for seed in range(200)]
    assert set(found) == {0, 1, 2, 3}


def test_each_row_is_drawn_first_as_often_as_its_weight_says() -> None:
    weights, times = [8, 4, 2, 1, 1], 8_000
    found = Counter(spot_check.draw(weights, DIGEST, seed, 1)[0] for seed in range(times))
    expected = [Fraction(times * weight, sum(weights)) for weight in weights]
    distance = sum((found[place] - wanted) ** 2 / wanted for place, wanted in enumerate(expected))
    assert distance < 18.47  # the 99.9th percentile of chi-squared with 4 degrees of freedom


def test_among_rows_of_one_weight_every_choice_is_as_likely() -> None:
    """What the chance to miss rests on; the digests are fixed, so this cannot fail by chance."""
    weights = [4, 4, 4, 4, 1, 1]
    pairs = Counter(
        frozenset(places)
        for seed in range(6_000)
        if len(places := [place for place in spot_check.draw(weights, DIGEST, seed, 3) if place < 4]) == 2
    )
    wanted = Fraction(sum(pairs.values()), 6)
    assert len(pairs) == 6
    assert sum((count - wanted) ** 2 / wanted for count in pairs.values()) < 20.52  # 99.9 %, 5 degrees of freedom


@pytest.mark.parametrize("rows", range(1, 7))
def test_the_chance_to_miss_is_that_of_all_choices_counted_one_by_one(rows: int) -> None:
    for count in range(rows + 1):
        for wrong in range(rows + 1):
            choices = list(combinations(range(rows), count))
            missed = sum(all(place >= wrong for place in choice) for choice in choices)
            assert spot_check.miss(rows, count, wrong) == Fraction(missed, len(choices))


# ---------------------------------------------------------------------------------------------------- rows and weights


@given(assessments(), SEEDS, st.integers(1, 20))
def test_what_holds_of_every_sample(assessment: Assessment, seed: int, count: int) -> None:
    if not assessment.controls:
        return
    rows = spot_check.rows(assessment)
    assert {row.control.id for row in rows} == {control.id for control in assessment.controls}
    assert all(row.weight >= 1 and row.weight.bit_count() == 1 for row in rows)
    made = drawn(assessment, seed, count)
    assert len(made.drawn) == min(count, len(rows))
    assert len({id(row.finding) if row.finding else row.control.id for row in made.drawn}) <= len(made.drawn)
    assert made.row_count == len(rows)
    assert 0 < made.share <= 1
    assert (made.share == 1) is (len(made.drawn) == len(rows))
    assert sum(weight.drawn for weight in made.weights) == len(made.drawn)
    assert made == drawn(assessment, seed, count)


def only(status: Status, severity: Severity = Severity.BLOCKING, **parts: Findings) -> Row:
    """The first row of an assessment of one control."""
    control = samples.control("SPEND-01", "t", severity, status, "r", **{**_NOTHING, **parts})
    return spot_check.rows(samples.assessment([control]))[0]


_NOTHING = dict.fromkeys(("claims", "shows", "lacks", "breaks", "tests", "documents", "gaps"), Findings())
SHOWN = samples.small().controls[0]


def findings(evidence: str = "evidence/gateway.jsonl", count: int = 1, pointer: str = "line 1") -> Findings:
    row = Finding(what="x", found="failed", expected="passed", source=samples.source(evidence, pointer))
    return Findings((row,), count)


def test_what_a_wrong_row_would_cost_decides_its_weight() -> None:
    base = only(Status.DEMONSTRATED, shows=findings())
    assert base.part is Part.SHOWS
    for lighter in (
        only(Status.DEMONSTRATED, Severity.HIGH, shows=findings()),
        only(Status.UNDOCUMENTED, shows=findings()),
        only(Status.DEMONSTRATED, tests=findings()),
        only(Status.DEMONSTRATED, shows=findings(count=2)),
    ):
        assert lighter.weight * 2 == base.weight
    assert only(Status.DEMONSTRATED, documents=findings()).weight * 4 == base.weight
    assert only(Status.DEMONSTRATED, Severity.MEDIUM, shows=findings()).weight * 4 == base.weight
    assert only(Status.CONTRADICTED, breaks=findings()).weight * 32 == base.weight


@pytest.mark.parametrize(("count", "factor"), [(1, 16), (2, 8), (3, 8), (4, 4), (8, 2), (15, 2), (16, 1), (500, 1)])
def test_the_fewer_rows_there_are_the_more_each_of_them_carries(count: int, factor: int) -> None:
    whole = only(Status.DEMONSTRATED, shows=findings())
    assert only(Status.DEMONSTRATED, shows=findings(count=count)).weight * 16 == whole.weight * factor


def test_who_is_assessed_is_believed_less_than_who_is_not() -> None:
    control = samples.control(
        "SPEND-01", "t", Severity.HIGH, Status.DEMONSTRATED, "r", **{**_NOTHING, "shows": findings("e")}
    )
    weights = {}
    for by in ("gateway", "ci", "cloud", "third-party", "operator", "agent", None):
        entry = replace(samples.EVIDENCE[0], id="e", produced_by=by)
        weights[by] = spot_check.rows(samples.assessment([control], evidence=(entry,)))[0].weight
    light = weights["gateway"]
    assert {by for by, weight in weights.items() if weight == light} == {"gateway", "ci", "cloud", "third-party"}
    assert {weight for by, weight in weights.items() if by in {"operator", "agent", None}} == {light * 4}


def test_a_row_that_the_exposure_rests_on_counts_twice() -> None:
    made = samples.ready()
    assert made.exposure is not None
    (stop,) = made.exposure.enforced.worst.in_all.decided_by
    source = replace(samples.source(stop.evidence, stop.pointer), evidence=stop.evidence)
    here, elsewhere = (
        samples.control("SPEND-01", "t", Severity.HIGH, Status.DEMONSTRATED, "r",
                        **{**_NOTHING, "shows": Findings((Finding(what="x", source=one),), 1)})
        for one in (source, replace(source, pointer="elsewhere"))
    )  # fmt: skip
    (first,) = spot_check.rows(samples.assessment([here], exposure=made.exposure))
    (second,) = spot_check.rows(samples.assessment([elsewhere], exposure=made.exposure))
    assert first.weight == second.weight * 2


def test_a_control_without_a_row_is_one_itself() -> None:
    assert only(Status.NOT_APPLICABLE).part is Part.NOT_APPLICABLE
    assert only(Status.MISSING).part is Part.ABSENT
    assert only(Status.NOT_APPLICABLE).weight > only(Status.MISSING).weight


def test_a_failed_test_speaks_against_its_control() -> None:
    assert only(Status.CONTRADICTED, tests=findings()).part is Part.BREAKS
    assert only(Status.UNTESTED, tests=findings()).part is Part.TEST


def test_rows_that_were_counted_and_not_kept_are_told() -> None:
    made = drawn(samples.assessment([only(Status.DEMONSTRATED, shows=findings(count=120)).control]))
    assert made.not_kept == 119
    assert "119 more rows, counted there and not kept, cannot be drawn" in " ".join(spot_check_forms.head(sheet(made)))


# ---------------------------------------------------------------------------------------------------------- worksheets


def sheet(made: Sample, **files: AtHand) -> Worksheet:
    return Worksheet(made, files)


FORMS: dict[str, Callable[[Worksheet], str]] = {
    "txt": lambda made: spot_check_forms.text(made, View(width=100)) + "\n",
    "md": lambda made: spot_check_forms.markdown(made, View()),
    "json": spot_check_forms.json_text,
    "yaml": lambda made: spot_check_forms.records(made, View()),
}


@pytest.fixture(scope="module", params=["guarded", "dn42"])
def sampled(request: pytest.FixtureRequest, repo: Path) -> tuple[str, Worksheet]:
    manifest = repo / "samples" / request.param / "manifest.yaml"
    made = audit.run(manifest, audit.Options(as_of=date(2026, 11, 22)))
    return request.param, sheet(drawn(made, count=3))


@pytest.mark.parametrize("form", FORMS)
def test_worksheets_are_as_they_were(
    sampled: tuple[str, Worksheet], golden: Callable[[str, str], None], form: str
) -> None:
    name, made = sampled
    golden(f"spot_check/{name}.{form}", FORMS[form](made))


@given(assessments(), SEEDS)
def test_every_worksheet_fits_its_schema_and_its_records_are_records(assessment: Assessment, seed: int) -> None:
    if not assessment.controls:
        return
    made = sheet(drawn(assessment, seed))
    value = json.loads(FORMS["json"](made))
    assert list(Draft202012Validator(schemas.load("sample")).iter_errors(value)) == []
    document = parse_yaml(FORMS["yaml"](made))
    assert validation.problems(document, schemas.load("records"), "records.yaml") == []
    assert [record["controls"] for record in document.value["records"]] == [
        [row.control.id] for row in made.sample.drawn
    ]
    for form in ("txt", "md"):
        assert FORMS[form](made).count("[ ] confirmed") >= len(made.sample.drawn)


def test_a_worksheet_says_whether_each_file_is_at_hand() -> None:
    made = drawn(samples.ready(), count=8)
    paths = {row.source.path for row in made.drawn if row.source}
    for state in AtHand:
        assert state.words in FORMS["txt"](Worksheet(made, dict.fromkeys(paths, state))).replace("\n            ", " ")


def test_percentages_to_miss_are_never_told_too_small() -> None:
    made = replace(drawn(samples.ready(), count=2), weights=(Weight(8, 1_000, 1),))
    assert spot_check_forms.miss_rows(made) == (("8", "1000", "1", "100%", "90%", "75%"),)
    made = replace(made, weights=(Weight(8, 3, 1), Weight(4, 1, 1)))
    assert spot_check_forms.miss_rows(made) == (("8", "3", "1", "67%", "67%", "67%"), ("4", "1", "1", "0%", "0%", "0%"))


def test_nobody_whom_the_manifest_names_should_check() -> None:
    deployment = replace(samples.DEPLOYMENT, people=(("owner", "unknown"), ("assessor", "P. Raman")))
    made = drawn(replace(samples.ready(), deployment=deployment))
    assert "so not for P. Raman (assessor)." in spot_check_forms.head(sheet(made))[-1]
    nobody = drawn(replace(samples.ready(), deployment=replace(deployment, people=(("owner", "Unknown"),))))
    assert spot_check_forms.head(sheet(nobody))[-1].endswith("did not make the assessment.")
